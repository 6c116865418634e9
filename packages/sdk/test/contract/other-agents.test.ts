// What the contract says of the ReAct agent, of judges and of summaries (B 3.4 to 3.7, facts 76 to 88), over each protocol.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ToolHardError, ToolSoftError } from '../../src/core/errors.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { Input, StepOutput } from '../../src/core/reference.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { object, text, together, toolCall } from '../../src/testing/script.ts';
import { tool } from '../../src/tool/tool.ts';
import { answerAndResume, planOf, planWith, questionOf } from '../lib/engine.ts';
import { allWires, clientOver, offered, words } from './wires.ts';

const long = 'word '.repeat(3_000);

function bench() {
  const made: JsonObject[] = [];
  const argsSchema = z.object({ id: z.string() });
  const tools = [
    tool({
      id: 'read',
      description: 'Reads',
      readOnly: true,
      argsSchema,
      run({ id }) {
        made.push({ read: id });
        if (id === 'gone') throw new ToolSoftError('there is no such thing');
        if (id === 'shut') throw new ToolHardError('access denied');
        return `value of ${id}`;
      },
    }),
    tool({
      id: 'pay',
      description: 'Pays',
      argsSchema,
      run({ id }) {
        made.push({ pay: id });
        return `paid ${id}`;
      },
    }),
    tool({ id: 'long', description: 'gives a lot', readOnly: true, run: () => long }),
    tool({ id: 'rows', description: 'gives rows', readOnly: true, run: () => [1, 2] }),
  ];
  return { made, tools };
}

const read = (id: string) => toolCall('read', { id });
const pay = (id: string) => toolCall('pay', { id });
type Options = Partial<Parameters<PlanBuilderV2['reactAgentStep']>[0]>;
const react = (options: Options = {}) =>
  new PlanBuilderV2('The books')
    .reactAgentStep({ stepName: 'work', task: 'Settle the books', tools: ['read', 'pay'], ...options } as never)
    .build();
const Total = z.object({ total: z.number() });

