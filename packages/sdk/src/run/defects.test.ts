// What builder plans of Portia 0.9 got wrong, each with the right behaviour.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, finalOf, recorded, toEnd } from '../../test/lib/builder-runs.ts';
import { answerAndResume, codeOf, questionOf } from '../../test/lib/engine.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import {
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
} from '../core/clarification.ts';
import type { JsonValue } from '../core/json.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import type { ToolResult } from '../core/tool.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import type { AnyPlanV2 } from '../plan/builder-programs.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import { clarifyOnToolCalls } from './approval-hooks.ts';
import { BeforeStepExecutionOutcome } from './hooks.ts';

const branching = new PlanBuilderV2('branching')
  .functionStep({ stepName: 'kind', readOnly: true, function: () => 'small' })
  .if({ condition: ({ kind }) => kind === 'big', args: { kind: StepOutput('kind') } })
  .functionStep({ stepName: 'big', readOnly: true, function: () => 'it is big' })
  .elseIf({ condition: ({ kind }) => kind === 'small', args: { kind: StepOutput('kind') } })
  .userInput({ stepName: 'name', message: 'Who?' })
  .functionStep({
    stepName: 'small',
    readOnly: true,
    args: { name: StepOutput('name') },
    function: ({ name }) => `${String(name)} is small`,
  })
  .else()
  .functionStep({ stepName: 'neither', readOnly: true, function: () => 'neither' })
  .endIf()
  .functionStep({
    stepName: 'last',
    readOnly: true,
    args: { kind: StepOutput('kind'), small: StepOutput('small', { optional: true }) },
    function: (args) => args,
  })
  .build();

describe('branches', () => {
  it('are gone on with after a question inside one, inline and in a new client (D1)', async () => {
    const expected = { kind: 'small', small: 'Ada is small' };
    const inline = clientOf({
      hooks: { clarificationHandler: { handleInput: (asked, resolve) => resolve(asked, 'Ada') } },
    });
    expect(finalOf(await inline.runPlan(branching))).toEqual(expected);
    const storage = memoryStorage();
    const client = (): Portia => clientOf({ storage, plans: [branching] });
    const { run, asked } = await toEnd(client, await client().runPlan(branching), () => 'Ada');
    expect(finalOf(run)).toEqual(expected);
    expect(asked).toEqual(['Who?']);
  });

  it('keep their place when a hook skips steps, and hooks never skip what only steers (D8)', async () => {
    const seen: string[] = [];
    const skipping = clientOf({
      hooks: {
        beforeStepExecution(_plan, _run, step) {
          seen.push(step.output);
          return seen.length === 1 ? undefined : BeforeStepExecutionOutcome.SKIP;
        },
      },
    });
    const run = await skipping.runPlan(branching);
    expect(finalOf(run)).toBe('small');
    // The steps of the branch that was taken, and what follows it.
    expect(seen).toEqual(['$step_0_output', '$step_4_output', '$step_5_output', '$step_9_output']);
  });
});

