import { randomUUID } from 'node:crypto';
import { ActionClarification, type AnyTool, tool, ToolSoftError } from 'portia-ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { formOf, type JsonSchema, type OpenApi, openApiOf, type Operation } from '../test/lib/openapi.ts';
import { refunds } from '../test/lib/refunds.ts';
import { type TestServer, testServer } from '../test/lib/server-for-tests.ts';

const requests = Number(process.env['FUZZ_REQUESTS'] ?? 20_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000);

const mailbox = tool({
  id: 'portia:mail::send',
  description: 'Sends a mail, for whoever is signed in.',
  argsSchema: z.object({ to: z.string() }),
  ready: ({ endUser: { name } }) =>
    name === 'carl'
      ? { ready: true }
      : {
          ready: false,
          clarifications: [ActionClarification({ userGuidance: 'Sign in', actionUrl: 'https://example.org/' })],
        },
  run: ({ to }, { endUser }) => {
    if (to === 'x') throw new ToolSoftError('nobody is called x');
    return to === 'carl'
      ? { to, for: endUser.externalId }
      : ActionClarification({ userGuidance: to, actionUrl: 'https://example.org/' });
  },
});

let server: TestServer;
let api: OpenApi;
let keys: string[];
let names: Record<string, string[]>;

beforeAll(async () => {
  const { tools, ...config } = refunds();
  server = await testServer(
    { ...config, tools: [...(tools as AnyTool[]), mailbox], remoteTools: [mailbox.id] },
    { work: false },
  );
  api = await openApiOf(server);
  const admin = await server.key('admin');
  keys = [
    admin,
    admin,
    admin,
    await server.key('client'),
    await server.key('operator'),
    await server.tokenOf('carl'),
    'x',
  ];
  const run = await server.ask('POST', '/api/v1/runs', {
    as: admin,
    body: { plan: 'refund', planRunInputs: { amount: 5 }, endUser: 'carl' },
  });
  const driver = await server.key('driver');
  keys.push(driver, driver, driver);
  const v0 = { plan: `plan-${randomUUID()}`, run: `prun-${randomUUID()}` };
  await server.ask('POST', '/api/v0/plans/', {
    as: driver,
    body: { id: v0.plan, query: 'x', tool_ids: [], steps: [{ task: 't', output: '$o' }], plan_inputs: [] },
  });
  await server.ask('PUT', `/api/v0/plan-runs/${v0.run}/`, {
    as: driver,
    body: { state: 'IN_PROGRESS', end_user: 'carl', plan_id: v0.plan },
  });
  const [planIds, runIds] = [
    [v0.plan, run.body.planId],
    [v0.run, v0.run, run.body.id],
  ];
  names = {
    runId: [run.body.id],
    planId: [run.body.planId],
    endUserId: ['carl'],
    plan: ['refund', 'lost'],
    keyId: [],
    id: Array.from({ length: 400 }, (_, n) => `${n % 2 === 0 ? 'plan' : 'clar'}-${randomUUID()}`),
    plan_id: planIds,
    plan_run_id: runIds,
    external_id: ['carl', 'portia:default_user'],
    end_user: ['carl'],
    end_user_id: ['carl'],
    output_name: ['$o'],
    tool_id: [mailbox.id],
    tool_ids: [mailbox.id],
  };
});
afterAll(() => server.close());

/** A small generator of random numbers that a seed repeats. */
function randomOf(state: number): () => number {
  let at = state >>> 0;
  return () => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = randomOf(seed);
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const strange: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  '',
  ' ',
  'x',
  '\u0000',
  '\ud800',
  '\u{1f600}',
  '../../etc/passwd',
  "'; DROP TABLE runs; --",
  '{{ value }}',
  '$'.concat('{StepOutput(1)}'),
  'a'.repeat(3_000),
  [],
  {},
  [[]],
  { a: { b: [null] } },
  { __proto__: null, constructor: 'x' },
  'prun-1',
  'default',
  'portia:default_user',
];

function value(schema: JsonSchema | undefined, name = '', depth = 0): unknown {
  // Whole documents would hardly ever be whole.
  if (random() < (name in names || depth > 1 ? 0.04 : 0.12)) return pick(strange);
  const known = names[name];
  if (known?.length && random() < 0.7) return pick(known);
  const {
    type,
    enum: choices,
    anyOf,
    properties,
    items,
    additionalProperties,
    required = [],
  } = api.resolve(schema ?? {});
  if (choices) return pick(choices);
  if (anyOf) return value(pick(anyOf), name, depth + 1);
  const kind = Array.isArray(type) ? pick(type) : type;
  if (kind === 'string')
    return pick(['x', 'name=value', 'carl', 'refund', 'client', String(Math.floor(random() * 1e6))]);
  if (kind === 'integer' || kind === 'number') return pick([0, 1, 50, 1_000, Math.floor(random() * 2e12)]);
  if (kind === 'boolean') return random() < 0.5;
  if (kind === 'array') return Array.from({ length: Math.floor(random() * 3) }, () => value(items, name, depth + 1));
  if (kind === 'object' && typeof additionalProperties === 'object')
    return Object.fromEntries(
      ['$o', 'to', 'x'].flatMap((key) => (random() < 0.3 ? [[key, value(additionalProperties, key, depth + 1)]] : [])),
    );
  if (kind === 'object' && properties) {
    return Object.fromEntries(
      Object.entries(properties)
        .filter(([key]) => random() < (required.includes(key) ? 0.9 : 0.3))
        .map(([key, inner]) => [key, value(inner, key, depth + 1)]),
    );
  }
  return depth > 4 ? null : pick(strange);
}

