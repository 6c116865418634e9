import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Input, PlanBuilderV2, tool } from 'portia-ts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { until } from '../../../test/lib/asking.ts';
import { overTheWire } from '../../../test/lib/raw-http.ts';
import { refunds } from '../../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

const text = 'grüße 😀 ';
const write = tool({
  id: 'write',
  description: 'Writes much.',
  argsSchema: z.object({ times: z.number() }),
  run: ({ times }) => text.repeat(times),
});
const much = new PlanBuilderV2('Write much')
  .input({ name: 'times', schema: z.number() })
  .invokeToolStep({ stepName: 'write', tool: 'write', args: { times: Input('times') } })
  .build();

let server: TestServer;
let client: string;
let carl: string;
beforeEach(async () => {
  const shop = refunds();
  server = await testServer({ ...shop, tools: [...shop.tools, write], plans: { ...shop.plans, much } });
  client = await server.key('client');
  carl = await server.tokenOf('carl');
});
afterEach(async () => {
  vi.useRealTimers();
  await server.close();
});

const start = async (plan: string, planRunInputs: object, state: string): Promise<string> => {
  const run = await server.ask('POST', '/api/v1/runs', { as: client, body: { plan, planRunInputs, endUser: 'carl' } });
  await until(async () => {
    const { body } = await server.ask('GET', `/api/v1/runs/${run.body.id}`, { as: client });
    return body.state === state;
  }, `the run is ${state}`);
  return run.body.id;
};
const waiting = () => start('refund', { amount: 5 }, 'NEED_CLARIFICATION');
const large = (times: number) => start('much', { times }, 'COMPLETE');
const follow = (runId: string, as: string, init: RequestInit = {}, query = ''): Promise<Response> =>
  server.send(
    new Request(`http://server.test/api/v1/runs/${runId}/events${query}`, {
      headers: { authorization: `Api-Key ${as}` },
      ...init,
    }),
  );

