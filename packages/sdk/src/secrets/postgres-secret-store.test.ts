import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshSchema, startPostgres, type TestPostgres } from '../../test/lib/postgres.ts';
import { postgresStorage } from '../storage/postgres/index.ts';
import { testSecretStore } from '../testing/secret-store-contract.ts';
import { postgresSecretStore } from './postgres-secret-store.ts';
import type { SecretStore } from './secret-store.ts';

const [key, newKey] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
let server: TestPostgres;
let admin: pg.Client;
const schemas: string[] = [];

function fresh(): string {
  const schema = freshSchema();
  schemas.push(schema);
  return schema;
}

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
}, 120_000);
afterAll(async () => {
  for (const schema of schemas) await admin?.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await admin?.end();
  await server?.stop();
});

testSecretStore(
  {
    name: 'PostgreSQL',
    async open() {
      const schema = fresh();
      const reopen = (): Promise<SecretStore> => postgresSecretStore({ url: server.url, schema, key });
      return { store: await reopen(), reopen, close: () => {} };
    },
  },
  { describe, it: (name, body) => it(name, body), expect },
);

describe('secrets in PostgreSQL', () => {
  it('show neither names nor values, and cannot be exchanged', async () => {
    const schema = fresh();
    const store = await postgresSecretStore({ url: server.url, schema, key });
    await store.set('ada/token', 'hunter2');
    await store.set('bob/token', 'swordfish');
    const { rows } = await admin.query(`SELECT * FROM ${schema}.secret`);
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toMatch(/hunter2|swordfish|ada|bob/);
    await admin.query(`UPDATE ${schema}.secret SET sealed = (SELECT sealed FROM ${schema}.secret ORDER BY id LIMIT 1)`);
    const read = await Promise.allSettled([store.get('ada/token'), store.get('bob/token')]);
    expect(read.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { code: 'STORAGE_CORRUPT' } }]);
    await store.close?.();
  });

  it('are opened by many processes at once, in a schema that is not there', async () => {
    const schema = fresh();
    const opened = await Promise.all(
      Array.from({ length: 5 }, () => postgresSecretStore({ url: server.url, schema, key, connections: 1 })),
    );
    await Promise.all(opened.map((store, index) => store.set(`n/${index}`, 'x')));
    expect(await opened[0]?.list('n/')).toHaveLength(5);
    for (const store of opened) await store.close?.();
  });

  it('and runs are opened at once, in one schema that is not there', async () => {
    for (let round = 0; round < 6; round += 1) {
      const schema = fresh();
      const opened = await Promise.allSettled([
        ...Array.from({ length: 4 }, () => postgresSecretStore({ url: server.url, schema, key, connections: 1 })),
        ...Array.from({ length: 4 }, () => postgresStorage({ url: server.url, schema, connections: 1, notify: false })),
      ]);
      expect(opened.filter(({ status }) => status === 'rejected')).toEqual([]);
      for (const one of opened) if (one.status === 'fulfilled') await one.value.close?.();
    }
  });

  it('need a key and an address, and never show them', async () => {
    expect(await codeOf(postgresSecretStore({ url: server.url, env: {} }))).toBe('CONFIG_NOT_FOUND');
    const dead = postgresSecretStore({ url: 'postgres://u:hunter2@127.0.0.1:1/x', key, patienceMs: 0 });
    await expect(dead).rejects.toThrow(expect.objectContaining({ code: 'STORAGE_FAILED' }));
    await dead.catch((error: Error) => expect(String(error)).not.toContain('hunter2'));
  });

  it('are sealed anew by a new key, but for what is set meanwhile', async () => {
    const schema = fresh();
    const old = await postgresSecretStore({ url: server.url, schema, key });
    for (const name of ['a', 'b', 'c']) await old.set(name, name);
    const both = await postgresSecretStore({ url: server.url, schema, key: `${newKey},${key}` });
    await both.set('c', 'new');
    expect(await both.rotate?.()).toBe(2);
    expect(await both.rotate?.()).toBe(0);
    const only = await postgresSecretStore({ url: server.url, schema, key: newKey });
    expect([await only.get('a'), await only.get('b'), await only.get('c')]).toEqual(['a', 'b', 'new']);
    expect(await codeOf(old.get('a'))).toBe('CONFIG_INVALID');
    for (const store of [old, both, only]) await store.close?.();
  });
});

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'nothing was thrown',
    (error: { readonly code?: unknown }) => error.code,
  );
}
