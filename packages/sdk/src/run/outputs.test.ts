import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { PortiaError, ToolHardError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { isInMemory } from '../core/output.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { AnyTool } from '../core/tool.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { fails, hangs, invalidJson, object, status, text, toolCall, truncated } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { scriptedModelServer } from '../testing/scripted-model-server.ts';
import { tool } from '../tool/tool.ts';

const giving = (value: unknown, more: object = {}): AnyTool =>
  tool({ id: 'giver', description: 'gives', readOnly: true, run: () => value, ...more }) as AnyTool;
const plan = planOf({ toolId: 'giver', output: '$a' });

describe('an output', () => {
  it.each([
    ['text', 'text'],
    ['a number', 1.5],
    ['false', false],
    ['null', null],
    ['a list', [1, [null]]],
    ['an object', { b: 1, a: { c: [] } }],
  ])('of %s keeps its type, live and in another process', async (_name, value) => {
    const storage = memoryStorage();
    const run = await clientOf({ tools: [giving(value)], storage, model: scriptedModel([text('sum')]) }).runPlan(plan);
    expect(run.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { step_outputs: { $a: { value } } } });
    expect((await clientOf({ tools: [giving(value)], storage }).storage.getPlanRun(run.id)).toJSON()).toEqual(
      run.toJSON(),
    );
  });

  it('of nothing at all is null, and dates are texts', async () => {
    const model = scriptedModel([text('sum'), text('sum')]);
    expect((await clientOf({ tools: [giving(undefined)] }).runPlan(plan)).outputs.finalOutput).toEqual({
      value: null,
      summary: null,
    });
    const run = await clientOf({ tools: [giving({ at: new Date(0), no: undefined })], model }).runPlan(plan);
    expect(run.toJSON()).toMatchObject({
      outputs: { step_outputs: { $a: { value: { at: '1970-01-01T00:00:00.000Z' } } } },
    });
  });

  it('that JSON cannot hold fails the step, and says where it is', async () => {
    const run = await clientOf({ tools: [giving({ rows: [{ at: new Map() }] })] }).runPlan(plan);
    expect(run.error).toMatchObject({
      code: 'OUTPUT_NOT_JSON',
      step: 0,
      message: expect.stringContaining('giver.rows[0].at is a Map'),
    });
  });

  it.each([
    ['a RegExp', () => /a/],
    ['a Generator', () => (function* () {})()],
    ['an invalid Date', () => new Date('never')],
  ])('that would lose what is in %s fails the step by name, and says where it is', async (found, make) => {
    const given = new PlanBuilderV2('give')
      .functionStep({ stepName: 'first', function: () => 1, readOnly: true })
      .functionStep({ stepName: 'report', function: () => ({ rows: [make()] }), readOnly: true })
      .build();
    const { error } = await clientOf().runPlan(given);
    expect(error).toMatchObject({
      code: 'OUTPUT_NOT_JSON',
      step: 1,
      message: expect.stringContaining('step report: '),
    });
    expect(error?.message).toContain(`.rows[0] is ${found}, which JSON cannot hold`);
  });

  it('that a schema makes of an answer is named by its step, and made once', async () => {
    const model = scriptedModel(() => text('{"at":"2026"}'));
    const asked = (made: (at: string) => unknown): Promise<PlanRun<unknown>> => {
      const outputSchema = z.object({ at: z.string().transform(made) });
      const given = new PlanBuilderV2('give').llmStep({ stepName: 'ask', task: 'When?', outputSchema }).build();
      return clientOf({ model }).runPlan(given as never);
    };
    expect((await asked((at) => new Map([[at, 1]]))).error).toMatchObject({
      code: 'OUTPUT_NOT_JSON',
      message: expect.stringContaining('the value of step ask.at is a Map'),
    });
    expect((await asked((at) => at.length)).outputs.finalOutput).toMatchObject({ value: { at: 4 } });
  });

  it('is seen by later steps as it was stored, not as the tool left it', async () => {
    const seen: unknown[] = [];
    const mutable = { list: [1] };
    const reader = tool({
      id: 'reader',
      description: 'x',
      readOnly: true,
      argsSchema: z.object({ got: z.unknown() }),
      run: ({ got }) => seen.push(got),
    });
    const model = scriptedModel((_request, n) => (n === 1 ? toolCall('reader', { got: '{{$a}}' }) : text('sum')));
    const giver = tool({ id: 'giver', description: 'x', run: () => mutable });
    const portia = clientOf({
      tools: [giver, reader],
      model,
      hooks: { afterStepExecution: () => void mutable.list.push(2) },
    });
    await portia.runPlan(planOf({ toolId: 'giver', output: '$a' }, { toolId: 'reader', output: '$b', inputs: ['$a'] }));
    expect(seen).toEqual([{ list: [1] }]);
  });
});

