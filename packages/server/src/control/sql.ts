import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PortiaError } from 'portia-ts';

/** A value as both databases hold it; times are epoch milliseconds. */
export type SqlValue = string | number | null;
/** One row, by column. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * A database for what belongs to no organisation: SQLite or PostgreSQL. Statements are of the kind both understand, with
 * `?` for values and `control.` before the names of tables.
 */
export interface Sql {
  /** The rows a statement gives. Each statement is one transaction. */
  all(statement: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Does some work, for which the processes that share the database take turns. */
  alone(work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** How long to wait for another process that writes, in milliseconds. */
const busyMs = 5_000;

/** Several processes that open a new file at once get in each other's way, and SQLite does not wait for that. */
async function patiently<T>(open: () => T): Promise<T> {
  const deadline = Date.now() + busyMs;
  for (;;) {
    try {
      return open();
    } catch (error) {
      const isBusy = String((error as { readonly code?: unknown }).code).startsWith('SQLITE_BUSY');
      if (!isBusy || Date.now() > deadline) throw error;
      await sleep(5 + Math.random() * 20);
    }
  }
}

/** A SQLite file, or `:memory:`. */
export async function sqliteSql(file: string): Promise<Sql> {
  const { default: Database } = await import('libsql');
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
  try {
    // Secrets of webhooks stand in it: made now, it is for nobody else on this machine. SQLite's own files follow it.
    if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
    const database = await patiently(() => {
      const made = new Database(file, { timeout: busyMs });
      try {
        made.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
        return made;
      } catch (error) {
        made.close();
        throw error;
      }
    });
    const prepared = new Map<string, ReturnType<typeof database.prepare>>();
    return {
      async all(statement, values = []) {
        let found = prepared.get(statement);
        if (!found) {
          found = database.prepare(statement.replaceAll('control.', ''));
          prepared.set(statement, found);
        }
        if (found.reader) return found.all([...values]) as Row[];
        found.run([...values]);
        return [];
      },
      // Each statement waits for the file by itself, and two that make the same thing find it made.
      alone: (work) => work(),
      async close() {
        database.close();
      },
    };
  } catch (cause) {
    throw new PortiaError({
      code: 'STORAGE_FAILED',
      message: `the file ${file}, which holds keys and organisations, cannot be opened: ${(cause as Error).message}`,
      hint: 'check that its folder exists and may be written to',
      cause,
    });
  }
}
