import { randomUUID } from 'node:crypto';
import { ActionClarification, type AnyTool, tool } from 'portia-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ask, until } from '../test/lib/asking.ts';
import { formOf, type OpenApi, openApiOf, type Operation } from '../test/lib/openapi.ts';
import { refunds } from '../test/lib/refunds.ts';
import { type TestServer, testServer } from '../test/lib/server-for-tests.ts';

/** Something that stands in everything of the victim that could be read. */
const mark = 'nobody-else-may-read-this';
const zeros = '00000000-0000-4000-8000-000000000000';

/** Asks for a sign-in, in the words of whoever it is for. */
const mailbox = tool({
  id: 'portia:mail::read',
  description: 'Reads the mail of an end user.',
  ready: ({ endUser: { name } }) => ({
    ready: false,
    clarifications: [ActionClarification({ userGuidance: `Sign in, ${name}`, actionUrl: 'https://example.org/' })],
  }),
  run: () => null,
});

let server: TestServer;
let api: OpenApi;
let victim: Readonly<Record<string, string>>;
let victimKey: string;
/** Names of nothing, of the same form. */
const nothing: Readonly<Record<string, string>> = {
  runId: `prun-${zeros}`,
  clarificationId: `clar-${zeros}`,
  planId: `plan-${zeros}`,
  endUserId: 'nobody-at-all',
  keyId: '0000000000000000',
  webhookId: 'wh_nothing',
  name: '$nothing',
  plan_id: `plan-${zeros.replace('4000', '4001')}`,
  plan_run_id: `prun-${zeros.replace('4000', '4001')}`,
  output_name: '$none-of-it',
  external_id: 'nobody-else-at-all',
  tool_id: mailbox.id,
};

beforeAll(async () => {
  const { tools, ...config } = refunds();
  server = await testServer({ ...config, tools: [...(tools as AnyTool[]), mailbox], remoteTools: [mailbox.id] });
  api = await openApiOf(server);
  victimKey = await server.keyOf('victim', 'admin');
  const ask: Ask = (method, path, options) => server.ask(method, path, { as: victimKey, ...options });
  const run = await ask('POST', '/api/v1/runs', {
    body: {
      plan: 'refund',
      planRunInputs: { amount: 5 },
      endUser: { externalId: `vera-${mark}`, name: mark },
      labels: { mark },
      runKey: mark,
    },
  });
  await ask('POST', '/api/v1/plans', {
    body: { document: { plan_context: { query: mark, tool_ids: [] }, steps: [] } },
  });
  const question = await until(async () => (await ask('GET', '/api/v1/clarifications')).body.items[0], 'a question');
  const key = await ask('POST', '/api/v1/keys', { body: { name: mark, scopes: ['client'] } });
  const hook = await ask('POST', '/api/v1/webhooks', {
    body: { url: `https://example.org/${mark}`, events: ['run-failed'] },
  });
  const plans = await ask('GET', '/api/v1/plans');
  victim = {
    runId: run.body.id,
    clarificationId: question.id,
    planId: plans.body.items.find((plan: { query: string }) => plan.query === mark).id,
    endUserId: `vera-${mark}`,
    keyId: key.body.id,
    webhookId: hook.body.id,
    name: '$step_0_output',
    ...(await victimOfV0(ask)),
  };
});
afterAll(() => server.close());

/** What a Python client of the victim has stored: a plan, a run that asks, a large output, an end user; and an open sign-in. */
async function victimOfV0(ask: Ask): Promise<Readonly<Record<string, string>>> {
  const [plan_id, plan_run_id, external_id] = [`plan-${randomUUID()}`, `prun-${randomUUID()}`, `vito-${mark}`];
  const plan = { id: plan_id, query: mark, tool_ids: [], steps: [{ task: mark, output: '$o' }], plan_inputs: [] };
  await ask('POST', '/api/v0/plans/', { body: plan });
  await ask('PUT', `/api/v0/end-user/${external_id}/`, { body: { external_id, name: mark } });
  await ask('PUT', `/api/v0/plan-runs/${plan_run_id}/`, {
    body: { ...v0Run(plan_id, external_id), state: 'IN_PROGRESS' },
  });
  const form = formOf({ summary: mark, value: mark });
  await server.send(
    new Request(`http://server.test/api/v0/agent-memory/plan-runs/${plan_run_id}/outputs/$secret/`, {
      method: 'PUT',
      headers: { authorization: `Api-Key ${victimKey}` },
      body: form,
    }),
  );
  const context = { execution_context: { end_user_id: external_id, plan_run_id } };
  const { body } = await ask('POST', `/api/v0/tools/${mailbox.id}/ready/`, { body: context });
  expect(body.clarifications[0].user_guidance).toContain(mark);
  return { plan_id, plan_run_id, external_id, output_name: '$secret', tool_id: mailbox.id };
}

