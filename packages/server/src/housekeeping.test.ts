import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActionClarification, Plan, PlanRunUUID, rotateKeys } from 'portia-ts';
import { sqliteStorage } from 'portia-ts/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ask, asker, until } from '../test/lib/asking.ts';
import { refunds } from '../test/lib/refunds.ts';
import { testServer } from '../test/lib/server-for-tests.ts';
import { OpenQuestions } from './api/v0/open-questions.ts';
import { ControlStore } from './control/control-store.ts';
import { sqliteSql } from './control/sql.ts';
import { manageKeys } from './manage-keys.ts';
import { rotateSecrets } from './rotate-secrets.ts';
import { type RunningServer, serve, type ServeOptions } from './serve.ts';

const [oldKey, newKey] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
let folder: string;
let server: RunningServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-house-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const file = (): string => join(folder, 'portia.db');
const settings = (secretKey = oldKey) => ({ storage: `sqlite:${file()}`, secretKey, encryptRuns: true, env: {} });
const keyWith = async (...scopes: string[]): Promise<string> =>
  (await manageKeys(settings(), { do: 'create', name: 'test', scopes }))[0]?.key ?? '';
const started = async (options: ServeOptions = {}): Promise<Ask> => {
  server = await serve({ port: 0, folder, logLevel: 'silent', settings: settings(), ...options });
  return asker(server.url);
};
/** A run that has ended, with its answer kept for an idempotency key. */
async function ran(ask: Ask, as: string): Promise<string> {
  const document = { plan_context: { query: 'q', tool_ids: [] }, steps: [], plan_inputs: [{ name: '$who' }] };
  const { body: plan } = await ask('POST', '/api/v1/plans', { as, body: { document } });
  const headers = { 'idempotency-key': 'once' };
  const body = { planId: plan.id, endUser: 'carl', planRunInputs: { $who: 'Carl Friedrich' } };
  const run = await ask('POST', '/api/v1/runs', { as, body, headers });
  await until(async () => {
    const { body: now } = await ask('GET', `/api/v1/runs/${run.body.id}`, { as });
    return now.state === 'COMPLETE';
  }, 'the run is complete');
  return run.body.id;
}

describe('a server', () => {
  it('removes finished runs of an age where it is told to, and says so', async () => {
    const as = await keyWith('admin');
    const ask = await started();
    const runId = await ran(ask, as);
    await server?.close();
    const kept = await started();
    expect((await kept('GET', `/api/v1/runs/${runId}`, { as })).status).toBe(200);
    await server?.close();
    const pruned = await started({ pruneAfterMs: 1 });
    await until(async () => (await pruned('GET', `/api/v1/runs/${runId}`, { as })).status === 404, 'the run is gone');
  });

  it('does not wait for a long removal when it is closed: the rest goes another time', async () => {
    const many = await sqliteStorage(file());
    const plan = new Plan({ planContext: { query: 'q', toolIds: [] }, steps: [] });
    await many.savePlan({ id: plan.id, hash: 'h', query: 'q', document: plan.toJSON(), createdAt: 1 });
    for (let n = 0; n < 2_000; n += 1) {
      const header = { id: PlanRunUUID.random(), planId: plan.id, endUserId: 'carl', createdAt: 1, inputs: {} };
      const status = { state: 'COMPLETE', updatedAt: 1 } as const;
      await many.importRun({ header, status, driver: undefined, commits: [], commands: [] }, []);
    }
    server = await serve({ port: 0, folder, logLevel: 'silent', settings: settings(), pruneAfterMs: 1 });
    while ((await many.countRuns({})) === 2_000) await new Promise(setImmediate);
    await server.close();
    server = undefined;
    expect(await many.countRuns({})).toBeGreaterThan(0);
    await many.close();
  });

  it('erases a person for an operator: contents, tokens, and the answers that were kept', async () => {
    const [admin, operator, client] = [await keyWith('admin'), await keyWith('operator'), await keyWith('client')];
    const ask = await started();
    const runId = await ran(ask, admin);
    const { token } = (await ask('POST', '/api/v1/end-users/carl/tokens', { as: client })).body;
    expect((await ask('GET', '/api/v1/runs', { as: token })).status).toBe(200);
    const once = { as: admin, body: { name: 'Carl' }, headers: { 'idempotency-key': 'name' } };
    expect((await ask('PUT', '/api/v1/end-users/carl', once)).status).toBe(200);
    for (const as of [client, token]) expect((await ask('DELETE', '/api/v1/end-users/carl', { as })).status).toBe(403);
    expect(await ask('DELETE', '/api/v1/end-users/carl', { as: operator })).toMatchObject({
      status: 200,
      body: { runs: 1 },
    });
    expect(await ask('GET', `/api/v1/runs/${runId}`, { as: admin })).toMatchObject({
      status: 410,
      body: { code: 'CONTENT_ERASED' },
    });
    expect((await ask('GET', '/api/v1/runs', { as: token })).status).toBe(401);
    expect(await ask('PUT', '/api/v1/end-users/carl', once)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('somebody was erased since') },
    });
    const sql = await sqliteSql(join(folder, 'control.db'));
    const answers = await sql.all('SELECT body FROM control.idempotency');
    expect(answers.map(({ body }) => body)).toEqual([null, null]);
    await sql.close();
  });

  it('forgets kept answers after a day, and tokens a month after they expired, whoever asks for what', async () => {
    const house = await testServer(refunds(), { work: false });
    const { sql } = house.control;
    const day = 24 * 3_600_000;
    for (let n = 0; n < 1_200; n += 1)
      await sql.all(
        `INSERT INTO control.idempotency (organisation, principal, idempotency_key, fingerprint, created_at)
         VALUES ('default', 'p', ?, '', ?)`,
        [String(n), Date.now() - (n < 1_100 ? day + 1_000 : day - 60_000)],
      );
    await house.tokenOf('carl', 'default', -31 * day);
    await house.tokenOf('carl', 'default', -29 * day);
    await house.control.forgetWhatIsOver(() => false);
    const count = async (table: string): Promise<unknown> =>
      (await sql.all(`SELECT COUNT(*) AS n FROM control.${table}`))[0]?.['n'];
    expect(await count('idempotency')).toBe(100);
    expect(await count('api_keys')).toBe(1);
    await house.close();
  });
});

