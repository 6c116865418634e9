// What each kind of step costs, counted at a model server: the table in docs/cost.md is made here. With
// UPDATE_DOCS=1 it is written; else a page that says something else fails.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../src/client.ts';
import { Config } from '../src/config/config.ts';
import { StepOutput } from '../src/core/reference.ts';
import { PlanBuilderV2 } from '../src/plan/builder-v2.ts';
import { memoryStorage } from '../src/storage/memory/memory-storage.ts';
import { object, text, toolCall } from '../src/testing/script.ts';
import { type ScriptedModelServer, scriptedModelServer } from '../src/testing/scripted-model-server.ts';
import { systemClock } from '../src/run/system-clock.ts';
import { tool } from '../src/tool/tool.ts';
import type { AnyPlan } from '../src/run/create-run.ts';
import { planOf } from './lib/engine.ts';

const page = fileURLToPath(new URL('../../../docs/cost.md', import.meta.url));
const begin = '<!-- calls: written by packages/sdk/test/cost-table.test.ts -->';
const end = '<!-- /calls -->';

const search = tool({
  id: 'search',
  description: 'Search the web',
  readOnly: true,
  argsSchema: z.object({ query: z.string() }),
  run: ({ query }) => `result for ${query}: 42 items`,
});
const summarised = tool({ ...search, id: 'search_tool', shouldSummarize: true } as never) as typeof search;
const ping = tool({ id: 'ping', description: 'Says pong', readOnly: true, run: () => 'pong' });

/** When each request came and was answered: what came after the last answer is one round deeper. */
let open = 0;
let depth = 0;
let server: ScriptedModelServer;
beforeAll(async () => {
  server = await scriptedModelServer(async (request) => {
    if (open === 0) depth += 1;
    open += 1;
    await new Promise((resolve) => setTimeout(resolve, 30));
    open -= 1;
    const { tools = [], schema, messages } = request;
    const said = JSON.stringify(messages);
    if (schema?.name === 'plan') return object(draft);
    if (schema?.name === 'condition') return object({ reason: 'so', holds: true });
    if (schema?.name.startsWith('introspection')) return object({ reason: 'so', outcome: 'CONTINUE' });
    if (schema) return object(said.includes('summary') ? { result: { n: 42 }, summary: '42' } : { n: 42 });
    const used = messages.filter(({ role }) => role === 'tool').length;
    const [offered] = tools;
    if (offered && used === 0) return toolCall(offered.name, { query: said.includes('search B') ? 'B' : 'A' });
    return text('Answer done.');
  });
});
afterAll(() => server.close());
beforeEach(() => {
  depth = 0;
});

const draft = {
  steps: [
    { task: 'search A', tool_id: 'search_tool', inputs: [], output: '$a', condition: null },
    { task: 'search B', tool_id: 'search_tool', inputs: [], output: '$b', condition: null },
    {
      task: 'Compare the two results',
      tool_id: 'llm_tool',
      inputs: [
        { name: '$a', description: '' },
        { name: '$b', description: '' },
      ],
      output: '$compared',
      condition: null,
    },
  ],
  error: null,
};

function client(): Portia {
  const config = new Config({
    openaiApiKey: 'sk-only-for-tests',
    openaiBaseUrl: server.baseUrl,
    defaultModel: 'openai/gpt-4.1',
    storage: memoryStorage(),
  });
  // The date is in the prompts, and its words are not equally long.
  const clock = { ...systemClock, now: () => Date.UTC(2025, 0, 6) };
  return new Portia({ config, clock, tools: [search, summarised, ping] });
}

interface Counted {
  readonly calls: number;
  readonly tokens: number;
}

/** Requests that reached the server, and the tokens of their prompts, to the ten, four characters each. */
async function counted(work: (portia: Portia) => Promise<unknown>): Promise<Counted> {
  const before = server.requests.length;
  await work(client());
  const asked = server.requests.slice(before);
  const chars = asked.map(({ body }) => JSON.stringify([body['messages'], body['tools'] ?? []]).length);
  return { calls: asked.length, tokens: Math.round(chars.reduce((sum, one) => sum + one, 0) / 40) * 10 };
}

const running =
  (plan: AnyPlan) =>
  async (portia: Portia): Promise<void> => {
    const run = await portia.runPlan(plan);
    expect(run.error).toBeUndefined();
    expect(run.state).toBe('COMPLETE');
  };

const builder = (): PlanBuilderV2 => new PlanBuilderV2('q');
const Found = z.object({ n: z.number() });