describe('a large output', () => {
  const summaries = (): Model => scriptedModel(() => text('in short'));

  it.each([
    [5_004, false],
    [5_005, true],
  ])('of %i characters goes to agent memory: %s', async (length, large) => {
    const value = 'x'.repeat(length);
    const portia = clientOf({ tools: [giving(value)], model: summaries() });
    const run = await portia.runPlan(plan);
    const output = run.outputs.stepOutputs['$a'];
    expect(output && isInMemory(output)).toBe(large);
    expect(output?.summary).toBe(large ? 'in short' : null);
    expect(run.toJSON()).toMatchObject({ outputs: { final_output: { value } } });
    if (large) expect(await portia.storage.getPlanRunOutput('$a', run.id)).toEqual({ value, summary: 'in short' });
  });

  it('counts as the JSON it is', async () => {
    const list = Array.from({ length: 3_000 }, (_, index) => index % 10);
    const run = await clientOf({ tools: [giving(list)], model: summaries() }).runPlan(plan);
    expect(run.toJSON()).toMatchObject({
      outputs: { step_outputs: { $a: { output_name: '$a', plan_run_id: run.id } }, final_output: { value: list } },
    });
  });

  it('comes back whole where a later step uses it', async () => {
    const value = { text: 'x'.repeat(6_000) };
    const seen: unknown[] = [];
    const reader = tool({
      id: 'reader',
      description: 'x',
      argsSchema: z.object({ got: z.unknown() }),
      run: ({ got }) => (seen.push(got), 'read'),
    });
    const model = scriptedModel(({ tools }) => (tools ? toolCall('reader', { got: '{{$a}}' }) : text('in short')));
    await clientOf({ tools: [giving(value), reader], model }).runPlan(
      planOf({ toolId: 'giver', output: '$a' }, { toolId: 'reader', output: '$b', inputs: ['$a'] }),
    );
    expect(seen).toEqual([value]);
  });

  it('stays in the run where agent memory is off', async () => {
    const portia = clientOf({
      tools: [giving('x'.repeat(6_000))],
      model: summaries(),
      config: { featureFlags: { feature_flag_agent_memory_enabled: false } },
    });
    const output = (await portia.runPlan(plan)).outputs.stepOutputs['$a'];
    expect(output && isInMemory(output)).toBe(false);
  });

  it('is summarised by its beginning when no model can', async () => {
    const run = await clientOf({
      tools: [giving('y'.repeat(6_000))],
      model: scriptedModel(() => fails('overloaded')),
    }).runPlan(plan);
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.stepOutputs['$a']?.summary).toMatch(/^yyyy/);
  });
});

