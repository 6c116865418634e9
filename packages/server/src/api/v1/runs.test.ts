import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/lib/asking.ts';
import { type Refunds, refunds } from '../../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

let shop: Refunds;
let server: TestServer;
let client: string;
let operator: string;
let carl: string;

beforeEach(async () => {
  shop = refunds();
  server = await testServer(shop);
  client = await server.key('client');
  operator = await server.key('operator');
  carl = await server.tokenOf('carl');
});
afterEach(() => server.close());

const start = async (body: object = {}): Promise<string> => {
  const { status, body: run } = await server.ask('POST', '/api/v1/runs', {
    as: client,
    body: { plan: 'refund', planRunInputs: { amount: 5 }, endUser: 'carl', ...body },
  });
  expect(status).toBe(201);
  return run.id;
};
const question = (as: string, query = ''): Promise<{ id: string; planRunId: string; audience: string }> =>
  until(async () => (await server.ask('GET', `/api/v1/clarifications${query}`, { as })).body.items[0], 'a question');
const answer = (runId: string, id: string, response: unknown, as: string) =>
  server.ask('POST', `/api/v1/runs/${runId}/clarifications/${id}/answer`, { as, body: { response } });
const ended = (runId: string) =>
  until(async () => {
    const { body } = await server.ask('GET', `/api/v1/runs/${runId}`, { as: client });
    return (body.state === 'COMPLETE' || body.state === 'FAILED') && body;
  }, 'the end of the run');

