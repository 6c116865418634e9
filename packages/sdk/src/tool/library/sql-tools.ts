import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { AnyTool, Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, optionalObject, optionalValues, text, texts } from './args.ts';
import { lookUp, openRoot, pathInside } from './root-folder.ts';
import type { SqlColumn, SqlDatabase, SqlLimits, SqlRows } from './sql-database.ts';

/** Options of the SQL tools. */
export interface SqlToolOptions extends SqlLimits {
  /**
   * The database: the path of an SQLite file, a `postgres://` address, or one of your own. `SQLITE_DB_PATH` of the
   * environment, read at each call, unless given.
   */
  readonly database?: string | SqlDatabase | undefined;
  /** Lets calls name SQLite files of this folder with `config_json`; without it they cannot choose a database. */
  readonly root?: string | undefined;
  /** PostgreSQL only: a role that is taken on in each transaction, such as one that may read a few tables and call nothing. */
  readonly role?: string | undefined;
  /** Whether statements may change the database. Off unless set: then the database itself refuses. */
  readonly write?: boolean | undefined;
}

type Config = { readonly config_json?: JsonObject };

const configArg = optionalObject(
  'Which database, where several may be chosen: {"db_path":"sales.db"}. Leave it out to use the usual one',
);

/** A tool that runs one SQL statement, read-only unless `write` is set, and gives the rows. */
export function createRunSqlTool(
  options: SqlToolOptions = {},
): Tool<Config & { readonly query: string; readonly params?: readonly JsonValue[] }, SqlRows> {
  const { write = false } = options;
  return tool<Config & { readonly query: string; readonly params?: readonly JsonValue[] }, SqlRows>({
    id: 'run_sql',
    name: 'Run SQL',
    description: write
      ? 'Runs one SQL statement, which may change the database, and gives its rows.'
      : 'Runs one SQL query and gives its rows. The database cannot be changed.',
    argsSchema: argsOf({
      query: text('One SQL statement. Values from elsewhere belong into params: ? for SQLite, $1, $2 … for PostgreSQL'),
      params: optionalValues('The values of the parameters, in order'),
      config_json: configArg,
    }),
    outputDescription: ['object', 'columns, rows, and truncated when there were more rows'],
    readOnly: !write,
    run: async ({ query, params = [], config_json }, { signal }) =>
      (await databaseOf(options, config_json)).run({ query, params }, write, signal),
  });
}

/** A tool that lists the tables and views of a database. */
export function createListTablesTool(options: SqlToolOptions = {}): Tool<Config, readonly string[]> {
  return tool<Config, readonly string[]>({
    id: 'list_tables',
    name: 'List Tables',
    description: 'Lists the tables and views of the database.',
    argsSchema: argsOf({ config_json: configArg }),
    outputDescription: ['array', 'names'],
    readOnly: true,
    run: async ({ config_json }, { signal }) => (await databaseOf(options, config_json)).listTables(signal),
  });
}

/** A tool that gives the columns of tables. */
export function createGetTableSchemasTool(
  options: SqlToolOptions = {},
): Tool<Config & { readonly tables: readonly string[] }, Readonly<Record<string, readonly SqlColumn[]>>> {
  return tool<Config & { readonly tables: readonly string[] }, Readonly<Record<string, readonly SqlColumn[]>>>({
    id: 'get_table_schemas',
    name: 'Get Table Schemas',
    description: 'Gives the columns of tables: name, type, whether they may be empty, and the primary key.',
    argsSchema: argsOf({ tables: texts('The names of the tables', 100), config_json: configArg }),
    outputDescription: ['object', 'a list of columns by table'],
    readOnly: true,
    async run({ tables, config_json }, { signal }) {
      const found = await (await databaseOf(options, config_json)).columns(tables, signal);
      const missing = tables.filter((table) => !found[table]?.length);
      if (missing.length > 0)
        throw new ToolHardError(`there is no table ${missing.map((name) => JSON.stringify(name)).join(', ')}`);
      return found;
    },
  });
}

/** A tool that says whether a query could be run, without running it. */
export function createCheckSqlTool(
  options: SqlToolOptions = {},
): Tool<Config & { readonly query: string }, { readonly ok: boolean; readonly error?: string }> {
  return tool<Config & { readonly query: string }, { readonly ok: boolean; readonly error?: string }>({
    id: 'check_sql',
    name: 'Check SQL',
    description: 'Says whether an SQL query could be run, and if not, why. It is not run.',
    argsSchema: argsOf({ query: text('One SQL query, without parameters'), config_json: configArg }),
    outputDescription: ['object', 'ok, and error when it is not'],
    readOnly: true,
    async run({ query, config_json }, { signal }) {
      const error = await (await databaseOf(options, config_json)).check(query, signal);
      return error === undefined ? { ok: true } : { ok: false, error };
    },
  });
}

/** The four SQL tools for one database. */
export function createSqlTools(options: SqlToolOptions = {}): readonly AnyTool[] {
  return [createRunSqlTool, createListTablesTool, createGetTableSchemasTool, createCheckSqlTool].map(
    (create) => create(options) as AnyTool,
  );
}

/** Which database a call is for: that of its `config_json`, else of the options, else of the environment. */
async function databaseOf(options: SqlToolOptions, config: JsonObject | undefined): Promise<SqlDatabase> {
  const named = config && isPlainObject(config) ? config['db_path'] : undefined;
  if (config && Object.keys(config).length > 0 && typeof named !== 'string')
    throw new ToolSoftError('config_json is understood only as {"db_path":"…"}');
  if (typeof named === 'string') return open(await fileOf(named, options.root), options);
  const database = options.database ?? process.env['SQLITE_DB_PATH'];
  if (database === undefined || database === '')
    throw new ToolSoftError('no database is configured', { hint: 'give the tool database, or set SQLITE_DB_PATH' });
  return typeof database === 'string' ? open(database, options) : database;
}

async function open(address: string, limits: SqlToolOptions): Promise<SqlDatabase> {
  if (/^postgres(?:ql)?:\/\//.test(address))
    return (await import('./sql-postgres.ts')).postgresDatabase(address, limits);
  return (await import('./sql-sqlite.ts')).sqliteDatabase(address, limits);
}

async function fileOf(name: string, root: string | undefined): Promise<string> {
  if (root === undefined)
    throw new ToolSoftError('this tool has one database, and calls cannot choose another', {
      hint: 'leave config_json out',
    });
  const folder = await openRoot(root);
  const found = await lookUp(folder, pathInside(folder, name), name);
  if (!found?.stats.isFile()) throw new ToolSoftError(`there is no database ${JSON.stringify(name)}`);
  return found.path;
}
