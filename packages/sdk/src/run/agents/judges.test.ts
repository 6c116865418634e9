// What conditions and summaries ask, of which model, and how often: through the real package, at a model server.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { planOf } from '../../../test/lib/engine.ts';
import { configFor, modelNames, serve } from '../../../test/lib/model-servers.ts';
import { Portia } from '../../client.ts';
import { contentText } from '../../core/content.ts';
import type { ConfigOptions } from '../../config/config-options.ts';
import { Input, StepOutput } from '../../core/reference.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import { object, type Script, text, together, toolCall } from '../../testing/script.ts';
import type { ScriptedServerRequest } from '../../testing/scripted-model-server.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { tool } from '../../tool/tool.ts';
import type { AnyPlan } from '../create-run.ts';

const long = `begin ${'x'.repeat(6_000)} end`;
const tools = [
  tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 }),
  tool({ id: 'long', description: 'gives a lot', readOnly: true, run: () => long }),
  tool({
    id: 'look',
    description: 'Looks things up',
    readOnly: true,
    shouldSummarize: true,
    argsSchema: z.object({ q: z.string() }),
    run: ({ q }) => `all about ${q}`,
  }),
  tool({ id: 'rows', description: 'gives rows', readOnly: true, run: () => [1, 2, 3] }),
];

async function attempt(plan: AnyPlan, script: Script<ScriptedServerRequest>, inputs = {}) {
  const server = await serve(script);
  const config = configFor(server, {
    defaultModel: 'openai/gpt-4.1',
    introspectionModel: 'openai/gpt-4.1-nano',
    summarizerModel: 'openai/gpt-4.1-mini',
  });
  const portia = new Portia({ config, tools, clock: fakeClock(Date.UTC(2025, 0, 6), { autoAdvance: true }) });
  const run = await portia.runPlan(plan, inputs);
  await portia.close();
  return { run, requests: server.requests };
}

const runWith: typeof attempt = async (...given) => {
  const done = await attempt(...given);
  expect(done.run.error).toBeUndefined();
  return done;
};

const words = (request: ScriptedServerRequest | undefined): string =>
  (request?.messages ?? []).map(({ content }) => contentText(content)).join('\n');

describe('a sentence as the condition of a builder plan', () => {
  it('costs one structured call of the introspection model, with the arguments by name, plan inputs included', async () => {
    const plan = new PlanBuilderV2('q')
      .input({ name: 'limit' })
      .if({ condition: 'It is below the limit', args: { limit: Input('limit'), spent: 7 } })
      .functionStep({ stepName: 'f', function: () => 'bought' })
      .endIf()
      .build();
    const { run, requests } = await runWith(plan, [object({ reason: '7 < 9', holds: true })], {
      planRunInputs: { limit: 9 },
    });
    expect([run.outputs.finalOutput, requests.length]).toEqual([{ value: 'bought', summary: null }, 1]);
    expect([requests[0]?.model, requests[0]?.schema?.name]).toEqual(['gpt-4.1-nano', 'condition']);
    const said = words(requests[0]);
    expect(said).toContain('Judge by the data given alone');
    expect(said).toContain('<step_input name="limit">\n9\n</step_input>');
    expect(said).toContain('<step_input name="spent">\n7\n</step_input>');
    expect(said).toContain('<step_condition>\nIt is below the limit\n</step_condition>');
  });
});

describe('the condition of a planned step', () => {
  const plan = planOf(
    { toolId: 'long', output: '$long', task: 'Fetch it' },
    { toolId: 'long', output: '$other', task: 'Fetch the other' },
    { toolId: 'one', output: '$n', condition: 'if $long ends with "end"', task: 'Count' },
  );
  const script =
    (outcome: string): Script<ScriptedServerRequest> =>
    ({ schema }) =>
      schema ? object({ reason: 'it does', outcome }) : text('a lot of x');

  it('costs one structured call before it, of the introspection model, and none for steps without one', async () => {
    const { run, requests } = await runWith(plan, script('CONTINUE'));
    const judged = requests.filter(({ schema }) => schema?.name === 'introspection');
    expect([judged.length, judged[0]?.model]).toEqual([1, 'gpt-4.1-nano']);
    expect(run.outputs.finalOutput?.value).toBe(1);
  });

  it('is judged by the date, the query, its place, all steps and outputs, whole where the condition names them', async () => {
    const { requests } = await runWith(plan, script('CONTINUE'));
    const said = words(requests.find(({ schema }) => schema));
    expect(said).toContain('Mon 2025-01-06');
    expect(said).toMatch(/<user_query>\n.+\n<\/user_query>/);
    for (const task of ['Fetch it', 'Fetch the other', 'Count']) expect(said).toContain(`"task":"${task}"`);
    expect(said).toContain('<step_condition>\nif $long ends with "end"\n</step_condition>');
    expect(said).toContain('Does step 2 run? Steps are counted from 0; the last one is 2.');
    expect(said).toContain(`<earlier_output name="$long">\n${long}\n</earlier_output>`);
    expect(said).toContain('<earlier_output name="$other">\na lot of x\n</earlier_output>');
  });

  it.each([
    ['SKIP', 'Tool execution skipped'],
    ['COMPLETE', 'Tool execution skipped and completed the plan run'],
  ])(
    'that says %s leaves its marker with the reason, and the value before it is the final output',
    async (outcome, value) => {
      const { run } = await runWith(plan, script(outcome));
      expect(run.outputs.stepOutputs['$n']).toEqual({ value, summary: 'it does' });
      expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', long]);
    },
  );
});

