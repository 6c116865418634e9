import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf } from '../../test/lib/engine.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { UserVerificationClarification } from '../core/clarification.ts';
import { ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { StepOutput } from '../core/reference.ts';
import type { Tool } from '../core/tool.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import type { ExecutionHooks } from './hooks.ts';

const client = (): Portia =>
  new Portia({ config: new Config({ storage: memoryStorage(), defaultModel: scriptedModel([]) }) });

describe('the outcome of a builder run', () => {
  it('is the message of an exit, also where the plan says what its output must be', async () => {
    const plan = new PlanBuilderV2('exits')
      .if({ condition: () => true })
      .exit({ message: 'too dear' })
      .endIf()
      .functionStep({ function: () => ({ price: 1 }), readOnly: true })
      .finalOutput({ outputSchema: z.object({ price: z.number() }) })
      .build();
    const run = await client().runPlan(plan);
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'too dear']);
  });

  it('is the message of an exit in one of several branches', async () => {
    const plan = new PlanBuilderV2('exits')
      .parallel()
      .branch()
      .exit({ message: 'enough' })
      .branch()
      .functionStep({
        function: () => new Promise<string>((resolve) => setTimeout(resolve, 10, 'late')),
        readOnly: true,
      })
      .endParallel()
      .finalOutput({ outputSchema: z.object({ price: z.number() }) })
      .build();
    const run = await client().runPlan(plan);
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'enough']);
  });

  it('reads in the order of the plan, an exit among concurrent rounds too', async () => {
    const plan = new PlanBuilderV2('exits')
      .loop({ over: [1, 2, 3], stepName: 'n', concurrency: 3 })
      .functionStep({ stepName: 'made', args: { n: StepOutput('n') }, readOnly: true, function: ({ n }) => n })
      .if({ args: { n: StepOutput('n') }, condition: ({ n }) => n === 2 })
      .exit({ message: 'enough' })
      .endIf()
      .endLoop()
      .build();
    const { outputs } = await client().runPlan(plan);
    const names = Object.keys(outputs.stepOutputs);
    expect(outputs.finalOutput?.value).toBe('enough');
    expect(names).toContain('$step_3_output');
    expect(names).toEqual([...names].sort());
  });

  it('of a step of one’s own that is idempotent needs no person when it fails: it is called again', async () => {
    const keys: string[] = [];
    const plan = new PlanBuilderV2('own')
      .addStep({
        idempotent: true,
        run(_args, { idempotencyKey }) {
          keys.push(idempotencyKey);
          if (keys.length === 1) throw new Error('the line broke');
          return 'done';
        },
      })
      .build();
    const portia = client();
    const first = await portia.runPlan(plan);
    const run = first.state === 'FAILED' ? await portia.retry({ planRunId: first.id }) : first;
    expect([run.state, run.outputs.finalOutput?.value, new Set(keys).size, run.outputs.clarifications]).toEqual([
      'COMPLETE',
      'done',
      1,
      [],
    ]);
  });
});

describe('a function that is to say yes or no, and says neither', () => {
  it('as a condition fails the run, where a branch would be taken by mistake', async () => {
    const errors: unknown[] = [];
    const said = ['yes', 1, undefined, Promise.resolve(null)];
    const conditions = [...said.map((value) => () => value as never), () => JSON.parse('{') as never];
    for (const condition of conditions) {
      const plan = new PlanBuilderV2('truth').if({ condition }).exit({ message: 'too dear' }).endIf().build();
      const { error } = await client().runPlan(plan);
      errors.push([error?.code, error?.step, error?.message.replace(/SyntaxError: .*/, 'SyntaxError')]);
    }
    const neither = (what: string): unknown => [
      'OUTPUT_INVALID',
      0,
      `the condition of step_0 gave ${what}, which is neither true nor false`,
    ];
    const threw = ['STEP_FAILED', 0, 'the condition of step_0 threw SyntaxError'];
    expect(errors).toEqual([neither('"yes"'), neither('1'), neither('undefined'), neither('null'), threw]);
    const loop = new PlanBuilderV2('round and round')
      .loop({ while: () => 'more' as never })
      .endLoop()
      .build();
    expect((await client().runPlan(loop)).error?.code).toBe('OUTPUT_INVALID');
  });

  it.each([
    ['an object', Object.create(null)],
    ['an object', { toString: () => JSON.parse('{') as string }],
    ['an object', new Proxy({}, { get: (_target, key) => (key === 'then' ? undefined : JSON.parse('{')) })],
    ['a list', [Object.create(null)]],
    ['a function', () => true],
    ['Symbol(yes)', Symbol('yes')],
  ])('as a condition is told so, whatever it gives: %s', async (what, said) => {
    const condition = () => said as never;
    const branch = new PlanBuilderV2('truth').if({ condition }).exit({ message: 'too dear' }).endIf().build();
    const loop = new PlanBuilderV2('round and round').loop({ while: condition }).endLoop().build();
    for (const plan of [branch, loop]) {
      expect((await client().runPlan(plan)).error).toMatchObject({
        code: 'OUTPUT_INVALID',
        message: `the condition of step_0 gave ${what}, which is neither true nor false`,
      });
    }
  });

  it('and breaks off with something strange fails the run', async () => {
    const strange = () => Promise.reject(Object.create(null));
    const branch = new PlanBuilderV2('truth').if({ condition: strange }).exit({ message: 'taken' }).endIf().build();
    const asking = new PlanBuilderV2('truth')
      .functionStep({ function: () => 1, approval: { message: 'Pay?', when: strange } })
      .build();
    for (const plan of [branch, asking]) {
      const { error } = await client().runPlan(plan);
      expect([error?.code, error?.message]).toEqual([
        'STEP_FAILED',
        expect.stringContaining('not an Error was thrown'),
      ]);
    }
  });

  it('of a hook that changes what was approved has the call not made, unless the change is approved, too', async () => {
    const paid: unknown[] = [];
    const pay = tool<{ amount: number }, string>({
      id: 'pay',
      description: 'pays',
      run: ({ amount }) => {
        paid.push(amount);
        return 'paid';
      },
    });
    const plan = new PlanBuilderV2('pay')
      .invokeToolStep({ stepName: 'p', tool: pay, args: { amount: 1 }, approval: { message: 'Pay 1?' } })
      .build();
    const hooksOf = (amount: number, asks: boolean): ExecutionHooks => ({
      beforeToolCall(_tool, args) {
        args['amount'] = amount;
        return asks ? UserVerificationClarification({ userGuidance: `Pay ${amount}?` }) : undefined;
      },
    });
    const approvedWith = async (hooks: ExecutionHooks): Promise<[Portia, PlanRun]> => {
      const portia = clientOf({ hooks });
      return [portia, await answerAndResume(portia, await portia.runPlan(plan), true)];
    };
    const [, same] = await approvedWith(hooksOf(1, false));
    const [, changed] = await approvedWith(hooksOf(1_000, false));
    expect([same.state, changed.error?.code, paid]).toEqual(['COMPLETE', 'APPROVAL_REFUSED', [1]]);
    const [portia, asked] = await approvedWith(hooksOf(2, true));
    expect((await answerAndResume(portia, asked, true)).state).toBe('COMPLETE');
    expect(paid).toEqual([1, 2]);
  });

  it('about an approval has somebody asked', async () => {
    const states: unknown[] = [];
    for (const said of [true, false, undefined, 0, '']) {
      const plan = new PlanBuilderV2('pay')
        .functionStep({ function: () => 'paid', approval: { message: 'Pay?', when: () => said as never } })
        .build();
      states.push((await client().runPlan(plan)).state);
    }
    const asked = 'NEED_CLARIFICATION';
    expect(states).toEqual([asked, 'COMPLETE', asked, asked, asked]);
  });
});

