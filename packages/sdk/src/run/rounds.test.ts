import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, codeOf } from '../../test/lib/engine.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { FirstOf } from '../core/plan-v2-steps.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';

const outcome = async (plan: Parameters<ReturnType<typeof clientOf>['runPlan']>[0]): Promise<unknown> => {
  const run = await clientOf().runPlan(plan);
  return run.error ?? run.outputs.finalOutput?.value;
};

describe.each([1, 2])('in a loop of which %i rounds run at once, a round sees what it made itself', (concurrency) => {
  it('where branches are merged', async () => {
    const plan = new PlanBuilderV2('merge')
      .loop({ stepName: 'i', over: [1, 2, 3], concurrency })
      .if({ condition: ({ i }) => i === 1, args: { i: StepOutput('i') } })
      .functionStep({ stepName: 'a', args: { i: StepOutput('i') }, function: ({ i }) => `a${i}`, readOnly: true })
      .else()
      .functionStep({ stepName: 'b', args: { i: StepOutput('i') }, function: ({ i }) => `b${i}`, readOnly: true })
      .endIf({ stepName: 'merged', value: FirstOf('a', 'b') })
      .endLoop()
      .functionStep({ args: { all: StepOutput('merged', { full: true }) }, function: ({ all }) => all.join() })
      .build();
    expect(await outcome(plan)).toBe('a1,b2,b3');
  });

  it('of a branch that was not taken, of a loop that had nothing to go through, and in strands', async () => {
    const plan = new PlanBuilderV2('optional')
      .loop({ stepName: 'i', over: [[1], [], [2]], concurrency })
      .if({ condition: ({ i }) => i[0] === 1, args: { i: StepOutput('i') } })
      .functionStep({ stepName: 'a', function: () => 'a', readOnly: true })
      .endIf()
      .loop({ stepName: 'j', over: StepOutput('i') })
      .functionStep({ stepName: 'b', args: { j: StepOutput('j') }, function: ({ j }) => j, readOnly: true })
      .endLoop()
      .parallel()
      .branch()
      .functionStep({
        stepName: 'seen',
        args: { a: StepOutput('a', { optional: true }), b: StepOutput('b', { optional: true }) },
        function: ({ a, b }) => `${a ?? '-'}${b ?? '-'}`,
        readOnly: true,
      })
      .endParallel()
      .endLoop()
      .functionStep({ args: { all: StepOutput('seen', { full: true }) }, function: ({ all }) => all.join() })
      .build();
    expect(await outcome(plan)).toBe('a1,--,-2');
  });
});

it('after a loop, and in what steers it, a step is what it made last', async () => {
  const plan = new PlanBuilderV2('after')
    .loop({ stepName: 'i', over: [1, 2, 3] })
    .if({ condition: ({ i }) => i === 2, args: { i: StepOutput('i') } })
    .functionStep({ stepName: 'two', args: { i: StepOutput('i') }, function: ({ i }) => i * 10, readOnly: true })
    .endIf()
    .endLoop()
    .loop({ doWhile: ({ n }) => n !== 3, args: { n: StepOutput('n') } })
    .functionStep({
      stepName: 'n',
      args: { all: StepOutput('two', { full: true }), two: StepOutput('two', { optional: true }) },
      function: ({ two }) => (two === 20 ? 3 : 0),
      readOnly: true,
    })
    .endLoop()
    .build();
  expect(await outcome(plan)).toBe(3);
});

it('`initial` stands in for an argument, whatever it is made of', async () => {
  const plan = new PlanBuilderV2('initial')
    .loop({ while: ({ s }) => s !== '3', args: { s: text`${StepOutput('st')}` }, initial: { s: '0' } })
    .functionStep({ stepName: 'st', function: () => 3, readOnly: true })
    .endLoop()
    .functionStep({ args: { st: StepOutput('st', { optional: true }) }, function: ({ st }) => st ?? 0 })
    .build();
  expect(await outcome(plan)).toBe(3);
});

it('`initial` stands in before the first round only, and what is marked optional may be missing after one', async () => {
  const seen: unknown[] = [];
  const looped = (limit: 'there' | 'gone') =>
    new PlanBuilderV2('perhaps')
      .functionStep({ stepName: 'limits', function: (): Record<string, number> => ({ there: 3 }), readOnly: true })
      .loop({
        while: ({ n }) => seen.push(n) < 3,
        args: { n: StepOutput('n', { optional: true }), limit: StepOutput('limits', { path: limit }) },
        initial: { n: 0 },
      })
      .if({ condition: () => seen.length === 2 })
      .functionStep({ stepName: 'n', function: () => 7, readOnly: true })
      .endIf()
      .endLoop()
      .build();
  expect(await outcome(looped('there'))).toBe(7);
  expect(seen).toEqual([0, undefined, 7]);
  expect(await outcome(looped('gone'))).toMatchObject({ code: 'REFERENCE_MISSING' });
});

