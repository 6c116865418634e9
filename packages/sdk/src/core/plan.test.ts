import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PlanUUID } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { Plan, PlanContext, PlanInput, type PlanInit, ReadOnlyPlan, ReadOnlyStep, Step, Variable } from './plan.ts';

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/portia-0.9/plan.json', import.meta.url), 'utf8')) as {
  [key: string]: JsonValue;
  id: string;
  plan_context: { query: string; tool_ids: string[] };
  steps: JsonObject[];
};
const context = { query: 'Q', toolIds: [] };

function invalid(message: string): object {
  return expect.objectContaining({ code: 'PLAN_INVALID', message: expect.stringContaining(message) });
}

describe('making a plan', () => {
  it('takes plain objects and fills in the rest', () => {
    const plan = new Plan({ planContext: context, steps: [{ task: 'Look', output: '$o', inputs: [{ name: '$i' }] }] });
    expect(PlanUUID.is(plan.id)).toBe(true);
    expect(plan.planInputs).toEqual([]);
    expect(plan.steps[0]).toBeInstanceOf(Step);
    expect({ ...plan.steps[0] }).toEqual({
      task: 'Look',
      inputs: [new Variable({ name: '$i' })],
      toolId: null,
      output: '$o',
      condition: null,
      structuredOutputSchema: undefined,
      extras: {},
    });
    expect(plan.steps[0]?.inputs[0]).toEqual(new Variable({ name: '$i', description: '' }));
  });

  it('takes its own parts as they are', () => {
    const step = new Step({ task: 'Look', output: '$o' });
    const planContext = new PlanContext(context);
    const input = new PlanInput({ name: '$i', description: null });
    const plan = new Plan({ planContext, steps: [step], planInputs: [input] });
    expect(plan.steps[0]).toBe(step);
    expect(plan.planContext).toBe(planContext);
    expect(plan.planInputs[0]).toBe(input);
  });

  it('freezes all of it but the schemas, which are not its own', () => {
    const schema = z.object({ total: z.number() });
    const given = {
      planContext: { query: 'Q', toolIds: ['a'] },
      steps: [{ task: 'T', output: '$o', structuredOutputSchema: schema }],
    };
    const plan = new Plan({
      ...given,
      planInputs: [{ name: '$i', value: { list: [1] } }],
      structuredOutputSchema: schema,
    });
    const value = plan.planInputs[0]?.value as { list: number[] };
    const parts = [
      plan,
      plan.planContext,
      plan.planContext.toolIds,
      plan.steps,
      plan.steps[0],
      plan.steps[0]?.inputs,
      plan.planInputs,
      value,
      value.list,
    ];
    expect(parts.every(Object.isFrozen)).toBe(true);
    expect(plan.structuredOutputSchema).toBe(schema);
    expect(plan.steps[0]?.structuredOutputSchema).toBe(schema);
    given.planContext.toolIds.push('b');
    expect(plan.planContext.toolIds).toEqual(['a']);
  });

  it('makes null of an input without a value', () => {
    expect(new PlanInput({ name: '$i', value: undefined }).value).toBeNull();
    expect(new PlanInput({ name: '$i', value: { at: new Date(0) } }).value).toEqual({ at: '1970-01-01T00:00:00.000Z' });
  });
});