describe('a call of a builder step', () => {
  it('gets frozen arguments: it changes neither the record nor what its next attempt is given', async () => {
    const given: unknown[] = [];
    const plan = new PlanBuilderV2('frozen')
      .functionStep({
        args: { rows: [{ at: 1 }] },
        readOnly: true,
        retry: { maxAttempts: 2, delayMs: 0 },
        function(args) {
          given.push(structuredClone(args));
          const isChanged =
            Reflect.set(args, 'more', 1) || Reflect.set(args.rows, 1, 2) || Reflect.set(args.rows[0] ?? {}, 'at', 2);
          if (given.length === 1) throw new ToolSoftError('busy');
          return isChanged;
        },
      })
      .build();
    const run = await client().runPlan(plan);
    expect([run.outputs.finalOutput?.value, given]).toEqual([false, [{ rows: [{ at: 1 }] }, { rows: [{ at: 1 }] }]]);
  });

  it('of a tool that is a class finds what is private to it, also with a time-out of the step', async () => {
    class Clock implements Tool<never, number> {
      readonly id = 'clock';
      readonly name = 'Clock';
      readonly description = 'Says what time it is';
      readonly readOnly = true;
      readonly #now = 12;
      run(): number {
        return this.#now;
      }
    }
    const plan = new PlanBuilderV2('time').invokeToolStep({ tool: new Clock(), timeoutMs: 5_000 }).build();
    const run = await client().runPlan(plan);
    expect([run.error, run.outputs.finalOutput?.value]).toEqual([undefined, 12]);
  });

  it('has a signal that is let go of when the call has ended', async () => {
    const signals: AbortSignal[] = [];
    const stop = new AbortController();
    const plan = new PlanBuilderV2('signals')
      .parallel({ onFailure: 'abort', concurrency: 1 })
      .branch()
      .functionStep({ readOnly: true, function: (_args, { signal }) => signals.push(signal) })
      .functionStep({ readOnly: true, function: (_args, { signal }) => signals.push(signal) })
      .branch()
      .functionStep({
        readOnly: true,
        function(_args, { signal }) {
          signals.push(signal);
          stop.abort();
          throw new ToolHardError('no');
        },
      })
      .endParallel()
      .build();
    await client().runPlan(plan, { signal: stop.signal });
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, true]);
  });

  it('is not waited for between its attempts, nor is a sleep, when its block is aborted', async () => {
    const plan = new PlanBuilderV2('abort')
      .parallel({ onFailure: 'abort' })
      .branch()
      .functionStep({
        readOnly: true,
        retry: { maxAttempts: 2, delayMs: 60_000 },
        function() {
          throw new ToolSoftError('busy');
        },
      })
      .branch()
      .sleep({ ms: 1_900 })
      .branch()
      .functionStep({
        readOnly: true,
        async function() {
          await new Promise((resolve) => setTimeout(resolve, 10));
          throw new ToolHardError('no');
        },
      })
      .endParallel()
      .build();
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }), clock: fakeClock() });
    const run = await portia.runPlan(plan);
    expect([run.state, run.error?.message]).toEqual(['FAILED', 'no']);
  });
});
