import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FetchServer, serveFetch } from '../../../sdk/test/lib/fetch-server.ts';
import { until } from '../../test/lib/asking.ts';
import { ControlStore } from '../control/control-store.ts';
import { type Sql, sqliteSql } from '../control/sql.ts';
import { serverLog } from '../server-log.ts';
import { WebhookSender } from './webhook-sender.ts';
import { type Webhook, WebhookStore } from './webhook-store.ts';

let sql: Sql;
let control: ControlStore;
let outbox: WebhookStore;
let sender: WebhookSender | undefined;
let good: FetchServer;
let told: string[];
const sockets = new Set<Socket>();
const hanging = createServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => undefined);
});
let url: string;

beforeEach(async () => {
  sql = await sqliteSql(':memory:');
  control = await ControlStore.open(sql);
  outbox = new WebhookStore(sql, undefined);
  told = [];
  good = await serveFetch(async (request) => {
    told.push(request.headers.get('webhook-id') ?? '');
    await new Promise((resolve) => setTimeout(resolve, 20));
    return new Response(null);
  });
  hanging.listen(0, '127.0.0.1');
  await once(hanging, 'listening');
  url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  hanging.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await sender?.close();
  sender = undefined;
  await good.close();
  await sql.close();
});

const started = (timeoutMs: number): WebhookSender => {
  sender = new WebhookSender(outbox, serverLog('silent'), { allowPrivate: true, timeoutMs });
  return sender;
};
const hook = async (to: string): Promise<Webhook> =>
  (await outbox.add({ organisation: 'acme', url: to, events: ['run-failed'] })).webhook;
const fill = async (webhook: Webhook, count: number): Promise<void> => {
  for (let n = 0; n < count; n += 1) await outbox.enqueue(webhook, `place ${n}`, () => '{}');
};
const attempted = async (webhook: Webhook): Promise<number> =>
  (await sql.all('SELECT id FROM control.deliveries WHERE webhook_id = ? AND attempts > 0', [webhook.id])).length;

describe('a webhook that does not answer', () => {
  it('holds up nobody else, though it has hundreds of messages, and gets a few at once', async () => {
    const silent = await Promise.all([1, 2, 3].map(() => hook(url)));
    for (const one of silent) await fill(one, 200);
    const kind = await hook(`${good.url}/`);
    await fill(kind, 60);
    const begun = Date.now();
    started(10_000).ring();
    await until(async () => new Set(told).size === 60, 'all good messages');
    expect(Date.now() - begun).toBeLessThan(3_000);
    await fill(await hook(`${good.url}/another`), 1);
    sender?.ring();
    await until(async () => new Set(told).size === 61, 'one that came later');
    expect(Date.now() - begun).toBeLessThan(4_000);
    for (const one of silent) expect(await attempted(one)).toBe(8);
    // Nothing was sent twice.
    expect(told).toHaveLength(61);
  });

  it('gets one at a time once it has not taken one', async () => {
    const silent = await hook(url);
    await fill(silent, 100);
    started(300).ring();
    await until(async () => (await attempted(silent)) > 8, 'the ninth attempt');
    await new Promise((resolve) => setTimeout(resolve, 450));
    expect(await attempted(silent)).toBeLessThan(13);
  });

  it('is waited for when the sender is closed, and nothing more is sent then', async () => {
    const silent = await hook(url);
    await fill(silent, 100);
    const open = started(500);
    open.ring();
    await until(async () => (await attempted(silent)) === 8, 'the first attempts');
    await open.close();
    const rows = await sql.all('SELECT next_at FROM control.deliveries WHERE attempts = 1');
    expect(rows).toHaveLength(8);
    // Each was given up, for five seconds: none is left as taken.
    for (const row of rows) expect(Number(row['next_at'])).toBeLessThan(Date.now() + 30_000);
  });
});

describe('a message', () => {
  it('is emptied when it is given up, as when it arrived, and gone when it is a week old', async () => {
    const [silent, kind] = [await hook(url), await hook(`${good.url}/`)];
    await outbox.enqueue(silent, 'a place', () => '{"data":"carl"}');
    await outbox.enqueue(kind, 'a place', () => '{"data":"carl"}');
    await sql.all('UPDATE control.deliveries SET attempts = 8 WHERE webhook_id = ?', [silent.id]);
    started(100).ring();
    const rows = await until(async () => {
      const all = await sql.all('SELECT body, delivered_at FROM control.deliveries WHERE next_at IS NULL');
      return all.length === 2 && all;
    }, 'one is given up, one is delivered');
    expect(rows.map(({ body }) => body)).toEqual(['', '']);
    const week = 7 * 24 * 3_600_000;
    await outbox.enqueue(silent, 'another place', () => '{}');
    const age = (ms: number) =>
      sql.all('UPDATE control.deliveries SET created_at = ?, delivered_at = ? WHERE next_at IS NULL', [
        Date.now() - ms,
        Date.now() - ms,
      ]);
    const left = async (): Promise<number> => (await sql.all('SELECT id FROM control.deliveries')).length;
    await age(week - 60_000);
    await control.forgetWhatIsOver(() => false);
    expect(await left()).toBe(3);
    await age(week + 60_000);
    await sql.all('UPDATE control.deliveries SET delivered_at = NULL WHERE webhook_id = ?', [silent.id]);
    await control.forgetWhatIsOver(() => false);
    expect(await left()).toBe(1);
  });

  it('of a webhook whose secret cannot be read holds up nobody', async () => {
    const sealing = new WebhookStore(sql, 'a key that is lost');
    const lost = await sealing.add({ organisation: 'acme', url, events: ['run-failed'] });
    await fill(lost.webhook, 1);
    await fill(await hook(`${good.url}/`), 1);
    started(500).ring();
    await until(async () => told.length === 1, 'the other message');
    expect(await attempted(lost.webhook)).toBe(0);
  });
});