describe('a plan that cannot be', () => {
  const step = (output: string, condition?: string | null) => ({ task: 'T', output, condition });
  const plan =
    (init: Partial<PlanInit> | object): (() => Plan) =>
    () =>
      new Plan({ planContext: context, steps: [], ...init });

  it('has two steps with the same output and condition', () => {
    expect(plan({ steps: [step('$a'), step('$o'), step('$o')] })).toThrow(
      invalid('Outputs + conditions must be unique: steps[1] and steps[2] both give "$o" with no condition'),
    );
    expect(plan({ steps: [step('$o', 'if x'), step('$o', 'if x')] })).toThrow(invalid('with the condition "if x"'));
    expect(plan({ steps: [step('$o', ''), step('$o', null)] })).toThrow(invalid('unique'));
  });

  it('is not one that only looks so when output and condition are written together', () => {
    expect(plan({ steps: [step('$oc'), step('$o', 'c')] })).not.toThrow();
    expect(plan({ steps: [step('$o', 'if x'), step('$o', 'if not x'), step('$o')] })).not.toThrow();
  });

  it('has two inputs of one name', () => {
    expect(plan({ planInputs: [{ name: '$a' }, { name: '$b' }, { name: '$a' }] })).toThrow(
      invalid('Plan input names must be unique: planInputs[0] and planInputs[2] are both called "$a"'),
    );
  });

  it('has a field of the wrong type, and says which', () => {
    const cases: [object, string][] = [
      [{ planContext: undefined }, 'planContext is missing'],
      [{ planContext: 'Q' }, 'planContext is a value of type string, not an object'],
      [{ planContext: { toolIds: [] } }, 'planContext: query is missing'],
      [{ planContext: { query: 'Q' } }, 'planContext: toolIds is missing'],
      [
        { planContext: { query: 'Q', toolIds: ['a', 1] } },
        'planContext: toolIds[1] is a value of type number, not a string',
      ],
      [{ steps: undefined }, 'steps is missing'],
      [{ steps: {} }, 'steps is a value of type object, not a list of steps'],
      [{ steps: [null] }, 'steps[0] is null, not an object'],
      [{ steps: [{ output: '$o' }] }, 'steps[0]: task is missing'],
      [{ steps: [{ task: ['T'], output: '$o' }] }, 'steps[0]: task is a list, not a string'],
      [{ steps: [{ task: 'T' }] }, 'steps[0]: output is missing'],
      [{ steps: [{ ...step('$o'), toolId: 5 }] }, 'steps[0]: toolId is a value of type number, not a string'],
      [{ steps: [step('$o', 5 as never)] }, 'steps[0]: condition is a value of type number'],
      [{ steps: [{ ...step('$o'), inputs: 'x' }] }, 'steps[0]: inputs is a value of type string, not a list'],
      [
        { steps: [step('$a'), { ...step('$o'), inputs: [{ name: '$i' }, {}] }] },
        'steps[1]: inputs[1]: name is missing',
      ],
      [{ steps: [{ ...step('$o'), inputs: [{ name: '$i', description: 5 }] }] }, 'steps[0]: inputs[0]: description is'],
      [{ steps: [{ ...step('$o'), extras: { tool_id: 'x' } }] }, 'steps[0]: extras may not hold tool_id'],
      [{ planInputs: [{ name: '$i', description: 5 }] }, 'planInputs[0]: description is a value of type number'],
      [{ planInputs: [{ name: '$i', value: { f: () => 1 } }] }, 'planInputs[0]: value.f is a function'],
    ];
    for (const [init, message] of cases) expect(plan(init)).toThrow(invalid(message));
    expect(plan({ id: 'plan-1' })).toThrow(expect.objectContaining({ code: 'ID_INVALID' }));
  });

  it('does not hide errors that are not about the plan', () => {
    const hostile = {
      get task(): string {
        throw new RangeError('mine');
      },
      output: '$o',
    };
    expect(plan({ steps: [hostile] })).toThrow(new RangeError('mine'));
  });
});

