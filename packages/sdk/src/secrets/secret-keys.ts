import { PortiaError } from '../core/errors.ts';
import { SecretKeys } from './cipher.ts';

/** How the key of a secret store is given. */
export interface SecretKeyOptions {
  /**
   * 32 bytes as base64 or hex; `PORTIA_SECRET_KEY` of the environment unless given. Several are separated by commas:
   * the first one encrypts, all of them decrypt, so that a key can be replaced.
   */
  readonly key?: string | undefined;
  /** Where `PORTIA_SECRET_KEY` is looked up; the environment of the process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** @throws PortiaError `CONFIG_NOT_FOUND` without a key, `CONFIG_INVALID` for one that is not 32 bytes. */
export function secretKeysOf({ key, env = process.env }: SecretKeyOptions): SecretKeys {
  const given = key ?? env['PORTIA_SECRET_KEY'];
  if (given !== undefined && given.trim() !== '') return new SecretKeys(given);
  throw new PortiaError({
    code: 'CONFIG_NOT_FOUND',
    message: 'secrets are kept encrypted, and no key for that is set',
    hint: 'set PORTIA_SECRET_KEY to what this prints: openssl rand -base64 32',
  });
}
