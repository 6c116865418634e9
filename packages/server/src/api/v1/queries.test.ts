import { tool } from 'portia-ts';
import { scriptedModelServer, type ScriptedModelServer } from 'portia-ts/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/lib/asking.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';
import { object } from 'portia-ts/testing';

let planner: ScriptedModelServer;
let server: TestServer;
let client: string;
let release: () => void;
/** What the planner says, once it is let. */
let says: () => ReturnType<typeof object>;

const steps = [{ task: 'Look at the weather', inputs: [], tool_id: 'weather', output: '$weather' }];

beforeEach(async () => {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  release = open;
  says = () => object({ steps, error: null });
  planner = await scriptedModelServer(async () => {
    await gate;
    return says();
  });
  server = await testServer({
    tools: [tool({ id: 'weather', description: 'Tells the weather', readOnly: true, run: () => 'sunny' })],
    config: { openaiApiKey: 'k', openaiBaseUrl: planner.baseUrl, defaultModel: 'openai/gpt-4.1' },
  });
  client = await server.key('client');
});
afterEach(async () => {
  release();
  await server.close();
  await planner.close();
});

const start = (body: object = {}, headers: Record<string, string> = {}) =>
  server.ask('POST', '/api/v1/runs', { as: client, body: { query: 'How is the weather?', ...body }, headers });
const ended = (runId: string) =>
  until(async () => {
    const { body } = await server.ask('GET', `/api/v1/runs/${runId}`, { as: client });
    return (body.state === 'COMPLETE' || body.state === 'FAILED') && body;
  }, 'the end of the run');

describe('a run of a query', () => {
  it('is answered before anything is planned; a worker plans it and runs the plan', async () => {
    const started = await start({ endUser: 'carl', labels: { shop: 'north' } });
    expect(started).toMatchObject({ status: 202, body: { state: 'NOT_STARTED', labels: { shop: 'north' } } });
    expect(started.headers.get('location')).toBe(`/api/v1/runs/${started.body.id}`);
    release();
    const run = await ended(started.body.id);
    expect(run).toMatchObject({ state: 'COMPLETE', stepOutputs: { $weather: { value: 'sunny' } }, endUserId: 'carl' });
    expect(run.planId).not.toBe(started.body.planId);
    const plan = await server.ask('GET', `/api/v1/plans/${run.planId}`, { as: client });
    expect(plan.body).toMatchObject({ query: 'How is the weather?', document: { steps: [{ tool_id: 'weather' }] } });
    const listed = await server.ask('GET', '/api/v1/plans', { as: client });
    expect(listed.body.items.map((one: { id: string }) => one.id)).toEqual([run.planId]);
    expect(planner.requests).toHaveLength(1);
    const under = async (planId: string) =>
      (await server.ask('GET', `/api/v1/runs?planId=${planId}`, { as: client })).body.items;
    expect(await under(run.planId)).toMatchObject([{ id: run.id, planId: run.planId }]);
    expect(await under(started.body.planId)).toEqual([]);
  });

  it('is the same run for the same run key, and for the same idempotency key, planned once', async () => {
    const first = await start({}, { 'idempotency-key': 'a' });
    const again = await start({}, { 'idempotency-key': 'a' });
    expect(again.body.id).toBe(first.body.id);
    const keyed = await start({ runKey: 'order-17' });
    expect((await start({ runKey: 'order-17' })).body.id).toBe(keyed.body.id);
    expect(await start({ runKey: 'order-17', query: 'Another?' })).toMatchObject({
      status: 409,
      body: { code: 'RUN_KEY_CONFLICT' },
    });
    release();
    await ended(first.body.id);
    await ended(keyed.body.id);
    expect(planner.requests).toHaveLength(2);
  });

  it('fails with what its planning fails with, and is planned anew by a retry', async () => {
    release();
    says = () => object({ steps: [], error: 'no tool can do that' });
    const { body } = await start();
    expect(await ended(body.id)).toMatchObject({ state: 'FAILED', error: { code: 'PLANNING_FAILED' } });
    says = () => object({ steps, error: null });
    await server.ask('POST', `/api/v1/runs/${body.id}/retry`, { as: client });
    const run = await until(async () => {
      const { body: now } = await server.ask('GET', `/api/v1/runs/${body.id}`, { as: client });
      return now.state === 'COMPLETE' && now;
    }, 'the run is complete');
    expect(run.stepOutputs.$weather.value).toBe('sunny');
  });

  it('can be cancelled while it is being planned', async () => {
    const { body } = await start();
    await until(async () => planner.requests.length > 0, 'the planner is asked');
    const cancelled = await server.ask('POST', `/api/v1/runs/${body.id}/cancel`, { as: client });
    expect(cancelled.status).toBe(200);
    expect(await ended(body.id)).toMatchObject({ state: 'FAILED', error: { code: 'RUN_CANCELLED' } });
  });
});

describe('a budget', () => {
  it('of a run stops it, and more is given with a retry, by nobody but those who steer runs', async () => {
    release();
    const { body } = await start({ budget: { maxToolCalls: 0 }, endUser: 'carl' });
    expect(await ended(body.id)).toMatchObject({ state: 'FAILED', error: { code: 'BUDGET_EXCEEDED' } });
    const carl = await server.tokenOf('carl');
    const path = `/api/v1/runs/${body.id}/retry`;
    const more = { budget: { maxToolCalls: 5 } };
    expect(await server.ask('POST', path, { as: carl, body: more })).toMatchObject({ status: 403 });
    expect(await server.ask('POST', '/api/v1/runs', { as: carl, body: { query: 'q', ...more } })).toMatchObject({
      status: 403,
    });
    expect(await server.ask('POST', path, { as: client, body: { budget: { maxToolCalls: -1 } } })).toMatchObject({
      status: 400,
      body: { code: 'REQUEST_INVALID' },
    });
    expect((await server.ask('POST', path, { as: client, body: more })).status).toBe(202);
    await until(async () => {
      const { body: now } = await server.ask('GET', `/api/v1/runs/${body.id}`, { as: client });
      return now.state === 'COMPLETE';
    }, 'the run is complete');
  });

  it('of a run holds for its planning, too', async () => {
    release();
    const { body } = await start({ budget: { maxModelCalls: 0 } });
    const run = await ended(body.id);
    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'BUDGET_EXCEEDED' } });
    expect(planner.requests).toHaveLength(0);
  });
});

describe('the schema of the output', () => {
  const outputSchema = { type: 'object', properties: { mood: { type: 'string' } }, required: ['mood'] };

  it('is what the final output is made to fit', async () => {
    release();
    let asked = 0;
    says = () =>
      asked++ === 0 ? object({ steps, error: null }) : object({ result: { mood: 'bright' }, summary: 'fine' });
    const { body } = await start({ outputSchema });
    expect(await ended(body.id)).toMatchObject({ state: 'COMPLETE', finalOutput: { value: { mood: 'bright' } } });
  });

  it('is refused where it is none', async () => {
    for (const wrong of [{ type: 'nonsense' }, { $ref: '#/nowhere' }])
      expect(await start({ outputSchema: wrong })).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
    expect(await start({ outputSchema: 'text' })).toMatchObject({ status: 400 });
  });
});
