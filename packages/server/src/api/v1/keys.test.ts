import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/lib/asking.ts';
import { refunds } from '../../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

let server: TestServer;
let admin: string;

beforeEach(async () => {
  server = await testServer(refunds(), { work: false });
  admin = await server.key('admin');
});
afterEach(() => server.close());

describe('keys', () => {
  it('are shown once, stored hashed, and revoked at once', async () => {
    const made = await server.ask('POST', '/api/v1/keys', { as: admin, body: { name: 'shop', scopes: ['client'] } });
    expect(made).toMatchObject({ status: 201, body: { name: 'shop', scopes: ['client'], key: expect.any(String) } });
    const { id, key } = made.body;
    const listed = await server.ask('GET', '/api/v1/keys', { as: admin });
    expect(listed.body.items.map((one: { name: string }) => one.name)).toEqual(['for a test', 'shop']);
    expect(JSON.stringify(listed.body)).not.toContain(key);
    const stored = JSON.stringify(await server.control.sql.all('SELECT * FROM control.api_keys'));
    expect(stored).not.toContain(key.split('_')[2]);

    expect((await server.ask('GET', '/api/v1/me', { as: key })).body).toEqual({
      id: `key:${id}`,
      organisation: 'default',
      scopes: ['client'],
      endUserId: null,
    });
    expect((await server.ask('DELETE', `/api/v1/keys/${id}`, { as: admin })).body.revokedAt).toEqual(
      expect.any(Number),
    );
    expect(await server.ask('GET', '/api/v1/me', { as: key })).toMatchObject({
      status: 401,
      body: { code: 'UNAUTHENTICATED' },
    });
  });

  it('are not given back by a repeated request: what was shown once is gone', async () => {
    const options = { as: admin, body: { name: 'shop', scopes: ['client'] }, headers: { 'idempotency-key': 'k1' } };
    const made = await server.ask('POST', '/api/v1/keys', options);
    const again = await server.ask('POST', '/api/v1/keys', options);
    expect(again).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    const stored = JSON.stringify(await server.control.sql.all('SELECT * FROM control.idempotency'));
    expect(stored).not.toContain(made.body.key);
  });

  it('are managed by an admin only', async () => {
    for (const scope of ['client', 'operator', 'driver', 'role:finance'] as const) {
      const as = await server.key(scope);
      expect((await server.ask('GET', '/api/v1/keys', { as })).status).toBe(403);
      const body = { name: 'more', scopes: ['admin'] };
      expect((await server.ask('POST', '/api/v1/keys', { as, body })).status).toBe(403);
    }
  });

  it('that are missing, wrong, expired or of another scheme all get the same 401', async () => {
    const expired = await server.tokenOf('carl', 'default', -1);
    const wrongSecret = `${admin.slice(0, -2)}xx`;
    const answers = await Promise.all([
      ...[undefined, 'x', wrongSecret, expired].map((as) => server.ask('GET', '/api/v1/runs', { as })),
      server.ask('GET', '/api/v1/runs', { headers: { authorization: `Basic ${admin}` } }),
      server.ask('GET', `/api/v1/runs?key=${admin}`),
    ]);
    for (const { status, body, headers } of answers) {
      expect(status).toBe(401);
      expect(body.code).toBe('UNAUTHENTICATED');
      expect(headers.get('content-type')).toBe('application/problem+json');
      expect(headers.get('www-authenticate')).toContain('Bearer');
    }
    expect((await server.ask('GET', '/api/v1/me', { headers: { authorization: `Bearer ${admin}` } })).status).toBe(200);
  });
});

