import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ActionClarification,
  type AnyTool,
  Config,
  memoryStorage,
  PlanBuilderV2,
  type PlanRun,
  Portia,
  remoteTools,
  type ToolRegistry,
  InputClarification,
  tool,
  ToolHardError,
  ToolSoftError,
} from 'portia-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { overTheWire, type RawAnswer, type RawAsk } from '../../../test/lib/raw-http.ts';
import { refunds } from '../../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

const argsSchema = z.object({ email: z.string().describe('Customer mail') });
const signedIn = new Set<string>();
let calls = 0;
let given: unknown;
const action = (what: string): ActionClarification =>
  ActionClarification({ userGuidance: what, actionUrl: 'https://example.org/sign-in' });

const tools = [
  tool({
    id: 'portia:acme::lookup',
    name: 'Acme Lookup',
    description: 'Finds a customer',
    argsSchema,
    outputDescription: ['JSON record', 'Customer fields'],
    run: ({ email }, { endUser, updateEndUser }) => {
      calls += 1;
      updateEndUser({ last: email });
      return { email, for: endUser.externalId, team: endUser.additionalData['team'] ?? null };
    },
  }),
  tool({
    id: 'soft',
    description: 'Fails softly',
    run: () => {
      throw new ToolSoftError('try again');
    },
  }),
  tool({
    id: 'hard',
    description: 'Fails',
    run: () => {
      throw new ToolHardError('never');
    },
  }),
  tool({
    id: 'odd',
    description: 'Throws',
    run: () => {
      throw new TypeError('a bug');
    },
  }),
  tool({ id: 'slow', description: 'Takes too long', timeoutMs: 20, run: () => new Promise(() => {}) }),
  tool({
    id: 'asks',
    description: 'Asks',
    run: () => InputClarification({ userGuidance: 'Who?', argumentName: 'who' }),
  }),
  tool({
    id: 'greets',
    description: 'Looks for its answer among the clarifications, as the docs show it',
    run: (_args, { clarifications }) => {
      const asked = clarifications.find(({ source, resolved }) => source === 'greets' && resolved);
      if (asked) return `Hello ${String(asked.response)}`;
      return InputClarification({ userGuidance: 'Whom?', argumentName: 'name', source: 'greets' });
    },
  }),
  tool({ id: 'gives', description: 'Gives what it is told', run: () => given as never }),
  tool({
    id: 'closed',
    description: 'Is never ready',
    ready: () => ({ ready: false, reason: 'closed on Sundays' }),
    run: () => null,
  }),
  tool({ id: 'thinks', description: 'Asks a model', run: (_args, { model }) => model().id }),
  tool({
    id: 'mailbox',
    description: 'Needs a sign-in',
    ready: ({ endUser }) =>
      signedIn.has(endUser.externalId)
        ? { ready: true }
        : { ready: false, clarifications: [action('Connect your mailbox')] },
    run: () => 'three mails',
  }),
  tool({
    id: 'surprise',
    description: 'Needs a click, and says so late',
    run: () => action(`Click, for the ${(calls += 1)}th time`),
  }),
];

let server: TestServer;
let wire: Awaited<ReturnType<typeof overTheWire>>;
let ask: RawAsk;
beforeAll(async () => {
  server = await testServer({ tools });
  wire = await overTheWire(server.send);
  ask = wire.as(await server.key('driver'));
});
afterAll(async () => {
  await wire.close();
  await server.close();
});

const prun = (): string => `prun-${randomUUID()}`;
const run = (id: string, planRunId: string, args: object = {}, who = 'ada', more: object = {}): Promise<RawAnswer> =>
  ask(
    'POST',
    `/api/v0/tools/${id}/run/`,
    JSON.stringify({
      arguments: args,
      execution_context: { end_user_id: who, plan_run_id: planRunId, additional_data: more },
    }),
  );
const ready = async (ids: readonly string[], planRunId: string, who = 'ada') => {
  const body = { execution_context: { end_user_id: who, plan_run_id: planRunId }, tool_ids: ids };
  const { status, json } = await ask('POST', '/api/v0/tools/batch/ready/', JSON.stringify(body));
  expect(status).toBe(200);
  return json;
};