describe.each(allWires)('a ReAct step, over %s', (wire) => {
  it('offers its tools, and takes a turn for each round of calls and one for the result (76, 77, 78, 80)', async () => {
    const { made, tools } = bench();
    const { portia, requests } = await clientOver(wire, [read('a'), pay('b'), 'Settled.'], { tools });
    const run = await portia.runPlan(react());
    expect([run.outputs.finalOutput?.value, made, requests.map(offered)]).toEqual([
      'Settled.',
      [{ read: 'a' }, { pay: 'b' }],
      [
        ['read', 'pay'],
        ['read', 'pay'],
        ['read', 'pay'],
      ],
    ]);
    const last = words(requests[2]);
    for (const said of ['Settle the books', 'Mon 2025-01-06', 'value of a', 'paid b']) expect(last).toContain(said);
  });

  it('gives its result in its schema, in the turn that ends it (80)', async () => {
    const { tools } = bench();
    const result = (value: JsonValue) => toolCall('final_result', { result: value });
    const script = [text('It is three.'), result({ total: 'x' }), result({ total: 3 })];
    const { portia, requests } = await clientOver(wire, script, { tools });
    const run = await portia.runPlan(react({ outputSchema: Total } as Options));
    expect([run.error, run.outputs.finalOutput?.value, requests.map(offered).at(-1)]).toEqual([
      undefined,
      { total: 3 },
      ['read', 'pay', 'final_result'],
    ]);
  });

  it('stops at its limit of calls (78)', async () => {
    const { made, tools } = bench();
    const { portia } = await clientOver(wire, () => read('a'), { tools });
    const run = await portia.runPlan(react({ toolCallLimit: 3 }));
    expect([run.error?.code, made.length]).toEqual(['AGENT_LIMIT', 3]);
  });

  it('tells the model of errors, soft and hard, and goes on (79)', async () => {
    const { tools } = bench();
    const script = [together(read('gone'), read('shut')), read('a'), 'Settled.'];
    const { portia, requests } = await clientOver(wire, script, { tools });
    expect((await portia.runPlan(react())).state).toBe('COMPLETE');
    expect(words(requests[1])).toContain('there is no such thing');
    expect(words(requests[1])).toContain('access denied');
  });

  it('asks a person where it may, and goes on without repeating a call (76, 81)', async () => {
    const { made, tools } = bench();
    const script = [pay('a'), toolCall('clarification_tool', { guidance: 'Which one?' }), 'Settled.'];
    const { portia, requests } = await clientOver(wire, script, { tools });
    const waiting = await portia.runPlan(react({ allowAgentClarifications: true }));
    expect(questionOf(waiting)).toMatchObject({
      category: 'Input',
      argumentName: 'react_agent_clarification',
      userGuidance: 'Which one?',
    });
    const run = await answerAndResume(portia, waiting, 'the second');
    expect([run.state, made, requests.length]).toEqual(['COMPLETE', [{ pay: 'a' }], 3]);
    expect(words(requests[2])).toContain('the second');
  });

  it('has its hooks see each call with its own arguments, and never the result (82)', async () => {
    const { tools } = bench();
    const seen: unknown[] = [];
    const hooks = {
      beforeToolCall: (called: { readonly id: string }, args: JsonObject) => void seen.push([called.id, { ...args }]),
      afterToolCall: (called: { readonly id: string }, output: JsonValue) => void seen.push([called.id, output]),
    };
    const { portia } = await clientOver(wire, [together(pay('a'), pay('b')), 'Settled.'], { tools, hooks });
    expect((await portia.runPlan(react())).state).toBe('COMPLETE');
    expect(seen).toEqual([
      ['pay', { id: 'a' }],
      ['pay', { id: 'b' }],
      ['pay', 'paid a'],
      ['pay', 'paid b'],
    ]);
  });

  it('passes an input whole by its name that its window does not hold (58, 60)', async () => {
    const { made, tools } = bench();
    const script = [pay('{{note}}'), 'Settled.'];
    const { portia, requests } = await clientOver(wire, script, { tools, contextWindow: 2_000 });
    const plan = new PlanBuilderV2('The books')
      .input({ name: 'note', description: 'The long note' })
      .reactAgentStep({ stepName: 'work', task: 'Settle it', tools: ['pay'], inputs: [Input('note')] })
      .build();
    await portia.runPlan(plan, { planRunInputs: { note: long } });
    expect(words(requests[0])).not.toContain('word word');
    expect(made).toEqual([{ pay: long }]);
  });
});