function v0Run(plan_id: string, end_user: string): object {
  const outputs = { clarifications: [], step_outputs: { $o: { value: mark, summary: null } }, final_output: null };
  return { plan_id, end_user, current_step_index: 0, outputs, plan_run_inputs: {} };
}

/** A body that would do something, for every route that takes one. */
const callContext = { end_user_id: '{external_id}', plan_run_id: '{plan_run_id}' };
const bodies: Readonly<Record<string, unknown>> = {
  'POST /api/v0/plans/': { id: '{plan_id}', query: 'mine', tool_ids: [], steps: [], plan_inputs: [] },
  'POST /api/v0/plans/embeddings/search/': { query: mark, threshold: 0.1, limit: 100 },
  'PUT /api/v0/plan-runs/{plan_run_id}/': {
    plan_id: '{plan_id}',
    end_user: '{external_id}',
    state: 'FAILED',
    outputs: { final_output: { value: 'stolen', summary: null } },
  },
  'POST /api/v0/tool-calls/': {
    plan_run_id: '{plan_run_id}',
    tool_name: 'stolen',
    step: 0,
    end_user_id: '{external_id}',
    input: {},
    output: 'stolen',
    status: 'SUCCESS',
    latency_seconds: 1,
  },
  'PUT /api/v0/agent-memory/plan-runs/{plan_run_id}/outputs/{output_name}/': { summary: 'stolen', value: 'stolen' },
  'PUT /api/v0/end-user/{external_id}/': { external_id: '{external_id}', email: 'stolen' },
  'POST /api/v0/tools/{tool_id}/run/': { arguments: {}, execution_context: callContext },
  'POST /api/v0/tools/{tool_id}/ready/': { execution_context: callContext },
  'POST /api/v0/tools/batch/ready/': { execution_context: callContext, tool_ids: [mailbox.id] },
  'POST /api/v1/runs': { planId: `plan-${zeros}` },
  'POST /api/v1/plans': { document: { plan_context: { query: 'q', tool_ids: [] }, steps: [], plan_inputs: [] } },
  'POST /api/v1/runs/{runId}/cancel': {},
  'POST /api/v1/runs/{runId}/retry': { budget: { maxUsd: 1 } },
  'POST /api/v1/runs/{runId}/clarifications/{clarificationId}/answer': { response: 'stolen' },
  'PUT /api/v1/end-users/{endUserId}': { name: 'stolen' },
  'POST /api/v1/end-users/{endUserId}/tokens': {},
  'POST /api/v1/webhooks': { url: 'https://example.org/hook', events: ['run-failed'] },
  'POST /api/v1/keys': { name: 'mine', scopes: ['client'] },
};

async function attack(
  { method, path, body, isForm }: Operation,
  names: Readonly<Record<string, string>>,
  as: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name] ?? fail(name)));
  const given = body && (bodies[`${method} ${path}`] ?? fail(`${method} ${path}`));
  const headers: Record<string, string> = given === undefined || isForm ? {} : { 'content-type': 'application/json' };
  const text = JSON.stringify(given ?? null)
    .replaceAll(`plan-${zeros}`, names['planId'] ?? '')
    .replace(/"\{(\w+)\}"/g, (_, name: string) => JSON.stringify(names[name] ?? fail(name)));
  const answer = await server.send(
    new Request(`http://server.test${filled}`, {
      method,
      headers: { ...headers, authorization: `Api-Key ${as}` },
      ...(given !== undefined && { body: isForm ? formOf(JSON.parse(text)) : text }),
    }),
  );
  return { status: answer.status, text: sameForm(await answer.text()) };
}

