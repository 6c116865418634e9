import { defaultEndUserId, EndUser } from '../core/end-user.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';

/** The stored end user, or one of whom only the id is known. */
export async function endUserOf(storage: StorageBackend, id: string): Promise<EndUser> {
  return (await storage.getEndUser(id)) ?? EndUser({ externalId: id });
}

/**
 * The end user of a run: the default one, one known by id (created when it is not stored yet), or one given whole,
 * which is saved.
 */
export async function initializeEndUser(
  storage: StorageBackend,
  given: string | EndUserInit | undefined,
): Promise<EndUser> {
  if (given === undefined || typeof given === 'string') {
    const id = given === undefined || given === '' ? defaultEndUserId : given;
    return (await storage.getEndUser(id)) ?? storage.saveEndUser(EndUser({ externalId: id }));
  }
  return storage.saveEndUser(EndUser(given));
}

/** What an end user can be given as. */
export type EndUserInit = { readonly externalId: string } & Partial<EndUser>;