describe('tokens of end users', () => {
  it('are made by a key that starts runs, live for a while, and are revoked like keys', async () => {
    const client = await server.key('client');
    const made = await server.ask('POST', '/api/v1/end-users/carl/tokens', { as: client, body: { lifeSeconds: 60 } });
    expect(made.status).toBe(201);
    const { token, id, expiresAt } = made.body;
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(60_000);
    expect((await server.ask('GET', '/api/v1/me', { as: token })).body).toMatchObject({
      id: 'carl',
      endUserId: 'carl',
    });
    expect((await server.ask('POST', '/api/v1/end-users/dora/tokens', { as: token })).status).toBe(403);
    await server.ask('DELETE', `/api/v1/keys/${id}`, { as: admin });
    expect((await server.ask('GET', '/api/v1/me', { as: token })).status).toBe(401);
  });

  it('end with the key they were made with, also in the middle of what they follow', async () => {
    const made = await server.ask('POST', '/api/v1/keys', { as: admin, body: { name: 'shop', scopes: ['client'] } });
    const { key, id } = made.body;
    const tokens: string[] = [];
    for (const person of ['carl', 'dora'])
      tokens.push((await server.ask('POST', `/api/v1/end-users/${person}/tokens`, { as: key })).body.token);
    const others = (await server.ask('POST', '/api/v1/end-users/carl/tokens', { as: admin })).body.token;
    const counted = async (): Promise<number> =>
      (await server.ask('GET', '/api/v1/keys', { as: admin })).body.items.find((one: { id: string }) => one.id === id)
        .tokens;
    expect(await counted()).toBe(2);
    for (const token of tokens) expect((await server.ask('GET', '/api/v1/runs', { as: token })).status).toBe(200);

    await server.ask('DELETE', `/api/v1/keys/${id}`, { as: admin });
    for (const token of tokens) expect((await server.ask('GET', '/api/v1/runs', { as: token })).status).toBe(401);
    expect((await server.ask('GET', '/api/v1/runs', { as: others })).status).toBe(200);
    expect(await counted()).toBe(0);
  });

  it('end when the key they were made with expires', async () => {
    const expiresAt = Date.now() + 400;
    const { key } = (
      await server.ask('POST', '/api/v1/keys', { as: admin, body: { name: 'short', scopes: ['client'], expiresAt } })
    ).body;
    const { token } = (await server.ask('POST', '/api/v1/end-users/carl/tokens', { as: key })).body;
    expect((await server.ask('GET', '/api/v1/runs', { as: token })).status).toBe(200);
    await until(async () => (await server.ask('GET', '/api/v1/runs', { as: key })).status === 401, 'the key expires');
    expect((await server.ask('GET', '/api/v1/runs', { as: token })).status).toBe(401);
  });

  it('are revoked together, those of one person', async () => {
    const client = await server.key('client');
    const [carl, carlToo, dora] = await Promise.all(
      ['carl', 'carl', 'dora'].map(
        async (who) => (await server.ask('POST', `/api/v1/end-users/${who}/tokens`, { as: client })).body.token,
      ),
    );
    const revoked = await server.ask('DELETE', '/api/v1/end-users/carl/tokens', { as: client });
    expect(revoked).toMatchObject({ status: 200, body: { revoked: 2 } });
    for (const as of [carl, carlToo]) expect((await server.ask('GET', '/api/v1/me', { as })).status).toBe(401);
    expect((await server.ask('GET', '/api/v1/me', { as: dora })).status).toBe(200);
    expect((await server.ask('DELETE', '/api/v1/end-users/carl/tokens', { as: dora })).status).toBe(403);
  });

  it('are for the person whose id was given, whatever is in it', async () => {
    const client = await server.key('client');
    for (const id of ['a/b', '..', 'dora%2Fx', "'; --", '\u{1f600}', '__proto__']) {
      const path = `/api/v1/end-users/${encodeURIComponent(id)}/tokens`;
      const made = await server.ask('POST', path.replace('/../', '/%2E%2E/'), { as: client });
      if (made.status === 404) continue;
      expect((await server.ask('GET', '/api/v1/me', { as: made.body.token })).body.endUserId).toBe(id);
    }
  });
});