describe('a plan as JSON', () => {
  it('reads and prints the document of Portia 0.9', () => {
    expect(JSON.stringify(Plan.fromJSON(fixture))).toBe(JSON.stringify(fixture));
  });

  it('sorts tool ids only when it is printed', () => {
    const plan = new Plan({ planContext: { query: 'Q', toolIds: ['b', 'a'] }, steps: [] });
    expect(plan.planContext.toolIds).toEqual(['b', 'a']);
    expect(JSON.stringify(plan.toJSON()['plan_context'])).toBe('{"query":"Q","tool_ids":["a","b"]}');
  });

  it('keeps keys of steps it does not know, after the others', () => {
    const step = { ...fixture.steps[0], ui_colour: { hue: 12 }, note: null };
    const plan = Plan.fromJSON({ ...fixture, steps: [step] });
    expect(plan.steps[0]?.extras).toEqual({ ui_colour: { hue: 12 }, note: null });
    expect(JSON.stringify(plan.steps[0])).toBe(JSON.stringify(step));
    expect(JSON.stringify(ReadOnlyPlan.fromPlan(plan).steps[0])).toBe(JSON.stringify(step));
  });

  it('reads documents without the parts that may be left out', () => {
    const plan = Plan.fromJSON({
      plan_context: { query: 'Q', tool_ids: [] },
      steps: [{ task: 'T', output: '$o', structured_output_schema: null }],
    });
    expect(PlanUUID.is(plan.id)).toBe(true);
    expect(plan.toJSON()['steps']).toEqual([{ task: 'T', inputs: [], tool_id: null, output: '$o', condition: null }]);
  });

  it('never prints a schema', () => {
    const schema = z.object({ total: z.number() });
    const plan = new Plan({
      planContext: context,
      steps: [{ task: 'T', output: '$o', structuredOutputSchema: schema }],
      structuredOutputSchema: schema,
    });
    expect(JSON.stringify(plan)).not.toContain('chema');
  });

  it('is refused with the place that is wrong', () => {
    const cases: [unknown, string][] = [
      [null, 'the plan is null'],
      ['{}', 'the plan is a value of type string'],
      [{ ...fixture, author: 'x' }, 'the plan has an unknown key "author"'],
      [{ ...fixture, plan_context: { ...fixture.plan_context, seed: 1 } }, 'plan_context has an unknown key "seed"'],
      [{ ...fixture, plan_context: [] }, 'plan_context is a list'],
      [{ ...fixture, steps: 'x' }, 'steps is a value of type string'],
      [{ ...fixture, steps: [1] }, 'steps[0] is a value of type number'],
      [
        { ...fixture, steps: [{ ...fixture.steps[0], structured_output_schema: {} }] },
        'steps[0]: a schema cannot be read from JSON',
      ],
      [{ ...fixture, plan_inputs: null }, 'planInputs is null'],
      [{ ...fixture, steps: [fixture.steps[0], fixture.steps[0]] }, 'unique'],
    ];
    for (const [wire, message] of cases) expect(() => Plan.fromJSON(wire)).toThrow(invalid(message));
    expect(() => Plan.fromJSON({ ...fixture, id: 'prun-1' })).toThrow(expect.objectContaining({ code: 'ID_INVALID' }));
    expect(Plan.fromJSON({ ...fixture, id: { uuid: fixture.id.slice('plan-'.length) } }).id).toBe(fixture.id);
  });

  it('is also read from the answer of a server, which has the query beside the id', () => {
    const { plan_context, ...rest } = fixture;
    const plan = Plan.fromResponse({ ...rest, ...plan_context, created_at: 'today' });
    expect(JSON.stringify(plan)).toBe(JSON.stringify(fixture));
    expect(() => Plan.fromResponse({ query: 'Q', tool_ids: [], steps: [] })).toThrow(invalid('id is missing'));
    expect(() => Plan.fromResponse({ id: fixture.id, tool_ids: [], steps: [] })).toThrow(
      invalid('planContext: query is missing'),
    );
    expect(() => Plan.fromResponse([])).toThrow(invalid('the plan is a list'));
  });

  it('reads back as it was written', () => {
    const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
    const extras = fc.dictionary(
      fc.string().map((key) => `x_${key}`),
      json,
    );
    const step = fc.record({
      task: fc.string(),
      inputs: fc.array(fc.record({ name: fc.string(), description: fc.string() })),
      toolId: fc.option(fc.string()),
      output: fc.string(),
      condition: fc.option(fc.string()),
      extras,
    });
    const init = fc.record({
      id: fc.uuid().map((uuid) => PlanUUID.fromString(`plan-${uuid}`)),
      planContext: fc.record({ query: fc.string(), toolIds: fc.array(fc.string()).map((ids) => ids.sort()) }),
      steps: fc.uniqueArray(step, { selector: ({ output, condition }) => JSON.stringify([output, condition ?? '']) }),
      planInputs: fc.uniqueArray(fc.record({ name: fc.string(), description: fc.option(fc.string()), value: json }), {
        selector: ({ name }) => name,
      }),
    });
    fc.assert(
      fc.property(init, (given) => {
        const plan = new Plan(given);
        const text = JSON.stringify(plan);
        const read = Plan.fromJSON(JSON.parse(text));
        expect(read).toEqual(plan);
        expect(JSON.stringify(read)).toBe(text);
      }),
    );
  });
});