describe('the summary of a step', () => {
  const call = toolCall('look', { q: 'gold' });

  it('costs one call of the model of its agent, which sees the task, the tool, its arguments and its output', async () => {
    const plan = new PlanBuilderV2('q')
      .singleToolAgentStep({ stepName: 's', tool: 'look', task: 'Look up gold', model: 'openai/gpt-4o' })
      .build();
    const { run, requests } = await runWith(plan, [call, text('Gold, in short.')]);
    expect(run.outputs.finalOutput).toEqual({ value: 'all about gold', summary: 'Gold, in short.' });
    expect(requests.map(({ model }) => model)).toEqual(['gpt-4o', 'gpt-4o']);
    const said = words(requests[1]);
    expect(said).toContain('At most 500 characters');
    expect(said).toContain('<step_task tool="Looks things up">\nLook up gold\n</step_task>');
    expect(said).toMatch(/<tool_output name="look" description="{.*q.*gold.*}">\nall about gold\n<\/tool_output>/);
  });

  it('comes with the value in its schema, in the same call', async () => {
    const structuredOutputSchema = z.object({ topic: z.string() });
    const { run, requests } = await runWith(
      planOf({ toolId: 'look', task: 'Look up gold', output: '$a', structuredOutputSchema }),
      [call, object({ result: { topic: 'gold' }, summary: 'Gold.' })],
    );
    expect(run.outputs.finalOutput).toEqual({ value: { topic: 'gold' }, summary: 'Gold.' });
    expect(requests.map(({ schema }) => schema?.name)).toEqual([undefined, 'result_with_summary']);
  });
});

describe('the summary of several calls of one turn', () => {
  const structuredOutputSchema = z.object({ dearer: z.string() });
  const plans = {
    planned: planOf({ toolId: 'look', task: 'Look up gold and silver', output: '$a', structuredOutputSchema }),
    built: new PlanBuilderV2('q')
      .singleToolAgentStep({
        stepName: 's',
        tool: 'look',
        task: 'Look up gold and silver',
        outputSchema: structuredOutputSchema,
      })
      .build(),
  } as const;

  it.each(Object.keys(plans) as (keyof typeof plans)[])(
    'shows each with its own arguments and its own output, in a %s step and for every provider',
    async (kind) => {
      for (const provider of ['openai', 'anthropic', 'google'] as const) {
        const server = await serve([
          together(toolCall('look', { q: 'gold' }), toolCall('look', { q: 'silver' })),
          object({ result: { dearer: 'gold' }, summary: 'Gold.' }),
        ]);
        const portia = new Portia({ config: configFor(server, { defaultModel: modelNames[provider] }), tools });
        const run = await portia.runPlan(plans[kind]);
        expect([provider, run.error, run.outputs.finalOutput?.value]).toEqual([
          provider,
          undefined,
          { dearer: 'gold' },
        ]);
        const shown = [...words(server.requests[1]).matchAll(/<tool_output ([^\n]*)>\n([^\n]*)\n/g)];
        expect(shown.map(([, attributes, output]) => [attributes, output])).toEqual([
          [String.raw`name="look" description="{\"q\":\"gold\"}"`, 'all about gold'],
          [String.raw`name="look" description="{\"q\":\"silver\"}"`, 'all about silver'],
        ]);
        await portia.close();
      }
    },
  );
});

