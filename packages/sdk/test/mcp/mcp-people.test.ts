import { createMcpHandler } from '@modelcontextprotocol/server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Portia } from '../../src/client.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { McpToolRegistry, memorySecretStore, type SecretStore } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { text, toolCall } from '../../src/testing/script.ts';
import { serveFetch } from '../lib/fetch-server.ts';
import { clientOf, questionOf } from '../lib/engine.ts';
import { everything, payments } from '../lib/mcp-servers.ts';
import { startWorlds, type World, type Worlds } from '../lib/outside-world.ts';
// @ts-expect-error a plain module, so that it can be started by itself
import { paymentsServer } from '../lib/payments-server.mjs';

let worlds: Worlds;
let world: World;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());
beforeEach(() => {
  world = worlds.fresh();
});

const open: { close(): Promise<unknown> | undefined }[] = [];
afterEach(() => Promise.all(open.splice(0).map((one) => one.close())));

const one = (tool: string): PlanV2 =>
  new PlanBuilderV2(tool).invokeToolStep({ stepName: 'step', tool, args: {} }).build();

const finalValue = (run: PlanRun): JsonValue | undefined => run.outputs.finalOutput?.value as JsonValue | undefined;

async function answer(portia: Portia, run: PlanRun, response: JsonValue): Promise<PlanRun> {
  await portia.resolveClarification({ planRun: run, clarification: questionOf(run), response, resolvedBy: 'ada' });
  return portia.resume({ planRun: run });
}

describe('a question in the middle of a call', () => {
  async function tipping(storage: StorageBackend = memoryStorage()): Promise<{ portia: Portia; run: PlanRun }> {
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url));
    open.push(registry);
    const portia = clientOf({ tools: [...registry], storage });
    const run = await portia.runPlan(one('mcp:payments:tip'), { endUser: 'ada' });
    return { portia, run };
  }

  it('becomes a clarification for the end user, and the same call goes on with the answer', async () => {
    const { portia, run } = await tipping();
    const question = questionOf(run);
    expect(question).toMatchObject({ category: 'Input', source: 'MCP server payments' });
    expect(question.userGuidance).toContain('How much tip?');
    const done = await answer(portia, run, '5');
    expect(finalValue(done)).toBe('tipped 5');
    expect([world.count('tip-begun'), world.count('tip')]).toEqual([1, 1]);
  });

  it('is asked again when the answer does not fit its schema', async () => {
    const { portia, run } = await tipping();
    const again = await answer(portia, run, 'much');
    expect(questionOf(again).userGuidance).toContain('did not fit');
    expect(finalValue(await answer(portia, again, 3))).toBe('tipped 3');
    expect(world.count('tip-begun')).toBe(1);
  });

  it('is asked anew for each call an agent makes', async () => {
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url));
    open.push(registry);
    const model = scriptedModel(({ messages }) => {
      const results = messages.filter(({ role }) => role === 'tool').length;
      return results < 2 ? toolCall('mcp_payments_tip', {}) : text('both tipped');
    });
    const plan = new PlanBuilderV2('Two tips')
      .reactAgentStep({ stepName: 'tips', task: 'Tip twice', tools: ['mcp:payments:tip'] })
      .build();
    const portia = clientOf({ tools: [...registry], model });
    const first = await portia.runPlan(plan, { endUser: 'ada' });
    const second = await answer(portia, first, 3);
    const done = await answer(portia, second, 4);
    expect(done.state).toBe('COMPLETE');
    expect(world.effects.filter(({ kind }) => kind === 'tip').map(({ body }) => body)).toEqual([
      { amount: 3 },
      { amount: 4 },
    ]);
    expect(world.count('tip-begun')).toBe(2);
  });

  it('can be declined', async () => {
    const { portia, run } = await tipping();
    expect(finalValue(await answer(portia, run, { decline: true }))).toBe('no tip: decline');
  });

  it('whose call died with its process is unknown, and an operator decides', async () => {
    const storage = memoryStorage();
    const first = await tipping(storage);
    await open.splice(0)[0]?.close();
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url));
    open.push(registry);
    const portia = clientOf({ tools: [...registry], storage });
    const asked = await answer(portia, first.run, 7);
    expect(questionOf(asked)).toMatchObject({ source: 'Effects ledger' });
    expect(world.count('tip')).toBe(0);
    await portia.resolveClarification({ planRun: asked, clarification: questionOf(asked), response: 'call again' });
    const done = await portia.resume({ planRun: asked });
    expect(finalValue(done)).toBe('tipped 7');
    expect([world.count('tip-begun'), world.count('tip')]).toEqual([2, 1]);
  });

  it('whose call died is called again with the answer when the tool may be repeated', async () => {
    const storage = memoryStorage();
    const first = await tipping(storage);
    await open.splice(0)[0]?.close();
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url));
    open.push(registry);
    const portia = clientOf({
      tools: [...registry.withToolOptions('mcp:payments:tip', { idempotent: true })],
      storage,
    });
    const done = await answer(portia, first.run, 7);
    expect(finalValue(done)).toBe('tipped 7');
    const calls = await portia.storage.getToolCalls(done.id);
    expect(calls.map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  it('never sends anybody to what is no page of the web', async () => {
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url));
    open.push(registry);
    const run = await clientOf({ tools: [...registry] }).runPlan(one('mcp:payments:send_away'), { endUser: 'ada' });
    expect(finalValue(run)).toBe('the answer was cancel');
    expect(run.outputs.clarifications).toEqual([]);
  });

  it.each([
    ['shared', 'nobody is asked, as it could be the question of one of several people'],
    ['run', 'it is the question of its own run, whoever else is waiting'],
  ] as const)('over %s sessions: %s', async (sessions, _what) => {
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url, { sessions }));
    open.push(registry);
    const portia = clientOf({ tools: [...registry] });
    const waiting = portia.start(one('mcp:payments:wait'), { endUser: 'bob' });
    const { planRunId } = await waiting;
    const driving = new AbortController();
    const parked = portia.resume({ planRunId, signal: driving.signal });
    await expect.poll(async () => (await portia.storage.getToolCalls(planRunId)).length, { timeout: 5_000 }).toBe(1);
    const run = await portia.runPlan(one('mcp:payments:tip'), { endUser: 'ada' });
    if (sessions === 'shared') expect(finalValue(run)).toBe('no tip: cancel');
    else expect(finalValue(await answer(portia, run, 2))).toBe('tipped 2');
    await portia.cancel({ planRunId });
    await parked;
  });
});