function fail(what: string): never {
  throw new Error(`this test does not know how to ask for ${what}: tell it`);
}

/** An answer without what differs between any two. */
function sameForm(text: string): string {
  let same = text;
  for (const [name, value] of [...Object.entries(victim), ...Object.entries(nothing)])
    same = same.replaceAll(value, `<${name}>`).replaceAll(encodeURIComponent(value), `<${name}>`);
  return same
    .replace(/portia_[0-9a-f]{16}_[\w-]+/g, '<key>')
    .replace(/(?:prun|plan|clar)-[0-9a-f-]{36}/g, '<id>')
    .replace(/(?:wh_|whsec_)[\w+/=-]+/g, '<webhook>')
    .replace(/"requestId":"[^"]*"/g, '"requestId":"<id>"')
    .replace(/"id":"[0-9a-f]{16}"/g, '"id":"<id>"')
    .replace(/\d{13}/g, '<time>');
}

describe.each([
  ['an admin of another organisation', () => server.keyOf('other', 'admin')],
  ['a driver of another organisation', () => server.keyOf('other', 'driver')],
  ['an end user of the same organisation', () => server.tokenOf('mallory', 'victim')],
  ['the same end user in another organisation', () => server.tokenOf(`vera-${mark}`, 'other')],
  ['a role of the same organisation that is asked nothing', () => server.keyOf('victim', 'role:janitor')],
] as const)('%s', (_who, keyFor) => {
  it('can read, list, steer, answer and infer nothing of what is not theirs, on any route', async () => {
    const as = await keyFor();
    expect(api.operations.length).toBeGreaterThan(15);
    for (const operation of api.operations) {
      if (!operation.path.startsWith('/api/')) continue;
      const what = `${operation.method} ${operation.path}`;
      const unseen = await attack(operation, nothing, as);
      const seen = await attack(operation, victim, as);
      expect(seen.text, what).not.toContain(mark);
      expect(seen, what).toEqual(unseen);
    }
  });
});

it('nothing of it had an effect', async () => {
  const run = await server.ask('GET', `/api/v1/runs/${victim['runId']}`, { as: victimKey });
  expect(run.body).toMatchObject({ state: 'NEED_CLARIFICATION', error: null });
  expect(run.body.clarifications).toMatchObject([{ resolved: false }]);
  const user = await server.ask('GET', `/api/v1/end-users/${victim['endUserId']}`, { as: victimKey });
  expect(user.body.name).toBe(mark);
  const read = async (path: string): Promise<string> =>
    JSON.stringify((await server.ask('GET', `/api/v0${path}`, { as: victimKey })).body);
  const { plan_id = '', plan_run_id = '', external_id = '' } = victim;
  const v0 = await Promise.all([
    read(`/plans/${plan_id}/`),
    read(`/plan-runs/${plan_run_id}/`),
    read(`/end-user/${external_id}/`),
    read(`/agent-memory/plan-runs/${plan_run_id}/outputs/$secret/value/`),
  ]);
  for (const text of v0) {
    expect(text).toContain(mark);
    expect(text).not.toContain('stolen');
  }
  const calls = await server.ask('GET', `/api/v1/runs/${plan_run_id}/tool-calls`, { as: victimKey });
  expect(calls.body.items).toEqual([]);
  const keys = await server.ask('GET', '/api/v1/keys', { as: victimKey });
  expect(keys.body.items.find((key: { name: string }) => key.name === mark).revokedAt).toBeNull();
});

it('the storage of one organisation is closed to all keys but its own drivers and admins', async () => {
  const load = (as: string) => server.ask('POST', '/api/v1/storage/load-run', { as, body: { id: victim['runId'] } });
  expect((await load(victimKey)).body.result.header.id).toBe(victim['runId']);
  expect((await load(await server.keyOf('other', 'driver'))).body.result).toBeUndefined();
  for (const as of [
    await server.keyOf('victim', 'client'),
    await server.keyOf('victim', 'operator'),
    await server.tokenOf('vera', 'victim'),
  ])
    expect(await load(as)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
});
