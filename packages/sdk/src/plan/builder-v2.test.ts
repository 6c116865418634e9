import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FirstOf, type StepV2 } from '../core/plan-v2-steps.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import { tool } from '../tool/tool.ts';
import { PlanBuilderV2 } from './builder-v2.ts';

const search = tool({
  id: 'search',
  description: 'Searches.',
  argsSchema: z.object({ query: z.string() }),
  run: ({ query }) => [query],
});
const Price = z.object({ amount: z.number(), currency: z.string() });

/** The steps without what is undefined. */
function stepsOf(builder: { build(): { readonly steps: readonly StepV2[] } }): readonly StepV2[] {
  return builder.build().steps;
}

describe('PlanBuilderV2', () => {
  it('builds every kind of step that does something', () => {
    const run = () => 1;
    const approval = {
      message: text`Search ${Input('city')}?`,
      audience: 'role:finance',
      expiresIn: 1000,
      onExpiry: 'refuse',
    } as const;
    const steps = stepsOf(
      new PlanBuilderV2()
        .input({ name: 'city' })
        .llmStep({
          stepName: 'llm',
          task: text`In ${Input('city')}`,
          inputs: [Input('city'), 5],
          outputSchema: Price,
          systemPrompt: 'Be brief.',
          model: 'openai/x',
        })
        .invokeToolStep({
          stepName: 'tool',
          tool: search,
          args: { query: StepOutput('llm', { path: 'currency' }) },
          approval,
        })
        .functionStep({
          stepName: 'fn',
          function: run,
          readOnly: true,
          version: '2',
          retry: { maxAttempts: 3, delayMs: 10, backoff: 1.5 },
          timeoutMs: 500,
        })
        .singleToolAgentStep({ stepName: 'agent', tool: 'search', task: 'Find it.' })
        .reactAgentStep({
          stepName: 'react',
          tools: ['search', search],
          task: 'Find it.',
          allowAgentClarifications: true,
          toolCallLimit: 3,
        })
        .userVerify({ message: 'Sure?', expiresIn: 5 })
        .userInput({ message: 'Which?', options: [1, 2], audience: 'operator' })
        .userInput({ message: 'What?', schema: z.string(), onExpiry: { default: 'none' } })
        .waitFor({ message: 'The payment', schema: Price })
        .sleep({ ms: 100 })
        .addStep({ run, args: { a: 1 } })
        .exit({ message: 'done', error: true }),
    );
    const named = { name: 'llm', task: text`In ${Input('city')}`, inputs: [Input('city'), 5] };
    expect(steps).toEqual([
      { kind: 'llm', ...named, outputSchema: Price, systemPrompt: 'Be brief.', model: 'openai/x' },
      {
        kind: 'invoke-tool',
        name: 'tool',
        tool: search,
        args: { query: StepOutput('llm', { path: 'currency' }) },
        approval,
      },
      {
        kind: 'function',
        name: 'fn',
        function: run,
        args: {},
        readOnly: true,
        version: '2',
        retry: { maxAttempts: 3, delayMs: 10, backoff: 1.5 },
        timeoutMs: 500,
      },
      { kind: 'single-tool-agent', name: 'agent', tool: 'search', task: 'Find it.', inputs: [] },
      {
        kind: 'react-agent',
        name: 'react',
        tools: ['search', search],
        task: 'Find it.',
        inputs: [],
        allowAgentClarifications: true,
        toolCallLimit: 3,
      },
      { kind: 'user-verify', name: 'step_5', message: 'Sure?', expiresIn: 5 },
      { kind: 'user-input', name: 'step_6', message: 'Which?', options: [1, 2], audience: 'operator' },
      {
        kind: 'user-input',
        name: 'step_7',
        message: 'What?',
        schema: expect.anything(),
        onExpiry: { default: 'none' },
      },
      { kind: 'wait-for', name: 'step_8', message: 'The payment', schema: Price },
      { kind: 'sleep', name: 'step_9', ms: 100 },
      { kind: 'custom', name: 'step_10', run, args: { a: 1 } },
      { kind: 'exit', name: 'step_11', message: 'done', error: true },
    ]);
  });

  it('gives agents, loops and exits their defaults', () => {
    const steps = stepsOf(
      new PlanBuilderV2()
        .reactAgentStep({ task: 'x' })
        .loop({ over: [1] })
        .endLoop()
        .loop({ while: () => false })
        .endLoop()
        .exit(),
    );
    expect(steps[0]).toMatchObject({ tools: [], allowAgentClarifications: false, toolCallLimit: 25 });
    expect(steps[1]).toEqual({
      kind: 'loop',
      type: 'for-each',
      name: 'step_1',
      over: [1],
      concurrency: 1,
      onFailure: 'finish',
      maxIterations: 10_000,
    });
    expect(steps[3]).toEqual({
      kind: 'loop',
      type: 'while',
      name: 'step_3',
      args: {},
      condition: expect.any(Function),
      maxIterations: 10_000,
    });
    expect(steps[5]).toMatchObject({ message: '', error: false });
  });

  it('builds branches, loops and parallel blocks, nested', () => {
    const plan = new PlanBuilderV2()
      .if({ condition: 'it rains' })
      .loop({ stepName: 'item', over: ['a', 'b'], concurrency: 2, onFailure: 'abort', maxIterations: 5 })
      .parallel({ concurrency: 1, onFailure: 'abort' })
      .branch()
      .functionStep({ stepName: 'a', args: { item: StepOutput('item') }, function: ({ item }) => item })
      .branch()
      .functionStep({ stepName: 'b', function: () => 2 })
      .endParallel()
      .endLoop()
      .elseIf({ condition: ({ n }) => n > 1, args: { n: 2 }, version: '1' })
      .functionStep({ stepName: 'c', function: () => 3 })
      .else()
      .functionStep({ stepName: 'd', function: () => 4 })
      .endIf({ stepName: 'merged', value: FirstOf('c', 'd') })
      .build();
    expect(plan.steps.map(({ kind }) => kind)).toEqual([
      'if',
      'loop',
      'parallel',
      'branch',
      'function',
      'branch',
      'function',
      'end-parallel',
      'end-loop',
      'else-if',
      'function',
      'else',
      'function',
      'end-if',
    ]);
    const [outer, loop, parallel] = plan.blocks.blocks;
    expect(outer).toMatchObject({ kind: 'if', start: 0, clauses: [0, 9, 11], end: 13, parent: undefined });
    expect(loop).toMatchObject({ kind: 'loop', start: 1, clauses: [1], end: 8, parent: outer });
    expect(parallel).toMatchObject({ kind: 'parallel', start: 2, clauses: [3, 5], end: 7, parent: loop });
    expect(plan.blocks.innermost.map((block) => block?.start)).toEqual([0, 1, 2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 0, 0]);
    expect(plan.steps[13]).toEqual({ kind: 'end-if', name: 'merged', value: { firstOf: ['c', 'd'] } });
  });

  it('builds loops with a condition before, after and at the end', () => {
    const steps = stepsOf(
      new PlanBuilderV2()
        .loop({ stepName: 'w', while: ({ n }) => n < 3, args: { n: StepOutput('x') }, initial: { n: 0 }, version: '1' })
        .functionStep({ stepName: 'x', function: () => 1 })
        .endLoop()
        .loop({ doWhile: text`${StepOutput('y')} is small`, args: { y: StepOutput('y') } })
        .functionStep({ stepName: 'y', function: () => 1 })
        .endLoop({ stepName: 'again' })
        .loop()
        .functionStep({ stepName: 'z', function: () => 1 })
        .endLoop({ while: ({ z }) => z < 3, args: { z: StepOutput('z') }, version: '2' })
        .functionStep({ args: { again: StepOutput('again'), w: StepOutput('w') }, function: () => 1 }),
    );
    expect(steps[0]).toMatchObject({ type: 'while', args: { n: StepOutput('x') }, initial: { n: 0 }, version: '1' });
    expect(steps[2]).toEqual({ kind: 'end-loop', name: 'step_2' });
    expect(steps[3]).toMatchObject({
      type: 'do-while',
      condition: text`${StepOutput('y')} is small`,
      args: { y: StepOutput('y') },
    });
    expect(steps[6]).toEqual({ kind: 'loop', type: 'do-while', name: 'step_6', args: {}, maxIterations: 10_000 });
    expect(steps[8]).toMatchObject({
      kind: 'end-loop',
      condition: expect.any(Function),
      args: { z: StepOutput('z') },
      version: '2',
    });
  });

  it('reads references in plain strings, whoever wrote them', () => {
    const steps = stepsOf(
      new PlanBuilderV2()
        .input({ name: 'city' })
        .llmStep({ stepName: 'a, b', task: `In ${Input('city')}` })
        .llmStep({
          task: "Of {{ StepOutput('a, b') }}",
          inputs: [{ deep: [`${StepOutput(0)}!`] }],
          approval: { message: `${Input('city')}?` },
        })
        .if({ condition: `${StepOutput(-3)} is long` })
        .endIf(),
    );
    expect(steps[0]).toMatchObject({ task: text`In ${Input('city')}` });
    expect(steps[1]).toMatchObject({
      task: text`Of ${StepOutput('a, b')}`,
      inputs: [{ deep: [text`${StepOutput(0)}!`] }],
      approval: { message: text`${Input('city')}?` },
    });
    expect(steps[2]).toMatchObject({ condition: text`${StepOutput(-3)} is long` });
  });

  it('leaves what it was given alone, and a built plan does not change any more', () => {
    const args = { list: [1, { deep: true }] };
    const builder = new PlanBuilderV2('First').functionStep({ args, function: () => 1 });
    const plan = builder.build();
    builder.functionStep({ function: () => 2 });
    args.list.push(2);
    expect(plan.steps).toHaveLength(1);
    expect(plan.steps[0]).toMatchObject({ args: { list: [1, { deep: true }] } });
    expect(() => (plan.steps as StepV2[]).push(plan.steps[0] as StepV2)).toThrow(TypeError);
    expect(() =>
      Object.assign((plan.steps[0] as unknown as { args: { list: object[] } }).args.list[1] as object, { deep: false }),
    ).toThrow(TypeError);
    expect(builder.build().steps).toHaveLength(2);
    expect(builder.build().label).toBe('First');
  });

  it('keeps inputs with their defaults and schemas, and says what comes out', () => {
    const schema = z.string();
    const plan = new PlanBuilderV2()
      .input({ name: 'city', description: 'Where', schema, defaultValue: 'London' })
      .input({ name: 'day' })
      .llmStep({ task: 'x' })
      .finalOutput({ outputSchema: Price, summarize: true })
      .build();
    expect(plan.planInputs).toEqual([
      { name: 'city', description: 'Where', schema, defaultValue: 'London' },
      { name: 'day' },
    ]);
    expect(plan).toMatchObject({
      label: 'Run the plan built with the Plan Builder',
      summarize: true,
      finalOutputSchema: Price,
    });
  });

  it('can be called statement by statement, with names known only at run time', () => {
    const builder = new PlanBuilderV2();
    const names = ['a', 'b', 'c'];
    for (const stepName of names) builder.functionStep({ stepName, function: () => stepName });
    const last: string = 'c';
    builder.functionStep({ args: { last: StepOutput(last) }, function: ({ last: value }) => value });
    expect(builder.build().steps.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'step_3']);
  });
});

