import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshSchema, startPostgres, type TestPostgres } from '../../../sdk/test/lib/postgres.ts';
import { refunds } from '../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../test/lib/server-for-tests.ts';

let folder: string;
let postgres: TestPostgres;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portia-texts-'));
  postgres = await startPostgres();
}, 60_000);
afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (fields: string): string => `{"plan":"refund","planRunInputs":{"amount":5},${fields}}`;
const nul = 'holds a NUL character, which no name may';
const half = 'holds half a surrogate pair, which is no text';
const notUtf8 = 'is not percent-encoded UTF-8';

describe.each([
  ['SQLite', () => ({ folder })],
  ['PostgreSQL', () => ({ postgres: `${postgres.url}?schema=${freshSchema()}` })],
] as const)('texts that name things, on %s', (_store, where) => {
  let server: TestServer;
  let as: string;
  let place: ReturnType<typeof where>;
  beforeAll(async () => {
    place = where();
    server = await testServer(refunds(), { work: false, ...place });
    as = await server.key('admin');
  }, 60_000);
  afterAll(() => server.close());

  it.each([
    ['GET', '/runs?code=%00', `the query parameter code: ${nul}`],
    ['GET', '/runs?label=a=%00', `the query parameter label: ${nul}`],
    ['GET', '/runs?%00=1', `the query parameter %00: ${nul}`],
    ['GET', '/clarifications?endUserId=a%00', `the query parameter endUserId: ${nul}`],
    ['GET', '/runs?label=a%3D%ED%A0%80', `the query parameter label: ${notUtf8}`],
    ['GET', '/end-users/a%00b', `the path: ${nul}`],
    ['PUT', '/end-users/%ED%A0%80', `the path: ${notUtf8}`],
    ['DELETE', '/end-users/nu%00l', `the path: ${nul}`],
    ['DELETE', '/end-users/%00/tokens', `the path: ${nul}`],
    ['DELETE', '/webhooks/%00', `the path: ${nul}`],
    ['DELETE', '/keys/%00', `the path: ${nul}`],
  ])('%s %s is refused, with where', async (method, path, detail) => {
    const answered = await server.ask(method, `/api/v1${path}`, { as });
    expect(answered).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID', detail } });
  });

  it.each([
    ['/keys', '{"name":"a\\u0000","scopes":["client"]}', `the body name: ${nul}`],
    ['/keys', '{"name":"a\\ud800","scopes":["client"]}', `the body name: ${half}`],
    ['/webhooks', '{"url":"http://a.b/\\u0000x","events":["run-failed"]}', `the body url: ${nul}`],
    ['/runs', run('"endUser":"ze\\ud800"'), `the body endUser: ${half}`],
    ['/runs', run('"endUser":{"externalId":"a\\u0000b"}'), `the body endUser.externalId: ${nul}`],
    ['/runs', run('"runKey":"\\udc00"'), `the body runKey: ${half}`],
    ['/runs', run('"labels":{"a":"\\u0000"}'), `the body labels.a: ${nul}`],
    ['/runs', run('"labels":{"a\\ud800":"b"}'), `the body labels.a\\ud800: ${half}`],
    ['/runs', '{"plan":"refund","planRunInputs":{"amount":"\\ud800"}}', `the body planRunInputs.amount: ${half}`],
    ['/runs', '{"query":"x\\ud800"}', `the body query: ${half}`],
    ['/plans', '{"document":{"query":"x\\ud800"}}', `the body document.query: ${half}`],
  ])('POST %s with %s is refused, with where', async (path, body, detail) => {
    const answered = await server.ask('POST', `/api/v1${path}`, { as, body });
    expect(answered).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID', detail } });
  });

  it('bytes that are no UTF-8 are refused, and stored as nothing else', async () => {
    const bytes = Buffer.concat([Buffer.from('{"externalId":"x","name":"a'), Buffer.from([0xff]), Buffer.from('"}')]);
    for (const path of ['/api/v1/end-users/x', '/api/v0/end-user/x/']) {
      const headers = { authorization: `Api-Key ${as}`, 'content-type': 'application/json' };
      const answered = await server.send(
        new Request(`http://server.test${path}`, { method: 'PUT', headers, body: bytes }),
      );
      expect(answered.status, path).toBe(400);
      expect(await answered.json()).toMatchObject({ detail: expect.stringContaining('the body is not UTF-8') });
    }
    expect((await server.ask('GET', '/api/v1/end-users/x', { as })).status).toBe(404);
  });

  it('clients of Portia 0.9 are refused in the same words', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    expect(await server.ask('GET', '/api/v0/end-user/%00/', { as })).toMatchObject({
      status: 400,
      body: { detail: `the path: ${nul}` },
    });
    const body = `{"plan_id":"plan-${id}","state":"IN_PROGRESS","end_user":"a\\ud800"}`;
    expect(await server.ask('PUT', `/api/v0/plan-runs/${id}/`, { as, body })).toMatchObject({
      status: 400,
      body: { detail: `end_user: ${half}` },
    });
  });

  it('fields that are saved at once all stay', async () => {
    // Another process on the same store: nothing of this one's memory helps.
    const other = await testServer(refunds(), { work: false, ...place });
    for (let round = 0; round < 20; round += 1) {
      const path = `/api/v${round % 2 ? '1/end-users' : '0/end-user'}/race-${round}`;
      const fields = { name: 'N', email: 'e@x.org', [round % 2 ? 'phoneNumber' : 'phone_number']: '1' };
      const data = { [round % 2 ? 'additionalData' : 'additional_data']: { k: 'v' } };
      const bodies = [...Object.entries({ ...fields, ...data })].map(([name, value]) => ({ [name]: value }));
      await Promise.all(bodies.map((body, n) => (n % 2 ? other : server).ask('PUT', path, { as, body })));
      expect((await server.ask('GET', path, { as })).body).toMatchObject({ ...fields, ...data });
    }
    await other.close();
  });

  it('signs of other planes name what they like, and contents may hold NUL', async () => {
    const endUser = 'zoë 🪙 %00';
    const body = { plan: 'refund', planRunInputs: { amount: 5 }, endUser, runKey: '\\u0000', labels: { '🪙': '%' } };
    const made = await server.ask('POST', '/api/v1/runs', { as, body });
    expect(made).toMatchObject({ status: 201, body: { endUserId: endUser, runKey: '\\u0000' } });
    const listed = await server.ask('GET', `/api/v1/runs?endUserId=${encodeURIComponent(endUser)}`, { as });
    expect(listed.body.items).toMatchObject([{ id: made.body.id, labels: { '🪙': '%' } }]);
    const plan = { plan_context: { query: 'a\0b', tool_ids: [] }, steps: [], plan_inputs: [] };
    const stored = await server.ask('POST', '/api/v1/plans', { as, body: { document: plan } });
    expect(stored).toMatchObject({ status: 201, body: { query: 'a\0b' } });
    expect((await server.ask('GET', `/api/v1/plans/${stored.body.id}`, { as })).body.query).toBe('a\0b');
  });
});
