import { setTimeout as sleep } from 'node:timers/promises';
import { PortiaError } from 'portia-ts';
import type { Row, Sql } from './sql.ts';

/** The schema of what belongs to no organisation. */
const schema = 'portia_control';

/** The same in a PostgreSQL database, for several server processes. */
export async function postgresSql(url: string): Promise<Sql> {
  const sql = await connected(url);
  await sql.alone(async () => {
    // To make a schema that exists needs a right that its user need not have.
    const known = await sql.all('SELECT 1 FROM pg_namespace WHERE nspname = ?', [schema]);
    if (known.length === 0) await sql.all(`CREATE SCHEMA ${schema}`);
  });
  return sql;
}

/** The same where a server has made it already; `undefined` where none has. */
export async function existingPostgresSql(url: string): Promise<Sql | undefined> {
  const sql = await connected(url);
  const found = await sql
    .all("SELECT 1 AS found WHERE to_regclass('control.organisations') IS NOT NULL")
    .catch(async (error: unknown) => {
      await sql.close();
      throw error;
    });
  if (found.length > 0) return sql;
  await sql.close();
  return undefined;
}

async function connected(url: string): Promise<Sql> {
  const { default: pg } = await import('pg').catch((cause: unknown) => {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: 'a server on PostgreSQL needs the package pg, which cannot be loaded',
      hint: 'npm i pg',
      cause,
    });
  });
  const address = new URL(url);
  address.searchParams.delete('schema');
  const types = { getTypeParser: (oid: number) => (text: string) => (oid === 20 || oid === 23 ? Number(text) : text) };
  const pool = new pg.Pool({
    connectionString: address.href,
    max: 4,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  });
  pool.on('error', () => undefined);
  const all: Sql['all'] = async (statement, values = []) => {
    let place = 0;
    const text = statement.replace(/\?/g, () => `$${++place}`).replaceAll(/\bcontrol\./g, `${schema}.`);
    const asked = { text, values: [...values], types } as never;
    const { rows } = await patiently((): Promise<{ readonly rows: readonly unknown[] }> => pool.query(asked));
    return rows as Row[];
  };
  const patiently = async <T>(ask: () => Promise<T>): Promise<T> => {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isAway(error) || Date.now() >= deadline) throw failed(error);
        await sleep(100);
      }
    }
  };
  const failed = (error: unknown): PortiaError => {
    const { message, code } = error as { readonly message: string; readonly code?: string };
    return new PortiaError({
      code: 'STORAGE_FAILED',
      message: `the PostgreSQL database ${address.host}${address.pathname} did not do what was asked: ${message || code}`,
      hint: 'check that the server runs and can be reached',
    });
  };
  // PostgreSQL's own IF NOT EXISTS fails where two look at once. Held by a transaction, the turn ends with its connection.
  const alone: Sql['alone'] = async (work) => {
    const turn = await patiently(() => pool.connect());
    // While it is only held, nobody but us hears that it is lost.
    const lost = (): void => undefined;
    turn.on('error', lost);
    try {
      await turn.query('BEGIN');
      await turn.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`portia-ts:control:${schema}`]);
      await work();
      await turn.query('COMMIT');
      turn.off('error', lost);
      turn.release();
    } catch (error) {
      turn.release(true);
      throw PortiaError.isInstance(error) ? error : failed(error);
    }
  };
  return { all, alone, close: () => pool.end() };
}

/** How long a statement is tried again while the database is restarted, in milliseconds. All of ours may be done twice. */
const patienceMs = 15_000;

function isAway(error: unknown): boolean {
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
  if (/^(ECONN|EPIPE|57P0|08)/.test(code)) return true;
  return /connection (terminated|ended|timeout)|timeout exceeded when trying to connect/i.test(message);
}
