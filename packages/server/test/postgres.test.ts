import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCommand, type Running } from '../../sdk/test/lib/command-process.ts';
import { startWorlds, type Worlds } from '../../sdk/test/lib/outside-world.ts';
import { startPostgres, type TestPostgres } from '../../sdk/test/lib/postgres.ts';
import { ControlStore } from '../src/control/control-store.ts';
import { postgresSql } from '../src/control/postgres-sql.ts';
import { SqlSecrets } from '../src/control/sql-secrets.ts';
import { type DueWebhook, WebhookStore } from '../src/webhooks/webhook-store.ts';
import { type Ask, asker, until } from './lib/asking.ts';
import { installInto } from './lib/installed.ts';
import { writeShop } from './lib/shop.ts';

let installed: string;
let main: string;
let postgres: TestPostgres;
let worlds: Worlds;
const running: Running[] = [];

beforeAll(async () => {
  installed = mkdtempSync(join(tmpdir(), 'portia-server-'));
  main = installInto(installed);
  worlds = await startWorlds();
  postgres = await startPostgres({ own: true });
}, 120_000);
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(async () => {
  await worlds.close();
  await postgres.stop();
  rmSync(installed, { recursive: true, force: true });
});

const command = (...args: string[]): Running => {
  const env = { DATABASE_URL: postgres.url };
  const one = startCommand([process.execPath, main, ...args], { cwd: installed, env });
  running.push(one);
  return one;
};

async function serve(): Promise<Ask> {
  const server = command('serve', '--port', '0', '--json', '--log-level', 'silent');
  let out = '';
  server.child.stdout?.on('data', (chunk: string) => (out += chunk));
  await server.written(/"storage"/);
  expect(out).toContain('postgres:');
  return asker(/"url": "([^"]+)"/.exec(out)?.[1] ?? '');
}