describe('a run on the server', () => {
  it('is started by one key, answered by its customer and its operator, and goes on by itself', async () => {
    const runId = await start({ labels: { shop: 'north' } });
    const why = await question(carl);
    expect(why).toMatchObject({ planRunId: runId, audience: 'endUser', category: 'Input' });
    expect((await answer(runId, why.id, 'It broke', carl)).status).toBe(200);

    const approval = await question(operator, '?audience=operator');
    const refused = await answer(runId, approval.id, true, carl);
    expect(refused).toMatchObject({ status: 403, body: { code: 'CLARIFICATION_FORBIDDEN' } });
    expect(shop.paid).toEqual([]);
    expect((await answer(runId, approval.id, true, operator)).status).toBe(200);

    const run = await ended(runId);
    expect(run).toMatchObject({ state: 'COMPLETE', finalOutput: { value: 'refunded 5' }, labels: { shop: 'north' } });
    expect(shop.paid).toEqual([5]);
    const [first, second] = run.clarifications;
    expect(first).toMatchObject({ resolvedBy: 'carl', resolvedAs: 'endUser', via: 'api', response: 'It broke' });
    expect(second).toMatchObject({ resolvedAs: 'operator', via: 'api', response: true });
    expect(second.resolvedBy).toMatch(/^key:/);
  });

  it('takes an answer once: the same again is fine, another is refused, and one that does not fit, too', async () => {
    const runId = await start();
    const why = await question(carl);
    expect(await answer(runId, why.id, null, carl)).toMatchObject({
      status: 422,
      body: { code: 'CLARIFICATION_RESPONSE_INVALID' },
    });
    expect((await answer(runId, why.id, 'It broke', carl)).status).toBe(200);
    expect((await answer(runId, why.id, 'It broke', carl)).status).toBe(200);
    expect(await answer(runId, why.id, 'Never mind', carl)).toMatchObject({
      status: 409,
      body: { code: 'CLARIFICATION_ALREADY_RESOLVED' },
    });
  });

  it('tells whoever comes back to its events that the question they saw was answered', async () => {
    const runId = await start();
    const why = await question(carl);
    await answer(runId, why.id, 'It broke', operator);
    const approval = await question(operator, '?audience=operator');
    await answer(runId, approval.id, true, operator);
    await ended(runId);
    const eventsOf = async (after: number): Promise<string> =>
      (
        await server.ask('GET', `/api/v1/runs/${runId}/events`, {
          as: carl,
          headers: { 'last-event-id': String(after) },
        })
      ).body;
    const raised = /id: (\d+)\nevent: clarification-raised|event: clarification-raised\n.*\nid: (\d+)/.exec(
      await eventsOf(0),
    );
    const later = await eventsOf(Number(raised?.[1] ?? raised?.[2]));
    expect(later).toContain('clarification-resolved');
    expect(later).toContain(why.id);
    expect(later).not.toContain(approval.id);
  });

  it('is not mixed up by an end user who is named like a key', async () => {
    const headers = { 'idempotency-key': 'request-1' };
    const ask = (as: string) =>
      server.ask('POST', '/api/v1/runs', { as, body: { plan: 'refund', planRunInputs: { amount: 1 } }, headers });
    expect((await ask(client)).status).toBe(201);
    const namedLikeIt = await server.tokenOf(`key:${client.split('_')[1]}`);
    expect(await ask(namedLikeIt)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  it('leaves nothing to read in the answers that are kept, where the server has a secret key', async () => {
    const headers = { 'idempotency-key': 'request-1' };
    const body = { plan: 'refund', planRunInputs: { amount: 987_654_321 }, endUser: 'carl' };
    const first = await server.ask('POST', '/api/v1/runs', { as: client, body, headers });
    expect(JSON.stringify(first.body)).toContain('987654321');
    const stored = JSON.stringify(await server.control.sql.all('SELECT * FROM control.idempotency'));
    expect(stored).not.toContain('987654321');
    expect((await server.ask('POST', '/api/v1/runs', { as: client, body, headers })).body).toEqual(first.body);
  });

  it('is followed by an end user so often at once, and again when a connection has ended', async () => {
    const runId = await start();
    await question(carl);
    const followed: Response[] = [];
    const follow = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      const answered = await server.send(new Request(`http://server.test/api/v1/runs/${runId}/events`, { headers }));
      followed.push(answered);
      return answered.status;
    };
    const another = await server.tokenOf('carl');
    const statuses = [];
    for (let n = 0; n < 51; n += 1) statuses.push(await follow(n % 2 ? carl : another));
    expect(statuses.slice(0, 50)).toEqual(Array(50).fill(200));
    expect(statuses[50]).toBe(429);
    expect(await follow(client)).toBe(200);
    await followed[0]?.body?.cancel();
    await until(async () => (await follow(carl)) === 200, 'room for another one');
    await Promise.all(followed.map(({ body }) => body?.cancel()));
  });

  it('is no longer followed with a token that was revoked or has expired', async () => {
    const runId = await start();
    const why = await question(carl);
    const follow = async (token: string): Promise<Response> =>
      server.send(
        new Request(`http://server.test/api/v1/runs/${runId}/events`, {
          headers: { authorization: `Bearer ${token}` },
        }),
      );
    const brief = await server.tokenOf('carl', 'default', 300);
    const followed = await Promise.all([follow(carl), follow(brief)]);
    await server.control.revokeKey('default', carl.split('_')[1] ?? '');
    await until(async () => (await server.control.findKey(brief)) === undefined, 'the end of the token');
    await answer(runId, why.id, 'It broke', operator);
    const approval = await question(operator, '?audience=operator');
    await answer(runId, approval.id, true, operator);
    await ended(runId);
    for (const one of followed) expect(await one.text()).not.toMatch(/It broke|run-end/);
  });

  it('lets a key that starts runs answer nothing', async () => {
    const runId = await start();
    const why = await question(carl);
    expect(await answer(runId, why.id, 'It broke', client)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  it('is the same run for the same run key, and for the same idempotency key', async () => {
    const runId = await start({ runKey: 'order-17' });
    expect(await start({ runKey: 'order-17' })).toBe(runId);
    const unnamed = { plan: 'refund', planRunInputs: { amount: 5 }, runKey: 'order-17' };
    expect((await server.ask('POST', '/api/v1/runs', { as: client, body: unnamed })).body.id).toBe(runId);
    for (const endUser of ['dora', { externalId: 'dora' }]) {
      const taken = await server.ask('POST', '/api/v1/runs', { as: client, body: { ...unnamed, endUser } });
      expect(taken).toMatchObject({ status: 409, body: { code: 'RUN_KEY_CONFLICT' } });
      expect(JSON.stringify(taken.body)).not.toMatch(new RegExp(`${runId}|carl`));
      expect(taken.headers.get('location')).toBe(null);
    }
    const lost = await server.ask('POST', '/api/v1/runs', { as: client, body: { ...unnamed, plan: 'lost' } });
    expect(lost).toMatchObject({ status: 409, body: { code: 'RUN_KEY_CONFLICT' } });
    const headers = { 'idempotency-key': 'request-1' };
    const body = { plan: 'refund', planRunInputs: { amount: 1 } };
    const first = await server.ask('POST', '/api/v1/runs', { as: client, body, headers });
    const again = await server.ask('POST', '/api/v1/runs', { as: client, body, headers });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const other = await server.ask('POST', '/api/v1/runs', { as: client, body: { ...body, runKey: 'x' }, headers });
    expect(other).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    expect((await server.ask('GET', '/api/v1/runs', { as: client })).body.items).toHaveLength(2);
  });

  it('is found by its labels, its end user and its state, page by page', async () => {
    const ids = [];
    for (const n of [1, 2, 3]) ids.push(await start({ labels: { batch: 'a', n: String(n) } }));
    await start({ endUser: 'dora' });
    const list = async (query: string): Promise<string[]> =>
      (await server.ask('GET', `/api/v1/runs?${query}`, { as: client })).body.items.map(
        (run: { id: string }) => run.id,
      );
    expect(await list('label=batch=a&order=oldest')).toEqual(ids);
    expect(await list('label=batch%3Da&label=n%3D2')).toEqual([ids[1]]);
    expect(await list('endUserId=dora')).toHaveLength(1);
    expect(await list('state=COMPLETE&state=FAILED')).toEqual([]);
    const first = await server.ask('GET', '/api/v1/runs?limit=2&order=oldest', { as: client });
    const rest = await list(`limit=2&order=oldest&cursor=${first.body.cursor}`);
    expect([...first.body.items.map((run: { id: string }) => run.id), ...rest].slice(0, 3)).toEqual(ids);
  });

  it('has its questions found by audience, age, label and end user, the longest waiting first', async () => {
    const [first, second] = [
      await start({ labels: { shop: 'a' } }),
      await start({ labels: { shop: 'b' }, endUser: 'dora' }),
    ];
    const listed = async (query: string, as = operator): Promise<string[]> =>
      (await server.ask('GET', `/api/v1/clarifications${query}`, { as })).body.items.map(
        (one: { planRunId: string; audience: string }) => `${one.planRunId === first ? 1 : 2} ${one.audience}`,
      );
    await until(async () => (await listed('')).length === 2, 'both ask');
    const why = await question(operator, '?label=shop%3Db');
    await answer(second, why.id, 'It broke', operator);
    await until(async () => (await listed('?audience=operator')).length === 1, 'the approval');
    expect(await listed('?limit=1')).toEqual(['1 endUser']);
    expect(await listed('?audience=operator&limit=1')).toEqual(['2 operator']);
    expect(await listed('?label=shop%3Da')).toEqual(['1 endUser']);
    expect(await listed('?label=shop%3Da&audience=operator')).toEqual([]);
    expect(await listed('?endUserId=dora')).toEqual(['2 operator']);
    expect(await listed('?raisedBefore=1')).toEqual([]);
    expect(await question(operator, '?audience=operator')).toMatchObject({
      endUserId: 'dora',
      plan: { query: 'Refund a customer', step: 'pay', tool: 'refund' },
    });
    // Whoever may not list plans is told of none.
    expect(await question(carl, '')).toMatchObject({ endUserId: 'carl', plan: null });
    expect(await listed('', carl)).toEqual(['1 endUser']);
    expect(await listed('?audience=operator', carl)).toEqual([]);
    expect(await listed('?endUserId=dora', carl)).toEqual(['1 endUser']);
    expect(await listed('', await server.key('role:finance'))).toEqual([]);
    expect((await server.ask('GET', '/api/v1/clarifications?cursor=nonsense', { as: operator })).status).toBe(400);
  });

  it('is cancelled once, and stays so', async () => {
    const runId = await start();
    await question(carl);
    const cancel = () =>
      server.ask('POST', `/api/v1/runs/${runId}/cancel`, { as: operator, body: { reason: 'a mistake' } });
    expect(await cancel()).toMatchObject({ status: 200, body: { state: 'FAILED', error: { code: 'RUN_CANCELLED' } } });
    expect((await cancel()).status).toBe(200);
    const why = await server.ask('GET', `/api/v1/runs/${runId}/clarifications`, { as: carl });
    expect(await answer(runId, why.body.items[0].id, 'too late', carl)).toMatchObject({
      status: 409,
      body: { code: 'RUN_STATE_INVALID' },
    });
  });

  it('is retried when it failed, by a worker', async () => {
    const runId = await start({ plan: 'lost', planRunInputs: {} });
    expect(await ended(runId)).toMatchObject({ state: 'FAILED' });
    shop.paid.push(1);
    const retried = await server.ask('POST', `/api/v1/runs/${runId}/retry`, { as: operator });
    expect(retried.status).toBe(202);
    expect(
      await until(async () => {
        const { body } = await server.ask('GET', `/api/v1/runs/${runId}`, { as: client });
        return body.state === 'COMPLETE' && body;
      }, 'the second attempt'),
    ).toMatchObject({ finalOutput: { value: 'fine' } });
    expect(await server.ask('POST', `/api/v1/runs/${runId}/retry`, { as: operator })).toMatchObject({
      status: 409,
      body: { code: 'RUN_STATE_INVALID' },
    });
  });

  it('tells what it took and what it did', async () => {
    const runId = await start({ plan: 'lost', planRunInputs: {} });
    await ended(runId);
    const usage = await server.ask('GET', `/api/v1/runs/${runId}/usage`, { as: client });
    expect(usage.body).toMatchObject({ totals: { modelCalls: 0 }, startedAt: expect.any(Number) });
    const calls = await server.ask('GET', `/api/v1/runs/${runId}/tool-calls`, { as: client });
    expect(calls.body.items).toMatchObject([{ status: 'FAILED', callId: 'fail.0.1' }]);
    expect((await server.ask('GET', `/api/v1/runs/${runId}/usage`, { as: carl })).status).toBe(403);
  });

  it('needs one of query, planId and plan, and one that is there', async () => {
    const code = async (body: unknown) => (await server.ask('POST', '/api/v1/runs', { as: client, body })).body.code;
    expect(await code({})).toBe('REQUEST_INVALID');
    expect(await code({ plan: 'refund', planId: 'plan-1' })).toBe('REQUEST_INVALID');
    expect(await code({ plan: 'nowhere' })).toBe('PLAN_NOT_FOUND');
    expect(await code({ planId: 'plan-00000000-0000-4000-8000-000000000000' })).toBe('PLAN_NOT_FOUND');
    expect(await code({ plan: 'refund' })).toBe('INPUT_MISSING');
    expect(await code({ plan: 'refund', planRunInputs: { amount: 'much' } })).toBe('INPUT_INVALID');
    expect(await code({ query: '' })).toBe('REQUEST_INVALID');
    expect(await code({ query: ' ' })).toBe('INPUT_INVALID');
    expect((await server.ask('GET', '/api/v1/runs', { as: client })).body.items).toEqual([]);
  });
});

describe('the events of a run', () => {
  const follow = async (runId: string, as: string, headers: Record<string, string> = {}): Promise<string> =>
    (await server.ask('GET', `/api/v1/runs/${runId}/events`, { as, headers })).body;
  const ids = (stream: string): number[] => [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

  it('come live, end with the run, and go on after the last that was seen', async () => {
    const runId = await start();
    const live = follow(runId, client);
    await answer(runId, (await question(carl)).id, 'It broke', carl);
    await answer(runId, (await question(operator, '?audience=operator')).id, true, operator);
    const all = ids(await live);
    expect(all).toEqual(all.map((_, index) => index + 1));
    expect(await live).toMatch(/event: run-end\ndata: \{.*"COMPLETE"/);
    expect(ids(await follow(runId, client, { 'last-event-id': '5' }))).toEqual(all.slice(5));
    const nothing = await server.ask('GET', `/api/v1/runs/${runId}/events?after=${all.length}`, { as: client });
    expect(nothing.status).toBe(204);
  });

  it('show an end user how its run goes and what it is asked, and no arguments', async () => {
    const runId = await start();
    await answer(runId, (await question(carl)).id, 'It broke', carl);
    await answer(runId, (await question(operator, '?audience=operator')).id, true, operator);
    await ended(runId);
    const told = await follow(runId, carl);
    expect(told).toContain('"host":""');
    expect(told).not.toContain(JSON.stringify(hostname()));
    const types = [...told.matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
    expect(new Set(types)).toEqual(
      new Set(['run-start', 'clarification-raised', 'clarification-resolved', 'step-end', 'run-wait', 'run-end']),
    );
    expect(types.filter((type) => type === 'clarification-raised')).toHaveLength(1);
  });
});