describe('a question that is an answer of its own', () => {
  let http: { readonly url: string; close(): Promise<void> };
  const asked: string[] = [];
  beforeAll(async () => {
    const handler = createMcpHandler(() => paymentsServer());
    http = await serveFetch(async (request) => {
      asked.push(await request.clone().text());
      return handler.fetch(request);
    });
  });
  afterAll(() => http.close());

  async function giving(secrets: SecretStore, storage: StorageBackend): Promise<Portia> {
    const registry = await McpToolRegistry.fromStreamableHttpConnection({
      serverName: 'shop',
      url: http.url,
      secrets,
    });
    open.push(registry);
    return clientOf({ tools: [...registry], storage });
  }

  it('costs nothing while a person thinks: any process goes on with what the server wants back', async () => {
    process.env['WORLD'] = world.url;
    const [secrets, storage] = [memorySecretStore(), memoryStorage()];
    const trace = { traceparent: `00-${'a1'.repeat(16)}-00f067aa0ba902b7-01`, tracestate: 'rojo=1' };
    const run = await (await giving(secrets, storage)).runPlan(one('mcp:shop:gift'), { endUser: 'ada', ...trace });
    expect(questionOf(run).userGuidance).toContain('Whom is it for?');
    expect(JSON.stringify(run)).not.toContain('the shop is chosen');
    const call = JSON.parse(asked.find((body) => body.includes('"tools/call"')) ?? '');
    expect(call.params._meta.traceparent).toContain(`00-${run.executionContext.traceId}-`);
    expect(run.executionContext.traceId).toBe('a1'.repeat(16));
    expect(call.params._meta.tracestate).toBe('rojo=1');
    await open.splice(0)[0]?.close();
    const done = await answer(await giving(secrets, storage), run, 'Bea');
    expect(finalValue(done)).toBe('for Bea; the shop is chosen');
    expect(world.count('gift')).toBe(1);
    expect(await secrets.list('')).toEqual([]);
  });
});

