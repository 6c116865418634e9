import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PlanBuilder } from './plan-builder.ts';

describe('PlanBuilder', () => {
  it('writes a plan step by step', () => {
    const schema = z.object({ total: z.number() });
    const plan = new PlanBuilder('Send the total', schema)
      .step('Look up sales', 'crm_lookup', '$sales')
      .input('$region', 'Region to report on')
      .step('Send it', 'mailer', '$receipt', [{ name: '$sales' }], 'if $sales is above 0', schema)
      .input('$note')
      .planInput('$region', 'Region to report on')
      .planInput('$note', 'What to add')
      .build();
    expect(plan.toJSON()).toEqual({
      id: plan.id,
      plan_context: { query: 'Send the total', tool_ids: ['crm_lookup', 'mailer'] },
      steps: [
        {
          task: 'Look up sales',
          inputs: [{ name: '$region', description: 'Region to report on' }],
          tool_id: 'crm_lookup',
          output: '$sales',
          condition: null,
        },
        {
          task: 'Send it',
          inputs: [
            { name: '$sales', description: '' },
            { name: '$note', description: '' },
          ],
          tool_id: 'mailer',
          output: '$receipt',
          condition: 'if $sales is above 0',
        },
      ],
      plan_inputs: [
        { name: '$region', description: 'Region to report on', value: null },
        { name: '$note', description: 'What to add', value: null },
      ],
    });
    expect(plan.structuredOutputSchema).toBe(schema);
    expect(plan.steps[1]?.structuredOutputSchema).toBe(schema);
  });

  it('takes the parts of a step as an object too', () => {
    const parts = { toolId: 'mailer', inputs: [{ name: '$i' }], condition: 'if x', structuredOutputSchema: z.string() };
    const [step] = new PlanBuilder().step({ task: 'T', ...parts }).build().steps;
    expect(step).toMatchObject({
      task: 'T',
      toolId: 'mailer',
      output: '$output_0',
      condition: 'if x',
      structuredOutputSchema: parts.structuredOutputSchema,
    });
    expect(step?.inputs).toHaveLength(1);
  });

  it('names outputs by the number of steps before them, and lists each tool once, in the order of use', () => {
    const plan = new PlanBuilder(null).step('A', 'b_tool').step('B').step('C', 'a_tool').step('D', 'b_tool').build();
    expect(plan.steps.map(({ output }) => output)).toEqual(['$output_0', '$output_1', '$output_2', '$output_3']);
    expect(plan.planContext).toMatchObject({ query: '', toolIds: ['b_tool', 'a_tool'] });
  });

  it('changes the step that is named, else the last one', () => {
    const plan = new PlanBuilder('Q')
      .step('A')
      .step('B')
      .condition('if late')
      .condition('if early', 0)
      .input('$x', null, 0)
      .build();
    expect(plan.steps.map(({ condition }) => condition)).toEqual(['if early', 'if late']);
    expect(plan.steps.map(({ inputs }) => inputs.length)).toEqual([1, 0]);
  });

  it('refuses an index without a step', () => {
    const told = expect.objectContaining({
      code: 'PLAN_INVALID',
      message: 'Invalid step index or no steps in the plan',
    });
    expect(() => new PlanBuilder('Q').input('$x')).toThrow(told);
    expect(() => new PlanBuilder('Q').condition('if x')).toThrow(told);
    for (const index of [-1, 1, 0.5]) {
      expect(() => new PlanBuilder('Q').step('A').input('$x', '', index)).toThrow(told);
      expect(() => new PlanBuilder('Q').step('A').condition('c', index)).toThrow(
        expect.objectContaining({ hint: 'give an index from 0 to 0' }),
      );
    }
  });

  it('builds again after more was added, without touching what was built', () => {
    const builder = new PlanBuilder('Q').step('A');
    const first = builder.build();
    const second = builder.input('$x').step('B').build();
    expect([
      first.steps.length,
      first.steps[0]?.inputs.length,
      second.steps.length,
      second.steps[0]?.inputs.length,
    ]).toEqual([1, 0, 2, 1]);
    expect(second.id).not.toBe(first.id);
    expect(() => builder.step('C', null, '$output_0').build()).toThrow(
      expect.objectContaining({ code: 'PLAN_INVALID' }),
    );
  });
});
