import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FetchServer, serveFetch } from '../../../sdk/test/lib/fetch-server.ts';
import { until } from '../../test/lib/asking.ts';
import { refunds } from '../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../test/lib/server-for-tests.ts';
import { ControlStore } from '../control/control-store.ts';
import { sqliteSql } from '../control/sql.ts';
import { serverLog } from '../server-log.ts';
import { Tenants } from '../tenants.ts';
import { isPublicAddress } from 'portia-ts/tools';
import { WebhookSender } from './webhook-sender.ts';
import { WebhookStore } from './webhook-store.ts';
import { WebhookWatch } from './webhook-watch.ts';

interface Told {
  readonly id: string;
  readonly body: string;
  readonly headers: Headers;
}
let server: TestServer;
let admin: string;
let receiver: FetchServer;
let told: Told[];
let answerWith: number;

beforeEach(async () => {
  told = [];
  answerWith = 200;
  receiver = await serveFetch(async (request) => {
    told.push({ id: request.headers.get('webhook-id') ?? '', body: await request.text(), headers: request.headers });
    return new Response(null, { status: answerWith });
  });
  server = await testServer(refunds());
  admin = await server.key('admin');
});
afterEach(async () => {
  await server.close();
  await receiver.close();
});

const hook = async (...events: string[]): Promise<{ id: string; secret: string }> =>
  (await server.ask('POST', '/api/v1/webhooks', { as: admin, body: { url: `${receiver.url}/hook`, events } })).body;
const start = async (plan = 'refund'): Promise<string> => {
  const body = {
    plan,
    planRunInputs: plan === 'refund' ? { amount: 5 } : {},
    endUser: 'carl',
    labels: { shop: 'north' },
  };
  return (await server.ask('POST', '/api/v1/runs', { as: admin, body })).body.id;
};

describe('webhooks', () => {
  it('tell of a question, signed, without what is in it', async () => {
    const { secret } = await hook('clarification-raised');
    const runId = await start();
    const [message] = await until(async () => told.length > 0 && told, 'a message');
    const { id, body, headers } = message as Told;
    expect(JSON.parse(body)).toMatchObject({
      id,
      type: 'clarification-raised',
      data: { planRunId: runId, endUserId: 'carl', labels: { shop: 'north' }, audience: 'endUser', category: 'Input' },
    });
    expect(body).not.toContain('Why do you want');
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const signed = createHmac('sha256', key)
      .update(`${id}.${headers.get('webhook-timestamp')}.${body}`)
      .digest('base64');
    expect(headers.get('webhook-signature')).toBe(`v1,${signed}`);
    const stored = JSON.stringify(await server.control.sql.all('SELECT * FROM control.webhooks'));
    expect(stored).not.toContain(secret);
  });

  it('tell only what was asked for, and of a failed run why', async () => {
    await hook('run-failed');
    await start();
    const runId = await start('lost');
    await until(async () => told.length > 0, 'a message');
    expect(told).toHaveLength(1);
    expect(JSON.parse(told[0]?.body ?? '')).toMatchObject({
      type: 'run-failed',
      data: { planRunId: runId, code: 'TOOL_FAILED' },
    });
  });

  it('are tried again with the same id when they were not taken', async () => {
    answerWith = 500;
    await hook('run-failed');
    await start('lost');
    await until(async () => told.length === 1, 'the first attempt');
    answerWith = 204;
    const due = 'UPDATE control.deliveries SET next_at = 1 WHERE next_at IS NOT NULL';
    await until(async () => {
      await server.control.sql.all(due);
      return told.length >= 2;
    }, 'the second attempt');
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
    await until(async () => {
      const rows = await server.control.sql.all('SELECT * FROM control.deliveries WHERE delivered_at IS NOT NULL');
      return rows.length === 1;
    }, 'it counts as delivered');
  });

  it('are removed, and told nothing more', async () => {
    const { id } = await hook('run-failed');
    expect((await server.ask('GET', '/api/v1/webhooks', { as: admin })).body.items).toMatchObject([{ id }]);
    expect((await server.ask('DELETE', `/api/v1/webhooks/${id}`, { as: admin })).status).toBe(204);
    expect((await server.ask('DELETE', `/api/v1/webhooks/${id}`, { as: admin })).status).toBe(404);
    await start('lost');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(told).toEqual([]);
  });

  it('are not held up by somebody who answers a byte at a time', async () => {
    const dripping = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write('x: y\r\n'), 20);
      socket.on('close', () => clearInterval(drip));
    });
    await once(dripping.listen(0, '127.0.0.1'), 'listening');
    const sql = await sqliteSql(':memory:');
    const outbox = new WebhookStore((await ControlStore.open(sql)).sql, undefined);
    const sender = new WebhookSender(outbox, serverLog('silent'), { allowPrivate: true, timeoutMs: 200 });
    try {
      const url = `http://127.0.0.1:${(dripping.address() as AddressInfo).port}/`;
      const { webhook } = await outbox.add({ organisation: 'acme', url, events: ['run-failed'] });
      await outbox.enqueue(webhook, 'a place', () => '{}');
      sender.ring();
      // Taken: nobody else's for a minute. Given up: again in five seconds.
      await until(async () => {
        const [row] = await sql.all('SELECT attempts, next_at FROM control.deliveries');
        return row?.['attempts'] === 1 && Number(row['next_at']) < Date.now() + 30_000;
      }, 'the end of the attempt');
    } finally {
      await sender.close();
      await sql.close();
      dripping.close();
    }
  });

  it.each([
    ['', 0],
    [', by a clock that is half an hour behind', 1_800_000],
  ])('tell after a restart what happened while nobody watched%s, once', async (_what, behind) => {
    const outbox = new WebhookStore(server.control.sql, undefined);
    const tenants = new Tenants({
      settings: { storage: 'memory', env: {} },
      serverConfig: refunds(),
      log: serverLog('silent'),
      work: { pollMs: 50 },
    });
    try {
      const tenant = await tenants.get('acme');
      const { webhook } = await outbox.add({ organisation: 'acme', url: `${receiver.url}/`, events: ['run-failed'] });
      await outbox.setMark('acme', Date.now() + behind);
      const plan = tenant.plans.get('lost');
      const { planRunId } = await tenant.portia.start(plan as never);
      await until(async () => (await tenant.portia.storage.getPlanRun(planRunId)).state === 'FAILED', 'the end');
      const waiting = async () =>
        server.control.sql.all('SELECT * FROM control.deliveries WHERE webhook_id = ?', [webhook.id]);
      expect(await waiting()).toEqual([]);
      for (const _ of [1, 2]) {
        const watch = new WebhookWatch(tenant, outbox, serverLog('silent'), () => {});
        await watch.close();
        expect(await waiting()).toHaveLength(1);
      }
    } finally {
      await tenants.close();
    }
  });

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '192.168.0.1',
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::7f00:1',
    '64:ff9b:1::a9fe:a9fe',
    '2002:7f00:1::1',
    'fec0::1',
    '0.0.0.0',
  ])('are not sent to %s, which is private', (address) => expect(isPublicAddress(address)).toBe(false));
  it.each(['1.1.1.1', '93.184.216.34', '2606:4700::1111'])('may be sent to %s', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
});
