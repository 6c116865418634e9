import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Portia } from '../client.ts';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import { ToolHardError } from '../core/errors.ts';
import { textOf } from '../core/output.ts';
import { StepOutput } from '../core/reference.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { toolCall, together } from '../testing/script.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import { combineHooks } from './approval-hooks.ts';
import type { ExecutionHooks } from './hooks.ts';

/** Writes down when hooks are asked and answer, and when the work of steps begins and ends. */
class Trace {
  readonly lines: string[] = [];
  #open = 0;
  overlaps = 0;
  #working = 0;
  mostWorking = 0;

  /** Hooks that take a while, the earlier ones longer. */
  hooks(ms: (name: string) => number = () => 1): ExecutionHooks {
    const asked = async (line: string): Promise<void> => {
      this.lines.push(line);
      this.#open += 1;
      if (this.#open > 1) this.overlaps += 1;
      await pause(ms(line));
      this.#open -= 1;
    };
    return {
      beforeStepExecution: async (_plan, _run, step) => asked(`step ${step.output}`),
      beforeToolCall: async (_tool, args) => asked(`call ${JSON.stringify(args)}`),
    };
  }

  async work<T>(ms: number, value: T): Promise<T> {
    this.#working += 1;
    this.mostWorking = Math.max(this.mostWorking, this.#working);
    await pause(ms);
    this.#working -= 1;
    return value;
  }
}

/** A loop over items, all at once, whose one step works for a while. */
const loopOf = (trace: Trace, items: readonly number[]) =>
  new PlanBuilderV2('at once')
    .loop({ stepName: 'item', over: [...items], concurrency: items.length })
    .functionStep({ stepName: 'work', args: { ms: StepOutput('item') }, function: ({ ms }) => trace.work(ms, ms) })
    .endLoop()
    .build();

/** The same store over a line: every answer takes a while. */
function slowly(storage: StorageBackend): StorageBackend {
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      return name === 'watch' ? method : (...args: unknown[]) => pause(2).then(() => method(...args));
    },
  });
}

/** The name that the step at this place has in the record. */
const outputOf = (places: string): string =>
  places
    .split('/')
    .map((place) => `$step_${place}_output`)
    .join('/');

