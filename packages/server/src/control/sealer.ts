import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { PortiaError } from 'portia-ts';

const mark = 'sealed:';

/**
 * Seals texts of the control store with the secret key of the server, where it has one. Of several keys, separated by
 * commas, the first one seals and all of them open.
 */
export class Sealer {
  readonly #keys: readonly Buffer[];
  readonly #what: string;

  /** `what` is sealed: for the error, and so that nothing opens what was sealed as something else. */
  constructor(secretKey: string | undefined, what: string) {
    this.#what = what;
    this.#keys = (secretKey?.split(',') ?? []).map((key) =>
      createHash('sha256').update(`${what}\n${key.trim()}`).digest(),
    );
  }

  seal(text: string): string {
    const [key] = this.#keys;
    if (!key) return text;
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
    return `${mark}${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')}`;
  }

  /** Whether a text is sealed with the key that seals now. */
  isCurrent(stored: string): boolean {
    const [key] = this.#keys;
    return key === undefined || (stored.startsWith(mark) && opened(key, stored) !== undefined);
  }

  /** @throws PortiaError `CONFIG_NOT_FOUND` for what none of the keys opens. */
  open(stored: string): string {
    if (!stored.startsWith(mark)) return stored;
    for (const key of this.#keys) {
      const text = opened(key, stored);
      if (text !== undefined) return text;
    }
    throw new PortiaError({
      code: 'CONFIG_NOT_FOUND',
      message: `the ${this.#what} of this server are sealed, and the setting secretKey does not hold the key they were sealed with`,
      hint: 'set PORTIA_SECRET_KEY to what it was then; behind a new one and a comma, if it was replaced',
    });
  }
}

/** The text that this key has sealed; `undefined`: another one has. */
function opened(key: Buffer, stored: string): string | undefined {
  const bytes = Buffer.from(stored.slice(mark.length), 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  const text = decipher.update(bytes.subarray(28));
  try {
    return Buffer.concat([text, decipher.final()]).toString();
  } catch {
    return undefined;
  }
}