describe('a cold resume', () => {
  const plan = new PlanBuilderV2('cold')
    .input({ name: 'who', schema: z.string() })
    .functionStep({
      stepName: 'made',
      readOnly: true,
      args: { who: Input('who') },
      function: ({ who }) => ({ who, list: [1, 2] }),
    })
    .userInput({ stepName: 'q', message: 'And?' })
    .functionStep({
      stepName: 'all',
      readOnly: true,
      args: {
        who: StepOutput('made', { path: 'who' }),
        second: StepOutput('made', { path: 'list.1' }),
        q: StepOutput('q'),
      },
      function: (args) => args,
    })
    .build();

  it('has the outputs of the steps before it (D2)', async () => {
    const storage = memoryStorage();
    const client = (): Portia => clientOf({ storage, plans: [plan] });
    const { run } = await toEnd(client, await client().runPlan(plan, { planRunInputs: { who: 'Ada' } }), () => 'so');
    expect(finalOf(run)).toEqual({ who: 'Ada', second: 2, q: 'so' });
  });

  it('needs the id alone, where the plan is registered; without it, nothing runs in its place (D11, 8.2 12)', async () => {
    const storage = memoryStorage();
    const waiting = await clientOf({ storage }).runPlan(plan, { planRunInputs: { who: 'Ada' } });
    const [question] = waiting.getOutstandingClarifications();
    const model = scriptedModel(() => 'a model must not be asked');
    const stranger = new Portia({ config: new Config({ storage, models: { default: model } }) });
    await stranger.resolveClarification({ planRunId: waiting.id, clarification: question, response: 'so' });
    const before = (await stranger.storage.getEvents(waiting.id)).length;
    expect(await codeOf(stranger.resume({ planRunId: waiting.id }))).toBe('PLAN_NOT_REGISTERED');
    expect(await stranger.storage.getEvents(waiting.id)).toHaveLength(before);
    expect(model.requests).toEqual([]);
    const done = await clientOf({ storage, plans: [plan] }).resume({ planRunId: waiting.id });
    expect(finalOf(done)).toEqual({ who: 'Ada', second: 2, q: 'so' });
  });

  it('calls beforePlanRun once, also when the first step has waited (D8)', async () => {
    const storage = memoryStorage();
    let begun = 0;
    const asking = new PlanBuilderV2('first').userInput({ stepName: 'q', message: 'q?' }).build();
    const client = (): Portia =>
      clientOf({ storage, plans: [asking], hooks: { beforePlanRun: () => void (begun += 1) } });
    const { run } = await toEnd(client, await client().runPlan(asking), () => 'a');
    expect(finalOf(run)).toBe('a');
    expect(begun).toBe(1);
  });
});

