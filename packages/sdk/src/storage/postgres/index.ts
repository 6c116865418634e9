import type { StorageBackend } from '../storage-backend.ts';
import type { PgClient, PgPool, PgQuery } from './database.ts';
import type { PgListener } from './listener.ts';
import { type DatabaseOptions, openDatabase } from './open-database.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { migrate } from './schema.ts';

export type { DatabaseOptions, PgClient, PgListener, PgPool, PgQuery };

/** Where and how {@link postgresStorage} stores. */
export interface PostgresOptions extends DatabaseOptions {
  /**
   * Whether other processes are told at once (`LISTEN` and `NOTIFY`, on a connection of its own): `true` unless given,
   * where there is a `url`. Without it they find out by polling, every 300 ms. A pooler that shares connections between
   * transactions does not carry it.
   */
  readonly notify?: boolean | undefined;
}

/**
 * A store in a PostgreSQL database, shared by all processes that can reach it. Its tables are made and brought up to date
 * when it is opened; that may happen in many processes at once.
 *
 * @example
 * const storage = await postgresStorage({ url: process.env.DATABASE_URL, schema: 'acme' });
 * const portia = new Portia({ config: Config.fromDefault({ storage }) });
 *
 * @throws PortiaError `PACKAGE_MISSING` when `pg` is not installed; `CONFIG_INVALID` for an address or a schema that
 * cannot be used; `STORAGE_FAILED` when the database cannot be reached or was written by a newer release.
 */
export async function postgresStorage(options: PostgresOptions | string = {}): Promise<StorageBackend> {
  const given = typeof options === 'string' ? { url: options } : options;
  const { database, schema, driver, end } = await openDatabase(given);
  try {
    await migrate(database, schema);
  } catch (error) {
    database.close();
    await end();
    throw error;
  }
  const connect =
    driver && (given.notify ?? true)
      ? (): PgListener =>
          new driver.pg.Client({ connectionString: driver.url, keepAlive: true }) as unknown as PgListener
      : undefined;
  return new PostgresStorage(database, connect, end);
}
