import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { importBeforeEffects, importOptional } from '../../model/import-optional.ts';
import { judge } from './sql-postgres-judge.ts';
import { type SqlColumn, type SqlDatabase, type SqlLimits, type SqlRows, sqlReason, sqlValue } from './sql-database.ts';

interface Result {
  readonly fields: readonly { readonly name: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly rowCount: number | null;
}

interface Client {
  connect(): Promise<unknown>;
  query(query: {
    readonly text: string;
    readonly values?: readonly unknown[];
    readonly rowMode: 'array';
    /** `extended`: the server takes one statement only, whatever the text says. */
    readonly queryMode: 'extended';
  }): Promise<Result>;
  on(event: 'error', listener: () => void): unknown;
  readonly connection: { readonly stream: { on(event: 'data', listener: (chunk: Uint8Array) => void): unknown } };
  end(): Promise<void>;
}

/** Bytes a statement may give. */
const mostBytes = 32 * 1024 * 1024;

/** How much a query may give, how long it may take, and as whom it is asked. */
export interface PostgresLimits extends SqlLimits {
  /** A role that is taken on in each transaction: the user of the address has to be a member of it. */
  readonly role?: string | undefined;
}

/**
 * A PostgreSQL database. Reading, each statement runs in a read-only transaction that is rolled back; only statements
 * that PostgreSQL can explain are run, and none whose plan reaches a function marked VOLATILE, by name or through an
 * operator, a cast, a domain or an aggregate: such functions may have effects that no transaction undoes. How functions
 * are marked is believed. Give the tools a role of their own that may read what they need and nothing else: with `role`
 * it is taken on in each transaction.
 * @throws PortiaError `PACKAGE_MISSING` without `pg`, at the first call.
 */
export function postgresDatabase(url: string, limits: PostgresLimits = {}): SqlDatabase {
  const { maxRows = 200, timeoutMs = 30_000, role } = limits;

  async function withClient<T>(write: boolean, signal: AbortSignal, work: (client: Client) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const load = write ? importBeforeEffects : importOptional;
    const module = await load('the SQL tools for PostgreSQL', 'pg');
    const { Client } = (module['default'] ?? module) as { Client: new (options: object) => Client };
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      application_name: 'portia-ts sql tools',
    });
    await connect(client);
    // What is too long is not kept: the connection ends while it comes in.
    let received = 0;
    let tooLong = false;
    client.connection.stream.on('data', ({ length }) => {
      received += length;
      tooLong ||= received > mostBytes;
      if (tooLong) stop();
    });
    // Ending the connection ends the statement: the server notices when it next looks.
    const stop = (): void => void client.end().catch(() => {});
    signal.addEventListener('abort', stop);
    let committing = false;
    try {
      await ask(client, write ? 'BEGIN' : 'BEGIN TRANSACTION READ ONLY');
      if (role !== undefined) await ask(client, `SET LOCAL ROLE "${role.replaceAll('"', '""')}"`);
      const result = await work(client);
      committing = write;
      await ask(client, write ? 'COMMIT' : 'ROLLBACK');
      return result;
    } catch (error) {
      // Nobody knows whether a commit whose answer was lost took place.
      if (committing && !isSqlState(error)) throw new Error('the connection was lost while the change was committed');
      if (error instanceof ToolHardError) throw error;
      if (tooLong) throw new ToolHardError(`the rows are longer than ${mostBytes / 1024 / 1024} MiB`);
      if (!committing) signal.throwIfAborted();
      if (isSqlState(error)) throw new ToolHardError(`the database refused the statement: ${sqlReason(error)}`);
      throw new ToolSoftError('the connection to the database was lost; nothing was changed');
    } finally {
      signal.removeEventListener('abort', stop);
      await client.end().catch(() => {});
    }
  }

  return {
    run: ({ query, params }, write, signal) =>
      withClient(write, signal, async (client) => {
        if (!write) await judge((text, values) => rowsOfCatalog(client, text, values), query, sqlParams(params));
        return rowsOf(client, query, params, maxRows, write);
      }),
    listTables: (signal) =>
      withClient(false, signal, async (client) => {
        const { rows } = await ask(
          client,
          `SELECT CASE WHEN table_schema = current_schema() THEN table_name ELSE table_schema || '.' || table_name END
           FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
        );
        return rows.map(([name]) => String(name));
      }),
    columns: (tables, signal) => withClient(false, signal, (client) => columnsOf(client, tables)),
    async check(query, signal) {
      try {
        await withClient(false, signal, (client) =>
          judge((text, values) => rowsOfCatalog(client, text, values), query, []),
        );
        return undefined;
      } catch (error) {
        if (error instanceof ToolHardError) return error.message;
        throw error;
      }
    },
  };
}

async function connect(client: Client): Promise<void> {
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    // The address holds the password: only the system's word is told.
    const code = (error as { readonly code?: unknown } | null)?.code;
    throw new ToolSoftError(`the database could not be reached: ${typeof code === 'string' ? code : 'no connection'}`);
  }
}

// A table is named as `listTables` names it: alone in the current schema, else with its schema.
const columnsSql = `
  SELECT asked.name, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
         EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey))
  FROM unnest($1::text[]) AS asked(name)
  JOIN pg_class c ON c.relkind IN ('r', 'v', 'm', 'p', 'f')
  JOIN pg_namespace n ON n.oid = c.relnamespace
   AND asked.name IN (n.nspname || '.' || c.relname, CASE WHEN n.nspname = current_schema() THEN c.relname END)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY asked.name, a.attnum`;

async function columnsOf(
  client: Client,
  tables: readonly string[],
): Promise<Readonly<Record<string, readonly SqlColumn[]>>> {
  const { rows } = await ask(client, columnsSql, [tables]);
  const found = new Map(tables.map((table): [string, SqlColumn[]] => [table, []]));
  for (const [table, name, type, nullable, primaryKey] of rows)
    found.get(String(table))?.push({
      name: String(name),
      type: String(type),
      nullable: nullable === true,
      primary_key: primaryKey === true,
    });
  return Object.fromEntries(found);
}

function ask(client: Client, text: string, values: readonly unknown[] = []): Promise<Result> {
  return client.query({ text, values, rowMode: 'array', queryMode: 'extended' });
}

async function rowsOfCatalog(client: Client, text: string, values?: readonly unknown[]): Promise<Result['rows']> {
  return (await ask(client, text, values)).rows;
}

async function rowsOf(
  client: Client,
  query: string,
  params: readonly JsonValue[],
  maxRows: number,
  write: boolean,
): Promise<SqlRows> {
  // A cursor, so that a large result stays where it is. What writes is run as it is.
  if (!write) {
    await ask(client, `DECLARE portia NO SCROLL CURSOR FOR ${query}`, sqlParams(params));
    const { fields, rows } = await ask(client, `FETCH ${maxRows + 1} FROM portia`);
    return given(fields, rows, maxRows);
  }
  const { fields, rows, rowCount } = await ask(client, query, sqlParams(params));
  return fields.length > 0
    ? given(fields, rows, maxRows)
    : { columns: ['changes'], rows: [[rowCount ?? 0]], truncated: false };
}

function given(fields: Result['fields'], rows: Result['rows'], maxRows: number): SqlRows {
  return {
    columns: fields.map(({ name }) => name),
    rows: rows.slice(0, maxRows).map((row) => row.map(sqlValue)),
    truncated: rows.length > maxRows,
  };
}

function sqlParams(params: readonly JsonValue[]): unknown[] {
  return params.map((value) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : value));
}

function isSqlState(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(String((error as { readonly code?: unknown } | null)?.code ?? ''));
}
