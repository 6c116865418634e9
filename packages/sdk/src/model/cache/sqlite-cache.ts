import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../run/system-clock.ts';
import { type Connection, openConnection } from '../../storage/sqlite/connection.ts';
import { defaultCacheTtlMs, type ModelCache } from './model-cache.ts';

/** How much {@link sqliteModelCache} keeps. */
export interface SqliteCacheOptions {
  /** Milliseconds; a day unless given. */
  readonly ttlMs?: number | undefined;
  /** The oldest answers go first; 100,000 unless given. */
  readonly maxEntries?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * A cache in one SQLite file, shared by all processes of this machine that open it. It may be the file of the store.
 *
 * @throws PortiaError `PACKAGE_MISSING` when libsql is not installed; `STORAGE_FAILED` or `STORAGE_CORRUPT` for the file.
 */
export async function sqliteModelCache(path: string, options: SqliteCacheOptions = {}): Promise<ModelCache> {
  const { ttlMs = defaultCacheTtlMs, maxEntries = 100_000, clock = systemClock } = options;
  const connection = await openConnection(path, 'normal', prepareTables);
  let sets = 0;
  return {
    name: `sqlite:${path}`,
    get(key) {
      return connection.get<{ readonly answer: string }>(
        'SELECT answer FROM model_answers WHERE key = ? AND until > ?',
        [key, clock.now()],
      )?.answer;
    },
    set(key, answer) {
      connection.run(
        'INSERT INTO model_answers (key, answer, until) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET answer = excluded.answer, until = excluded.until',
        [key, answer, clock.now() + ttlMs],
      );
      // Now and then what is over is cleared away; a lookup does not see it anyhow.
      if (sets % 100 === 0) clear(connection, clock.now(), maxEntries);
      sets += 1;
    },
    forget(prefix) {
      connection.run('DELETE FROM model_answers WHERE substr(key, 1, ?) = ?', [prefix.length, prefix]);
    },
    close: () => connection.close(),
  };
}

function prepareTables(connection: Connection): void {
  connection.exec(
    `CREATE TABLE IF NOT EXISTS model_answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS model_answers_until ON model_answers (until)`,
  );
}

function clear(connection: Connection, now: number, maxEntries: number): void {
  connection.run(
    'DELETE FROM model_answers WHERE until <= ? OR key IN (SELECT key FROM model_answers ORDER BY until DESC LIMIT -1 OFFSET ?)',
    [now, maxEntries],
  );
}