it('are described, with the schema of their arguments', async () => {
  const { json } = await ask('GET', '/api/v0/tools/descriptions-v2/');
  expect(json.errors).toEqual([]);
  expect(json.tools[0]).toMatchObject({
    tool_id: 'portia:acme::lookup',
    tool_name: 'Acme Lookup',
    should_summarize: false,
    description: {
      overview_description: 'Finds a customer',
      overview: 'JSON record',
      output_description: 'Customer fields',
    },
    schema: {
      type: 'object',
      properties: { email: { type: 'string', description: 'Customer mail' } },
      required: ['email'],
    },
  });
  expect((await ask('GET', '/api/v0/tools/descriptions/')).json).toEqual(json.tools);
  expect(json.tools.map(({ tool_id }: { tool_id: string }) => tool_id)).not.toContain('llm_tool');
});

it('are described so that a client of Python can make classes of them, and named where it cannot', async () => {
  const node = z.object({
    v: z.string(),
    get next() {
      return z.array(node);
    },
  });
  const odd = (id: string, argsSchema: z.ZodType, description = 'Odd'): AnyTool =>
    tool({ id, description, argsSchema, run: () => null });
  const foreign = (id: string, argsJsonSchema: object): AnyTool =>
    tool({ id, description: 'Foreign', argsJsonSchema: argsJsonSchema as never, run: () => null });
  const one = await testServer(
    {
      tools: [
        odd('tree', z.object({ root: node })),
        odd('under', z.object({ _hidden: z.string() })),
        odd('deep', z.object({ list: z.array(z.object({ model_config: z.string() })) })),
        odd('long', z.object({}), 'x'.repeat(16_000)),
        foreign('mixed', {
          type: 'object',
          properties: {
            choice: { type: 'string', enum: ['a', null] },
            kept: { type: 'string', enum: ['a', 'b'], default: 'a' },
            sunder: { type: 'string', enum: ['_a_'] },
            any: true,
            none: { anyOf: [] },
            some: { anyOf: [true, { type: 'string' }] },
            gone: { $ref: '#/$defs/gone' },
            there: { $ref: '#/$defs/there', description: 'Here' },
          },
          $defs: { there: { type: 'number' } },
        }),
      ],
    },
    { work: false },
  );
  const { body } = await one.ask('GET', '/api/v0/tools/descriptions-v2/', { as: await one.key('driver') });
  expect(body.tools.map(({ tool_id }: { tool_id: string }) => tool_id)).toEqual(['tree', 'mixed']);
  expect(body.errors).toEqual([
    { app_name: 'under', error: expect.stringContaining('"_hidden"') },
    { app_name: 'deep', error: expect.stringContaining('"model_config"') },
    { app_name: 'long', error: expect.stringContaining('16000') },
  ]);
  const [tree, mixed] = body.tools;
  expect(tree.schema.properties.root).toMatchObject({ properties: { v: { type: 'string' }, next: { items: {} } } });
  expect(JSON.stringify(body.tools)).not.toContain('$ref');
  expect(mixed.schema).toEqual({
    type: 'object',
    properties: {
      choice: { enum: ['a', null] },
      kept: { type: 'string', enum: ['a', 'b'], default: 'a' },
      sunder: { enum: ['_a_'] },
      any: {},
      none: {},
      some: { anyOf: [{}, { type: 'string' }] },
      gone: {},
      there: { type: 'number', description: 'Here' },
    },
  });
  await one.close();
});

const strangeAnswers = [7, [null], [{ category: 'Input' }]].map((clarifications) =>
  JSON.stringify({
    arguments: { email: 'x@example.org' },
    execution_context: { end_user_id: 'a', plan_run_id: prun(), clarifications },
  }),
);

