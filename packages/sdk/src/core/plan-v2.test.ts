import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { planV2FromJson } from '../plan/plan-v2-record.ts';
import { tool } from '../tool/tool.ts';
import { PlanBuilderError } from './errors.ts';
import { hashJson } from './hash.ts';
import { PlanUUID, uuidFromHash } from './ids.ts';
import { type JsonObject, type JsonValue, toJson } from './json.ts';
import { PlanV2 } from './plan-v2.ts';
import { FirstOf } from './plan-v2-steps.ts';
import { Input, StepOutput, text } from './reference.ts';
import { type Schema, withJsonSchema } from './schema.ts';

const Price = z.object({ amount: z.number(), currency: z.string() });

/** A plan with one of everything the id depends on; `change` says what is different. */
function planWith(change: Partial<Record<string, unknown>> = {}): PlanV2<unknown, unknown, unknown> {
  const of = <T>(key: string, usual: T): T => (key in change ? (change[key] as T) : usual);
  return new PlanBuilderV2(of('label', 'Plan'))
    .input({
      name: of('inputName', 'city'),
      description: of('description', 'Where'),
      defaultValue: of('default', 'Rome'),
    })
    .llmStep({
      stepName: of('name', 'price') as 'price',
      task: of('task', 'Price?'),
      outputSchema: of('schema', Price),
      model: of('model', 'openai/x'),
    })
    .functionStep({
      stepName: 'total',
      args: { a: of('reference', StepOutput('price')), literal: of('literal', [1, { b: 2 }]) },
      function: of('function', () => 1),
      readOnly: of('readOnly', true),
      version: of('version', '1'),
      retry: of('retry', { maxAttempts: 2 }),
    })
    .invokeToolStep({ tool: of('tool', 'search'), approval: { message: of('approval', 'Search?') } })
    .if({ condition: of('condition', () => true), args: { x: 1 } })
    .userInput({ message: 'How many?', options: of('options', [1, 2]) })
    .endIf()
    .loop({ over: [1], concurrency: of('concurrency', 2), maxIterations: of('maxIterations', 10) })
    .endLoop()
    .finalOutput({ outputSchema: of('final', Price), summarize: of('summarize', false) })
    .build();
}

