import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { Plan } from '../core/plan.ts';
import type { StepV2 } from '../core/plan-v2-steps.ts';
import { PlanV2 } from '../core/plan-v2.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import type { AnyTool } from '../core/tool.ts';
import { tool } from '../tool/tool.ts';

const storage = memoryStorage();
const client = (): Portia => new Portia({ config: new Config({ storage, models: { default: scriptedModel([]) } }) });

function planOf(...steps: StepV2[]): PlanV2 {
  return new PlanV2({ steps, planInputs: [{ name: 'country', defaultValue: 'UK' }] });
}

const fn = (name: string, f: (args: never) => unknown, args: object = {}): StepV2 => ({ kind: 'function', name, function: f as never, args: args as never, readOnly: true });
describe('a builder program', () => {
  it('resolves references at any depth, once', async () => {
    const run = await client().runPlan(planOf(fn('a', () => ({ x: [1, "{{ StepOutput('b') }}"] })), fn('b', (args: { v: unknown }) => args, { v: [StepOutput('a', { path: 'x.1' }), { t: text`in ${Input('country')}: ${StepOutput('a', { path: 'x.0' })}` }] })));
    expect(run.error).toBeUndefined();
    expect(run.toJSON()).toMatchObject({ outputs: { final_output: { value: { v: ["{{ StepOutput('b') }}", { t: 'in UK: 1' }] } } } });
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
        { kind: 'loop', name: 'each', type: 'for-each', over: [1, null, 3], concurrency: 1, onFailure: 'finish', maxIterations: 10 },
        fn('double', ({ x }: { x: number | null }) => (x ?? 10) * 2, { x: StepOutput('each') }),
        { kind: 'end-loop', name: 'eol' },
        fn('all', (args: object) => args, { all: StepOutput('double', { full: true }), size: StepOutput('end'), last: StepOutput('double') }),
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
        { kind: 'loop', name: 'each', type: 'for-each', over: [5, 4, 3, 2, 1], concurrency: 3, onFailure: 'finish', maxIterations: 10 },
        fn('wait', ({ x }: { x: number }) => slow(x * 10, x * 5), { x: StepOutput('each') }),
        fn('plus', ({ x }: { x: number }) => x + 1, { x: StepOutput('wait') }),
        { kind: 'end-loop', name: 'eol' },
        fn('all', (args: object) => args, { all: StepOutput('plus', { full: true }), a: StepOutput('a'), b: StepOutput('b2x') }),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(most).toBe(3);
    expect(run.outputs.finalOutput).toEqual({ value: { all: [51, 41, 31, 21, 11], a: 'a', b: { b: 'b' } }, summary: null });
  });

  it('asks in every iteration, in branches too, and goes on with what is answered', async () => {
    const portia = client();
    let run = await portia.runPlan(
      planOf(
        { kind: 'parallel', name: 'p', onFailure: 'finish' },
        { kind: 'branch', name: 'b1' },
        { kind: 'user-input', name: 'one', message: 'one?' },
        { kind: 'branch', name: 'b2' },
        { kind: 'loop', name: 'each', type: 'for-each', over: ['x', 'y'], concurrency: 1, onFailure: 'finish', maxIterations: 10 },
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
      await portia.resolveClarification({ planRun: run, clarification: question, response: `to ${question?.userGuidance}` });
      run = await portia.resume({ planRun: run });
    }
    expect(run.error).toBeUndefined();
    expect(asked).toEqual(['about x?', 'about y?', 'one?']);
    expect(run.outputs.finalOutput).toEqual({ value: { one: 'to one?', q: ['to about x?', 'to about y?'] }, summary: null });
  });

  it('runs sub-plans inside their parent, and exits', async () => {
    const inner = new PlanV2({
      steps: [fn('in', (args: object) => args, { who: Input('who') }), { kind: 'exit', name: 'x', message: text`bye ${Input('who')}`, error: false }, fn('never', () => 'never')],
      planInputs: [{ name: 'who', defaultValue: 'nobody' }],
    });
    const run = await client().runPlan(
      planOf({ kind: 'sub-plan', name: 'sub', plan: inner, inputValues: { who: Input('country') } }, fn('after', (args: object) => args, { sub: StepOutput('sub') }), {
        kind: 'exit', name: 'stop', message: text`got ${StepOutput('after', { path: 'sub' })}`, error: false,
      }, fn('never', () => 1)),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({ value: 'got bye UK', summary: null });
  });

  it('bounds loops', async () => {
    const run = await client().runPlan(
      planOf({ kind: 'loop', name: 'w', type: 'while', condition: () => true, args: {}, maxIterations: 3 }, fn('b', () => 1), { kind: 'end-loop', name: 'e' }),
    );
    expect(run.error).toMatchObject({ code: 'LOOP_LIMIT' });
  });

  it('goes round in a do-while as long as its condition holds', async () => {
    const run = await client().runPlan(
      planOf(
        { kind: 'loop', name: 'w', type: 'do-while', condition: ({ all }) => all.length < 3, args: { all: StepOutput('b', { full: true }) }, maxIterations: 10 },
        fn('b', () => 'x'),
        { kind: 'end-loop', name: 'e' },
        fn('all', (args: object) => args, { all: StepOutput('b', { full: true }), again: StepOutput('e', { full: true }) }),
      ),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({ value: { all: ['x', 'x', 'x'], again: [true, true, false] }, summary: null });
  });

  it('goes on in another process that has the plan, and is refused where it does not', async () => {
    const plan = planOf({ kind: 'user-input', name: 'q', message: 'who?' }, fn('hi', ({ q }: { q: string }) => `hi ${q}`, { q: StepOutput('q') }));
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
      const run = await client().runPlan(planOf(ask, fn('hi', () => 'v1')));
      const [question] = run.getOutstandingClarifications();
      await client().resolveClarification({ planRun: run, clarification: question, response: 'Ada' });
      return run.id;
    };
    const ahead = new Portia({ config: new Config({ storage }), plans: [planOf(ask, fn('hey', () => 'v2'))] });
    const id = await begin();
    await expect(ahead.resume({ planRunId: id })).rejects.toMatchObject({ code: 'PLAN_CHANGED', details: { changes: [{ change: 'removed', step: 'hi' }, { change: 'added', step: 'hey' }] } });
    const done = await ahead.resume({ planRunId: id, acceptPlanChange: true });
    expect(done.outputs.finalOutput).toEqual({ value: 'v2', summary: null });
    expect((await client().storage.getPlanRun(done.id)).toJSON()).toEqual(done.toJSON());
    const behind = new Portia({ config: new Config({ storage }), plans: [planOf({ ...ask, message: 'whom?' }, fn('hi', () => 'v3'))] });
    const second = await begin();
    const before = (await client().storage.getEvents(second as `prun-${string}`)).length;
    await expect(behind.resume({ planRunId: second, acceptPlanChange: true })).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
    expect(await client().storage.getEvents(second as `prun-${string}`)).toHaveLength(before);
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