describe('a call', () => {
  it('gives the value, and knows for whom it is', async () => {
    const answer = await run('portia:acme::lookup', prun(), { email: 'x@example.org' }, 'ada', { team: 'ops' });
    expect([answer.status, answer.json]).toEqual([
      200,
      { output: { value: { email: 'x@example.org', for: 'ada', team: 'ops' } }, soft_error: false },
    ]);
    expect((await ask('GET', '/api/v0/end-user/ada/')).json.additional_data).toEqual({ last: 'x@example.org' });
  });

  it.each<[string, object, object]>([
    ['soft', {}, { output: { value: 'try again' }, soft_error: true }],
    ['portia:acme::lookup', { email: 7 }, { output: { value: expect.stringContaining('email') }, soft_error: true }],
  ])('that may be tried again, of %s with %j, says so', async (id, args, wanted) => {
    const answer = await run(id, prun(), args);
    expect([answer.status, answer.json]).toEqual([200, wanted]);
  });

  it.each<[unknown, unknown]>([
    [[1, 2], '[1,2]'],
    [[null], '[null]'],
    [['a category of its own'], '["a category of its own"]'],
    [[['category']], '[["category"]]'],
    [[{ category: 'Input', price: 3 }], '[{"category":"Input","price":3}]'],
    [[{ category: 'Books' }], [{ category: 'Books' }]],
    [
      ['a', 1],
      ['a', 1],
    ],
    [[], []],
    [{ category: 'Input' }, { category: 'Input' }],
  ])('that gives %j is readable for a client of Python, which looks for a category', async (value, text) => {
    given = value;
    const { json } = await run('gives', prun());
    expect(json.output).toEqual({ value: text });
    const registry = await remoteTools({ endpoint: wire.url, apiKey: await server.key('driver') });
    const portia = new Portia({ config: Config.fromDefault({ storage: memoryStorage(), env: {} }), tools: registry });
    const plan = new PlanBuilderV2('Use it').invokeToolStep({ tool: 'gives', args: {} as never }).build();
    expect((await portia.runPlan(plan)).outputs.finalOutput?.value).toEqual(value);
    await portia.close();
  });

  it.each([
    ['hard', 502, 'never'],
    ['odd', 502, 'a bug'],
    ['slow', 504, '20 ms'],
    ['thinks', 502, 'asks a model'],
    ['nowhere', 404, 'nowhere'],
  ])('that failed for good, of %s, is an error in JSON', async (id, status, words) => {
    const answer = await run(id, prun());
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({ detail: expect.stringContaining(words) });
  });

  it.each([
    '{}',
    '{"execution_context":[]}',
    '{"execution_context":{"end_user_id":"a","plan_run_id":"x"}}',
    ...strangeAnswers,
    'nothing',
  ])('that cannot be read is refused: %s', async (body) => {
    const before = calls;
    expect((await ask('POST', '/api/v0/tools/portia:acme::lookup/run/', body)).status).toBe(400);
    expect(calls).toBe(before);
  });

  it('hands on a question, and may be made again at once', async () => {
    const id = prun();
    const [question] = (await run('asks', id)).json.output.value;
    expect(question).toMatchObject({ category: 'Input', argument_name: 'who', user_guidance: 'Who?', plan_run_id: id });
    expect(await ready(['asks'], id)).toEqual({ ready: true, clarifications: [] });
  });
});

