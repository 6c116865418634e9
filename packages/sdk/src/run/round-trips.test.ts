import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import { StepOutput } from '../core/reference.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { text, toolCall } from '../testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

/** What the server saw and said, in order. */
const log: string[] = [];
let inFlight = 0;
let most = 0;
const server = createServer((request, response) => {
  const query = decodeURIComponent((request.url ?? '').slice(2));
  log.push(`asked ${query}`);
  inFlight += 1;
  most = Math.max(most, inFlight);
  setTimeout(() => {
    inFlight -= 1;
    log.push(`told ${query}`);
    response.end(`${query} grew`);
  }, 100);
});
let url = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const search = (readOnly: boolean): ReturnType<typeof tool> =>
  tool({
    id: 'search_tool',
    description: 'searches',
    ...(readOnly && { readOnly }),
    argsSchema: z.object({ search_query: z.string() }),
    run: async ({ search_query }) => (await fetch(`${url}/?${encodeURIComponent(search_query)}`)).text(),
  }) as never;

/** The plan of "Which stock price grew faster in 2024, Amazon or Google?" */
const compare = planOf(
  { toolId: 'search_tool', task: 'search Amazon', output: '$amazon' },
  { toolId: 'search_tool', task: 'search Google', output: '$google' },
  { task: 'compare them', output: '$faster', inputs: ['$amazon', '$google'] },
);

/** A model that notes when it is asked for the comparison. */
function model(): ScriptedModel {
  return scriptedModel(({ messages, tools = [] }) => {
    const all = JSON.stringify(messages);
    if (tools.length > 0)
      return toolCall('search_tool', { search_query: all.includes('search Amazon') ? 'Amazon' : 'Google' });
    log.push(all.includes('Amazon grew') && all.includes('Google grew') ? 'compared both' : 'compared too early');
    return text('Amazon');
  });
}

function begin(): void {
  log.length = 0;
  most = 0;
}

describe('two searches and a comparison', () => {
  it('take two round trips: both searches are under way at once, and then they are compared', async () => {
    begin();
    const run = await clientOf({ tools: [search(true)], model: model() }).runPlan(compare);
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput?.value).toBe('Amazon');
    expect(most).toBe(2);
    expect([...log.slice(0, 2)].sort()).toEqual(['asked Amazon', 'asked Google']);
    expect([...log.slice(2, 4)].sort()).toEqual(['told Amazon', 'told Google']);
    expect(log.slice(4)).toEqual(['compared both']);
    expect(Object.keys(run.outputs.stepOutputs)).toEqual(['$amazon', '$google', '$faster']);
  });

  it('run in order when the search may have effects', async () => {
    begin();
    const run = await clientOf({ tools: [search(false)], model: model() }).runPlan(compare);
    expect(run.error).toBeUndefined();
    expect(most).toBe(1);
    expect(log).toEqual(['asked Amazon', 'told Amazon', 'asked Google', 'told Google', 'compared both']);
  });

  it('take two round trips as a builder plan that says so', async () => {
    begin();
    const plan = new PlanBuilderV2('compare')
      .parallel()
      .branch()
      .invokeToolStep({ stepName: 'amazon', tool: 'search_tool', args: { search_query: 'Amazon' } })
      .branch()
      .invokeToolStep({ stepName: 'google', tool: 'search_tool', args: { search_query: 'Google' } })
      .endParallel()
      .llmStep({ stepName: 'faster', task: 'compare them', inputs: [StepOutput('amazon'), StepOutput('google')] })
      .build();
    const run = await clientOf({ tools: [search(false)], model: model() }).runPlan(plan);
    expect(run.error).toBeUndefined();
    expect(most).toBe(2);
    expect(log.slice(4)).toEqual(['compared both']);
  });
});
