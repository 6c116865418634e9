import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PortiaError } from '../core/errors.ts';
import { hashText } from '../core/hash.ts';
import type { SecretKeys } from './cipher.ts';
import { type SecretKeyOptions, secretKeysOf } from './secret-keys.ts';
import type { SecretStore } from './secret-store.ts';

/** Where {@link fileSecretStore} keeps secrets. */
export interface FileSecretOptions extends SecretKeyOptions {
  /** A folder of its own; made when the first secret is stored, for its owner only. */
  readonly dir: string;
}

/**
 * Secrets in a folder, each in an encrypted file (AES-256-GCM), names included. Processes of one machine share it.
 * @throws PortiaError `CONFIG_NOT_FOUND` or `CONFIG_INVALID` for the key. Reading: `CONFIG_INVALID` for what another key
 * sealed, `STORAGE_CORRUPT` for what was changed.
 */
export function fileSecretStore({ dir, ...keyOptions }: FileSecretOptions): SecretStore {
  const keys = secretKeysOf(keyOptions);
  const fileOf = (name: string): string => join(dir, `${hashText(name)}${ending}`);
  return {
    async get(name) {
      return (await readSecret(keys, fileOf(name)))?.value;
    },
    async set(name, value) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const file = fileOf(name);
      await replace(file, keys.seal(JSON.stringify({ name, value }), hashText(name)), async () => true);
    },
    async delete(name) {
      await rm(fileOf(name), { force: true });
    },
    async list(prefix) {
      const files = await readdir(dir).catch(() => []);
      const secrets = await Promise.all(
        files.filter((file) => file.endsWith(ending)).map((file) => readSecret(keys, join(dir, file))),
      );
      return secrets.flatMap((secret) => (secret?.name.startsWith(prefix) ? [secret.name] : [])).sort();
    },
    async rotate() {
      let count = 0;
      for (const name of await readdir(dir).catch(() => [])) {
        const file = join(dir, name);
        const sealed = name.endsWith(ending) ? await readSealed(file) : undefined;
        const anew = sealed === undefined ? undefined : keys.sealAnew(sealed, contextOf(file));
        if (anew === undefined) continue;
        // Files cannot be exchanged on a condition: what is set between this look and the exchange would be lost.
        if (await replace(file, anew, async () => (await readSealed(file)) === sealed)) count += 1;
      }
      return count;
    },
  };
}

const ending = '.secret';

/** Puts a file in the place of another, whole or not at all, if that is still wanted then. */
async function replace(file: string, sealed: string, stillWanted: () => Promise<boolean>): Promise<boolean> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, sealed, { mode: 0o600 });
    if (await stillWanted()) {
      await rename(draft, file);
      return true;
    }
    await rm(draft, { force: true });
    return false;
  } catch (cause) {
    await rm(draft, { force: true });
    throw new PortiaError({ code: 'STORAGE_FAILED', message: 'a secret could not be written', cause });
  }
}

async function readSealed(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PortiaError({ code: 'STORAGE_FAILED', message: 'a stored secret cannot be read', cause: error });
  }
}

function contextOf(file: string): string {
  return file.slice(-ending.length - 43, -ending.length);
}

async function readSecret(keys: SecretKeys, file: string): Promise<{ name: string; value: string } | undefined> {
  const sealed = await readSealed(file);
  if (sealed === undefined) return undefined;
  return JSON.parse(keys.open(sealed, contextOf(file))) as { name: string; value: string };
}