describe('whether a tool is ready', () => {
  it('is said with the same question until it is, and a call says the same', async () => {
    const id = prun();
    const first = await ready(['mailbox', 'soft'], id);
    expect(first).toMatchObject({
      ready: false,
      clarifications: [{ category: 'Action', plan_run_id: id, resolved: false }],
    });
    expect(await ready(['mailbox'], id)).toEqual(first);
    expect((await run('mailbox', id)).json).toEqual({ output: { value: first.clarifications }, soft_error: false });
    const other = await ready(['mailbox'], prun());
    expect(other.clarifications[0].id).not.toBe(first.clarifications[0].id);
    signedIn.add('ada');
    expect(await ready(['mailbox'], id)).toEqual({ ready: true, clarifications: [] });
    expect((await run('mailbox', id)).json.output.value).toBe('three mails');
    expect((await ready(['mailbox'], id, 'bob')).ready).toBe(false);
  });

  it('is denied after a call that asked for something, until the run says that it is done', async () => {
    const id = prun();
    const planId = `plan-${randomUUID()}`;
    await ask('POST', '/api/v0/plans/', JSON.stringify({ id: planId, query: 'q', tool_ids: [], steps: [] }));
    const save = (clarifications: readonly object[]): Promise<RawAnswer> =>
      ask(
        'PUT',
        `/api/v0/plan-runs/${id}/`,
        JSON.stringify({ state: 'NEED_CLARIFICATION', end_user: 'ada', plan_id: planId, outputs: { clarifications } }),
      );
    await save([]);
    const { value } = (await run('surprise', id)).json.output;
    const before = calls;
    expect(await ready(['surprise'], id)).toEqual({ ready: false, clarifications: value });
    expect((await run('surprise', id)).json.output.value).toEqual(value);
    await save(value);
    expect((await ready(['surprise'], id)).clarifications).toEqual(value);
    expect(calls).toBe(before);
    await save([{ ...value[0], resolved: true, response: 'done' }]);
    expect(await ready(['surprise'], id)).toEqual({ ready: true, clarifications: [] });
    const again = (await run('surprise', id)).json.output.value;
    expect(again[0].id).not.toBe(value[0].id);
    expect((await ready(['surprise'], id)).clarifications).toEqual(again);
  });

  it('is said of the others, too, when one of them is not there', async () => {
    const id = prun();
    const answer = await ready(['nowhere', 'mailbox'], id, 'carl');
    expect(answer).toEqual({
      ready: false,
      clarifications: [expect.objectContaining({ category: 'Action', plan_run_id: id })],
      reason: expect.stringContaining('nowhere'),
    });
    expect(await ready(['nowhere'], id)).toMatchObject({ ready: false, clarifications: [] });
    expect(await ready([], id)).toEqual({ ready: true, clarifications: [] });
  });

  it('is said with the same question after a restart, and by whichever process is asked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-questions-'));
    const id = prun();
    const context = { execution_context: { end_user_id: 'dora', plan_run_id: id } };
    const start = async () => {
      const one = await testServer({ tools }, { work: false, folder });
      const as = await one.key('driver');
      const asked = async (path: string, more: object = {}) =>
        (await one.ask('POST', `/api/v0/tools/${path}/`, { as, body: { ...context, ...more } })).body;
      return { asked, close: () => one.close() };
    };
    const first = await start();
    const { clarifications: signIn } = await first.asked('mailbox/ready');
    const { value: click } = (await first.asked('surprise/run')).output;
    const beside = await start();
    const [a, b] = await Promise.all(
      [first, beside].map((one) => one.asked('batch/ready', { tool_ids: ['mailbox', 'surprise'] })),
    );
    expect([a, b]).toEqual(Array(2).fill({ ready: false, clarifications: [...signIn, ...click] }));
    await first.close();
    await beside.close();
    const again = await start();
    const before = calls;
    expect(await again.asked('surprise/ready')).toEqual({ ready: false, clarifications: click });
    expect((await again.asked('surprise/run')).output.value).toEqual(click);
    expect((await again.asked('mailbox/ready')).clarifications).toEqual(signIn);
    expect(calls).toBe(before);
    await again.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('can be asked for one tool', async () => {
    const body = JSON.stringify({ execution_context: { end_user_id: '', plan_run_id: prun() } });
    expect((await ask('POST', '/api/v0/tools/portia:acme::lookup/ready/', body)).json).toEqual({
      ready: true,
      clarifications: [],
    });
    expect((await ask('POST', '/api/v0/tools/nowhere/ready/', body)).status).toBe(404);
  });
});

it('are not offered past a hook of the server, unless its config names them', async () => {
  const { paid, ...config } = refunds();
  for (const [named, offered] of [
    [undefined, []],
    [['refund'], ['refund']],
  ] as const) {
    const guarded = await testServer({ ...config, remoteTools: named }, { work: false });
    const as = await guarded.key('driver');
    const { body } = await guarded.ask('GET', '/api/v0/tools/descriptions-v2/', { as });
    expect(body.tools.map(({ tool_id }: { tool_id: string }) => tool_id)).toEqual(offered);
    const call = { arguments: { amount: 3 }, execution_context: { end_user_id: 'a', plan_run_id: prun() } };
    const { status } = await guarded.ask('POST', '/api/v0/tools/refund/run/', { as, body: call });
    expect(status).toBe(offered.length > 0 ? 200 : 404);
    await guarded.close();
  }
  expect(paid).toEqual([3]);
});