describe('a plan for people', () => {
  it('is printed with all that matters', () => {
    const plan = Plan.fromJSON(fixture);
    expect(plan.prettyPrint()).toBe(
      [
        'Task: Email the sales total for $region',
        'Tools Available Summary: 0 portia tools, 2 other tools',
        'Inputs:',
        '    $region: (Region to report on)',
        'Steps:',
        '- Look up sales for the region',
        '    Inputs: $region: (Region to report on)',
        '    Tool ID: crm_lookup',
        '    Output: $sales',
        '- Send the total by email',
        '    Inputs: $sales: (Sales rows)',
        '    Tool ID: mailer',
        '    Output: $receipt',
        '  Condition: if $sales is above 1000',
      ].join('\n'),
    );
  });

  it('says so where there is nothing, and names the schema', () => {
    const plan = new Plan({
      planContext: { query: 'Q', toolIds: ['portia:mail', 'own'] },
      steps: [
        { task: 'T', output: '$o', inputs: [{ name: '$i' }] },
        { task: 'U', output: '$p' },
      ],
      planInputs: [{ name: '$i' }],
      structuredOutputSchema: z.object({}).meta({ title: 'Receipt' }),
    });
    const printed = plan.prettyPrint();
    expect(printed).toContain('1 portia tools, 1 other tools');
    expect(printed).toContain(
      '    $i: (No description)\nSteps:\n- T\n    Inputs: $i: (No description)\n    Tool ID: None',
    );
    expect(printed).toContain('- U\n    Inputs: None\n');
    expect(printed).toMatch(/\nStructured Output Schema: Receipt$/);
    expect(new Plan({ planContext: context, steps: [] }).prettyPrint()).toBe(
      'Task: Q\nTools Available Summary: 0 portia tools, 0 other tools\nSteps:',
    );
  });

  it('has a string form with its id, context and steps', () => {
    const plan = Plan.fromJSON(fixture);
    expect(String(plan)).toBe(
      `Plan(id=${fixture.id}, plan_context=${JSON.stringify(fixture.plan_context)}, steps=${JSON.stringify(fixture.steps)})`,
    );
  });
});

describe('read-only forms', () => {
  it('are the same object every time, and equal to what they were made from', () => {
    const plan = Plan.fromJSON({ ...fixture, steps: [{ ...fixture.steps[0], note: 'kept' }] });
    const readOnly = ReadOnlyPlan.fromPlan(plan);
    expect(readOnly).toBeInstanceOf(Plan);
    expect(ReadOnlyPlan.fromPlan(plan)).toBe(readOnly);
    expect(ReadOnlyPlan.fromPlan(readOnly)).toBe(readOnly);
    expect(JSON.stringify(readOnly)).toBe(JSON.stringify(plan));
    const [step] = plan.steps;
    if (!step) throw new Error('the plan has a step');
    expect(readOnly.steps[0]).toBe(ReadOnlyStep.fromStep(step));
    expect(ReadOnlyStep.fromStep(ReadOnlyStep.fromStep(step))).toBe(readOnly.steps[0]);
    expect([readOnly, readOnly.steps, readOnly.steps[0], readOnly.steps[0]?.inputs[0]].every(Object.isFrozen)).toBe(
      true,
    );
  });
});