describe('two servers on one PostgreSQL database', () => {
  it('share keys and runs, drive each once, and outlast a restart of the database', async () => {
    const world = worlds.fresh();
    writeShop(installed, world.url);
    const made = await command('keys', 'create', '--scope', 'admin').ended;
    expect(made.code, made.stderr).toBe(0);
    const as = made.stdout.trim();
    const [one, two] = await Promise.all([serve(), serve()]);
    const start = (ask: Ask, order: number) =>
      ask('POST', '/api/v1/runs', { as, body: { plan: 'order', planRunInputs: { order } } });
    const started = await Promise.all(Array.from({ length: 20 }, (_, order) => start(order % 2 ? one : two, order)));
    expect(started.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    await until(async () => world.effects.length > 10, 'the runs are in flight');
    await postgres.restart();
    const runs = await until(async () => {
      const { status, body } = await two('GET', '/api/v1/runs?limit=100', { as });
      return status === 200 && body.items.every((run: { state: string }) => run.state === 'COMPLETE') && body.items;
    }, 'all runs end');
    expect(runs).toHaveLength(20);
    const keys = (kind: string) => world.effects.filter((effect) => effect.kind === kind).map(({ key }) => key);
    // Nobody died, so nothing was done again: each call was made once, by one of the two.
    expect(new Set(keys('mail')).size).toBe(20);
    expect(keys('mail')).toHaveLength(20);
    expect(new Set(keys('charge')).size).toBe(40);

    const revoked = await one('DELETE', `/api/v1/keys/${as.split('_')[1]}`, { as });
    expect(revoked.status).toBe(200);
    expect((await two('GET', '/api/v1/me', { as })).status).toBe(401);
  }, 90_000);
});

it('the control store keeps house in PostgreSQL as in SQLite', async () => {
  const day = 24 * 3_600_000;
  const sql = await postgresSql(postgres.url);
  const control = await ControlStore.open(sql, 'a key');
  await control.close();
  // Opened again, with the columns that came later there already.
  const again = await ControlStore.open(await postgresSql(postgres.url), 'a key');
  for (const [key, age] of [
    ['over', day + 1_000],
    ['kept', 0],
  ] as const)
    await again.sql.all(
      `INSERT INTO control.idempotency (organisation, principal, idempotency_key, fingerprint, status, body, created_at)
       VALUES ('house', 'p', ?, '', 200, '{}', ?)`,
      [key, Date.now() - age],
    );
  const token = { organisation: 'house', name: 't', scopes: [], endUserId: 'carl' };
  const { apiKey } = await again.createKey({ organisation: 'house', name: 'k', scopes: ['client'] });
  await again.createKey({ ...token, expiresAt: Date.now() - 31 * day });
  const { key } = await again.createKey({ ...token, madeWith: apiKey.id, expiresAt: Date.now() + day });
  await again.forgetWhatIsOver(() => false);
  const answers = await again.sql.all(`SELECT idempotency_key FROM control.idempotency WHERE organisation = 'house'`);
  expect(answers).toEqual([{ idempotency_key: 'kept' }]);
  expect(await again.sql.all(`SELECT id FROM control.api_keys WHERE organisation = 'house'`)).toHaveLength(2);
  expect(await again.countTokens('house')).toEqual(new Map([[apiKey.id, 1]]));
  await again.revokeKey('house', apiKey.id);
  expect(await again.findKey(key)).toBeUndefined();
  await again.forgetAnswers('house');
  expect(await again.sql.all(`SELECT body FROM control.idempotency WHERE organisation = 'house'`)).toEqual([
    { body: null },
  ]);

  const outbox = new WebhookStore(again.sql, undefined);
  const url = 'https://example.org/';
  const { webhook } = await outbox.add({ organisation: 'house', url, events: ['run-failed'] });
  for (let n = 0; n < 5; n += 1) await outbox.enqueue(webhook, `place ${n}`, () => '{"data":"carl"}');
  const [due] = await outbox.due();
  expect(due?.id).toBe(webhook.id);
  // Of two that take at once, none gets what the other has.
  const taken = (await Promise.all([1, 2, 3].map(() => outbox.take(due as DueWebhook, 2)))).flat();
  expect(new Set(taken.map(({ id }) => id)).size).toBe(taken.length);
  const rest = await outbox.take(due as DueWebhook, 5);
  const ids = [...taken, ...rest].map(({ id }) => id);
  expect(new Set(ids).size).toBe(5);
  expect(await outbox.due()).toEqual([]);
  const [givenUp = '', arrived = '', ...others] = ids;
  await outbox.failed(givenUp, undefined);
  await outbox.delivered(arrived);
  for (const id of others) await outbox.failed(id, Date.now() + day);
  const deliveries = () => again.sql.all('SELECT id, body FROM control.deliveries ORDER BY body');
  expect((await deliveries()).map(({ body }) => body).slice(0, 2)).toEqual(['', '']);
  await again.sql.all('UPDATE control.deliveries SET created_at = ?, delivered_at = delivered_at - ?', [
    Date.now() - 8 * day,
    8 * day,
  ]);
  await outbox.setPlace('house', 'prun-1', { seq: 3, at: Date.now() - 8 * day });
  await outbox.setPlace('house', 'prun-2', { seq: 3, at: Date.now() });
  await outbox.setPlace('house', 'prun-2', { seq: 4, at: Date.now() });
  await again.forgetWhatIsOver(() => false);
  expect((await deliveries()).map(({ id }) => String(id)).sort()).toEqual([...others].sort());
  expect(await outbox.place('house', 'prun-1')).toBeUndefined();
  expect(await outbox.place('house', 'prun-2')).toMatchObject({ seq: 4 });

  const [before, after] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const secrets = new SqlSecrets(again.sql, before);
  await secrets.of('house').set('mcp/mail/tokens/carl', 'secret');
  expect(await new SqlSecrets(again.sql, `${after},${before}`).rotate()).toEqual({ rotated: 1, current: 0, left: 0 });
  expect(await new SqlSecrets(again.sql, after).of('house').list('mcp/')).toEqual(['mcp/mail/tokens/carl']);
  expect(await new SqlSecrets(again.sql, after).of('other').get('mcp/mail/tokens/carl')).toBeUndefined();
  await again.close();
});
