import { PortiaError } from '../../core/errors.ts';
import { Database, type PgPool } from './database.ts';
import { postgresUrl } from './url.ts';

/** How a PostgreSQL database is reached, and in which schema things are kept. */
export interface DatabaseOptions {
  /**
   * `postgres://user:password@host:port/database`, the schema perhaps behind it as `?schema=acme`; `DATABASE_URL` when
   * neither this nor `pool` is given.
   */
  readonly url?: string | undefined;
  /**
   * A `Pool` of `pg` that is shared with the host program, or between the stores of several schemas. It stays open when
   * the store is closed, and its `error` event is the host program's to listen to.
   */
  readonly pool?: PgPool | undefined;
  /** The PostgreSQL schema of the tables, made when it is missing: `portia` unless given. One for each organisation. */
  readonly schema?: string | undefined;
  /** Connections that are open at most, where no `pool` is given: 10 unless given. */
  readonly connections?: number | undefined;
  /**
   * Whether statements that are asked often are prepared, once for each connection: `true` unless given. A pooler that
   * shares connections between transactions has to know of prepared statements, as PgBouncer does from 1.21 on.
   */
  readonly prepare?: boolean | undefined;
  /** How long to try again while the database cannot be reached, in milliseconds: 20000 unless given. */
  readonly patienceMs?: number | undefined;
}

/** A database that is open. */
export interface OpenDatabase {
  readonly database: Database;
  readonly schema: string;
  /** The package and the address, where they are known: for connections beside the pool. */
  readonly driver: { readonly pg: Driver; readonly url: string } | undefined;
  /** Ends the connections that are our own. */
  end(): Promise<void>;
}

/** @throws PortiaError `PACKAGE_MISSING`, `CONFIG_NOT_FOUND`, `CONFIG_INVALID`. Nothing is asked of the database yet. */
export async function openDatabase(given: DatabaseOptions): Promise<OpenDatabase> {
  const { url, schema = 'portia' } = addressOf(given, given.pool ? undefined : process.env['DATABASE_URL']);
  if (!/^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(schema)) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${JSON.stringify(schema)} cannot be the schema of a store`,
      hint: 'use up to 63 letters, digits, underscores and dollar signs, not beginning with a digit',
    });
  }
  const pg = given.pool && !url ? undefined : await loadDriver();
  const own = given.pool || !pg || !url ? undefined : ownPool(pg, url.href, given.connections ?? 10);
  const database = new Database({
    name: `${url ? `${url.host}${url.pathname}` : 'a shared pool'}, schema ${schema}`,
    schema,
    pool: given.pool ?? (own as PgPool),
    patienceMs: given.patienceMs ?? 20_000,
    prepare: given.prepare ?? true,
  });
  return { database, schema, driver: pg && url ? { pg, url: url.href } : undefined, end: async () => own?.end() };
}

/** What is used of the package. */
type Driver = Pick<typeof import('pg'), 'Pool' | 'Client'>;

function ownPool(pg: Driver, url: string, max: number): PgPool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    query_timeout: 60_000,
    // A program that forgot to close the store may still end.
    allowExitOnIdle: true,
  });
  // An idle connection that is lost is replaced when the next one is needed.
  pool.on('error', () => undefined);
  return pool as unknown as PgPool;
}

/** The address, and the schema, which may stand in it as `?schema=acme`. */
function addressOf(
  given: DatabaseOptions,
  otherwise: string | undefined,
): { readonly url: URL | undefined; readonly schema: string | undefined } {
  const text = given.url ?? otherwise;
  if (!text && given.pool) return { url: undefined, schema: given.schema };
  if (!text) {
    throw new PortiaError({
      code: 'CONFIG_NOT_FOUND',
      message: 'the address of the PostgreSQL database is not set',
      hint: 'set DATABASE_URL, or give url: postgres://user:password@host:5432/database',
    });
  }
  const url = postgresUrl(text, 'the address of the PostgreSQL database');
  const schema = given.schema ?? url.searchParams.get('schema') ?? undefined;
  url.searchParams.delete('schema');
  return { url, schema };
}

async function loadDriver(): Promise<Driver> {
  try {
    return (await import('pg')).default;
  } catch (cause) {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: 'PostgreSQL storage needs the package pg, which cannot be loaded',
      hint: 'npm i pg',
      cause,
    });
  }
}