describe('a sub-plan', () => {
  it('gives what its final output’s schema makes of its last value', async () => {
    const made = (value: unknown) =>
      new PlanBuilderV2('made')
        .functionStep({ function: () => value as never, readOnly: true })
        .finalOutput({ outputSchema: z.object({ amount: z.number() }) })
        .build();
    const plan = (value: unknown) =>
      new PlanBuilderV2('outer').addSubPlan({ stepName: 's', plan: made(value) }).build();
    expect(await outcome(plan({ amount: 1, secret: 2 }))).toEqual({ amount: 1 });
    expect(await outcome(plan('just text'))).toMatchObject({ code: 'OUTPUT_INVALID' });
  });

  it('checks what its inputs are bound to, and uses their defaults', async () => {
    const echo = new PlanBuilderV2('echo')
      .input({ name: 'k', schema: z.string().transform((s) => `${s}!`), defaultValue: 'none' })
      .functionStep({ args: { k: Input('k') }, function: ({ k }) => k, readOnly: true })
      .build();
    const bound = (value: string | null) =>
      new PlanBuilderV2('outer')
        .if({ condition: () => value !== null })
        .functionStep({ stepName: 'v', function: () => value ?? '', readOnly: true })
        .endIf()
        .addSubPlan({ stepName: 's', plan: echo, inputValues: { k: StepOutput('v', { optional: true }) } })
        .build();
    expect([await outcome(bound('a')), await outcome(bound(null))]).toEqual(['a!', 'none']);
  });
});

describe('what is no value of the kind a step needs', () => {
  const given = (value: unknown) =>
    new PlanBuilderV2('wrong').functionStep({ stepName: 'v', function: () => value as never });
  it.each(['10 minutes', {}, -5, null])('%j is no time to sleep', async (value) => {
    const plan = given(value)
      .sleep({ ms: StepOutput('v') })
      .build();
    expect(await outcome(plan)).toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringContaining('to sleep for'),
    });
  });
  it.each([7, null, 'red'])('%j is nothing to choose from', async (value) => {
    const plan = given(value)
      .userInput({ message: 'Which?', options: StepOutput('v') })
      .build();
    expect(await outcome(plan)).toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringContaining('to choose'),
    });
  });
});

describe('a question with a schema, answered by a client that has driven nothing', () => {
  const asking = {
    data: new PlanBuilderV2('ask').userInput({ message: 'How many?', schema: z.object({ n: z.number() }) }).build(),
    waiting: new PlanBuilderV2('wait')
      .waitFor({ message: 'The callback', schema: z.object({ n: z.number() }) })
      .functionStep({ function: () => 'went on' })
      .build(),
  };
  it.each([
    ['data', false],
    ['data', true],
    ['waiting', false],
    ['waiting', true],
  ] as const)('%s, registered: %s', async (which, isRegistered) => {
    const storage = memoryStorage();
    const asked = await clientOf({ storage }).runPlan(asking[which], { endUser: 'ada' });
    const plans = isRegistered ? [asking[which]] : [];
    const portia = new Portia({ config: new Config({ storage }), plans });
    const [clarification] = (await portia.storage.getPlanRun(asked.id)).getOutstandingClarifications();
    const answer = (response: unknown) =>
      portia.resolveClarification({
        planRunId: asked.id,
        clarification: clarification as never,
        response,
        resolvedBy: { id: 'a', as: which === 'waiting' ? 'role:machine' : 'operator' },
      });
    expect(await codeOf(answer({ n: 'many' }))).toBe('CLARIFICATION_RESPONSE_INVALID');
    expect((await answer({ n: 5 })).state).toBe('READY_TO_RESUME');
  });
});

it.each(['constructor', 'toString', 'hasOwnProperty', 'then', '__proto__'])(
  'a step may be named %s, as may an argument',
  async (name) => {
    const plan = new PlanBuilderV2('names')
      .functionStep({ stepName: name, function: () => 1, readOnly: true })
      .functionStep({ args: { [name]: StepOutput(name) }, function: (args) => Object.entries(args), readOnly: true })
      .build();
    expect(await outcome(plan)).toEqual([[name, 1]]);
  },
);

it.each(['constructor', 'toString', 'hasOwnProperty', 'then'])(
  'an input may be named %s, of a sub-plan, too',
  async (name) => {
    const inner = new PlanBuilderV2('inner')
      .input({ name, defaultValue: 'default' })
      .functionStep({ args: { given: Input(name) }, function: ({ given }) => given, readOnly: true })
      .build();
    expect(await outcome(inner)).toBe('default');
    const outer = (inputValues: Readonly<Record<string, unknown>>) =>
      new PlanBuilderV2('outer')
        .functionStep({ stepName: 'bound', function: () => 'bound', readOnly: true })
        .addSubPlan({ plan: inner, inputValues: inputValues as never })
        .build();
    expect(await outcome(outer({}))).toBe('default');
    expect(await outcome(outer({ [name]: 'given' }))).toBe('given');
    expect(await outcome(outer({ [name]: StepOutput('bound') }))).toBe('bound');
  },
);