describe('the id of a builder plan', () => {
  it('is the same for the same plan, built again or with changed code in its functions', () => {
    const plan = planWith();
    expect(planWith().id).toBe(plan.id);
    expect(planWith({ function: (args: unknown) => JSON.stringify(args) }).id).toBe(plan.id);
    expect(planWith({ condition: (): boolean => Date.now() > 0 }).id).toBe(plan.id);
    const reordered = z.object({ currency: z.string(), amount: z.number() });
    expect(planWith({ schema: reordered }).id).toBe(plan.id);
    expect(planWith({ tool: tool({ id: 'search', description: 'x', run: () => 1 }) }).id).not.toBe(plan.id);
  });

  it.each([
    ['label', 'Other'],
    ['inputName', 'town'],
    ['description', 'Where to'],
    ['default', 'Paris'],
    ['name', 'cost'],
    ['task', 'Cost?'],
    ['schema', z.object({ amount: z.number() })],
    ['model', 'openai/y'],
    ['reference', StepOutput('price', { path: 'amount' })],
    ['reference', StepOutput('price', { full: true })],
    ['reference', StepOutput('price', { optional: true })],
    ['reference', StepOutput(0)],
    ['reference', Input('city')],
    ['reference', text`${StepOutput('price')}`],
    ['reference', { $step: 'price' }],
    ['literal', [1, { b: 3 }]],
    ['readOnly', false],
    ['version', '2'],
    ['retry', { maxAttempts: 3 }],
    ['tool', 'other'],
    ['approval', 'Sure?'],
    ['condition', 'It rains'],
    ['options', [1, 3]],
    ['concurrency', 3],
    ['maxIterations', 11],
    ['final', z.string()],
    ['summarize', true],
  ])('is another when %s changes', (key, value) => {
    const names = key === 'name' ? { reference: StepOutput(value as string) } : key === 'inputName' ? {} : {};
    expect(planWith({ [key]: value, ...names }).id).not.toBe(planWith().id);
  });

  it('is a UUID of version 8 made from the hash of its shape', () => {
    const { id, hash, shape } = planWith();
    expect(id).toMatch(/^plan-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(hash).toBe(hashJson(shape));
    expect(id).toBe(uuidFromHash(PlanUUID, hash));
    expect(JSON.stringify(shape)).not.toContain('=>');
  });

  it('says what plan it is', () => {
    const plan = planWith();
    expect(String(plan)).toBe(`PlanV2(id=${plan.id}, label="Plan", steps=8)`);
  });
});

describe('the JSON of a builder plan', () => {
  const dollar = { ok: true, $a: 1 };
  const tricky: JsonValue = {
    $step: 'price',
    $$twice: 1,
    $text: [{ $input: 'x' }],
    reference: 'step',
    name: 'price',
    path: '',
    full: false,
    optional: false,
    ['__proto__x']: null,
    deep: [{ $schema: { type: 'string' } }, { $plan: {} }, { $function: true }, '{{ StepOutputs }}'],
  };
  const inner = new PlanBuilderV2('Inner')
    .input({ name: 'n' })
    .llmStep({ task: text`${Input('n')}` })
    .build();
  const data = new PlanBuilderV2('Data')
    .input({ name: 'city', schema: z.string().min(2), defaultValue: 'Rome' })
    .input({ name: 'day', description: 'When' })
    .llmStep({
      stepName: 'price',
      task: text`In ${Input('city')}`,
      inputs: [tricky, StepOutput(-1, { full: true })].slice(0, 1),
      outputSchema: Price,
    })
    .invokeToolStep({
      stepName: 'odd, "name" {x}\n',
      tool: 'search',
      args: { tricky, list: [StepOutput('price', { path: 'amount', optional: true }), text`a ${StepOutput(0)} b`] },
      approval: {
        message: text`${StepOutput('price')}?`,
        audience: 'role:boss',
        expiresIn: 5,
        onExpiry: { default: false },
      },
    })
    .reactAgentStep({ task: 'x', tools: ['a', 'b'], retry: { maxAttempts: 2 } })
    .if({ condition: text`${Input('day')} is late`, args: { price: StepOutput('price') } })
    .userInput({ stepName: 'a', message: 'Which?', options: [1, Input('day')], schema: z.number() })
    .else()
    .waitFor({
      stepName: 'b',
      message: 'x',
      schema: z.object({ ok: z.boolean().default(true) }),
      expiresIn: 9,
      onExpiry: { default: dollar },
    })
    .endIf({ stepName: 'ab', value: FirstOf('a', 'b') })
    .loop({ stepName: 'item', over: [1, 2], concurrency: 2 })
    .sleep({ ms: StepOutput('item') })
    .endLoop()
    .parallel()
    .branch()
    .userVerify({ message: 'Sure?' })
    .endParallel()
    .addSubPlan({ plan: inner, inputValues: { n: StepOutput('ab') } })
    .exit({ message: 'done' })
    .finalOutput({ outputSchema: Price, summarize: true })
    .build();

  it('is all of a plan that is data, and reads back as the same plan', async () => {
    expect(data.isData).toBe(true);
    const read = await planV2FromJson(JSON.parse(JSON.stringify(data)));
    expect(read.id).toBe(data.id);
    expect(JSON.stringify(read)).toBe(JSON.stringify(data));
    expect(read.isData).toBe(true);
    expect(read.steps[0]).toMatchObject({ task: text`In ${Input('city')}`, inputs: [tricky] });
    expect(read.steps[1]).toMatchObject({
      args: { tricky, list: [StepOutput('price', { path: 'amount', optional: true }), text`a ${StepOutput(0)} b`] },
      approval: { message: text`${StepOutput('price')}?`, onExpiry: { default: false } },
    });
    expect(read.steps[6]).toMatchObject({ onExpiry: { default: dollar } });
    expect(read.toLegacyPlan().toJSON()).toEqual(data.toLegacyPlan().toJSON());
    expect(data.changesTo(read)).toEqual([]);
  });

  it('is only a part of a plan with functions, tools or schemas that do more than JSON Schema says', () => {
    const built = (add: (builder: PlanBuilderV2) => { build(): { isData: boolean } }): boolean =>
      add(new PlanBuilderV2()).build().isData;
    expect(built((b) => b.llmStep({ task: 'x', outputSchema: Price }))).toBe(true);
    expect(built((b) => b.functionStep({ function: () => 1 }))).toBe(false);
    expect(built((b) => b.addStep({ run: () => 1 }))).toBe(false);
    expect(built((b) => b.if({ condition: () => true }).endIf())).toBe(false);
    expect(built((b) => b.loop().endLoop({ while: () => false }))).toBe(false);
    expect(built((b) => b.llmStep({ task: 'x', approval: { message: 'x', when: () => true } } as never))).toBe(false);
    expect(built((b) => b.invokeToolStep({ tool: tool({ id: 'a', description: 'x', run: () => 1 }) }))).toBe(false);
    expect(
      built((b) => b.reactAgentStep({ task: 'x', tools: [tool({ id: 'a', description: 'x', run: () => 1 })] })),
    ).toBe(false);
    expect(built((b) => b.llmStep({ task: 'x', outputSchema: z.string().transform(Number) }))).toBe(false);
    expect(
      built((b) =>
        b.llmStep({
          task: 'x',
          outputSchema: z.object({ a: z.number().default(1), b: z.union([z.null(), z.enum(['x', 'y'])]) }),
        }),
      ),
    ).toBe(true);
    const withFunction = new PlanBuilderV2().functionStep({ function: () => 1 }).build();
    expect(built((b) => b.addSubPlan({ plan: withFunction }))).toBe(false);
    const differs = withJsonSchema(z.string(), { type: 'string' });
    expect(built((b) => b.llmStep({ task: 'x', outputSchema: differs }))).toBe(true);
  });

  it('cannot be read back when it has functions or tools', () => {
    const read = (plan: PlanV2<unknown, unknown, unknown>) => () => PlanV2.fromJSON(plan.toJSON(), () => Price);
    expect(read(new PlanBuilderV2().functionStep({ function: () => 1 }).build())).toThrow(
      expect.objectContaining({
        code: 'PLAN_INVALID',
        message: expect.stringContaining('is a function, which is not stored'),
        hint: expect.stringContaining('register'),
      }),
    );
    const withTool = new PlanBuilderV2()
      .invokeToolStep({ tool: tool({ id: 'a', description: 'x', run: () => 1 }) })
      .build();
    expect(withTool.shape).toMatchObject({ steps: [{ tool: { $tool: 'a' } }] });
    expect(read(withTool)).toThrow('the plan.steps[0].tool is a tool');
  });

  it('is refused when it was changed, or is something else', () => {
    const json = new PlanBuilderV2().llmStep({ task: 'x' }).build().toJSON();
    const read = (wire: unknown) => () => PlanV2.fromJSON(wire, () => Price);
    expect(read(json)().steps).toHaveLength(1);
    expect(read({ ...json, label: 'Other' })).toThrow(/does not belong to this id: its content has plan-/);
    expect(read(null)).toThrow('this is not the JSON of a builder plan');
    expect(read({ ...json, kind: 'plan' })).toThrow(PlanBuilderError);
    expect(read({ ...json, version: 2 })).toThrow('a builder plan of version 2 cannot be read');
    const step = (task: unknown) => read({ ...json, steps: [{ kind: 'llm', name: 'a', inputs: [], task }] });
    for (const bad of [
      { $step: null },
      { $step: 1.5 },
      { $step: 'a', path: 5 },
      { $input: 5 },
      { $text: 'x' },
      { $schema: 1 },
      { $plan: [] },
      { $what: 1 },
    ]) {
      expect(step(bad)).toThrow(/the plan\.steps\[0\]\.task has "\$\w+" with a value that cannot be read/);
    }
    expect(step({ $text: [5] })).toThrow('a text with a part that is neither text nor reference');
    expect(step({ $text: [{ $text: ['x'] }] })).toThrow('neither text nor reference');
    expect(step({ $step: 'a' })).toThrow('task of step 0 ("a") is an object');
  });

  it('needs schemas that JSON Schema can describe', () => {
    const schema: Schema = { '~standard': { version: 1, vendor: 'handmade', validate: (value) => ({ value }) } };
    expect(() => new PlanBuilderV2().llmStep({ task: 'x', outputSchema: schema }).build()).toThrow(
      expect.objectContaining({
        name: 'PlanBuilderError',
        message: expect.stringContaining('(handmade) gives no JSON Schema'),
      }),
    );
    withJsonSchema(schema, { type: 'string' });
    expect(new PlanBuilderV2().llmStep({ task: 'x', outputSchema: schema }).build().isData).toBe(true);
  });

  it('is not all of a plan whose schema cannot say what it gives', () => {
    const half: Schema = {
      '~standard': {
        version: 1,
        vendor: 'half',
        validate: () => ({ value: 1 }),
        jsonSchema: { input: () => ({}) },
      } as Schema['~standard'],
    };
    expect(new PlanBuilderV2().llmStep({ task: 'x', outputSchema: half }).build().isData).toBe(false);
  });

  it('keeps keys of its data apart from its own words', () => {
    const plan = new PlanBuilderV2().invokeToolStep({ tool: 'a', args: { tricky: toJson(tricky) } as never }).build();
    const [step] = plan.shape['steps'] as readonly JsonObject[];
    expect(step?.['args']).toMatchObject({ tricky: { $$step: 'price', $$$twice: 1 } });
  });
});

describe('changesTo', () => {
  const base = () =>
    new PlanBuilderV2('Plan')
      .llmStep({ stepName: 'a', task: 'A' })
      .llmStep({ stepName: 'b', task: 'B' })
      .if({ condition: 'x' })
      .exit()
      .endIf()
      .llmStep({ stepName: 'c', task: 'C' });

  it('tells what was added, removed and changed, and in what', () => {
    const now = new PlanBuilderV2('Plan 2')
      .input({ name: 'n' })
      .llmStep({ stepName: 'a', task: 'A2', model: 'openai/x' })
      .if({ condition: 'x' })
      .exit()
      .endIf()
      .llmStep({ stepName: 'new', task: 'N' })
      .llmStep({ stepName: 'c', task: 'C' })
      .build();
    expect(base().build().changesTo(now)).toEqual([
      { change: 'changed', step: null, fields: ['label'] },
      { change: 'changed', step: null, fields: ['planInputs'] },
      { change: 'changed', step: 'a', before: 0, after: 0, fields: ['model', 'task'] },
      { change: 'removed', step: 'b', before: 1, fields: [] },
      { change: 'added', step: 'new', after: 4, fields: [] },
    ]);
  });

  it('tells what was moved, in as few words as possible', () => {
    const now = new PlanBuilderV2('Plan')
      .llmStep({ stepName: 'b', task: 'B' })
      .if({ condition: 'x' })
      .exit()
      .endIf()
      .llmStep({ stepName: 'c', task: 'C' })
      .llmStep({ stepName: 'a', task: 'A' })
      .build();
    expect(base().build().changesTo(now)).toEqual([{ change: 'moved', step: 'a', before: 0, after: 5, fields: [] }]);
  });

  it('pairs steps without a name by what they are, then by kind', () => {
    const now = base().if({ condition: 'x' }).exit({ message: 'again' }).endIf().build();
    expect(
      base()
        .build()
        .changesTo(now)
        .map(({ change, step }) => [change, step]),
    ).toEqual([
      ['added', 'step_6'],
      ['added', 'step_7'],
      ['added', 'step_8'],
    ]);
    const other = new PlanBuilderV2('Plan')
      .llmStep({ stepName: 'a', task: 'A' })
      .llmStep({ stepName: 'b', task: 'B' })
      .if({ condition: 'y' })
      .exit()
      .endIf()
      .llmStep({ stepName: 'c', task: 'C' })
      .build();
    expect(base().build().changesTo(other)).toEqual([
      { change: 'changed', step: 'step_2', before: 2, after: 2, fields: ['condition'] },
    ]);
  });

  it('compares with the shape of a stored plan too, functions by their version', () => {
    const fn = (version: string) =>
      new PlanBuilderV2().functionStep({ stepName: 'f', function: () => 1, version }).build();
    expect(fn('1').changesTo(fn('1').toJSON())).toEqual([]);
    expect(planWith().changesTo(planWith().shape)).toEqual([]);
    expect(fn('1').changesTo(fn('2').shape)).toEqual([
      { change: 'changed', step: 'f', before: 0, after: 0, fields: ['version'] },
    ]);
    expect(fn('1').changesTo({ steps: 'none' })).toMatchObject([
      { step: null },
      { step: null },
      { step: null },
      { step: null },
      { change: 'removed', step: 'f' },
    ]);
  });
});