describe('hooks before steps and calls, where steps run at once,', () => {
  it('are asked one at a time, in the order of the plan of those that stand there, while the work goes on at once', async () => {
    const trace = new Trace();
    const plan = loopOf(trace, [40, 30, 20]);
    const run = await clientOf({ hooks: trace.hooks() }).runPlan(plan);
    expect(run.state).toBe('COMPLETE');
    expect(trace.overlaps).toBe(0);
    expect(trace.mostWorking).toBeGreaterThan(1);
    // Whoever was asked whether its step runs comes to its call before those behind it have been asked anything.
    expect(trace.lines).toEqual([40, 30, 20].flatMap((ms) => ['step $step_1_output', `call {"ms":${ms}}`]));
  });

  it('are asked in order too where branches, loops and sub-plans stand within each other', async () => {
    const lines: string[] = [];
    const hooks: ExecutionHooks = { beforeStepExecution: async (_plan, _run, { output }) => void lines.push(output) };
    const quick = (stepName: string) => ({ stepName, readOnly: true as const, function: () => stepName });
    const inner = new PlanBuilderV2('inner').functionStep(quick('b1')).build();
    const plan = new PlanBuilderV2('nested')
      .parallel()
      .branch()
      .parallel()
      .branch()
      .functionStep(quick('a1'))
      .branch()
      .functionStep(quick('a2'))
      .endParallel()
      .branch()
      .addSubPlan({ stepName: 'sub', plan: inner })
      .branch()
      .if({ condition: () => true, args: {} })
      .functionStep(quick('c1'))
      .endIf()
      .endParallel()
      .build();
    for (const storage of [memoryStorage(), slowly(memoryStorage())]) {
      lines.length = 0;
      expect((await clientOf({ hooks, storage }).runPlan(plan)).state).toBe('COMPLETE');
      expect(lines).toEqual(['4', '6', '9/0', '12'].map(outputOf));
    }
  });

  it('leave their turn to the next when they ask a person, and the others go on', async () => {
    const asked: number[] = [];
    const hooks: ExecutionHooks = {
      beforeToolCall(_tool, { ms }, { outputs }) {
        asked.push(Number(ms));
        const known = outputs.clarifications.some(({ resolved }) => resolved);
        return ms === 1 && !known ? InputClarification({ userGuidance: 'well?', argumentName: 'x' }) : undefined;
      },
    };
    const trace = new Trace();
    const portia = clientOf({ hooks });
    const run = await portia.runPlan(loopOf(trace, [1, 2, 3]));
    expect([run.state, asked]).toEqual(['NEED_CLARIFICATION', [1, 2, 3]]);
    const [clarification] = run.getOutstandingClarifications();
    await portia.resolveClarification({ planRun: run, clarification, response: 'yes' });
    expect((await portia.resume({ planRun: run })).state).toBe('COMPLETE');
    expect(asked).toEqual([1, 2, 3, 1]);
  });

  it('hold no place among the steps at work while they are asked', async () => {
    const trace = new Trace();
    const other = new PlanBuilderV2('other').functionStep({ stepName: 'x', function: () => 'done' }).build();
    const portia: Portia = clientOf({
      config: { maxConcurrencyPerClient: 1, maxConcurrency: 2 },
      hooks: {
        // The one place of the client is needed by the run that the hook waits for.
        async beforeToolCall(_tool, args) {
          if (args['ms'] === 1) await portia.runPlan(other);
        },
      },
    });
    expect((await portia.runPlan(loopOf(trace, [1, 2, 3]))).state).toBe('COMPLETE');
    expect(trace.mostWorking).toBe(1);
  });

  it('are not asked any more once the run was cancelled, or another step failed', async () => {
    for (const how of ['cancelled', 'failed']) {
      const asked: unknown[] = [];
      let open: () => void = () => {};
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      const plan = new PlanBuilderV2(how)
        .parallel()
        .branch()
        .functionStep({
          stepName: 'first',
          function: async () => {
            await opened;
            if (how === 'failed') throw new ToolHardError('no');
            return 1;
          },
        })
        .branch()
        .functionStep({ stepName: 'second', function: () => 2 })
        .branch()
        .functionStep({ stepName: 'third', function: () => 3 })
        .endParallel()
        .build();
      const portia = clientOf({
        hooks: {
          async beforeStepExecution(_plan, _run, { output }) {
            asked.push(output);
            if (asked.length < 2) return;
            open();
            // Long enough for the first one to have failed, or for the cancel to arrive.
            await pause(50);
          },
        },
      });
      const { id: planRunId } = await portia.createPlanRun(plan);
      const running = portia.resume({ planRunId });
      if (how === 'cancelled') {
        await opened;
        await portia.cancel({ planRunId });
      }
      expect((await running).error?.code).toBe(how === 'cancelled' ? 'RUN_CANCELLED' : 'TOOL_FAILED');
      expect(asked).toEqual(['2', '4'].map(outputOf));
    }
  });

  it('are followed by no call of a run that was cancelled meanwhile', async () => {
    const calls: string[] = [];
    let cancelled = (): void => {};
    const isCancelled = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const watch = tool({
      id: 'watch',
      description: 'sees the run end',
      readOnly: true,
      run: (_args, { signal }) =>
        new Promise<string>((resolve) => {
          signal.addEventListener('abort', () => {
            cancelled();
            resolve('seen');
          });
        }),
    });
    const portia: Portia = clientOf({
      hooks: {
        async beforeToolCall({ id }, _args, { id: planRunId }) {
          if (id === 'watch') return;
          void portia.cancel({ planRunId });
          await isCancelled;
        },
      },
    });
    const plan = new PlanBuilderV2('pay')
      .parallel()
      .branch()
      .invokeToolStep({ stepName: 'watch', tool: watch, args: {} })
      .branch()
      .functionStep({ stepName: 'pay', function: () => calls.push('pay') })
      .endParallel()
      .build();
    const run = await portia.runPlan(plan);
    expect([run.error?.code, calls]).toEqual(['RUN_CANCELLED', []]);
  });

  it('do not overlap for the calls of one turn of an agent either, and come in its order', async () => {
    const trace = new Trace();
    const look = tool<{ n: number }, number>({
      id: 'look',
      description: 'looks',
      readOnly: true,
      run: ({ n }) => trace.work(20, n),
    });
    const plan = new PlanBuilderV2('agent').reactAgentStep({ stepName: 'a', task: 'look', tools: ['look'] }).build();
    const model = scriptedModel([
      together(...[1, 2, 3].map((n) => toolCall('look', { n }))),
      toolCall('final_result', { result: 'seen' }),
    ]);
    const portia = clientOf({ tools: [look], hooks: trace.hooks(), config: { models: { default: model } } });
    expect((await portia.runPlan(plan)).state).toBe('COMPLETE');
    expect(trace.lines).toEqual(['step $step_0_output', 'call {"n":1}', 'call {"n":2}', 'call {"n":3}']);
    expect([trace.overlaps, trace.mostWorking > 1]).toEqual([0, true]);
  });
});