describe.each(allWires)('judges and summaries, over %s', (wire) => {
  it('judge a sentence in one structured call, with its arguments by name (83)', async () => {
    const { tools } = bench();
    const { portia, requests } = await clientOver(wire, [object({ reason: 'so', holds: false })], { tools });
    const plan = new PlanBuilderV2('q')
      .if({ condition: 'It is below the limit', args: { spent: 7 } })
      .functionStep({ stepName: 'f', function: () => 'bought' })
      .endIf()
      .build();
    const run = await portia.runPlan(plan);
    expect([run.error, run.outputs.finalOutput?.value ?? null, requests.length]).toEqual([undefined, null, 1]);
    expect(words(requests[0])).toContain('It is below the limit');
    expect(words(requests[0])).toMatch(/name="spent"[^>]*>\n7\n/);
  });

  it.each([
    ['CONTINUE', [1, 2]],
    ['SKIP', 'value of a'],
    ['COMPLETE', 'value of a'],
  ] as const)('judge the condition of a planned step: %s (84, 85, 86)', async (outcome, final) => {
    const { tools } = bench();
    const script = [read('a'), object({ reason: 'it says so', outcome }), text('In short.')];
    const { portia, requests } = await clientOver(wire, script, { tools });
    const plan = planWith(
      [{ name: '$limit' }],
      { toolId: 'read', task: 'Read a', output: '$a' },
      { toolId: 'rows', task: 'List', output: '$rows', condition: 'if $a is high' },
    );
    const run = await portia.runPlan(plan, { planRunInputs: { $limit: 'seven' } });
    expect([run.error, run.outputs.finalOutput?.value]).toEqual([undefined, final]);
    if (outcome !== 'CONTINUE') expect(run.outputs.stepOutputs['$rows']?.summary).toBe('it says so');
    const said = words(requests[1]);
    for (const part of ['Mon 2025-01-06', 'if $a is high', 'the query', 'Read a', 'List', 'value of a', 'seven'])
      expect(said).toContain(part);
  });

  it('summarise a step from its task, its tool and each call, or from a note where it is too large (87)', async () => {
    const { tools } = bench();
    const large = await clientOver(wire, ['A lot.'], { tools, contextWindow: 2_000 });
    const run = await large.portia.runPlan(planOf({ toolId: 'long', task: 'Fetch it', output: '$a' }));
    expect(run.outputs.stepOutputs['$a']?.summary).toBe('A lot.');
    expect(words(large.requests[0])).toContain(`a large output of ${long.length} characters, held in memory`);
    const structuredOutputSchema = Total;
    const script = [together(read('a'), read('b')), object({ result: { total: 2 }, summary: 'Two.' })];
    const several = await clientOver(wire, script, { tools });
    const typed = planOf({ toolId: 'read', task: 'Read both', output: '$a', structuredOutputSchema });
    expect((await several.portia.runPlan(typed)).outputs.finalOutput?.value).toEqual({ total: 2 });
    const said = words(several.requests[1]);
    for (const part of ['At most 500 characters', 'Read both', 'Reads', 'value of a', 'value of b'])
      expect(said).toContain(part);
  });

  it('never pass on a value that was not brought into its schema (87)', async () => {
    const { tools } = bench();
    const script = () => object({ result: { total: 'many' }, summary: 's' });
    const { portia, requests } = await clientOver(wire, script, { tools });
    const run = await portia.runPlan(planOf({ toolId: 'rows', output: '$a', structuredOutputSchema: Total }));
    expect([run.error?.code, requests.length]).toEqual(['OUTPUT_INVALID', 2]);
  });

  it('summarise a run from its query, tasks and outputs, large ones by their summaries; also in a schema (88)', async () => {
    const { tools } = bench();
    const plan = planOf(
      { toolId: 'long', task: 'Fetch it', output: '$long' },
      { toolId: 'rows', task: 'List', output: '$rows' },
    );
    const plain = await clientOver(wire, ['A lot.', 'Two rows.'], { tools, contextWindow: 2_000 });
    const run = await plain.portia.runPlan(plan);
    expect(run.outputs.finalOutput).toEqual({ value: [1, 2], summary: 'Two rows.' });
    const said = words(plain.requests[1]);
    for (const part of ['At most 500 characters', 'the query', 'Fetch it', '\nA lot.\n', 'List', '[1,2]'])
      expect(said).toContain(part);
    expect(said).not.toContain('word word');
    const typed = await clientOver(wire, ['A lot.', object({ result: { total: 2 }, summary: 'Two.' })], { tools });
    const done = await typed.portia.runPlan(plan, { structuredOutputSchema: Total });
    expect(done.outputs.finalOutput).toEqual({ value: { total: 2 }, summary: 'Two.' });
  });

  it('are asked by builder plans only where they say so (88)', async () => {
    const built = new PlanBuilderV2('q').functionStep({ stepName: 'f', function: () => [1] });
    const silent = await clientOver(wire, []);
    expect((await silent.portia.runPlan(built.build())).state).toBe('COMPLETE');
    const asked = new PlanBuilderV2('q')
      .functionStep({ stepName: 'f', function: () => [1] })
      .llmStep({ stepName: 'w', task: 'Say it', inputs: [StepOutput('f')] })
      .finalOutput({ summarize: true })
      .build();
    const { portia, requests } = await clientOver(wire, ['One.', 'One row.']);
    expect((await portia.runPlan(asked)).outputs.finalOutput?.summary).toBe('One row.');
    expect(requests).toHaveLength(2);
  });
});