describe('a run is followed', () => {
  it('by nobody who only asks for the head: as often as they like, with the headers of the answer', async () => {
    const runId = await waiting();
    for (let n = 0; n < 60; n += 1) expect((await follow(runId, carl, { method: 'HEAD' })).status).toBe(200);
    const [head, whole] = [await follow(runId, carl, { method: 'HEAD' }), await follow(runId, carl)];
    const headers = ({ headers: all }: Response) => [...all].filter(([name]) => name !== 'x-request-id');
    expect(head.status).toBe(whole.status);
    expect(headers(head)).toEqual(headers(whole));
    expect(head.body).toBeNull();
    await whole.body?.cancel();
    const over = await large(1);
    expect((await follow(over, client, { method: 'HEAD' })).status).toBe(200);
    expect((await follow(over, client, { method: 'HEAD' }, '?after=1000')).status).toBe(204);
  });

  it('by nobody who went away before there was anything to read', async () => {
    const runId = await waiting();
    const wire = await overTheWire(server.send);
    const request = `GET /api/v1/runs/${runId}/events HTTP/1.1\r\nhost: here\r\nauthorization: Api-Key ${carl}\r\n\r\n`;
    try {
      for (let n = 0; n < 60; n += 1) {
        const socket = connect(Number(new URL(wire.url).port), '127.0.0.1');
        await once(socket, 'connect');
        socket.write(request, () => (n % 2 ? socket.destroy() : socket.resetAndDestroy()));
        await once(socket, 'close');
      }
      // All places are free again, and not one of them only.
      const all: Response[] = [];
      await until(async () => {
        const another = await follow(runId, carl);
        if (another.status === 200) all.push(another);
        return all.length === 50;
      }, 'fifty places');
      for (const { body } of all) await body?.cancel();
    } finally {
      await wire.close();
    }
  });

  it('by nobody who takes nothing for half a minute', async () => {
    const runId = await large(100_000);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const unread: Response[] = [];
    for (let n = 0; n < 50; n += 1) unread.push(await follow(runId, client));
    const reader = unread[0]?.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    vi.advanceTimersByTime(31_000);
    const rest = [];
    for (const one of unread.slice(1)) rest.push(await one.text());
    expect(new Set(rest)).toEqual(new Set(['']));
    expect((await reader?.read())?.done).toBe(true);
  });

  it('with one key a thousand times at once, and no more often', async () => {
    const runId = await waiting();
    const all = [];
    for (let n = 0; n < 1_000; n += 1) all.push(await follow(runId, client));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await follow(runId, client)).status).toBe(429);
    expect((await follow(runId, carl)).status).toBe(200);
    for (const { body } of all) await body?.cancel();
  });

  it('in pieces, however large what it says, and whole', async () => {
    const times = 40_000;
    const runId = await large(times);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await follow(runId, client)).body ?? []) pieces.push(piece);
    for (const piece of pieces) expect(piece.byteLength).toBeLessThan(300_000);
    const told = Buffer.concat(pieces).toString('utf8');
    const events = [...told.matchAll(/^event: (\S+)\ndata: (.*)\nid: (\d+)\n\n/gm)];
    expect(events.map(([, , , id]) => Number(id))).toEqual(events.map((_, index) => index + 1));
    expect(events.map(([whole]) => whole).join('')).toBe(told);
    const [, , data = ''] = events.find(([, type]) => type === 'tool-call-end') ?? [];
    expect(JSON.stringify(JSON.parse(data))).toContain(text.repeat(times));
  });

  it('by nobody who comes when its end user was erased, though others are in the middle of it', async () => {
    const plan = new PlanBuilderV2('Write much')
      .invokeToolStep({ stepName: 'write', tool: 'write', args: { times: 40_000 } })
      .build();
    const config = { encryptRuns: true, secretKey: randomBytes(32).toString('base64') };
    const folder = mkdtempSync(join(tmpdir(), 'portia-followed-'));
    const sealing = await testServer({ tools: [write], plans: { plan }, config }, { folder });
    try {
      const as = await sealing.key('admin');
      const { body: run } = await sealing.ask('POST', '/api/v1/runs', { as, body: { plan: 'plan', endUser: 'ada' } });
      const path = `/api/v1/runs/${run.id}`;
      await until(async () => (await sealing.ask('GET', path, { as })).body.state === 'COMPLETE', 'the end');
      const headers = { authorization: `Api-Key ${as}` };
      const reader = (
        await sealing.send(new Request(`http://server.test${path}/events`, { headers }))
      ).body?.getReader();
      for (let n = 0; n < 8; n += 1) expect((await reader?.read())?.done).toBe(false);
      expect((await sealing.ask('DELETE', '/api/v1/end-users/ada', { as })).status).toBe(200);
      expect(await sealing.ask('GET', `${path}/events`, { as })).toMatchObject({
        status: 410,
        body: { code: 'CONTENT_ERASED' },
      });
      await reader?.cancel();
    } finally {
      await sealing.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('by many at once, each at its own pace, also one that comes when others are in the middle', async () => {
    const runId = await large(40_000);
    const readers = [];
    for (let n = 0; n < 10; n += 1) readers.push((await follow(runId, client)).body?.getReader());
    await Promise.all(readers.map((reader) => reader?.read()));
    const whole = await (await follow(runId, client)).text();
    const later = await (await follow(runId, client, {}, '?after=2')).text();
    expect(whole.endsWith(later)).toBe(true);
    expect(later).toContain('id: 3\n');
    expect(later).not.toContain('id: 2\n');
    const [first, ...others] = readers;
    await Promise.all(others.map((reader) => reader?.cancel()));
    let left = 0;
    for (;;) {
      const piece = await first?.read();
      if (!piece?.value) break;
      left += piece.value.byteLength;
    }
    expect(left).toBeGreaterThan(1_000_000);
  });
});
