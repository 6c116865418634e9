import { hashText } from '../core/hash.ts';
import { type Connection, openConnection } from '../storage/sqlite/connection.ts';
import { type SecretKeyOptions, secretKeysOf } from './secret-keys.ts';
import type { SecretStore } from './secret-store.ts';

/** Where {@link sqliteSecretStore} keeps secrets. */
export interface SqliteSecretOptions extends SecretKeyOptions {
  /** The file; it may be the file of the store. */
  readonly path: string;
}

/**
 * Secrets in a SQLite file, encrypted (AES-256-GCM), names included. Processes of one machine share it.
 * @throws PortiaError `PACKAGE_MISSING` when libsql is not installed; `CONFIG_NOT_FOUND` or `CONFIG_INVALID` for the
 * key; `STORAGE_FAILED` for the file. Reading: `CONFIG_INVALID` for what another key
 * sealed, `STORAGE_CORRUPT` for what was changed.
 */
export async function sqliteSecretStore({ path, ...keyOptions }: SqliteSecretOptions): Promise<SecretStore> {
  const keys = secretKeysOf(keyOptions);
  const connection = await openConnection(path, 'full', prepareTables);
  const read = ({ id, sealed }: Row): { name: string; value: string } => JSON.parse(keys.open(sealed, id));
  return {
    async get(name) {
      const row = connection.get<Row>('SELECT id, sealed FROM secrets WHERE id = ?', [hashText(name)]);
      return row && read(row).value;
    },
    async set(name, value) {
      const id = hashText(name);
      connection.run(
        'INSERT INTO secrets (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed',
        [id, keys.seal(JSON.stringify({ name, value }), id)],
      );
    },
    async delete(name) {
      connection.run('DELETE FROM secrets WHERE id = ?', [hashText(name)]);
    },
    async list(prefix) {
      const names = connection.all<Row>('SELECT id, sealed FROM secrets').map((row) => read(row).name);
      return names.filter((name) => name.startsWith(prefix)).sort();
    },
    async rotate() {
      let count = 0;
      for (const { id, sealed } of connection.all<Row>('SELECT id, sealed FROM secrets')) {
        const anew = keys.sealAnew(sealed, id);
        if (anew === undefined) continue;
        const changed = connection.all('UPDATE secrets SET sealed = ? WHERE id = ? AND sealed = ? RETURNING id', [
          anew,
          id,
          sealed,
        ]);
        count += changed.length;
      }
      return count;
    },
    close: () => connection.close(),
  };
}

interface Row {
  readonly id: string;
  readonly sealed: string;
}

function prepareTables(connection: Connection): void {
  connection.exec('CREATE TABLE IF NOT EXISTS secrets (id TEXT PRIMARY KEY, sealed TEXT NOT NULL) WITHOUT ROWID');
}
