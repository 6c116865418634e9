import { pathToFileURL } from 'node:url';
import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { importBeforeEffects, importOptional } from '../../model/import-optional.ts';
import {
  longestText,
  type SqlColumn,
  type SqlDatabase,
  type SqlLimits,
  type SqlQuery,
  type SqlRows,
  sqlReason,
  sqlValue,
} from './sql-database.ts';

interface Statement {
  readonly reader: boolean;
  raw(on: boolean): Statement;
  columns(): readonly { readonly name: string }[];
  all(...params: unknown[]): Promise<readonly (readonly unknown[])[]>;
  run(...params: unknown[]): Promise<{ readonly changes: number }>;
}

interface Connection {
  prepare(sql: string): Promise<Statement>;
  interrupt(): void;
  close(): void;
}

/** Functions of this build of SQLite that read or write files, load code, or change the connection. */
const refusedFunctions =
  /^(?:readfile|writefile|edit|load_extension|lsmode|fts3_tokenizer|sqlite_attach|sqlite_detach|sqlite_log|sqlite_crypt|sqlite3mc_.*|sha3_query)$/i;

/** What a compiled statement does when it is more than a query. */
const refusedSteps = new Set(['Vacuum', 'JournalMode', 'Checkpoint', 'IncrVacuum', 'AutoCommit', 'Savepoint']);

/**
 * Pragmas that say how tables are made. No other is even compiled: many take effect while they are, and some, such as the
 * heap limit, for all databases of the process.
 */
const readPragma =
  /^\s*pragma\s+(?:\w+\s*\.\s*)?(?:table_info|table_xinfo|table_list|index_list|index_info|index_xinfo|foreign_key_list|foreign_key_check|collation_list)\s*(?:\([\s\w]*\)\s*)?[;\s]*$/i;

/**
 * An SQLite database in a file. Reading, it is opened in SQLite's own read-only mode. The compiled form of each
 * statement is looked at before it runs: this build of SQLite also has functions and tables that reach files.
 * @throws PortiaError `PACKAGE_MISSING` without `libsql`, at the first call.
 */
export function sqliteDatabase(path: string, limits: SqlLimits = {}): SqlDatabase {
  const { maxRows = 200, timeoutMs = 30_000 } = limits;

  async function withConnection<T>(
    write: boolean,
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const load = write ? importBeforeEffects : importOptional;
    const module = await load('the SQL tools for SQLite', 'libsql/promise');
    const Database = module['default'] as new (path: string) => Connection | Promise<Connection>;
    let connection: Connection;
    try {
      connection = await new Database(`${pathToFileURL(path).href}?mode=${write ? 'rw' : 'ro'}`);
    } catch {
      throw new ToolSoftError('the SQLite database cannot be opened', { hint: 'check its path; it is not created' });
    }
    let late = false;
    // An interrupt between two statements is lost: it is repeated until the call is over.
    let stopping: NodeJS.Timeout | undefined;
    const stop = (): void => {
      connection.interrupt();
      stopping ??= setInterval(() => connection.interrupt(), 20);
    };
    const timer = setTimeout(() => {
      late = true;
      stop();
    }, timeoutMs);
    signal.addEventListener('abort', stop);
    try {
      if (!write) await (await connection.prepare('PRAGMA query_only = 1')).run();
      return await work(connection);
    } catch (error) {
      signal.throwIfAborted();
      if (late) throw new ToolHardError(`the statement took more than ${timeoutMs / 1000} s`);
      if (error instanceof ToolHardError) throw error;
      throw new ToolHardError(`the database refused the statement: ${sqlReason(error)}`);
    } finally {
      clearTimeout(timer);
      clearInterval(stopping);
      signal.removeEventListener('abort', stop);
      connection.close();
    }
  }

  return {
    async run(asked, write, signal) {
      // On a connection of its own: in libsql an EXPLAIN stays open, and keeps the locks of what runs after it.
      const writes = await withConnection(write, signal, (connection) => judge(connection, asked.query, write));
      return withConnection(write, signal, (connection) => rowsOf(connection, asked, maxRows, writes));
    },
    listTables: (signal) =>
      withConnection(false, signal, async (connection) => {
        const sql = `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`;
        return (await all(connection, sql)).map(([name]) => String(name));
      }),
    columns: (tables, signal) => withConnection(false, signal, (connection) => columnsOf(connection, tables)),
    async check(query, signal) {
      try {
        await withConnection(false, signal, (connection) => judge(connection, query, false));
        return undefined;
      } catch (error) {
        if (error instanceof ToolHardError) return error.message;
        throw error;
      }
    },
  };
}