function requestFor({ method, path, parameters, body, isForm }: Operation): Request {
  const text = (given: unknown): string => (typeof given === 'string' ? given : (JSON.stringify(given) ?? ''));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(text(value({ type: 'string' }, name))) || 'x');
  const url = new URL(`http://server.test${filled}`);
  for (const { name, in: place, schema } of parameters) {
    if (place === 'query' && random() < 0.4) url.searchParams.append(name, text(value(schema, name)).slice(0, 500));
  }
  const headers = new Headers({ authorization: `${pick(['Api-Key', 'Bearer', 'Api-Key'])} ${pick(keys)}` });
  if (random() < 0.1) headers.set('idempotency-key', pick(['a', 'b', `k${Math.floor(random() * 1e6)}`]));
  if (random() < 0.1) headers.set('last-event-id', pick(['1', 'x', '-1', '99999999999999999999']));
  const sends = method !== 'GET' && (body !== undefined || random() < 0.1);
  const parts = sends && isForm && random() < 0.8 ? value(body) : undefined;
  if (typeof parts === 'object' && parts !== null) return new Request(url, { method, headers, body: formOf(parts) });
  if (sends)
    headers.set('content-type', random() < 0.95 ? 'application/json' : pick(['text/plain', 'application/xml']));
  const whole = sends
    ? random() < 0.05
      ? pick(['{', '', '[1,', 'null', '"x"'])
      : JSON.stringify(value(body))
    : undefined;
  return new Request(url, { method, headers, ...(whole !== undefined && { body: whole }) });
}

function encoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return '%ED%A0%80';
  }
}

/** What a hint says to a program that uses the library, and to nobody else. */
const forPrograms = /new Portia|\bportia\.\w|\bstorage\.\w|planRun\.|this client|resolvedBy|\bConfig\b/;

it(`answers ${requests} requests made from its own document as the document says (seed ${seed})`, async () => {
  const seen = new Map<number, number>();
  const done = new Set<Operation>();
  for (let n = 0; n < requests; n += 1) {
    const operation = pick(api.operations);
    const request = requestFor(operation);
    const what = `request ${n} of seed ${seed}: ${request.method} ${request.url}`;
    const answer = await server.send(request);
    const { status } = answer;
    seen.set(status, (seen.get(status) ?? 0) + 1);
    if (status >= 500) throw new Error(`${what}: ${status} ${await answer.text()}`);
    const type = answer.headers.get('content-type') ?? '';
    if (status < 300) {
      if (!operation.responses.includes(String(status))) throw new Error(`${what}: ${status} is not documented`);
      await answer.body?.cancel();
      done.add(operation);
      continue;
    }
    if (operation.path.startsWith('/api/v0/')) {
      const error = (await answer.json()) as Record<string, unknown>;
      if (forPrograms.test(String(error['detail']))) throw new Error(`${what}: ${JSON.stringify(error)}`);
      if (type !== 'application/json' || Object.keys(error).join() !== 'detail' || typeof error['detail'] !== 'string')
        throw new Error(`${what}: ${status} of type ${type}: ${JSON.stringify(error)}`);
      continue;
    }
    if (type !== 'application/problem+json') throw new Error(`${what}: ${status} of type ${type}`);
    const problem = (await answer.json()) as { status?: unknown; code?: unknown; detail?: unknown; hint?: unknown };
    if (forPrograms.test(String(problem.hint))) throw new Error(`${what}: ${JSON.stringify(problem)}`);
    if (problem.status !== status || typeof problem.code !== 'string' || typeof problem.detail !== 'string')
      throw new Error(`${what}: ${JSON.stringify(problem)} is no problem document`);
  }
  // It got through to the routes, and did not only knock at the door.
  for (const status of [200, 201, 400, 401, 403, 404, 409])
    expect(seen.get(status) ?? 0, String(status)).toBeGreaterThan(0);
  const never = api.operations.filter((one) => one.path.startsWith('/api/v0/') && !done.has(one));
  if (requests >= 10_000) expect(never.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
}, 240_000);