describe('the client of such tools', () => {
  const at = async (url: string, skipped: object[] = []): Promise<ToolRegistry> =>
    remoteTools({ endpoint: url, apiKey: await server.key('driver'), onSkipped: (one) => skipped.push(one) });
  const runWith = async (
    registry: ToolRegistry,
    id: string,
    args: object = {},
  ): Promise<{ readonly portia: Portia; readonly planRun: PlanRun }> => {
    const portia = new Portia({ config: Config.fromDefault({ storage: memoryStorage(), env: {} }), tools: registry });
    const plan = new PlanBuilderV2('Use it').invokeToolStep({ tool: id, args: args as never }).build();
    return { portia, planRun: await portia.runPlan(plan, { endUser: 'zoe' }) };
  };

  it('calls them, passes on what they ask, and goes on when it is done', async () => {
    const skipped: object[] = [];
    const registry = await at(wire.url, skipped);
    expect(skipped).toEqual([]);
    expect(registry.getTool('portia:acme::lookup').outputDescription).toEqual(['JSON record', 'Customer fields']);
    const found = await runWith(registry, 'portia:acme::lookup', { email: 'z@example.org' });
    expect(found.planRun.outputs.finalOutput?.value).toEqual({ email: 'z@example.org', for: 'zoe', team: null });
    const { portia, planRun } = await runWith(registry, 'mailbox');
    expect(planRun.state).toBe('NEED_CLARIFICATION');
    expect(planRun.getOutstandingClarifications()).toMatchObject([
      { category: 'Action', userGuidance: 'Connect your mailbox' },
    ]);
    signedIn.add('zoe');
    const done = await portia.resume({ planRunId: planRun.id });
    expect([done.state, done.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'three mails']);
    // Not ready, and nobody can do anything about it: the server says why.
    const stuck = await runWith(registry, 'closed');
    expect([stuck.planRun.state, stuck.planRun.error?.message]).toEqual([
      'FAILED',
      expect.stringContaining('closed on Sundays'),
    ]);
    expect((await runWith(registry, 'hard')).planRun.error).toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('never'),
    });
  });

  it('tells a tool what was answered, so that it goes on with it', async () => {
    const { portia, planRun } = await runWith(await at(wire.url), 'greets');
    const [question] = planRun.getOutstandingClarifications();
    expect(question).toMatchObject({ userGuidance: 'Whom?', source: 'greets' });
    await portia.resolveClarification({ planRun, clarificationId: String(question?.id), response: 'Ada' });
    const done = await portia.resume({ planRunId: planRun.id });
    expect([done.state, done.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'Hello Ada']);
  });

  it('refuses an endpoint that is no web address', async () => {
    await expect(remoteTools({ endpoint: 'tools.example' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('does not know what became of a call whose answer is lost, and does not call again', async () => {
    let asked = 0;
    const broken = await overTheWire(async (request) => {
      if (request.url.endsWith('/run/')) {
        asked += 1;
        return new Response('gateway', { status: 504 });
      }
      return server.send(request);
    });
    const { planRun } = await runWith(await at(broken.url), 'portia:acme::lookup', { email: 'z@example.org' });
    expect([planRun.state, asked]).toEqual(['NEED_CLARIFICATION', 1]);
    await broken.close();
  });

  it('leaves out what cannot work, and says what a server without tools said', async () => {
    const described = {
      tool_id: 'ok',
      tool_name: 'Ok',
      description: { overview_description: 'Works' },
      schema: { type: 'object', properties: {} },
    };
    const tools = [
      described,
      described,
      { ...described, tool_id: 'a,b' },
      { ...described, tool_id: 'mute', description: {} },
    ];
    const odd = await overTheWire(async (request) => {
      if (request.url.endsWith('-v2/')) return Response.json({ detail: 'Not found.' }, { status: 404 });
      return Response.json(tools);
    });
    const skipped: { what?: string }[] = [];
    expect((await at(odd.url, skipped)).toolIds()).toEqual(['ok']);
    expect(skipped.map(({ what }) => what)).toEqual(['ok', 'a,b', 'mute']);
    await odd.close();
    await expect(remoteTools({ endpoint: wire.url, apiKey: 'wrong' })).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.not.stringContaining('wrong'),
    });
    await expect(at(odd.url)).rejects.toMatchObject({ code: 'TOOL_FAILED' });
  });

  it('reads no answer without end into its memory', { timeout: 60_000 }, async () => {
    let sent = 0;
    const endless = await overTheWire(async () => {
      const body = new ReadableStream({
        pull(controller) {
          sent += 1;
          // Far more than is read, and no more than a machine can hold.
          if (sent > 200) controller.close();
          else controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
        },
      });
      return new Response(body, { headers: { 'content-type': 'application/json' } });
    });
    await expect(remoteTools({ endpoint: endless.url })).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('answered with more than 33554432 bytes'),
    });
    expect(sent).toBeLessThan(100);
    await endless.close();
  });
});