async function columnsOf(
  connection: Connection,
  tables: readonly string[],
): Promise<Readonly<Record<string, readonly SqlColumn[]>>> {
  const found: [string, readonly SqlColumn[]][] = [];
  for (const table of tables) {
    const rows = await all(connection, 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', table);
    const columns = rows.map(([name, type, notNull, pk]) => ({
      name: String(name),
      type: String(type),
      nullable: !notNull,
      primary_key: Boolean(pk),
    }));
    found.push([table, columns]);
  }
  return Object.fromEntries(found);
}

/**
 * Lets a statement pass that is one statement, reaches no file, and writes only where it may. It is compiled, not run.
 * Gives whether it writes.
 */
async function judge(connection: Connection, query: string, write: boolean): Promise<boolean> {
  if (isSeveral(query)) throw new ToolHardError('only one statement is run at a time');
  if (isPragma(query)) {
    if (readPragma.test(bare(query))) return false;
    throw new ToolHardError('pragmas that do more than say how tables are made are not run');
  }
  const files = (await all(connection, `EXPLAIN SELECT 1 FROM fsdir('.')`).catch(() => []))
    .filter(([, step]) => step === 'VOpen')
    .map((row) => row[5]);
  let writes = false;
  for (const [, step, , p2, , p4] of await all(connection, `EXPLAIN ${query}`)) {
    const name = typeof p4 === 'string' ? p4.replace(/\(-?\d+\)$/, '') : '';
    if (/^(?:Pure)?Func(?:tion)?$|^Agg/.test(String(step)) && refusedFunctions.test(name))
      throw new ToolHardError(`the function ${name} reaches beyond the database and is not run`);
    if (step === 'VOpen' && files.includes(p4))
      throw new ToolHardError('the table fsdir reaches beyond the database and is not read');
    if (refusedSteps.has(String(step)) || (step === 'Expire' && !write))
      throw new ToolHardError('statements that change how the database works are not run');
    if (step !== 'Transaction' || p2 === 0) continue;
    if (!write) throw new ToolHardError('the database is read-only here: the statement would write');
    writes = true;
  }
  return writes;
}

/** A statement without its comments, texts and quoted names. */
function bare(query: string): string {
  return query.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, ' ');
}

/** Whether anything follows the first statement. Quoted text and comments do not count. */
function isSeveral(query: string): boolean {
  return /;\s*\S/.test(bare(query)) || /^\s*explain\b/i.test(bare(query));
}

function isPragma(query: string): boolean {
  return /^\s*pragma\b/i.test(bare(query));
}

async function all(
  connection: Connection,
  sql: string,
  ...params: unknown[]
): Promise<readonly (readonly unknown[])[]> {
  return (await connection.prepare(sql)).raw(true).all(...params);
}

async function rowsOf(
  connection: Connection,
  { query, params }: SqlQuery,
  maxRows: number,
  writes: boolean,
): Promise<SqlRows> {
  const statement = await connection.prepare(query);
  const values = params.map((value) => (typeof value === 'boolean' ? Number(value) : value));
  if (!statement.reader) {
    const { changes } = await statement.run(...values);
    return { columns: ['changes'], rows: [[changes]], truncated: false };
  }
  const columns = statement.columns().map(({ name }) => name);
  const whole =
    writes || isPragma(query) ? statement : await connection.prepare(wrapped(query, columns.length, maxRows));
  const found = await whole.raw(true).all(...values);
  const rows = found
    .slice(0, maxRows)
    .map((row) => row.slice(0, columns.length).map(whole === statement ? sqlValue : shortened));
  return { columns, rows, truncated: found.length > maxRows };
}

/** A text of a wrapped query is as long as it may be. */
function shortened(value: unknown): JsonValue {
  return typeof value === 'string' ? value : sqlValue(value);
}

/**
 * A query whose values are no longer than is given: SQLite makes values of up to a gigabyte, and they stay there. The
 * count over all makes it find every row before it gives the first: that part can be interrupted, while taking rows one
 * by one would hold up this process.
 */
function wrapped(query: string, columns: number, maxRows: number): string {
  const names = Array.from({ length: columns }, (_, index) => `portia_${index}`);
  const shown = names.map(
    (name) => `CASE typeof(${name})
      WHEN 'blob' THEN '(' || length(${name}) || ' bytes)'
      WHEN 'text' THEN iif(length(${name}) > ${longestText} OR octet_length(${name}) > ${4 * longestText},
        substr(${name}, 1, ${longestText}) || '… (' || length(${name}) || ' characters)', ${name})
      ELSE ${name} END`,
  );
  const inner = query.replace(/[;\s]+$/, '');
  return `WITH portia_rows(${names.join(', ')}) AS (SELECT * FROM (\n${inner}\n))
    SELECT *, count(*) OVER () FROM (SELECT ${shown.join(', ')} FROM portia_rows LIMIT ${maxRows + 1})`;
}
