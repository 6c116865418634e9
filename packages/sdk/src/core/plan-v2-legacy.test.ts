import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { tool } from '../tool/tool.ts';
import { Plan } from './plan.ts';
import { FirstOf } from './plan-v2-steps.ts';
import { Input, StepOutput, text } from './reference.ts';

const Price = z.object({ amount: z.number() }).meta({ title: 'Price' });
const refund = tool({ id: 'portia:refund', description: 'x', run: () => 1 });
const one = (): number => 1;
const yes = (): boolean => true;

describe('toLegacyPlan', () => {
  const plan = new PlanBuilderV2('Buy gold')
    .input({ name: 'country', description: 'Where', defaultValue: 'UK' })
    .input({ name: 'day' })
    .llmStep({
      stepName: 'price',
      task: text`Price in ${Input('country')}`,
      inputs: [Input('country'), 'literal'],
      outputSchema: Price,
    })
    .invokeToolStep({
      tool: 'search',
      args: {
        q: StepOutput('price'),
        in: Input('day'),
        n: 5,
        list: [StepOutput(0), 'a'],
        o: { deep: StepOutput('price') },
        t: text`x ${Input('day')}`,
      },
    })
    .functionStep({ stepName: 'total', args: { price: StepOutput('price', { path: 'amount' }) }, function: one })
    .singleToolAgentStep({ tool: refund, task: 'Refund.', inputs: [StepOutput('total')] })
    .reactAgentStep({ task: 'Find.', tools: ['search', refund] })
    .reactAgentStep({ task: 'Think.' })
    .userInput({ message: 'Which?', options: [1] })
    .userInput({ message: 'Which day?', options: Input('day') })
    .userInput({ message: text`What about ${Input('country')}?` })
    .userInput({ message: 'Nothing to choose?', options: [] })
    .userVerify({ message: 'Sure?' })
    .waitFor({ message: 'Payment' })
    .sleep({ ms: 5 })
    .sleep({ ms: StepOutput('total') })
    .addStep({ stepName: 'own', args: { a: true }, run: one })
    .addSubPlan({
      plan: new PlanBuilderV2('Inner')
        .input({ name: 'n' })
        .llmStep({ task: 'x' })
        .userVerify({ message: 'x' })
        .invokeToolStep({ tool: 'search' })
        .build(),
      inputValues: { n: StepOutput('total') },
    })
    .exit({ message: text`Bye ${Input('day')}` })
    .exit({ message: 'No', error: true })
    .finalOutput({ outputSchema: Price })
    .build();
  const legacy = plan.toLegacyPlan();

  it('keeps id, inputs and the schema of the final output, with the label as query', () => {
    expect(legacy).toBeInstanceOf(Plan);
    expect(legacy.id).toBe(plan.id);
    expect(legacy.structuredOutputSchema).toBe(Price);
    expect(legacy.toJSON()).toMatchObject({
      plan_context: { query: 'Buy gold', tool_ids: ['llm_tool', 'local_function_total', 'portia:refund', 'search'] },
      plan_inputs: [
        { name: 'country', description: 'Where', value: 'UK' },
        { name: 'day', description: null, value: null },
      ],
    });
    const context = { query: 'Asked', toolIds: ['a'] };
    expect(plan.toLegacyPlan(context).planContext).toEqual(context);
  });

  it('says of each step what it does, with which tool and which inputs', () => {
    const told = legacy.steps.map(({ task, toolId, inputs }) => [task, toolId, inputs.map(({ name }) => name)]);
    expect(told).toEqual([
      ["Price in {{ Input('country') }}", 'llm_tool', ['country']],
      [
        `Use tool search with args: q=$step_0_output, in=$day, n=5, list=[$step_0_output, a], o={"deep":"$step_0_output"}, t=x {{ Input('day') }}`,
        'search',
        ['$step_0_output', 'day'],
      ],
      ['Use tool local_function_total with args: price=$step_0_output', 'local_function_total', ['$step_0_output']],
      ['Refund.', 'portia:refund', ['$step_2_output']],
      ['Find.', 'search,portia:refund', []],
      ['Think.', '', []],
      ['User input (Multiple choice): Which?', null, []],
      ['User input (Multiple choice): Which day?', null, []],
      ["User input (Text input): What about {{ Input('country') }}?", null, []],
      ['User input (Text input): Nothing to choose?', null, []],
      ['User verification: Sure?', null, []],
      ['Wait for: Payment', null, []],
      ['Wait 5 ms', null, []],
      ['Wait $step_2_output ms', null, []],
      ['Custom step own with args: a=true', null, []],
      ['Run sub-plan: Inner', 'llm_tool,search', ['$step_2_output']],
      ["Exit plan: Bye {{ Input('day') }}", null, []],
      ['Exit plan with error: No', null, []],
    ]);
    expect(legacy.steps.map(({ output }) => output)).toEqual(legacy.steps.map((_, index) => `$step_${index}_output`));
    expect(legacy.steps[0]?.structuredOutputSchema).toBe(Price);
    expect(legacy.steps.every(({ condition }) => condition === null)).toBe(true);
  });

  it('writes a document that Portia 0.9 reads', () => {
    expect(Plan.fromJSON(JSON.parse(JSON.stringify(legacy))).toJSON()).toEqual(legacy.toJSON());
  });
});

