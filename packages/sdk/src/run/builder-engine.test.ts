import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { PortiaError, ToolHardError } from '../core/errors.ts';
import { Plan } from '../core/plan.ts';
import type { StepV2 } from '../core/plan-v2-steps.ts';
import type { JsonValue } from '../core/json.ts';
import { type PlanInputV2, PlanV2 } from '../core/plan-v2.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { crashingStorage } from '../testing/crashing-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import type { AnyTool } from '../core/tool.ts';
import { tool } from '../tool/tool.ts';

const storage = memoryStorage();
const client = (): Portia => new Portia({ config: new Config({ storage, models: { default: scriptedModel([]) } }) });

function planOf(...steps: StepV2[]): PlanV2 {
  return new PlanV2({ steps, planInputs: [{ name: 'country', defaultValue: 'UK' }] });
}

const fn = (name: string, f: (args: never) => unknown, args: object = {}): StepV2 => ({
  kind: 'function',
  name,
  function: f as never,
  args: args as never,
  readOnly: true,
});
describe('a builder program', () => {
  it('resolves references at any depth, once', async () => {
    const run = await client().runPlan(
      planOf(
        fn('a', () => ({ x: [1, "{{ StepOutput('b') }}"] })),
        fn('b', (args: { v: unknown }) => args, {
          v: [
            StepOutput('a', { path: 'x.1' }),
            { t: text`in ${Input('country')}: ${StepOutput('a', { path: 'x.0' })}` },
          ],
        }),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(run.toJSON()).toMatchObject({
      outputs: { final_output: { value: { v: ["{{ StepOutput('b') }}", { t: 'in UK: 1' }] } } },
    });
  });

  it('takes one branch, loops, and merges', async () => {
    const run = await client().runPlan(
      planOf(
        fn('n', () => 3),
        { kind: 'if', name: 'i', condition: ({ n }) => n > 5, args: { n: StepOutput('n') } },
        fn('big', () => 'big'),
        { kind: 'else-if', name: 'ei', condition: ({ n }) => n > 2, args: { n: StepOutput('n') } },
        fn('mid', () => 'mid'),
        { kind: 'else', name: 'e' },
        fn('small', () => 'small'),
        { kind: 'end-if', name: 'end', value: { firstOf: ['big', 'mid', 'small'] } },
        {
          kind: 'loop',
          name: 'each',
          type: 'for-each',
          over: [1, null, 3],
          concurrency: 1,
          onFailure: 'finish',
          maxIterations: 10,
        },
        fn('double', ({ x }: { x: number | null }) => (x ?? 10) * 2, { x: StepOutput('each') }),
        { kind: 'end-loop', name: 'eol' },
        fn('all', (args: object) => args, {
          all: StepOutput('double', { full: true }),
          size: StepOutput('end'),
          last: StepOutput('double', { optional: true }),
        }),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({ value: { all: [2, 20, 6], size: 'mid', last: 6 }, summary: null });
  });

  it('runs branches and iterations at once, and reads as if in order', async () => {
    let running = 0;
    let most = 0;
    const slow = async (value: unknown, ms: number): Promise<unknown> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, ms));
      running -= 1;
      return value;
    };
    const run = await client().runPlan(
      planOf(
        { kind: 'parallel', name: 'p', onFailure: 'finish' },
        { kind: 'branch', name: 'b1' },
        fn('a', () => slow('a', 30)),
        { kind: 'branch', name: 'b2' },
        fn('b', () => slow('b', 5)),
        fn('b2x', (args: object) => args, { b: StepOutput('b') }),
        { kind: 'end-parallel', name: 'ep' },
        {
          kind: 'loop',
          name: 'each',
          type: 'for-each',
          over: [5, 4, 3, 2, 1],
          concurrency: 3,
          onFailure: 'finish',
          maxIterations: 10,
        },
        fn('wait', ({ x }: { x: number }) => slow(x * 10, x * 5), { x: StepOutput('each') }),
        fn('plus', ({ x }: { x: number }) => x + 1, { x: StepOutput('wait') }),
        { kind: 'end-loop', name: 'eol' },
        fn('all', (args: object) => args, {
          all: StepOutput('plus', { full: true }),
          a: StepOutput('a'),
          b: StepOutput('b2x'),
        }),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(most).toBe(3);
    expect(run.outputs.finalOutput).toEqual({
      value: { all: [51, 41, 31, 21, 11], a: 'a', b: { b: 'b' } },
      summary: null,
    });
  });

  it('asks in every iteration, in branches too, and goes on with what is answered', async () => {
    const portia = client();
    let run = await portia.runPlan(
      planOf(
        { kind: 'parallel', name: 'p', onFailure: 'finish' },
        { kind: 'branch', name: 'b1' },
        { kind: 'user-input', name: 'one', message: 'one?' },
        { kind: 'branch', name: 'b2' },
        {
          kind: 'loop',
          name: 'each',
          type: 'for-each',
          over: ['x', 'y'],
          concurrency: 1,
          onFailure: 'finish',
          maxIterations: 10,
        },
        { kind: 'user-input', name: 'q', message: text`about ${StepOutput('each')}?` },
        { kind: 'end-loop', name: 'eol' },
        { kind: 'end-parallel', name: 'ep' },
        fn('all', (args: object) => args, { one: StepOutput('one'), q: StepOutput('q', { full: true }) }),
      ),
    );
    const asked: string[] = [];
    for (let n = 0; n < 10 && run.state === 'NEED_CLARIFICATION'; n += 1) {
      const question = run.getOutstandingClarifications().at(-1);
      asked.push(question?.userGuidance ?? '');
      await portia.resolveClarification({
        planRun: run,
        clarification: question,
        response: `to ${question?.userGuidance}`,
      });
      run = await portia.resume({ planRun: run });
    }
    expect(run.error).toBeUndefined();
    expect(asked).toEqual(['about x?', 'about y?', 'one?']);
    expect(run.outputs.finalOutput).toEqual({
      value: { one: 'to one?', q: ['to about x?', 'to about y?'] },
      summary: null,
    });
  });

  it('runs sub-plans inside their parent, and exits', async () => {
    const inner = new PlanV2({
      steps: [
        fn('in', (args: object) => args, { who: Input('who') }),
        { kind: 'exit', name: 'x', message: text`bye ${Input('who')}`, error: false },
        fn('never', () => 'never'),
      ],
      planInputs: [{ name: 'who', defaultValue: 'nobody' }],
    });
    const run = await client().runPlan(
      planOf(
        { kind: 'sub-plan', name: 'sub', plan: inner, inputValues: { who: Input('country') } },
        fn('after', (args: object) => args, { sub: StepOutput('sub') }),
        {
          kind: 'exit',
          name: 'stop',
          message: text`got ${StepOutput('after', { path: 'sub' })}`,
          error: false,
        },
        fn('never', () => 1),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({ value: 'got bye UK', summary: null });
  });

  it('bounds loops', async () => {
    const run = await client().runPlan(
      planOf(
        { kind: 'loop', name: 'w', type: 'while', condition: () => true, args: {}, maxIterations: 3 },
        fn('b', () => 1),
        { kind: 'end-loop', name: 'e' },
      ),
    );
    expect(run.error).toMatchObject({ code: 'LOOP_LIMIT' });
  });

  it('goes round in a do-while as long as its condition holds', async () => {
    const run = await client().runPlan(
      planOf(
        {
          kind: 'loop',
          name: 'w',
          type: 'do-while',
          condition: ({ all }) => all.length < 3,
          args: { all: StepOutput('b', { full: true }) },
          maxIterations: 10,
        },
        fn('b', () => 'x'),
        { kind: 'end-loop', name: 'e' },
        fn('all', (args: object) => args, {
          all: StepOutput('b', { full: true }),
          again: StepOutput('e', { full: true }),
        }),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({
      value: { all: ['x', 'x', 'x'], again: [true, true, false] },
      summary: null,
    });
  });

  it('goes on in another process that has the plan, and is refused where it does not', async () => {
    const plan = planOf(
      { kind: 'user-input', name: 'q', message: 'who?' },
      fn('hi', ({ q }: { q: string }) => `hi ${q}`, { q: StepOutput('q') }),
    );
    const waiting = await client().runPlan(plan);
    const [question] = waiting.getOutstandingClarifications();
    const stranger = client();
    await stranger.resolveClarification({ planRun: waiting, clarification: question, response: 'Ada' });
    expect((await stranger.storage.getPlanRun(waiting.id)).state).toBe('READY_TO_RESUME');
    await expect(stranger.resume({ planRunId: waiting.id })).rejects.toMatchObject({ code: 'PLAN_NOT_REGISTERED' });
    const other = new Portia({ config: new Config({ storage }), plans: [plan] });
    const done = await other.resume({ planRunId: waiting.id });
    expect(done.outputs.finalOutput).toEqual({ value: 'hi Ada', summary: null });
  });

  it('goes on with a later version only when that was accepted and steps ahead alone are different', async () => {
    const ask: StepV2 = { kind: 'user-input', name: 'q', message: 'who?' };
    const begin = async (): Promise<string> => {
      const run = await client().runPlan(
        planOf(
          ask,
          fn('hi', () => 'v1'),
        ),
      );
      const [question] = run.getOutstandingClarifications();
      await client().resolveClarification({ planRun: run, clarification: question, response: 'Ada' });
      return run.id;
    };
    const ahead = new Portia({
      config: new Config({ storage }),
      plans: [
        planOf(
          ask,
          fn('hey', () => 'v2'),
        ),
      ],
    });
    const id = await begin();
    await expect(ahead.resume({ planRunId: id })).rejects.toMatchObject({
      code: 'PLAN_CHANGED',
      details: {
        changes: [
          { change: 'removed', step: 'hi' },
          { change: 'added', step: 'hey' },
        ],
      },
    });
    const done = await ahead.resume({ planRunId: id, acceptPlanChange: true });
    expect(done.outputs.finalOutput).toEqual({ value: 'v2', summary: null });
    expect((await client().storage.getPlanRun(done.id)).toJSON()).toEqual(done.toJSON());
    const behind = new Portia({
      config: new Config({ storage }),
      plans: [
        planOf(
          { ...ask, message: 'whom?' },
          fn('hi', () => 'v3'),
        ),
      ],
    });
    const second = await begin();
    const before = (await client().storage.getEvents(second as `prun-${string}`)).length;
    await expect(behind.resume({ planRunId: second, acceptPlanChange: true })).rejects.toMatchObject({
      code: 'PLAN_CHANGED',
    });
    expect(await client().storage.getEvents(second as `prun-${string}`)).toHaveLength(before);
  });
});

const each = (name: string, over: unknown, concurrency = 1): StepV2 => ({
  kind: 'loop',
  name,
  type: 'for-each',
  over,
  concurrency,
  onFailure: 'finish',
  maxIterations: 100,
});
const bye = (name: string, message: string): StepV2 => ({ kind: 'exit', name, message, error: false });
const parallel = (name: string): StepV2 => ({ kind: 'parallel', name, onFailure: 'finish' });
const branch = (name: string): StepV2 => ({ kind: 'branch', name });
const endParallel = (name: string): StepV2 => ({ kind: 'end-parallel', name });
const endLoop = (name: string): StepV2 => ({ kind: 'end-loop', name });
const subPlan = (name: string, ...steps: StepV2[]): StepV2 => ({
  kind: 'sub-plan',
  name,
  plan: new PlanV2({ steps }),
  inputValues: {},
});
const give = (args: object): unknown => args;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('blocks within blocks', () => {
  it('go on with a branch after a parallel block inside it', async () => {
    const run = await client().runPlan(
      planOf(
        parallel('p'),
        branch('b'),
        parallel('p2'),
        branch('b2'),
        fn('a', () => 'a'),
        endParallel('ep2'),
        fn('after', give, { a: StepOutput('a') }),
        endParallel('ep'),
      ),
    );
    expect(run.outputs.finalOutput).toEqual({ value: { a: 'a' }, summary: null });
  });

  it('are all left by an exit from a sub-plan, and the loop around it goes on', async () => {
    const leaving = subPlan(
      's',
      { kind: 'if', name: 'i', condition: () => true, args: {} },
      each('in', [1, 2]),
      bye('x', 'bye'),
      endLoop('ein'),
      { kind: 'end-if', name: 'ei' },
      fn('never', () => 1),
    );
    const run = await client().runPlan(
      planOf(each('l', [1, 2, 3]), leaving, endLoop('el'), fn('all', give, { all: StepOutput('s', { full: true }) })),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({ value: { all: ['bye', 'bye', 'bye'] }, summary: null });
  });

  it('are left by an exit from one branch of a sub-plan: the others begin nothing new, and what they ask is withdrawn', async () => {
    const leaving = subPlan(
      's',
      parallel('p'),
      branch('b1'),
      { kind: 'user-input', name: 'q', message: 'who?' },
      branch('b2'),
      parallel('p2'),
      branch('b3'),
      fn('a', () => pause(5)),
      bye('x', 'bye'),
      endParallel('ep2'),
      fn('never', () => 1),
      endParallel('ep'),
    );
    const run = await client().runPlan(planOf(leaving, fn('after', give, { s: StepOutput('s') })));
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.clarifications).toEqual([]);
    expect(run.outputs.finalOutput).toEqual({ value: { s: 'bye' }, summary: null });
  });

  it('have the outcome of the first exit, when two branches exit at once', async () => {
    const run = await client().runPlan(
      planOf(parallel('p'), branch('b1'), bye('x1', 'first'), branch('b2'), bye('x2', 'second'), endParallel('ep')),
    );
    expect(run.outputs.finalOutput).toEqual({ value: 'first', summary: null });
  });

  it('end with the exit of a branch also when the process dies before that is told', async () => {
    const store = memoryStorage();
    const config = (of: StorageBackend): Config => new Config({ storage: of, models: { default: scriptedModel([]) } });
    const plan = planOf(
      parallel('p'),
      branch('b1'),
      fn('a', () => pause(15).then(() => 'not this')),
      branch('b2'),
      fn('b', () => pause(5)),
      bye('x', 'this'),
      endParallel('ep'),
      fn('never', () => 1),
    );
    const whole = crashingStorage(memoryStorage());
    await new Portia({ config: config(whole) }).runPlan(plan);
    for (let write = 1; write <= whole.writes; write += 1) {
      const dying = crashingStorage(store, { write, when: 'before' });
      await new Portia({ config: config(dying) }).runPlan(plan, { runKey: `run ${write}` }).catch(() => undefined);
      const portia = new Portia({ config: config(store), plans: [plan] });
      const stored = (await portia.storage.listRuns()).items.find(({ header }) => header.runKey === `run ${write}`);
      if (!stored) continue;
      expect((await portia.resume({ planRunId: stored.header.id })).outputs.finalOutput).toEqual({
        value: 'this',
        summary: null,
      });
    }
  });

  it('give a step in a sub-plan another identity than a step whose name reads the same', async () => {
    const effects: string[] = [];
    const act = (name: string): StepV2 => ({
      kind: 'function',
      name,
      args: {},
      function: (_args, { idempotencyKey }) => effects.push(idempotencyKey),
    });
    await client().runPlan(planOf(subPlan('sub', act('in')), act('sub/in')));
    expect(new Set(effects).size).toBe(2);
  });
});

describe('what a step can see', () => {
  it('is the result of the condition by the name of its if', async () => {
    const run = await client().runPlan(
      planOf(
        { kind: 'if', name: 'i', condition: () => false, args: {} },
        { kind: 'else-if', name: 'ei', condition: () => true, args: {} },
        { kind: 'end-if', name: 'e' },
        fn('all', give, { i: StepOutput('i'), ei: StepOutput('ei', { optional: true }) }),
      ),
    );
    expect(run.outputs.finalOutput).toEqual({ value: { i: false, ei: true }, summary: null });
  });

  it('is in a sub-plan only what this visit of it has made', async () => {
    const seen = subPlan(
      's',
      fn('x', () => 'x'),
      fn('all', give, { all: StepOutput('x', { full: true }) }),
    );
    const run = await client().runPlan(
      planOf(each('l', [1, 2]), seen, endLoop('el'), fn('all', give, { all: StepOutput('s', { full: true }) })),
    );
    expect(run.outputs.finalOutput).toEqual({ value: { all: [{ all: ['x'] }, { all: ['x'] }] }, summary: null });
  });

  it('is nothing of a sub-plan that made nothing this time', async () => {
    const inner: StepV2 = {
      kind: 'sub-plan',
      name: 's',
      inputValues: { n: StepOutput('l') },
      plan: new PlanV2({
        planInputs: [{ name: 'n' }],
        steps: [
          { kind: 'if', name: 'i', condition: ({ n }) => n === 1, args: { n: Input('n') } },
          fn('y', () => 'made'),
          { kind: 'end-if', name: 'ei' },
        ],
      }),
    };
    const run = await client().runPlan(
      planOf(
        each('l', [1, 2]),
        inner,
        fn('after', () => 'after'),
        endLoop('el'),
        fn('all', give, { all: StepOutput('s', { full: true }) }),
      ),
    );
    expect(run.outputs.finalOutput).toEqual({ value: { all: ['made', null] }, summary: null });
  });

  it('is the same however far the iterations beside it are', async () => {
    const slow = fn('slow', () => pause(10));
    const count = fn('count', ({ all }: { all: unknown[] }) => all.length, { all: StepOutput('slow', { full: true }) });
    const run = await client().runPlan(
      planOf(
        each('l', [0, 1, 2, 3], 2),
        slow,
        count,
        endLoop('el'),
        fn('all', give, { all: StepOutput('count', { full: true }), last: StepOutput('l', { optional: true }) }),
      ),
    );
    expect(run.outputs.finalOutput).toEqual({ value: { all: [1, 1, 1, 1], last: 3 }, summary: null });
  });
});

describe('the record of a builder run', () => {
  it('names the outputs of branches as if they had run in order', async () => {
    const body: StepV2[] = [
      {
        kind: 'loop',
        name: 'w',
        type: 'while',
        condition: ({ all }) => all.length < 2,
        args: { all: StepOutput('a', { full: true }) },
        initial: { all: [] },
        maxIterations: 9,
      },
      fn('a', () => 'a'),
      endLoop('el'),
    ];
    const inOrder = await client().runPlan(planOf(...body));
    const atOnce = await client().runPlan(planOf(parallel('p'), branch('b'), ...body, endParallel('ep')));
    expect(Object.keys(inOrder.outputs.stepOutputs)).toHaveLength(1);
    expect(Object.keys(atOnce.outputs.stepOutputs)).toHaveLength(1);
  });

  it('shows the error of a step behind a sub-plan with that step, as people count them', async () => {
    const fails = fn('fails', () => {
      throw new ToolHardError('broken');
    });
    const run = await client().runPlan(
      planOf(
        subPlan(
          's',
          fn('a', () => 1),
          fn('b', () => 2),
          fn('c', () => 3),
        ),
        fails,
      ),
    );
    expect(run.currentStepIndex).toBe(1);
    expect(run.outputs.stepOutputs).toMatchObject({
      $step_1_output: { value: 'broken' },
      '$step_0_output/$step_0_output': { value: 1 },
    });
    const done = await client().runPlan(
      planOf(
        fn('z', () => 0),
        subPlan(
          's',
          fn('a', () => 1),
          fn('b', () => 2),
        ),
      ),
    );
    expect(done.currentStepIndex).toBe(1);
  });
});

describe('strands of a run', () => {
  it('go on with an answer that came while another strand was at work', async () => {
    const portia = client();
    const plan = planOf(
      parallel('p'),
      branch('b1'),
      { kind: 'user-input', name: 'one', message: 'one?' },
      fn('seen', () => 'seen'),
      branch('b2'),
      fn('slow', () => pause(40)),
      { kind: 'user-input', name: 'two', message: 'two?' },
      endParallel('ep'),
    );
    const running = portia.runPlan(plan, { runKey: 'answered early' });
    await pause(20);
    const stored = (await portia.storage.listRuns()).items.find(({ header }) => header.runKey === 'answered early');
    const events = await portia.storage.getEvents(stored?.header.id as `prun-${string}`);
    const live = await portia.storage.getPlanRun(stored?.header.id as `prun-${string}`);
    expect(events.length).toBeGreaterThan(0);
    const [question] = live.getOutstandingClarifications();
    await portia.resolveClarification({ planRun: live, clarification: question, response: 'Ada' });
    const run = await running;
    expect(run.getOutstandingClarifications().map(({ userGuidance }) => userGuidance)).toEqual(['two?']);
    expect(Object.values(run.outputs.stepOutputs)).toContainEqual({ value: 'seen', summary: null });
  });

  it('have all come to rest when one of them cannot be stored', async () => {
    const effects: string[] = [];
    const store = memoryStorage();
    const failing = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (name === 'append' && effects.includes('a') && !effects.includes('failed')) {
            effects.push('failed');
            throw new PortiaError({ code: 'STORAGE_FAILED', message: 'the disk is full' });
          }
          return (value as (...given: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    const act = (name: string, ms: number): StepV2 => ({
      kind: 'function',
      name,
      args: {},
      function: async () => {
        await pause(ms);
        effects.push(name);
      },
    });
    const portia = new Portia({ config: new Config({ storage: failing, models: { default: scriptedModel([]) } }) });
    await expect(
      portia.runPlan(
        planOf(parallel('p'), branch('b1'), act('a', 1), branch('b2'), act('b', 20), act('c', 20), endParallel('ep')),
      ),
    ).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    const seen = [...effects];
    await pause(60);
    expect(effects).toEqual(seen);
    expect(effects).toEqual(['a', 'failed', 'b']);
  });
});

describe('a V1 plan', () => {
  it('runs steps at once that need not wait for each other', async () => {
    let running = 0;
    let most = 0;
    const slow = (id: string, ms: number): AnyTool =>
      tool({
        id,
        description: id,
        readOnly: true,
        run: async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, ms));
          running -= 1;
          return id;
        },
      });
    const seen: string[] = [];
    const portia = new Portia({
      config: new Config({ storage: memoryStorage(), models: { default: scriptedModel([]) } }),
      tools: [slow('a', 30), slow('b', 5), slow('c', 1)],
      executionHooks: { afterStepExecution: (_plan, _run, step) => void seen.push(step.output) },
    });
    const plan = new Plan({
      planContext: { query: 'q', toolIds: [] },
      steps: [
        { task: 'a', toolId: 'a', output: '$a' },
        { task: 'b', toolId: 'b', output: '$b' },
        { task: 'c', toolId: 'c', output: '$c', inputs: [{ name: '$a' }] },
      ],
    });
    const run = await portia.runPlan(plan);
    expect(run.error).toBeUndefined();
    expect(most).toBe(2);
    expect(seen).toEqual(['$a', '$b', '$c']);
    expect(Object.keys(run.outputs.stepOutputs)).toEqual(['$a', '$b', '$c']);
  });
});

describe('branches of a parallel block', () => {
  const most = async (own: { concurrency?: number }, maxConcurrency?: number): Promise<number> => {
    let now = 0;
    let top = 0;
    const count = async (): Promise<void> => {
      now += 1;
      top = Math.max(top, now);
      await pause(5);
      now -= 1;
    };
    const branches: StepV2[] = Array.from({ length: 12 }, (_, n) => [
      { kind: 'branch' as const, name: `b${n}` },
      fn(`f${n}`, count),
    ]).flat();
    const plan = planOf({ kind: 'parallel', name: 'p', onFailure: 'finish', ...own }, ...branches, {
      kind: 'end-parallel',
      name: 'e',
    });
    const config = new Config({ storage: memoryStorage(), maxConcurrency });
    await new Portia({ config }).runPlan(plan);
    return top;
  };

  it('run at once as many as the block says, else as many as the client does, else eight', async () => {
    expect(await most({})).toBe(8);
    expect(await most({}, 3)).toBe(3);
    expect(await most({}, 1)).toBe(1);
    expect(await most({ concurrency: 10 }, 3)).toBe(10);
  });

  it('goes on with a version that has other inputs when they have defaults', async () => {
    const version = (planInputs: readonly PlanInputV2[], name: string): PlanV2<unknown, unknown, unknown> =>
      new PlanV2({
        label: 'inputs',
        planInputs,
        steps: [
          { kind: 'user-input', name: 'q', message: 'who?' },
          {
            kind: 'function',
            name,
            args: { z: Input(planInputs[0]?.name ?? '') },
            function: ({ z }) => z as JsonValue,
          },
        ],
      });
    const old = version([{ name: 'a', defaultValue: 1 }], 'old');
    const began = new Portia({ config: new Config({ storage }), plans: [old] });
    const asked = await began.runPlan(old);
    await began.resolveClarification({
      planRun: asked,
      clarification: asked.getOutstandingClarifications()[0],
      response: 'Ada',
    });
    const goOn = (plan: PlanV2<unknown, unknown, unknown>) =>
      new Portia({ config: new Config({ storage }), plans: [plan] }).resume({
        planRunId: asked.id,
        acceptPlanChange: true,
      });
    await expect(goOn(version([{ name: 'z', schema: z.number() }], 'new'))).rejects.toMatchObject({
      code: 'PLAN_CHANGED',
      message: expect.stringContaining('was not given the input z'),
    });
    const done = await goOn(version([{ name: 'z', defaultValue: 5 }], 'new'));
    expect([done.state, done.outputs.finalOutput?.value]).toEqual(['COMPLETE', 5]);
    expect((await began.storage.getPlanRun(done.id)).toJSON()).toEqual(done.toJSON());
  });
});