describe('the reference server "everything"', () => {
  it('asks with a whole form: each field is a question', async () => {
    const registry = await McpToolRegistry.fromStdioConnection(everything());
    open.push(registry);
    const portia = clientOf({ tools: [...registry] });
    const run = await portia.runPlan(one('mcp:everything:trigger_elicitation_request'), { endUser: 'ada' });
    const fields = run.getOutstandingClarifications();
    expect(fields.length).toBeGreaterThan(8);
    for (const field of fields) {
      const argument = 'argumentName' in field ? field.argumentName : '';
      const given: Record<string, JsonValue> = { name: 'Ada', check: true, integer: '7', email: 'ada@example.com' };
      const response = given[argument.split(':')[2] ?? ''] ?? (field.category === 'Multiple Choice' ? null : '');
      await portia.resolveClarification({ planRun: run, clarification: field, response, resolvedBy: 'ada' });
    }
    const done = await portia.resume({ planRun: run });
    const said = JSON.stringify(finalValue(done));
    expect(said).toContain('Name: Ada');
    expect(said).toContain('ada@example.com');
  });

  describe('a form of thirteen fields that is declined by one of them', () => {
    const tool = 'mcp:everything:trigger_elicitation_request';
    async function asking(storage: StorageBackend, idempotent = false): Promise<Portia> {
      const registry = await McpToolRegistry.fromStdioConnection(everything());
      open.push(registry);
      return clientOf({ tools: [...registry.withToolOptions(tool, { idempotent })], storage });
    }

    async function declined(portia: Portia, run: PlanRun, response: JsonValue): Promise<PlanRun> {
      const fields = run.getOutstandingClarifications();
      expect(fields).toHaveLength(13);
      const field = fields.find((one) => one.category === 'Input') as (typeof fields)[number];
      expect(field.userGuidance).toContain('({"decline":true} declines to answer)');
      const answered = await portia.resolveClarification({
        planRun: run,
        clarification: field,
        response,
        resolvedBy: 'ada',
      });
      expect(answered.getOutstandingClarifications()).toEqual([]);
      expect(answered.state).toBe('READY_TO_RESUME');
      return portia.resume({ planRun: run });
    }

    it.each([[{ decline: true }], ['{"decline": true}']])(
      'needs no other answer, and the server hears it: %j',
      async (response) => {
        const portia = await asking(memoryStorage());
        const run = await portia.runPlan(one(tool), { endUser: 'ada' });
        const done = await declined(portia, run, response);
        expect(JSON.stringify(finalValue(done))).toContain('User declined');
        const records = await portia.storage.getClarifications(run.id);
        expect(records.map(({ resolvedBy }) => resolvedBy)).toEqual(records.map(() => 'ada'));
        const last = records.at(-1)?.clarification;
        await expect(
          portia.resolveClarification({ planRun: run, clarification: last, response: 'pet-1', resolvedBy: 'ada' }),
        ).rejects.toMatchObject({ code: 'CLARIFICATION_ALREADY_RESOLVED' });
      },
    );

    it('in another process, whose call has died: the call that is made again is declined, too', async () => {
      const storage = memoryStorage();
      const first = await asking(storage);
      const run = await first.runPlan(one(tool), { endUser: 'ada' });
      await open.splice(0)[0]?.close();
      const done = await declined(await asking(storage, true), run, { decline: true });
      expect(JSON.stringify(finalValue(done))).toContain('User declined');
    });

    it('in another process, of a tool that may not be repeated: an operator decides, and then it is declined', async () => {
      const storage = memoryStorage();
      const first = await asking(storage);
      const run = await first.runPlan(one(tool), { endUser: 'ada' });
      await open.splice(0)[0]?.close();
      const portia = await asking(storage);
      const asked = await declined(portia, run, { decline: true });
      expect(questionOf(asked)).toMatchObject({ source: 'Effects ledger' });
      await portia.resolveClarification({ planRun: asked, clarification: questionOf(asked), response: 'call again' });
      const done = await portia.resume({ planRun: asked });
      expect(JSON.stringify(finalValue(done))).toContain('User declined');
    });
  });

  it('sends the person to a page', async () => {
    const registry = await McpToolRegistry.fromStdioConnection(everything());
    open.push(registry);
    const portia = clientOf({ tools: [...registry] });
    const plan = new PlanBuilderV2('url')
      .invokeToolStep({
        stepName: 'step',
        tool: 'mcp:everything:trigger_url_elicitation',
        args: { url: 'https://example.com/pay' },
      })
      .build();
    const run = await portia.runPlan(plan, { endUser: 'ada' });
    expect(questionOf(run)).toMatchObject({ category: 'Action', actionUrl: 'https://example.com/pay' });
    expect(JSON.stringify(finalValue(await answer(portia, run, 'done')))).toContain('completed the URL elicitation');
  });

  it('may ask the model only where that is allowed; the call is counted', async () => {
    const model = scriptedModel([text('a short answer')]);
    const plan = new PlanBuilderV2('sample')
      .invokeToolStep({
        stepName: 'step',
        tool: 'mcp:everything:trigger_sampling_request',
        args: { prompt: 'hello', maxTokens: 50 },
      })
      .build();
    const registry = await McpToolRegistry.fromStdioConnection(everything({ allowSampling: true }));
    open.push(registry);
    const run = await clientOf({ tools: [...registry], model }).runPlan(plan);
    expect(JSON.stringify(finalValue(run))).toContain('a short answer');
    expect(run.executionContext.totals.modelCalls).toBe(1);
    const closed = await McpToolRegistry.fromStdioConnection(everything());
    open.push(closed);
    expect(closed.has('mcp:everything:trigger_sampling_request')).toBe(false);
  });
});