it.each([0, -1, Number.NaN])(
  'a server that would remove runs %s ms after their end does not start',
  async (pruneAfterMs) => {
    await expect(
      serve({ port: 0, folder, logLevel: 'silent', settings: settings(), pruneAfterMs }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      hint: expect.stringContaining('--prune-after'),
    });
  },
);

describe('a new master key', () => {
  it('takes the place of the old one: runs, webhooks and answers are read without it', async () => {
    const as = await keyWith('admin');
    const ask = await started();
    const runId = await ran(ask, as);
    const hook = { url: 'https://example.org/hook', events: ['run-failed'] };
    await ask('POST', '/api/v1/webhooks', { as, body: hook });
    const questions = async (key: string): Promise<{ desk: OpenQuestions; control: ControlStore }> => {
      const control = await ControlStore.open(await sqliteSql(join(folder, 'control.db')), key);
      return { desk: new OpenQuestions(control), control };
    };
    const asked = { organisation: 'default', planRunId: runId as PlanRunUUID, endUserId: 'carl', tool: 'mail' };
    const toDo = ActionClarification({ userGuidance: 'Sign in', actionUrl: 'https://example.org' });
    const before = await questions(oldKey);
    const open = await before.desk.ask(asked, [toDo], 'call');
    await before.control.close();
    await server?.close();
    server = undefined;
    const both = `${newKey},${oldKey}`;
    const first = await rotateSecrets(settings(both));
    // Two end users have a key each (the run's, and whoever it was made for), and there is one webhook.
    expect(first.rotated).toBeGreaterThanOrEqual(2);
    expect(first).toMatchObject({ current: 0, left: 0 });
    expect(await rotateSecrets(settings(both))).toEqual({ rotated: 0, current: first.rotated, left: 0 });
    const again = await started({ settings: settings(newKey) });
    const run = await again('GET', `/api/v1/runs/${runId}`, { as });
    expect(run.body.planRunInputs.$who.value).toBe('Carl Friedrich');
    const control = await ControlStore.open(await sqliteSql(join(folder, 'control.db')), newKey);
    expect((await control.sql.all('SELECT secret FROM control.webhooks')).length).toBe(1);
    await control.close();
    const after = await questions(newKey);
    expect(await after.desk.toDo(asked)).toEqual(open);
    await after.control.close();
  });

  it('needs the old one to be there, and brings nobody back who was erased', async () => {
    const as = await keyWith('admin');
    const ask = await started();
    const runId = await ran(ask, as);
    await ask('DELETE', '/api/v1/end-users/carl', { as });
    await server?.close();
    server = undefined;
    await expect(rotateSecrets({ ...settings(), secretKey: undefined })).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
    });
    const storage = await sqliteStorage(file());
    await rotateKeys(storage, `${newKey},${oldKey}`);
    await storage.close();
    const again = await started({ settings: settings(`${newKey},${oldKey}`) });
    expect((await again('GET', `/api/v1/runs/${runId}`, { as })).status).toBe(410);
  });
});