describe('the final output', () => {
  it('of a text that people can read costs no model call', async () => {
    const model = scriptedModel([]);
    expect((await clientOf({ tools: [giving('short')], model }).runPlan(plan)).outputs.finalOutput).toEqual({
      value: 'short',
      summary: null,
    });
    expect(model.requests).toEqual([]);
  });

  it('of anything else is summarised once, by the summarizer', async () => {
    const summarizer = scriptedModel([text('three rows')]);
    const run = await clientOf({ tools: [giving([1, 2, 3])], models: { summarizer } }).runPlan(plan);
    expect(run.outputs.finalOutput).toEqual({ value: [1, 2, 3], summary: 'three rows' });
    expect(summarizer.requests).toHaveLength(1);
  });

  it.each([
    ['fails', fails('overloaded')],
    ['throws what has no code', fails(new Error('socket hang up'))],
    ['says nothing', text('')],
  ])('is complete all the same when the summarizer %s', async (_how, answer) => {
    const run = await clientOf({ tools: [giving([1])], models: { summarizer: scriptedModel(() => answer) } }).runPlan(
      plan,
    );
    expect(run.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { final_output: { value: [1], summary: null } } });
  });

  it('fits the schema the caller gave, without a model where the value fits already', async () => {
    const schema = z.object({ total: z.number(), note: z.string().default('none') });
    const summarizer = scriptedModel([text('a total')]);
    const run = await clientOf({ tools: [giving('{"total": 3}')], models: { summarizer } }).runPlan(plan, {
      structuredOutputSchema: schema,
    });
    expect(run.outputs.finalOutput).toMatchObject({ value: { total: 3, note: 'none' } });
  });

  it('is brought into the schema by the summarizer, which may try twice', async () => {
    const schema = z.object({ total: z.number() });
    const answers = [
      object({ result: { total: 'three' }, summary: 's' }),
      object({ result: { total: 3 }, summary: 'a total of three' }),
    ];
    const summarizer = scriptedModel((_request, n) => answers[n - 1] ?? fails('no more'));
    const run = await clientOf({ tools: [giving('three')], models: { summarizer } }).runPlan(plan, {
      structuredOutputSchema: schema,
    });
    expect(summarizer.requests).toHaveLength(2);
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toMatchObject({ value: { total: 3 } });
  });

  it('that cannot be brought into the schema fails the run; a retry asks again and makes no call again', async () => {
    let calls = 0;
    const giver = tool({ id: 'giver', description: 'x', run: () => ((calls += 1), 'three') });
    let well = false;
    const summarizer = scriptedModel(() => (well ? object({ result: { total: 3 }, summary: 's' }) : text('rubbish')));
    const portia = clientOf({ tools: [giver], models: { summarizer } });
    const failed = await portia.runPlan(plan, { structuredOutputSchema: z.object({ total: z.number() }) });
    expect(failed.error).toMatchObject({ message: expect.stringContaining('the final output could not be made') });
    expect(failed.outputs.stepOutputs).toEqual({ $a: { value: 'three', summary: null } });
    well = true;
    const done = await portia.retry({ planRun: failed });
    expect(done.outputs.finalOutput).toMatchObject({ value: { total: 3 } });
    expect(calls).toBe(1);
  });

  it('fits the schema in another process too, where only its JSON Schema is known', async () => {
    const storage = memoryStorage();
    const schema = z.object({ total: z.number() });
    const options = { structuredOutputSchema: schema };
    const waiting = await clientOf({ tools: [giving('three')], storage }).createPlanRun(plan, options);
    const answers = [object({ result: { total: 'x' }, summary: 's' }), object({ result: { total: 3 }, summary: 's' })];
    const summarizer = scriptedModel((_request, n) => answers[n - 1] ?? fails('no more'));
    const done = await clientOf({ tools: [giving('three')], storage, models: { summarizer } }).resume({
      planRun: waiting,
    });
    expect(done.error).toBeUndefined();
    expect(done.outputs.finalOutput).toMatchObject({ value: { total: 3 } });
    expect(summarizer.requests).toHaveLength(2);
  });
});