describe('hooks in the order of the plan', () => {
  it('read as in sequence: a round begins when the one before it has ended', async () => {
    const trace = new Trace();
    const hooks: ExecutionHooks = {
      ...trace.hooks(),
      inPlanOrder: true,
      afterStepExecution: (_plan, _run, _step, output) =>
        void trace.lines.push(`ended ${'value' in output && textOf(output.value)}`),
    };
    const run = await clientOf({ hooks }).runPlan(loopOf(trace, [30, 20, 10]));
    expect(run.state).toBe('COMPLETE');
    expect(trace.lines).toEqual(
      [30, 20, 10].flatMap((ms) => ['step $step_1_output', `call {"ms":${ms}}`, `ended ${ms}`]),
    );
    expect(trace.mostWorking).toBe(1);
  });

  it('go on with the next one where an earlier one waits for a person or a time', async () => {
    const lines: string[] = [];
    const step = (stepName: string) => ({ stepName, function: () => stepName });
    const plan = new PlanBuilderV2('waits')
      .parallel()
      .branch()
      .userInput({ stepName: 'q', message: '?' })
      .functionStep(step('asked'))
      .branch()
      .sleep({ ms: 60_000 })
      .functionStep(step('slept'))
      .branch()
      .functionStep(step('last'))
      .endParallel()
      .build();
    const clock = fakeClock();
    const beforeToolCall: ExecutionHooks['beforeToolCall'] = (_tool, _args, _run, { output }) =>
      void lines.push(output);
    const portia = clientOf({ clock, hooks: { inPlanOrder: true, beforeToolCall } });
    const run = await portia.runPlan(plan);
    expect([run.state, lines]).toEqual(['NEED_CLARIFICATION', [outputOf('8')]]);
    await clock.advance(60_000);
    await portia.resume({ planRun: run });
    expect(lines).toEqual(['8', '6'].map(outputOf));
    const [clarification] = run.getOutstandingClarifications();
    await portia.resolveClarification({ planRun: run, clarification, response: 'yes' });
    expect((await portia.resume({ planRun: run })).state).toBe('COMPLETE');
    expect(lines).toEqual(['8', '6', '3'].map(outputOf));
  });

  it('is what combined hooks keep when one of them wants it, and holds for the calls of an agent and planned groups', async () => {
    expect(combineHooks({}, { inPlanOrder: true }).inPlanOrder).toBe(true);
    expect(combineHooks({}, {}).inPlanOrder).toBeUndefined();
    const trace = new Trace();
    const look = tool<{ n: number }, number>({
      id: 'look',
      description: 'looks',
      readOnly: true,
      run: ({ n }) => trace.work(5, n ?? 0),
    });
    const agent = new PlanBuilderV2('agent').reactAgentStep({ stepName: 'a', task: 'look', tools: ['look'] }).build();
    const model = scriptedModel([
      together(...[1, 2, 3].map((n) => toolCall('look', { n }))),
      toolCall('final_result', { result: 'seen' }),
    ]);
    const portia = clientOf({ tools: [look], hooks: { inPlanOrder: true }, model });
    expect((await portia.runPlan(agent)).state).toBe('COMPLETE');
    const planned = planOf({ toolId: 'look', output: '$a' }, { toolId: 'look', output: '$b' });
    expect((await portia.runPlan(planned)).state).toBe('COMPLETE');
    expect(trace.mostWorking).toBe(1);
  });
});