describe('addSubPlan', () => {
  const sub = new PlanBuilderV2('Weather')
    .input({ name: 'city', schema: z.string() })
    .input({ name: 'days', defaultValue: 3 })
    .functionStep({ args: { city: Input('city') }, function: ({ city }) => city })
    .build();

  it('asks for the inputs of the plan inside, except those that are bound', () => {
    const plan = new PlanBuilderV2()
      .llmStep({ stepName: 'where', task: 'Where?' })
      .addSubPlan({ stepName: 'weather', plan: sub, inputValues: { city: StepOutput('where') } })
      .build();
    expect(plan.planInputs).toEqual([{ name: 'days', defaultValue: 3 }]);
    expect(plan.steps[1]).toEqual({
      kind: 'sub-plan',
      name: 'weather',
      plan: sub,
      inputValues: { city: StepOutput('where'), days: Input('days') },
    });
  });

  it('takes values as defaults, and templates and nested references as bindings', () => {
    const given = new PlanBuilderV2().addSubPlan({ plan: sub, inputValues: { days: 5 } }).build();
    expect(given.planInputs).toEqual([
      { name: 'city', schema: expect.anything() },
      { name: 'days', defaultValue: 5 },
    ]);
    const bound = new PlanBuilderV2()
      .input({ name: 'city' })
      .addSubPlan({ plan: sub, inputValues: { city: `${Input('city')}, UK`, days: 7 } })
      .build();
    expect(bound.planInputs).toEqual([{ name: 'city' }, { name: 'days', defaultValue: 7 }]);
    expect(bound.steps[0]).toMatchObject({ inputValues: { city: text`${Input('city')}, UK`, days: Input('days') } });
  });

  it('takes a list of steps', () => {
    const plan = new PlanBuilderV2()
      .addSubPlan({ plan: [{ kind: 'llm', name: 'inner', task: 'x', inputs: [] }] })
      .build();
    expect(plan.steps[0]).toMatchObject({ kind: 'sub-plan', plan: { steps: [{ name: 'inner' }] } });
  });
});