describe('the schema of a step', () => {
  const rows = z.object({ rows: z.array(z.number()) });
  const withSchema = planOf({ toolId: 'giver', output: '$a', structuredOutputSchema: rows });

  it('takes a value that fits as it is, or as the JSON it is the text of, without a model', async () => {
    for (const value of [{ rows: [1] }, '{"rows": [1]}']) {
      const run = await clientOf({
        tools: [giving(value)],
        models: { summarizer: scriptedModel([text('s')]) },
      }).runPlan(withSchema);
      expect(run.toJSON()).toMatchObject({
        state: 'COMPLETE',
        outputs: { step_outputs: { $a: { value: { rows: [1] } } } },
      });
    }
  });

  it('has a model bring the value into it otherwise, once with what was wrong', async () => {
    const answers = [
      object({ result: { rows: 1 }, summary: 's' }),
      object({ result: { rows: [1] }, summary: 'one row' }),
    ];
    const execution = scriptedModel((_request, n) => answers[n - 1] ?? fails('no more'));
    const run = await clientOf({ tools: [giving('one')], models: { execution } }).runPlan(withSchema);
    expect(run.error).toBeUndefined();
    expect(run.outputs.stepOutputs['$a']).toMatchObject({ value: { rows: [1] }, summary: 'one row' });
  });

  it('is kept with the plan, for another process', async () => {
    const storage = memoryStorage();
    const run = await clientOf({ tools: [giving('one')], storage }).createPlanRun(withSchema);
    const execution = scriptedModel([object({ result: { rows: [1] }, summary: 's' })]);
    const done = await clientOf({ tools: [giving('one')], storage, models: { execution } }).resume({ planRun: run });
    expect(done.toJSON()).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $a: { value: { rows: [1] } } } },
    });
  });
});