/** The unit, what Portia 0.9 takes for it (one-shot agent), and the work. */
const units: readonly (readonly [unit: string, portia: string, work: (portia: Portia) => Promise<unknown>])[] = [
  ['a plan from a query', '1', (portia) => portia.plan('search A and B, then compare')],
  ['planned step, a tool with arguments', '1', running(planOf({ toolId: 'search', task: 'search A' }))],
  ['planned step, a tool without arguments', '1', running(planOf({ toolId: 'ping' }))],
  ['planned step, no tool or `llm_tool`', '2', running(planOf({ task: 'Compare' }))],
  ['planned step, a tool that wants a summary', '2', running(planOf({ toolId: 'search_tool', task: 'search A' }))],
  [
    'planned step, a condition before it',
    '+ 1',
    running(planOf({ toolId: 'ping', output: '$p' }, { toolId: 'ping', condition: '$p is pong' })),
  ],
  ['planned run, final output that can be read as it is', '+ 1', running(planOf({ toolId: 'ping' }))],
  [
    '`functionStep`',
    '0',
    running(
      builder()
        .functionStep({ stepName: 'f', function: () => 1 })
        .build(),
    ),
  ],
  [
    '`invokeToolStep`',
    '0',
    running(
      builder()
        .invokeToolStep({ stepName: 'i', tool: 'search', args: { query: 'A' } })
        .build(),
    ),
  ],
  [
    '`invokeToolStep` with an `outputSchema` the value does not fit',
    '1',
    running(
      builder()
        .invokeToolStep({ stepName: 'i', tool: 'search', args: { query: 'A' }, outputSchema: Found })
        .build(),
    ),
  ],
  ['`llmStep`', '1', running(builder().llmStep({ stepName: 'l', task: 'Compare' }).build())],
  [
    '`singleToolAgentStep`',
    '1',
    running(builder().singleToolAgentStep({ stepName: 's', tool: 'search', task: 'search A' }).build()),
  ],
  [
    '`reactAgentStep` with one tool call',
    '3',
    running(
      builder()
        .reactAgentStep({ stepName: 'r', tools: ['search'], task: 'search A' })
        .build(),
    ),
  ],
  [
    '`if` with a function',
    '0',
    running(
      builder()
        .if({ condition: () => true })
        .endIf()
        .build(),
    ),
  ],
  ['`if` with a sentence', '1', running(builder().if({ condition: 'It is so' }).endIf().build())],
];

describe('the table of calls in docs/cost.md', () => {
  it('says what reached the server', async () => {
    const rows: string[] = [];
    for (const [unit, portia, work] of units) {
      const { calls, tokens } = await counted(work);
      rows.push(`| ${unit} | ${portia.startsWith('+') && calls > 0 ? '+ ' : ''}${calls} | ${portia} | ${tokens} |`);
    }
    const table = ['| work | model calls | Portia 0.9, one-shot | prompt tokens |', '|---|---|---|---|', ...rows].join(
      '\n',
    );
    const written = readFileSync(page, 'utf8');
    const from = written.indexOf(begin);
    const to = written.indexOf(end);
    expect(from >= 0 && to > from).toBe(true);
    const now = `${written.slice(0, from)}${begin}\n${table}\n${written.slice(to)}`;
    if (process.env['UPDATE_DOCS']) writeFileSync(page, now);
    else expect(written, 'not up to date: run this test with UPDATE_DOCS=1').toBe(now);
  });
});

describe('search A and B, then compare', () => {
  it('takes 6 calls, 5 round trips deep at most, planned and run, the summaries of the searches included', async () => {
    const { calls } = await counted(async (portia) => {
      const run = await portia.run('search A and B, then compare');
      expect(run.error).toBeUndefined();
      // The comparison is a short text: the final summary costs nothing.
      expect(run.executionContext.totals.modelCalls).toBe(5);
    });
    expect(calls).toBe(6);
    expect(depth).toBeLessThanOrEqual(5);
  });

  it('takes 3 calls, 2 round trips deep, as a builder plan', async () => {
    const plan = builder()
      .parallel()
      .branch()
      .singleToolAgentStep({ stepName: 'a', tool: 'search', task: 'search A' })
      .branch()
      .singleToolAgentStep({ stepName: 'b', tool: 'search', task: 'search B' })
      .endParallel()
      .llmStep({ stepName: 'compared', task: 'Compare', inputs: [StepOutput('a'), StepOutput('b')] })
      .build();
    expect((await counted(running(plan))).calls).toBe(3);
    expect(depth).toBe(2);
  });
});
