import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PortiaError } from '../../core/errors.ts';
import { migrate } from './schema.ts';

/** A value as SQLite holds it. */
export type SqlValue = string | number | null | Uint8Array;

/** One prepared statement. Parameters are always given as one array. */
export interface Statement {
  run(values: readonly SqlValue[]): { readonly changes: number; readonly lastInsertRowid: number | bigint };
  get(values: readonly SqlValue[]): unknown;
  all(values: readonly SqlValue[]): unknown[];
  raw(): this;
}

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): unknown;
  close(): unknown;
}

/** How long a statement waits for another process that writes, in milliseconds. */
const busyTimeoutMs = 5_000;

/** One open database file: prepared statements, transactions, and errors in our words. */
export class Connection {
  readonly path: string;
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  #open = true;

  constructor(path: string, database: Database) {
    this.path = path;
    this.#database = database;
  }

  /** The prepared statement of this text: prepared once, so the text may only come from a small set. */
  statement(sql: string): Statement {
    if (!this.#open) throw this.failed(new Error('it was closed'));
    let found = this.#statements.get(sql);
    if (!found) {
      try {
        found = this.#database.prepare(sql);
      } catch (error) {
        throw this.failed(error);
      }
      this.#statements.set(sql, found);
    }
    return found;
  }

  run(
    sql: string,
    values: readonly SqlValue[] = [],
  ): { readonly changes: number; readonly lastInsertRowid: number | bigint } {
    const statement = this.statement(sql);
    try {
      return statement.run(values);
    } catch (error) {
      throw this.failed(error);
    }
  }

  get<Row>(sql: string, values: readonly SqlValue[] = []): Row | undefined {
    const statement = this.statement(sql);
    try {
      return statement.get(values) as Row | undefined;
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** One row as a list of its values. The text is never used for rows with names. */
  values(sql: string, values: readonly SqlValue[]): readonly unknown[] | undefined {
    const statement = this.statement(sql).raw();
    try {
      return statement.get(values) as readonly unknown[] | undefined;
    } catch (error) {
      throw this.failed(error);
    }
  }

  all<Row>(sql: string, values: readonly SqlValue[] = []): Row[] {
    const statement = this.statement(sql);
    try {
      return statement.all(values) as Row[];
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** Runs several statements as one; nothing of other processes comes between them. */
  transaction<T>(work: () => T): T {
    this.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.exec('COMMIT');
      return result;
    } catch (error) {
      try {
        this.#database.exec('ROLLBACK');
      } catch {
        // SQLite has ended the transaction itself; the first error says why.
      }
      throw error;
    }
  }

  exec(sql: string): void {
    if (!this.#open) throw this.failed(new Error('it was closed'));
    try {
      this.#database.exec(sql);
    } catch (error) {
      throw this.failed(error);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.clear();
    try {
      // Everything goes into the one file, so that it can be copied; where others are at work, theirs stays beside it.
      this.#database.exec('PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // A busy neighbour keeps the write-ahead log; nothing is lost by leaving it there.
    }
    this.#database.close();
  }

  failed(error: unknown): PortiaError {
    return sqliteError(this.path, error);
  }
}

function sqliteError(path: string, error: unknown): PortiaError {
  if (PortiaError.isInstance(error)) return error;
  const { code = '', message } = error as { readonly code?: string; readonly message: string };
  const damaged = code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB';
  return new PortiaError({
    code: damaged ? 'STORAGE_CORRUPT' : 'STORAGE_FAILED',
    message: `the SQLite database ${path} ${damaged ? 'is damaged' : 'did not do what was asked'}: ${message}`,
    hint: hintFor(code),
    cause: error,
  });
}

function hintFor(code: string): string {
  if (code.startsWith('SQLITE_BUSY'))
    return `another process held the file for over ${busyTimeoutMs / 1000} s; try again`;
  if (code.startsWith('SQLITE_FULL')) return 'make room on the disk';
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY'))
    return 'check that the folder can be written';
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT'))
    return 'give the path of another file, or restore a copy of this one';
  return 'see the cause';
}

/**
 * Opens a database file, made now if there is none, and brings its tables up to date: those of the store, unless
 * `tables` makes others.
 * @throws PortiaError `PACKAGE_MISSING` without the libsql package; `STORAGE_FAILED` or `STORAGE_CORRUPT` for the file.
 */
export async function openConnection(
  path: string,
  durability: 'normal' | 'full',
  tables: (connection: Connection) => void = migrate,
): Promise<Connection> {
  const LibSql = await loadDriver();
  const deadline = Date.now() + busyTimeoutMs;
  for (;;) {
    let database: Database | undefined;
    try {
      if (path !== ':memory:') makeFile(path);
      database = new LibSql(path, { timeout: busyTimeoutMs });
      return prepared(new Connection(path, database), durability, tables);
    } catch (error) {
      database?.close();
      // Several processes that open a new file at once get in each other's way, and SQLite does not wait for that.
      const failed = sqliteError(path, error);
      const busy = String((failed.cause as { code?: unknown } | undefined)?.code ?? '').startsWith('SQLITE_BUSY');
      if (!busy || Date.now() > deadline) throw failed;
      await sleep(5 + Math.random() * 20);
    }
  }
}

/** What runs hold is for the account they belong to: a new file is its own to read. SQLite gives its log the same rights. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}

function prepared(
  connection: Connection,
  durability: 'normal' | 'full',
  tables: (connection: Connection) => void,
): Connection {
  // Small pages: what is written for a commit is whole pages, and a commit is about a hundred bytes.
  connection.exec('PRAGMA page_size = 1024');
  connection.get('PRAGMA journal_mode = WAL');
  connection.exec(
    `PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}; PRAGMA wal_autocheckpoint = 4000`,
  );
  tables(connection);
  return connection;
}

async function loadDriver(): Promise<new (path: string, options: { readonly timeout: number }) => Database> {
  try {
    const loaded = await import('libsql');
    return loaded.default as unknown as new (
      path: string,
      options: { readonly timeout: number },
    ) => Database;
  } catch (cause) {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: 'SQLite storage needs the package libsql, which cannot be loaded',
      hint: 'npm i libsql',
      cause,
    });
  }
}