describe('conditions of the legacy form', () => {
  const builder = new PlanBuilderV2()
    .if({ condition: 'it rains', args: { a: 1 } }) // 0
    .llmStep({ task: 'x' }) // 1
    .if({ condition: yes }) // 2
    .llmStep({ task: 'x' }) // 3
    .else() // 4
    .llmStep({ task: 'x' }) // 5
    .endIf() // 6
    .elseIf({ condition: yes, args: { was: StepOutput(0) } }) // 7
    .llmStep({ task: 'x' }) // 8
    .else() // 9
    .loop({ over: [StepOutput(0)] }) // 10
    .llmStep({ task: 'x' }) // 11
    .endLoop() // 12
    .endIf() // 13
    .llmStep({ task: 'x' }); // 14
  const steps = builder.build().toLegacyPlan().steps;

  it('say which clause is true and which before it are not', () => {
    expect(steps.map(({ condition }) => condition)).toEqual([
      null,
      'If $step_0_output is true',
      'If $step_0_output is true',
      'If $step_2_output is true and $step_0_output is true',
      'If $step_2_output is false and $step_0_output is true',
      'If $step_4_output is true and $step_2_output is false and $step_0_output is true',
      'If $step_0_output is true',
      'If $step_0_output is false',
      'If $step_7_output is true and $step_0_output is false',
      'If $step_0_output is false and $step_7_output is false',
      // Portia 0.9 links blocks only where one stands directly in the other; a loop between them says nothing.
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  it('name the clauses of blocks', () => {
    const tasks = new PlanBuilderV2()
      .loop({ while: yes, args: { a: StepOutput('made') }, initial: { a: 1 } })
      .functionStep({ stepName: 'made', function: one })
      .endLoop()
      .loop({ doWhile: 'it is dark' })
      .endLoop()
      .loop({})
      .endLoop({ while: yes, args: { b: StepOutput(1, { optional: true }) } })
      .loop({ over: StepOutput(1, { full: true }) })
      .endLoop()
      .parallel()
      .branch()
      .endParallel()
      .if({ condition: yes })
      .endIf({ stepName: 'merged', value: FirstOf('made') })
      .build()
      .toLegacyPlan().steps;
    expect(
      [...steps.slice(0, 1), ...steps.slice(6, 8), ...steps.slice(9, 11), ...steps.slice(12, 14)].map(
        ({ task }) => task,
      ),
    ).toEqual([
      'Conditional clause: it rains',
      'Conditional clause: end if',
      'Conditional clause: If result of step_7 is true',
      'Conditional clause: else',
      'Loop clause: for each of [$step_0_output]',
      'Loop clause: end loop',
      'Conditional clause: end if',
    ]);
    expect(tasks.map(({ task }) => task)).toEqual([
      'Loop clause: If result of step_0 is true',
      'Use tool local_function_made with args: ',
      'Loop clause: end loop',
      'Loop clause: it is dark',
      'Loop clause: end loop',
      'Loop clause: until the condition at its end is false',
      'Loop clause: If result of step_6 is true',
      'Loop clause: for each of $step_1_output',
      'Loop clause: end loop',
      'Parallel block: start',
      'Parallel block: branch',
      'Parallel block: end',
      'Conditional clause: If result of step_12 is true',
      'Conditional clause: end if',
    ]);
    expect(tasks[0]?.inputs.map(({ name }) => name)).toEqual(['$step_1_output']);
    expect(tasks[7]?.inputs.map(({ name }) => name)).toEqual(['$step_1_output']);
    expect(tasks.every(({ toolId }, index) => toolId === (index === 1 ? 'local_function_made' : null))).toBe(true);
  });
});
