import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../test/lib/asking.ts';
import { refunds } from '../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../test/lib/server-for-tests.ts';

let folder: string;
let server: TestServer;
let admin: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portia-words-'));
  server = await testServer(refunds(), { folder });
  admin = await server.key('admin');
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const start = async (): Promise<string> => {
  const body = { plan: 'refund', planRunInputs: { amount: 5 }, endUser: 'carl' };
  return (await server.ask('POST', '/api/v1/runs', { as: admin, body })).body.id;
};
/** A run that asks its end user something, and the path to its answer. */
const asking = async (audience: string): Promise<{ run: string; answer: string }> => {
  const run = `/api/v1/runs/${await start()}`;
  const question = await until(async () => {
    const { body } = await server.ask('GET', `${run}/clarifications`, { as: admin });
    const open = body.items.find((one: { resolved: boolean }) => !one.resolved);
    if (open && open.audience !== audience)
      await server.ask('POST', `${run}/clarifications/${open.id}/answer`, { as: admin, body: { response: 'broke' } });
    return open?.audience === audience && open;
  }, 'it is asked');
  return { run, answer: `${run}/clarifications/${question.id}/answer` };
};
const noPlan = `plan-${randomUUID()}`;
const noRun = `prun-${randomUUID()}`;

it('tells somebody who asks over HTTP what to do there', async () => {
  const hintOf = async (method: string, path: string, code: string, body?: unknown, as = admin): Promise<string> => {
    const answer = await server.ask(method, path, { as, ...(body !== undefined && { body }) });
    expect(answer.body, `${method} ${path}`).toMatchObject({ code });
    return answer.body.hint;
  };
  const waiting = await asking('operator');
  const carl = await server.tokenOf('carl');
  const noClarification = `${waiting.run}/clarifications/clar-${randomUUID()}/answer`;
  const forbidden = await hintOf('POST', waiting.answer, 'CLARIFICATION_FORBIDDEN', { response: true }, carl);
  expect(forbidden).toContain('a key of the scope operator');
  expect(await hintOf('POST', noClarification, 'CLARIFICATION_NOT_FOUND', { response: 1 })).toContain(
    'GET /api/v1/runs/{runId}/clarifications',
  );
  expect(await hintOf('POST', `${waiting.run}/retry`, 'RUN_STATE_INVALID')).toContain('goes on by itself');
  expect(await hintOf('GET', `/api/v1/runs/${noRun}`, 'PLAN_RUN_NOT_FOUND')).toContain('this key');
  expect(await hintOf('GET', `/api/v1/plans/${noPlan}`, 'PLAN_NOT_FOUND')).toContain('GET /api/v1/plans');
  expect(await hintOf('POST', '/api/v1/runs', 'PLAN_NOT_FOUND', { plan: 'refnud' })).toContain(
    'GET /api/v1/registered-plans',
  );
  const planning = await hintOf('POST', '/api/v1/plans', 'MODEL_KEY_MISSING', { query: 'Say hello' });
  expect(planning).toMatch(/^for whoever runs this server: set .*OPENAI_API_KEY/);
  expect(await hintOf('GET', '/api/v1/runs', 'UNAUTHENTICATED', undefined, 'x')).toContain('Authorization: Api-Key');
});

it('names no file of its machine to whoever asks', async () => {
  const load = await server.ask('POST', '/api/v1/storage/claim-run', {
    as: admin,
    body: { id: noRun, claim: { owner: 'x', now: 1, ttlMs: 1, verdicts: [] } },
  });
  const erased = await server.ask('DELETE', '/api/v1/end-users/carl', { as: admin });
  for (const { body } of [load, erased]) {
    expect(body.detail).toMatch(/^the store /);
    expect(JSON.stringify(body)).not.toContain(folder);
  }
});

it('tells nobody what is wrong in the config of the server, but for its log', async () => {
  const log: string[] = [];
  // It is refused before it is called: here nobody listens.
  const broken = await testServer(() => ({}), { log });
  const answer = await broken.ask('GET', '/api/v1/runs', { as: await broken.key('admin') });
  expect(answer).toMatchObject({ status: 500, body: { code: 'INTERNAL' } });
  expect(answer.body.detail).toContain('its log says what is wrong');
  expect(JSON.stringify(answer.body)).not.toContain('a config that is a function');
  expect(log.join()).toContain('a config that is a function');
  await broken.close();
});
