import { PortiaError } from '../core/errors.ts';
import type { Erasure, ErasingStorage } from './encrypted/encrypted-storage.ts';
import type { StorageBackend } from './storage-backend.ts';

/** Erases an end user where the store can. @throws PortiaError `CONFIG_INVALID`, `RUN_STATE_INVALID`. */
export async function eraseEndUser(storage: StorageBackend, externalId: string): Promise<Erasure> {
  const { eraseEndUser: erase } = storage as Partial<ErasingStorage>;
  if (erase) return erase.call(storage, externalId);
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${storage.name} is not encrypted: there is no key to destroy`,
    hint: 'only what is stored with PORTIA_ENCRYPT_RUNS and PORTIA_SECRET_KEY set can be erased; prune removes finished runs',
  });
}
