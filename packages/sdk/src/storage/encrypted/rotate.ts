import { SecretKeys } from '../../secrets/cipher.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { isKeyRecord, rewrapKeys } from './keys.ts';

/** What became of the keys of a store. */
export interface Rotation {
  /** Data keys that are sealed with the first master key now, and were not before. */
  readonly rotated: number;
  /** Those that were already. */
  readonly current: number;
  /** Records of keys whose end user is named nowhere in the store: they stay as they were. */
  readonly left: number;
}

/**
 * Seals the data keys of all end users with the first key of `secretKey`; the ones behind it open what they sealed. No
 * contents are written anew. Once nothing is left, the old master key is not needed for this store any more; copies of it
 * from before still are sealed with the old one. `storage` is the store that holds the keys, as it is.
 * @throws PortiaError `CONFIG_INVALID` for a key that is not among them.
 */
export async function rotateKeys(storage: StorageBackend, secretKey: string): Promise<Rotation> {
  const keys = new SecretKeys(secretKey);
  let [rotated, current, records, found] = [0, 0, 0, 0];
  const seen = new Set<string>();
  const rewrap = async (endUserId: string): Promise<void> => {
    if (seen.has(endUserId)) return;
    seen.add(endUserId);
    const done = await rewrapKeys(storage, keys, endUserId);
    if (!done) return;
    found += 1;
    rotated += done.rotated;
    current += done.current;
  };
  let cursor: string | undefined;
  do {
    const page = await storage.listEndUsers({ limit: 1_000, cursor });
    for (const { externalId } of page.items) {
      if (isKeyRecord(externalId)) records += 1;
      else await rewrap(externalId);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  do {
    const page = await storage.listRuns({ order: 'oldest', limit: 1_000, cursor });
    for (const { header } of page.items) await rewrap(header.endUserId);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { rotated, current, left: records - found };
}
