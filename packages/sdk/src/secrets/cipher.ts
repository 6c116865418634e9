import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { PortiaError } from '../core/errors.ts';

/** Bytes of a key: AES-256. */
const keyLength = 32;
const ivLength = 12;
const tagLength = 16;

/** A new key, made at random. */
export function newKey(): Uint8Array {
  return randomBytes(keyLength);
}

/** One key of AES-256-GCM. */
export class Cipher {
  /** Eight characters that tell keys apart, and nothing about the key. */
  readonly id: string;
  readonly #key: Uint8Array;
  readonly #ivKey: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
    this.id = createHash('sha256').update('portia-ts.key-id').update(key).digest('base64url').slice(0, 8);
    this.#ivKey = createHmac('sha256', key).update('portia-ts.iv').digest();
  }

  /**
   * Seals a text. `context` says what it is: what was sealed in one place cannot be opened in another. The same text in
   * the same context gives the same result, so that writing it a second time changes nothing; nothing else repeats.
   */
  seal(text: string, context: string): string {
    // The vector is made from what is sealed: it is the same only where everything is.
    const bytes = Buffer.from(text, 'utf8');
    const iv = createHmac('sha256', this.#ivKey).update(`${context.length}.${context}.`).update(bytes).digest();
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv.subarray(0, ivLength));
    cipher.setAAD(Buffer.from(context, 'utf8'));
    const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
    return Buffer.concat([iv.subarray(0, ivLength), cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** The text; undefined when it was sealed by another key, in another context, or changed since. */
  open(sealed: string, context: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < ivLength + tagLength) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, ivLength));
    decipher.setAAD(Buffer.from(context, 'utf8'));
    decipher.setAuthTag(bytes.subarray(ivLength, ivLength + tagLength));
    try {
      const opened = Buffer.concat([decipher.update(bytes.subarray(ivLength + tagLength)), decipher.final()]);
      return opened.toString('utf8');
    } catch {
      return undefined;
    }
  }
}

/**
 * The keys of a setting such as `PORTIA_SECRET_KEY`: 32 bytes each, as base64 or hexadecimal. Several are separated by
 * commas: the first one seals, all of them open, so that a key can be replaced.
 * @throws PortiaError `CONFIG_INVALID`, which never shows what was given.
 */
export class SecretKeys {
  readonly #ciphers: readonly Cipher[];

  constructor(setting: string, where: string = 'PORTIA_SECRET_KEY') {
    this.#ciphers = setting.split(',').map((text) => new Cipher(keyFrom(text.trim(), where)));
  }

  /** Seals with the first key; the result begins with the key's id. */
  seal(text: string, context: string): string {
    const cipher = this.#ciphers[0] as Cipher;
    return `${cipher.id}.${cipher.seal(text, context)}`;
  }

  /** The same, sealed with the first key; undefined when it is already. @throws PortiaError as {@link open}. */
  sealAnew(sealed: string, context: string): string | undefined {
    return sealed.startsWith(`${this.#ciphers[0]?.id}.`) ? undefined : this.seal(this.open(sealed, context), context);
  }

  /** @throws PortiaError `CONFIG_INVALID` when it was sealed by a key that is not here; `STORAGE_CORRUPT` when it was changed. */
  open(sealed: string, context: string): string {
    const [id = '', body = ''] = sealed.split('.');
    const cipher = this.#ciphers.find((known) => known.id === id);
    if (!cipher) {
      throw new PortiaError({
        code: 'CONFIG_INVALID',
        message: `PORTIA_SECRET_KEY is not the key that ${context} was sealed with`,
        hint: 'give the key it was sealed with; behind a new one and a comma, if it was replaced',
      });
    }
    const text = cipher.open(body, context);
    if (text !== undefined) return text;
    throw new PortiaError({ code: 'STORAGE_CORRUPT', message: `${context} was changed since it was sealed` });
  }
}

function keyFrom(text: string, where: string): Uint8Array {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64url');
  if (/^[\w+/=-]+$/.test(text) && key.length === keyLength) return key;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${where} is not a key of ${keyLength} bytes`,
    hint: 'make one with: openssl rand -base64 32',
  });
}