describe('a model', () => {
  const add = tool({
    id: 'add',
    description: 'adds',
    readOnly: true,
    argsSchema: z.object({ a: z.number() }),
    run: ({ a }) => a + 1,
  });
  const addPlan = planOf({ toolId: 'add', output: '$a', task: 'add one to 1' });
  const withModel = (model: Model): ReturnType<ReturnType<typeof clientOf>['runPlan']> =>
    clientOf({ tools: [add], model }).runPlan(addPlan);

  it.each([
    ['fails', fails('overloaded'), 'MODEL_FAILED'],
    ['throws what has no code', fails(new Error('socket hang up')), 'MODEL_FAILED'],
    ['calls nothing, twice', text('I would rather not'), 'AGENT_FAILED'],
    ['calls another tool, again and again', toolCall('subtract', {}), 'TOOL_ARGS_INVALID'],
    ['gives arguments that are not JSON', toolCall('add', '{"a": '), 'TOOL_ARGS_INVALID'],
    ['gives arguments that do not fit', toolCall('add', { a: 'one' }), 'TOOL_ARGS_INVALID'],
  ])('that %s fails the step with the reason', async (_how, answer, code) => {
    const run = await withModel(scriptedModel(() => answer));
    expect(run.error).toMatchObject({ code, step: 0 });
  });

  it("of one's own that gives no answer at all fails the step", async () => {
    for (const rubbish of [undefined, {}, { text: 7 }, { text: '', toolCalls: 'add' }]) {
      const model = { id: 'own/model', contextWindow: 1_000, generate: async () => rubbish } as unknown as Model;
      expect((await withModel(model)).error).toMatchObject({
        code: 'MODEL_ANSWER_INVALID',
        message: expect.stringContaining('own/model'),
      });
    }
  });

  it('is told what was wrong and may do better', async () => {
    const model = scriptedModel([
      text('I would rather not'),
      toolCall('subtract', {}),
      toolCall('add', { a: 'one' }),
      toolCall('add', { a: 1 }),
    ]);
    const run = await withModel(model);
    expect(run.outputs.finalOutput).toEqual({ value: 2, summary: null });
    expect(JSON.stringify(model.requests[3]?.messages)).toContain('do not fit');
  });

  it('that is missing is missed only where a step needs it', async () => {
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }), tools: [add, giving(1)] });
    expect((await portia.runPlan(plan)).state).toBe('COMPLETE');
    expect((await portia.runPlan(addPlan)).error).toMatchObject({ code: 'MODEL_KEY_MISSING', step: 0 });
  });

  it.each([
    ['does not answer', hangs(), 'MODEL_TIMEOUT'],
    ['refuses', status(400, { message: 'no such model' }), 'MODEL_FAILED'],
    ['sends no JSON', invalidJson(), 'MODEL_FAILED'],
    ['breaks off', truncated(), 'MODEL_FAILED'],
  ] as const)('behind a server that %s fails the step with a code', async (_how, answer, code) => {
    const server = await scriptedModelServer(() => answer);
    try {
      const settings = { modelTimeoutMs: 300, openaiApiKey: 'k', openaiBaseUrl: server.baseUrl };
      const clock = fakeClock(undefined, { autoAdvance: true });
      const portia = clientOf({ tools: [add], models: { default: 'openai/gpt-4.1' }, config: settings, clock });
      expect((await portia.runPlan(addPlan)).error).toMatchObject({ code, step: 0 });
    } finally {
      await server.close();
    }
  });

  it('that was asked for by a tool is asked once, also when the step goes on in another process', async () => {
    const storage = memoryStorage();
    const model = scriptedModel([text('first'), text('second')]);
    let down = true;
    const thinker = tool({
      id: 'giver',
      description: 'x',
      idempotent: true,
      async run(_args, context) {
        const first = await context.model().generate({ messages: [{ role: 'user', content: 'one' }] });
        if (down) throw new PortiaError({ code: 'STORAGE_FAILED', message: 'elsewhere' });
        const second = await context.model().generate({ messages: [{ role: 'user', content: 'two' }] });
        return `${first.text}, ${second.text}`;
      },
    });
    const failed = await clientOf({ tools: [thinker], storage, model }).runPlan(plan);
    expect(failed.state).toBe('FAILED');
    down = false;
    const done = await clientOf({ tools: [thinker], storage, model }).retry({ planRun: failed });
    expect(done.outputs.finalOutput).toEqual({ value: 'first, second', summary: null });
    expect(model.requests).toHaveLength(2);
  });
});

describe('a step', () => {
  it('that names an input nothing gives fails with what there is', async () => {
    const portia = clientOf({
      tools: [giving(1)],
      hooks: { beforeStepExecution: (_plan, _run, { output }) => (output === '$b' ? 'SKIP' : 'CONTINUE') },
    });
    const run = await portia.runPlan(
      planOf({ toolId: 'giver', output: '$a' }, { toolId: 'giver', output: '$b' }, { output: '$c', inputs: ['$b'] }),
    );
    expect(run.error).toMatchObject({
      code: 'INPUT_MISSING',
      step: 2,
      message: 'step 2 needs $b, which nothing has given; there is: $a',
    });
  });

  it('that fails beside others that ran at once leaves no output of those after it', async () => {
    const slow = tool({
      id: 'slow',
      description: 'x',
      readOnly: true,
      run: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new ToolHardError('slow and broken');
      },
    });
    const told: string[] = [];
    const portia = clientOf({
      tools: [giving(1), slow],
      hooks: { afterStepExecution: (_plan, _run, { output }) => void told.push(output) },
    });
    const run = await portia.runPlan(
      planOf({ toolId: 'giver', output: '$a' }, { toolId: 'slow', output: '$b' }, { toolId: 'giver', output: '$c' }),
    );
    expect(run.error).toMatchObject({ message: 'slow and broken', step: 1 });
    expect(Object.keys(run.outputs.stepOutputs)).toEqual(['$a', '$b']);
    expect(told).toEqual(['$a', '$b']);
  });
});
