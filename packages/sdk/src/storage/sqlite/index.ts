export { type SqliteCacheOptions, sqliteModelCache } from '../../model/cache/sqlite-cache.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { openConnection } from './connection.ts';
import { SqliteStorage } from './sqlite-storage.ts';

/** How {@link sqliteStorage} writes. */
export interface SqliteOptions {
  /**
   * `normal` (default): what is stored survives a killed process, and a power cut may lose the last commits. `full`:
   * every commit is on the disk before it counts.
   */
  readonly durability?: 'normal' | 'full' | undefined;
}

/**
 * A store in one SQLite file, shared by all processes of this machine that open it. Folders are made as needed.
 *
 * @throws PortiaError `PACKAGE_MISSING` when libsql is not installed; `STORAGE_FAILED` when the file cannot be opened or
 * was written by a newer release; `STORAGE_CORRUPT` when it is not a database.
 */
export async function sqliteStorage(path: string, options: SqliteOptions = {}): Promise<StorageBackend> {
  return new SqliteStorage(await openConnection(path, options.durability ?? 'normal'));
}