describe('a for-each', () => {
  const nested = new PlanBuilderV2('nested')
    .input({ name: 'list', schema: z.array(z.number()) })
    .loop({ stepName: 'outer', over: Input('list') })
    .loop({ stepName: 'inner', over: ['a', 'b'] })
    .functionStep({
      stepName: 'pair',
      readOnly: true,
      args: { n: StepOutput('outer'), c: StepOutput('inner') },
      function: ({ n, c }) => `${n}${c}`,
    })
    .endLoop()
    .endLoop()
    .functionStep({
      stepName: 'all',
      readOnly: true,
      args: { all: StepOutput('pair', { full: true }) },
      function: ({ all }) => all.join(' '),
    })
    .build();

  it('begins anew in every run, in every round of a loop around it, and in runs at once (D3)', async () => {
    const portia = clientOf();
    expect(finalOf(await portia.runPlan(nested, { planRunInputs: { list: [1, 2] } }))).toBe('1a 1b 2a 2b');
    expect(finalOf(await portia.runPlan(nested, { planRunInputs: { list: [3] } }))).toBe('3a 3b');
    const lists = Array.from({ length: 20 }, (_, n) => Array.from({ length: n % 4 }, (__, m) => n * 10 + m));
    const runs = await Promise.all(lists.map((list) => portia.runPlan(nested, { planRunInputs: { list } })));
    expect(runs.map(finalOf)).toEqual(lists.map((list) => list.flatMap((n) => [`${n}a`, `${n}b`]).join(' ')));
  });

  it.each([
    [[1, 2, 3]],
    [['a', 'b', 'c']],
    [
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [[]],
    [['one']],
  ])('goes over the literal list %j as it is (D4)', async (list) => {
    const plan = new PlanBuilderV2('literal')
      .loop({ stepName: 'each', over: list as readonly (string | number | readonly number[])[] })
      .functionStep({
        stepName: 'got',
        readOnly: true,
        args: { item: StepOutput('each') },
        function: ({ item }) => item,
      })
      .endLoop()
      .functionStep({
        stepName: 'all',
        readOnly: true,
        args: { all: StepOutput('got', { full: true }) },
        function: ({ all }) => all,
      })
      .build();
    expect(finalOf(await clientOf().runPlan(plan))).toEqual(list);
  });

  it('goes on after an element that is null (D5)', async () => {
    const plan = new PlanBuilderV2('null')
      .functionStep({ stepName: 'list', readOnly: true, function: () => ['x', null, 'z'] })
      .loop({ stepName: 'each', over: StepOutput('list') })
      .functionStep({
        stepName: 'got',
        readOnly: true,
        args: { item: StepOutput('each') },
        function: ({ item }) => item,
      })
      .endLoop()
      .functionStep({
        stepName: 'all',
        readOnly: true,
        args: { all: StepOutput('got', { full: true }) },
        function: ({ all }) => all,
      })
      .build();
    expect(finalOf(await clientOf().runPlan(plan))).toEqual(['x', null, 'z']);
  });

  it('asks in every iteration of a loop: inputs, verifications and approvals of calls (D6)', async () => {
    const calls: string[] = [];
    const pay = tool({
      id: 'pay',
      description: 'pays',
      argsSchema: z.object({ to: z.string() }),
      run({ to }) {
        calls.push(to);
        return `paid ${to}`;
      },
    });
    const plan = new PlanBuilderV2('asking')
      .loop({ stepName: 'who', over: ['Ada', 'Bob'] })
      .userInput({ stepName: 'sum', message: text`How much for ${StepOutput('who')}?` })
      .userVerify({ message: text`${StepOutput('sum')} for ${StepOutput('who')}?` })
      .invokeToolStep({ stepName: 'paid', tool: 'pay', args: { to: StepOutput('who') } })
      .endLoop()
      .functionStep({
        stepName: 'all',
        readOnly: true,
        args: { sums: StepOutput('sum', { full: true }), paid: StepOutput('paid', { full: true }) },
        function: (args) => args,
      })
      .build();
    const storage = memoryStorage();
    const client = (): Portia =>
      clientOf({ storage, plans: [plan], tools: [pay], hooks: { beforeToolCall: clarifyOnToolCalls('pay') } });
    const sums: JsonValue[] = [10, 20];
    const { run, asked } = await toEnd(client, await client().runPlan(plan), (guidance) =>
      guidance.startsWith('How much') ? (sums.shift() ?? null) : true,
    );
    expect(finalOf(run)).toEqual({ sums: [10, 20], paid: ['paid Ada', 'paid Bob'] });
    expect(asked.map((guidance) => guidance.split('\n')[0])).toEqual([
      'How much for Ada?',
      '10 for Ada?',
      'May Pay (pay) be called with these arguments?',
      'How much for Bob?',
      '20 for Bob?',
      'May Pay (pay) be called with these arguments?',
    ]);
    expect(calls).toEqual(['Ada', 'Bob']);
  });
});

describe('the final output', () => {
  it('is what a step made, never the marker of a block that ends the plan (D7)', async () => {
    const ifLast = new PlanBuilderV2('if last')
      .if({ condition: () => true })
      .functionStep({ readOnly: true, function: () => 'made in the branch' })
      .endIf()
      .build();
    const loopLast = new PlanBuilderV2('loop last')
      .loop({ stepName: 'n', over: [1, 2] })
      .functionStep({ readOnly: true, args: { n: StepOutput('n') }, function: ({ n }) => n * 10 })
      .endLoop()
      .build();
    expect(finalOf(await clientOf().runPlan(ifLast))).toBe('made in the branch');
    expect(finalOf(await clientOf().runPlan(loopLast))).toBe(20);
  });

  it('is the message of an exit as a text, recorded once (D7)', async () => {
    const plan = new PlanBuilderV2('exit')
      .functionStep({ stepName: 'a', readOnly: true, function: () => 'A' })
      .exit({ message: text`enough of ${StepOutput('a')}` })
      .functionStep({ readOnly: true, function: () => 'never' })
      .build();
    const portia = clientOf();
    const run = await portia.runPlan(plan);
    expect(finalOf(run)).toBe('enough of A');
    expect(run.state).toBe('COMPLETE');
    expect((await recorded(portia, run)).filter((value) => value === 'enough of A')).toHaveLength(1);
    const failing = new PlanBuilderV2('exit with an error').exit({ message: 'no gold today', error: true }).build();
    expect((await portia.runPlan(failing)).error).toMatchObject({ code: 'RUN_EXITED', message: 'no gold today' });
  });
});

describe('a sub-plan', () => {
  const inner = new PlanBuilderV2('inner')
    .input({ name: 'order', schema: z.object({ id: z.number() }) })
    .userInput({ stepName: 'colour', message: text`Which colour for ${Input('order')}?` })
    .functionStep({
      stepName: 'made',
      readOnly: true,
      args: { order: Input('order'), colour: StepOutput('colour') },
      function: (args) => args,
    })
    .build();
  const outer = new PlanBuilderV2('outer')
    .functionStep({ stepName: 'order', readOnly: true, function: () => ({ id: 7 }) })
    .addSubPlan({ stepName: 'sub', plan: inner, inputValues: { order: StepOutput('order') } })
    .functionStep({ stepName: 'after', readOnly: true, args: { sub: StepOutput('sub') }, function: ({ sub }) => sub })
    .build();

  it('that pauses makes its parent wait; its inputs are the values themselves (D9)', async () => {
    const storage = memoryStorage();
    const client = (): Portia => clientOf({ storage, plans: [outer] });
    const begun = await client().runPlan(outer);
    expect(begun.state).toBe('NEED_CLARIFICATION');
    const { run, asked } = await toEnd(client, begun, () => 'red');
    expect(asked).toEqual(['Which colour for {"id":7}?']);
    expect(finalOf(run)).toEqual({ order: { id: 7 }, colour: 'red' });
    expect((await storage.listRuns({})).items).toHaveLength(1);
  });

  it('that fails makes its parent fail, and what follows does not run (D9)', async () => {
    let after = 0;
    const failing = new PlanBuilderV2('failing')
      .functionStep({ readOnly: true, function: () => Promise.reject(new Error('the pump is dry')) })
      .build();
    const plan = new PlanBuilderV2('parent')
      .addSubPlan({ stepName: 'sub', plan: failing })
      .functionStep({ readOnly: true, function: () => (after += 1) })
      .build();
    const run = await clientOf().runPlan(plan);
    expect(run.state).toBe('FAILED');
    expect(run.error?.message).toContain('the pump is dry');
    expect(after).toBe(0);
  });

  it('has a form for dashboards, with steps named after it (D9)', () => {
    const steps = outer.toLegacyPlan().steps;
    expect(steps.map(({ output }) => output)).toEqual(['$step_0_output', '$step_1_output', '$step_2_output']);
    expect(steps[1]?.task).toContain('inner');
  });
});

describe('a question', () => {
  it('that somebody else answers while a handler waits is taken up by the same run (D10)', async () => {
    const storage = memoryStorage();
    const plan = new PlanBuilderV2('elsewhere')
      .userInput({ stepName: 'q', message: 'q?' })
      .functionStep({
        stepName: 'got',
        readOnly: true,
        args: { q: StepOutput('q') },
        function: ({ q }) => `got ${String(q)}`,
      })
      .build();
    const handled = clientOf({
      storage,
      hooks: {
        clarificationHandler: {
          handleInput(asked) {
            const elsewhere = clientOf({ storage, plans: [plan] });
            void elsewhere.resolveClarification({ clarification: asked, response: 'an answer from elsewhere' });
          },
        },
      },
    });
    const run = await handled.runPlan(plan);
    expect(finalOf(run)).toBe('got an answer from elsewhere');
    expect((await clientOf({ storage }).storage.getPlanRun(run.id)).toJSON()).toEqual(run.toJSON());
  });

  it.each(['no', 'n', 'yes', 'true', null, 0, 1, {}])(
    'of yes or no is not answered by %j, and is still open then (D13a)',
    async (response) => {
      const storage = memoryStorage();
      const paid: string[] = [];
      const pay = tool({ id: 'pay', description: 'pays', run: () => paid.push('paid') });
      const verify = new PlanBuilderV2('verify')
        .userVerify({ message: 'Sure?' })
        .functionStep({ function: () => paid.push('done') })
        .build();
      const call = new PlanBuilderV2('call').invokeToolStep({ tool: 'pay' }).build();
      for (const plan of [verify, call]) {
        const portia = clientOf({
          storage,
          plans: [plan],
          tools: [pay],
          hooks: {
            beforeToolCall: ({ id }) =>
              id === 'pay' ? UserVerificationClarification({ userGuidance: 'Pay?' }) : undefined,
          },
        });
        const run = await portia.runPlan(plan);
        const clarification = questionOf(run as PlanRun);
        expect(await codeOf(portia.resolveClarification({ planRun: run, clarification, response }))).toBe(
          'CLARIFICATION_RESPONSE_INVALID',
        );
        const still = await portia.resume({ planRun: run });
        expect(still.state).toBe('NEED_CLARIFICATION');
        expect(questionOf(still).resolved).toBe(false);
        const refused = await answerAndResume(portia, still, false);
        expect(refused.error).toMatchObject({ code: 'APPROVAL_REFUSED' });
      }
      expect(paid).toEqual([]);
    },
  );

  it('of any size is asked, one or several at once (8.2 11)', async () => {
    const long = 'Which of these? '.repeat(1_000);
    const plan = new PlanBuilderV2('large')
      .functionStep({
        stepName: 'asked',
        readOnly: true,
        function: (_args, { clarifications }): ToolResult<string[]> => {
          const answers = clarifications.filter(({ resolved }) => resolved).map(({ response }) => response);
          if (answers.length === 2) return answers.map(String);
          return [
            InputClarification({ userGuidance: long, argumentName: 'a' }),
            MultipleChoiceClarification({
              userGuidance: 'and',
              argumentName: 'b',
              options: Array.from({ length: 2_000 }, (_, n) => `option ${n}`),
            }),
          ];
        },
      })
      .functionStep({
        stepName: 'all',
        readOnly: true,
        args: { asked: StepOutput('asked') },
        function: ({ asked }) => asked,
      })
      .build();
    const storage = memoryStorage();
    const client = (): Portia => clientOf({ storage, plans: [plan] });
    const run = await client().runPlan(plan);
    expect(run.state).toBe('NEED_CLARIFICATION');
    expect(run.getOutstandingClarifications().map(({ userGuidance }) => userGuidance)).toEqual([long, 'and']);
    for (const clarification of run.getOutstandingClarifications()) {
      await client().resolveClarification({
        planRun: run,
        clarification,
        response: clarification.category === 'Input' ? 'this one' : 'option 1999',
      });
    }
    expect(finalOf(await client().resume({ planRun: run }))).toEqual(['this one', 'option 1999']);
  });
});

describe('steps', () => {
  it('that do not need each other run at once: branches, and items of a list (D12)', async () => {
    let arrived = 0;
    const together: (() => void)[] = [];
    // Each goes on only when all four are under way: in sequence this would never end.
    const meet = async (n: number): Promise<number> => {
      arrived += 1;
      if (arrived === 4) for (const go of together) go();
      else await new Promise<void>((resolve) => together.push(resolve));
      return n;
    };
    const plan = new PlanBuilderV2('at once')
      .parallel()
      .branch()
      .functionStep({ stepName: 'a', readOnly: true, function: () => meet(1) })
      .branch()
      .loop({ stepName: 'n', over: [2, 3, 4], concurrency: 3 })
      .functionStep({ stepName: 'b', readOnly: true, args: { n: StepOutput('n') }, function: ({ n }) => meet(n) })
      .endLoop()
      .endParallel()
      .functionStep({
        stepName: 'all',
        readOnly: true,
        args: { a: StepOutput('a'), b: StepOutput('b', { full: true }) },
        function: (args) => args,
      })
      .build();
    expect(finalOf(await clientOf().runPlan(plan))).toEqual({ a: 1, b: [2, 3, 4] });
  });

  it('in a loop whose condition stays true are stopped at its limit (D13)', async () => {
    let rounds = 0;
    const forever = (maxIterations?: number): AnyPlanV2 =>
      new PlanBuilderV2('for ever')
        .loop({ while: () => true, maxIterations })
        .functionStep({ readOnly: true, function: () => (rounds += 1) })
        .endLoop()
        .build();
    const run = await clientOf().runPlan(forever(5));
    expect(run.error).toMatchObject({ code: 'LOOP_LIMIT' });
    expect(rounds).toBe(5);
    rounds = 0;
    expect((await clientOf().runPlan(forever())).error).toMatchObject({ code: 'LOOP_LIMIT' });
    expect(rounds).toBe(10_000);
  });
});
