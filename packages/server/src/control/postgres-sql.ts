import { setTimeout as sleep } from 'node:timers/promises';
import { PortiaError } from 'portia-ts';
import type { Row, Sql } from './sql.ts';

/** The schema of what belongs to no organisation. */
const schema = 'portia_control';

/** The same in a PostgreSQL database, for several server processes. */
export async function postgresSql(url: string): Promise<Sql> {
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
    const deadline = Date.now() + patienceMs;
    for (;;) {
      try {
        const { rows } = await pool.query({ text, values: [...values], types } as never);
        return rows as Row[];
      } catch (error) {
        if (isAway(error) && Date.now() < deadline) {
          await sleep(100);
          continue;
        }
        throw failed(error);
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
  // Two processes that make the schema at once get in each other's way; the second finds it made.
  await all(`CREATE SCHEMA IF NOT EXISTS ${schema}`).catch(() => all(`CREATE SCHEMA IF NOT EXISTS ${schema}`));
  return { all, close: () => pool.end() };
}

/** How long a statement is tried again while the database is restarted, in milliseconds. All of ours may be done twice. */
const patienceMs = 15_000;

function isAway(error: unknown): boolean {
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
  if (/^(ECONN|EPIPE|57P0|08)/.test(code)) return true;
  return /connection (terminated|ended|timeout)|timeout exceeded when trying to connect/i.test(message);
}
