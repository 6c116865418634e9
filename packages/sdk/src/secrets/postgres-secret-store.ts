import { hashText } from '../core/hash.ts';
import { type DatabaseOptions, openDatabase } from '../storage/postgres/open-database.ts';
import { makeSchema } from '../storage/postgres/schema.ts';
import { type SecretKeyOptions, secretKeysOf } from './secret-keys.ts';
import type { SecretStore } from './secret-store.ts';

/** Where {@link postgresSecretStore} keeps secrets. The database and the schema may be those of the store. */
export type PostgresSecretOptions = DatabaseOptions & SecretKeyOptions;

/**
 * Secrets in a PostgreSQL database, encrypted (AES-256-GCM), names included. All processes that reach it share them. The
 * table `secret` is made when it is missing, and the schema, too.
 * @throws PortiaError `PACKAGE_MISSING` when pg is not installed; `CONFIG_NOT_FOUND` or `CONFIG_INVALID` for the key or
 * the address; `STORAGE_FAILED` for the database. Reading: `CONFIG_INVALID` for what another key sealed,
 * `STORAGE_CORRUPT` for what was changed.
 */
export async function postgresSecretStore({ key, env, ...options }: PostgresSecretOptions = {}): Promise<SecretStore> {
  const keys = secretKeysOf({ key, env });
  const { database, schema, end } = await openDatabase(options);
  const table = `${database.schema}.secret`;
  const read = ({ id, sealed }: Row): { name: string; value: string } => JSON.parse(keys.open(sealed, id));
  const close = async (): Promise<void> => {
    database.close();
    await end();
  };
  try {
    await database.transaction(async (ask) => {
      await ask('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`portia-ts:secrets:${schema}`]);
      const [found] = await ask<{ found: string | null }>('SELECT to_regclass($1)::text AS found', [table]);
      if (found?.found) return;
      await makeSchema(ask, database, schema);
      await ask(`CREATE TABLE ${table} (id text PRIMARY KEY, sealed text NOT NULL)`);
    });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async get(name) {
      const [row] = await database.rows<Row>(`SELECT id, sealed FROM ${table} WHERE id = $1`, [hashText(name)]);
      return row && read(row).value;
    },
    async set(name, value) {
      const id = hashText(name);
      await database.rows(
        `INSERT INTO ${table} (id, sealed) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed`,
        [id, keys.seal(JSON.stringify({ name, value }), id)],
      );
    },
    async delete(name) {
      await database.rows(`DELETE FROM ${table} WHERE id = $1`, [hashText(name)]);
    },
    async list(prefix) {
      const names = (await database.rows<Row>(`SELECT id, sealed FROM ${table}`)).map((row) => read(row).name);
      return names.filter((name) => name.startsWith(prefix)).sort();
    },
    async rotate() {
      let count = 0;
      for (const { id, sealed } of await database.rows<Row>(`SELECT id, sealed FROM ${table}`)) {
        const anew = keys.sealAnew(sealed, id);
        if (anew === undefined) continue;
        const changed = await database.rows(
          `UPDATE ${table} SET sealed = $3 WHERE id = $1 AND sealed = $2 RETURNING id`,
          [id, sealed, anew],
        );
        count += changed.length;
      }
      return count;
    },
    close,
  };
}

interface Row {
  readonly id: string;
  readonly sealed: string;
}
