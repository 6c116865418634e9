import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refunds } from '../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../test/lib/server-for-tests.ts';
import { statuses } from './problem.ts';

let server: TestServer;
let as: string;

beforeAll(async () => {
  server = await testServer(refunds(), { work: false, maxBodyBytes: 10_000 });
  as = await server.key('admin');
});
afterAll(() => server.close());

const post = (body: string, headers: Record<string, string> = {}) =>
  server.ask('POST', '/api/v1/runs', { as, body, headers });

describe('what cannot be taken', () => {
  it.each([
    ['is no JSON', '{bad', {}, 400, 'REQUEST_INVALID'],
    ['is empty', '', {}, 400, 'REQUEST_INVALID'],
    ['is of another type', '{}', { 'content-type': 'text/plain' }, 400, 'REQUEST_INVALID'],
    ['is too large', JSON.stringify({ query: 'x'.repeat(20_000) }), {}, 413, 'REQUEST_TOO_LARGE'],
    [
      'is nested too deeply',
      `{"planRunInputs":{"a":${'['.repeat(3000)}${']'.repeat(3000)}}}`,
      {},
      400,
      'REQUEST_INVALID',
    ],
    ['names what there is not', '{"plan":"refund","modle":"x"}', {}, 400, 'REQUEST_INVALID'],
    ['is of the wrong type', '{"plan":7}', {}, 400, 'REQUEST_INVALID'],
    ['is a list', '[]', {}, 400, 'REQUEST_INVALID'],
    ['changes prototypes', '{"plan":"refund","__proto__":{"x":1}}', {}, 400, 'REQUEST_INVALID'],
    ['has a bad idempotency key', '{"plan":"refund"}', { 'idempotency-key': 'a b' }, 400, 'REQUEST_INVALID'],
  ])('is refused in words when it %s', async (_what, body, headers, status, code) => {
    const answered = await post(body, headers as Record<string, string>);
    expect(answered).toMatchObject({
      status,
      body: { status, code, title: expect.any(String), detail: expect.any(String) },
    });
    expect(answered.headers.get('content-type')).toBe('application/problem+json');
    expect(answered.body.requestId).toBe(answered.headers.get('x-request-id'));
  });

  it('leaves nothing behind', async () => {
    expect((await server.ask('GET', '/api/v1/runs', { as })).body).toEqual({ items: [], cursor: null });
  });

  it('is not read for somebody who is not known', async () => {
    let read = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          read += 1;
          if (read > 8) controller.close();
          else controller.enqueue(new Uint8Array(1_000).fill(0x20));
        },
      },
      { highWaterMark: 0 },
    );
    const answered = await server.send(
      new Request('http://server.test/api/v1/runs', { method: 'POST', body, duplex: 'half' } as RequestInit),
    );
    expect(answered.status).toBe(401);
    expect(read).toBe(0);
  });

  it('names the field, and nothing of what surrounds it', async () => {
    const { body } = await post('{"plan":"refund","labels":{"a":7}}');
    expect(body.detail).toBe('the body labels.a: Invalid input: expected string, received number');
  });

  it.each([
    '/api/v1/runs/prun-1',
    '/api/v1/runs/..%2F..%2Fetc%2Fpasswd',
    '/api/v1/runs/%00',
    '/api/v1/plans/plan-x',
    '/api/v1/runs?limit=0',
    '/api/v1/runs?limit=many',
    '/api/v1/runs?cursor=../x',
    '/api/v1/runs?state=DONE',
    '/api/v1/runs?label=a',
  ])('%s is a 400', async (path) => {
    expect((await server.ask('GET', path, { as })).status).toBe(400);
  });

  it.each(['runs', 'plans', 'end-users', 'clarifications'])(
    'a cursor of no page of %s is a fault of the request',
    async (list) => {
      const { body } = await server.ask('GET', `/api/v1/${list}?cursor=eyJhIjoxfQ`, { as });
      expect(body).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
      expect(body.detail).toBe('the query parameter cursor: "eyJhIjoxfQ" is not the cursor of a page of this list');
    },
  );

  it('is told with a status that the documentation lists', () => {
    const docs = readFileSync(join(import.meta.dirname, '../../../../docs/server-api.md'), 'utf8');
    const listed = [...docs.matchAll(/^\| (\d{3}) \| (.*) \|$/gm)].flatMap(([, status, codes = '']) =>
      [...codes.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => `${status} ${code}`),
    );
    for (const [code, status] of Object.entries(statuses)) expect(listed).toContain(`${status} ${code}`);
  });

  it.each([
    '/api',
    '/api/v1',
    '/api/v1/nothing',
    '/api/v1/runs/prun-00000000-0000-4000-8000-000000000000',
    '/api/v1/end-users/nobody',
    '/api/v2/runs',
    '/.env',
    '/..%2f..%2fetc/passwd',
  ])('%s is a 404', async (path) => {
    const { status, body } = await server.ask('GET', path, { as });
    expect(status).toBe(404);
    expect(JSON.stringify(body)).not.toMatch(/node_modules|\/home|at .*\.ts/);
  });

  it('says how long to wait when there is too much of it', async () => {
    const busy = await testServer({}, { work: false, rate: { perSecond: 1, burst: 2 } });
    try {
      const key = await busy.key('client');
      const answers = [];
      for (let n = 0; n < 3; n += 1) answers.push(await busy.ask('GET', '/api/v1/me', { as: key }));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
      expect(answers[2]?.body.code).toBe('RATE_LIMITED');
      expect(answers[2]?.headers.get('retry-after')).toBe('1');
      expect((await busy.ask('GET', '/api/v1/me', { as: await busy.key('client') })).status).toBe(200);
    } finally {
      await busy.close();
    }
  });

  it('is slowed down when keys are tried out', async () => {
    const tried = await testServer({}, { work: false });
    try {
      const statuses = [];
      for (let n = 0; n < 60; n += 1)
        statuses.push((await tried.ask('GET', '/api/v1/me', { as: `guess-${n}` })).status);
      expect(statuses.filter((status) => status === 401).length).toBeLessThan(60);
      expect(statuses.at(-1)).toBe(429);
    } finally {
      await tried.close();
    }
  });
});
