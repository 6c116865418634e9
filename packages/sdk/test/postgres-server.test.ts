import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres, type TestPostgres } from './lib/postgres.ts';

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres({ own: true });
});
afterAll(() => server.stop());

async function ask(sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query<{ value: unknown }>(sql)).rows[0]?.value;
  } finally {
    await client.end();
  }
}

it('the server of the tests keeps what was written over a crash of its own', async () => {
  await ask('CREATE TABLE kept (value int)');
  await ask('INSERT INTO kept VALUES (17)');
  const began = await ask('SELECT pg_postmaster_start_time()::text AS value');
  await server.restart();
  expect(await ask('SELECT value FROM kept')).toBe(17);
  expect(await ask('SELECT pg_postmaster_start_time()::text AS value')).not.toBe(began);
});