describe('what does not fit into the window of a model', () => {
  const vast = `begin ${'word '.repeat(9_000)}end`;
  const wide = [
    ...tools,
    tool({ id: 'vast', description: 'gives more than fits', readOnly: true, run: () => vast }),
    tool({
      id: 'save',
      description: 'saves',
      argsSchema: z.object({ text: z.string() }),
      run: ({ text: t }) => t.length,
    }),
  ];

  // 8,192 tokens, of which 90 % may be values.
  const small = 'openai/gpt-4';

  async function run(plan: AnyPlan, script: Script<ScriptedServerRequest>, more: ConfigOptions = {}) {
    const server = await serve(script);
    const config = configFor(server, { defaultModel: small, ...more });
    const portia = new Portia({ config, tools: wide });
    const done = await portia.runPlan(plan);
    await portia.close();
    expect(done.error).toBeUndefined();
    return { run: done, requests: server.requests };
  }

  it('is told to the summariser of its step as a large output that is held in memory', async () => {
    const { requests } = await run(planOf({ toolId: 'vast', output: '$v' }), ['It is vast.', 'In short.']);
    expect(words(requests[0])).toContain(`a large output of ${vast.length} characters, held in memory`);
    expect(words(requests[0])).not.toContain('word word');
  });

  it('stands in the final summary by its own', async () => {
    const plan = planOf({ toolId: 'vast', output: '$v' }, { toolId: 'rows', output: '$rows' });
    const { run: done, requests } = await run(
      plan,
      ({ model }) => text(model === 'gpt-4' ? 'Vast, and rows.' : 'It is vast.'),
      { defaultModel: 'openai/gpt-4.1', summarizerModel: small, featureFlags: { agentMemoryEnabled: false } },
    );
    expect(done.outputs.finalOutput?.summary).toBe('Vast, and rows.');
    const last = words(requests.at(-1));
    expect(last).toContain('name="$v" description="do it" shown="summary">\nIt is vast.\n');
    expect(last).not.toContain('word word');
  });

  it('is passed whole by its name to a planned step, although the model saw only its summary', async () => {
    const plan = planOf({ toolId: 'vast', output: '$v' }, { toolId: 'save', inputs: ['$v'], output: '$n' });
    const { run: done, requests } = await run(plan, ['It is vast.', toolCall('save', { text: '{{$v}}' })]);
    expect(words(requests[1])).toContain('It is vast.');
    expect(words(requests[1])).not.toContain('word word');
    expect(done.outputs.finalOutput?.value).toBe(vast.length);
  });

  it('is passed whole by its name to the tools of a ReAct step', async () => {
    const plan = new PlanBuilderV2('q')
      .invokeToolStep({ stepName: 'v', tool: 'vast' })
      .reactAgentStep({ stepName: 'n', task: 'Save it', tools: ['save'], inputs: [StepOutput('v')] })
      .build();
    const { requests } = await run(plan, ['It is vast.', toolCall('save', { text: '{{v}}' }), 'saved']);
    expect(words(requests[1])).not.toContain('word word');
    expect(words(requests[2])).toContain(`\n${vast.length}`);
  });
});

describe('an output in the schema of its step', () => {
  it('that a model cannot make, twice, fails the step: it is never passed on as it was', async () => {
    const structuredOutputSchema = z.object({ topic: z.string() });
    const plan = planOf({ toolId: 'rows', output: '$a', structuredOutputSchema });
    const { run, requests } = await attempt(plan, () => object({ result: { topic: 7 }, summary: 's' }));
    expect([run.error?.code, run.error?.step, requests.length]).toEqual(['OUTPUT_INVALID', 0, 2]);
    expect(words(requests[1])).toContain('the value does not fit its schema: ');
  });
});

describe('the final summary', () => {
  const plan = planOf(
    { toolId: 'long', output: '$long', task: 'Fetch it' },
    { toolId: 'one', output: '$n', task: 'Count', condition: 'never' },
    { toolId: 'rows', output: '$rows', task: 'List' },
  );
  const script: Script<ScriptedServerRequest> = ({ schema, messages }) => {
    if (schema?.name === 'introspection') return object({ reason: 'never is never', outcome: 'SKIP' });
    if (schema) return object({ result: { count: 3 }, summary: 'Three.' });
    return text(JSON.stringify(messages).includes('what became of their query') ? 'Three rows.' : 'a lot of x');
  };

  it('is one call of the summarizer: the query, tasks and outputs; of what was skipped or is large, the summary', async () => {
    const { run, requests } = await runWith(plan, script);
    expect(run.outputs.finalOutput).toEqual({ value: [1, 2, 3], summary: 'Three rows.' });
    const asked = requests.filter(({ model }) => model === 'gpt-4.1-mini');
    expect(asked).toHaveLength(1);
    const said = words(asked[0]);
    expect(said).toContain('At most 500 characters');
    expect(said).toContain('name="$long" description="Fetch it">\na lot of x\n');
    expect(said).toContain('name="$n" description="Count">\nnever is never\n');
    expect(said).toContain('name="$rows" description="List">\n[1,2,3]\n');
    expect(said).not.toContain('Tool execution skipped');
  });

  it('gives the result in the schema of the caller, and is not part of it', async () => {
    const { run } = await runWith(plan, script, { structuredOutputSchema: z.object({ count: z.number() }) });
    expect(run.outputs.finalOutput).toEqual({ value: { count: 3 }, summary: 'Three.' });
  });

  it('of a builder plan is made only where it asks for one', async () => {
    const built = (summarize: boolean) => {
      const base = new PlanBuilderV2('q').functionStep({ stepName: 'f', function: () => [1] });
      return (summarize ? base.finalOutput({ summarize: true }) : base).build();
    };
    const silent = await runWith(built(false), []);
    expect([silent.run.outputs.finalOutput, silent.requests]).toEqual([{ value: [1], summary: null }, []]);
    const told = await runWith(built(true), [text('One row.')]);
    expect([told.run.outputs.finalOutput?.summary, told.requests.length]).toEqual(['One row.', 1]);
  });
});
