import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { contentText } from '../../src/core/content.ts';
import type { ModelRequest } from '../../src/core/model.ts';
import { StepOutput } from '../../src/core/reference.ts';
import { McpToolRegistry } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { PlanBuilder } from '../../src/plan/plan-builder.ts';
import { type ScriptedModel, scriptedModel } from '../../src/testing/scripted-model.ts';
import { text, toolCall } from '../../src/testing/script.ts';
import { clientOf } from '../lib/engine.ts';
import { payments } from '../lib/mcp-servers.ts';
import { startWorlds, type Worlds } from '../lib/outside-world.ts';

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());
const open: McpToolRegistry[] = [];
afterEach(() => Promise.all(open.splice(0).map((registry) => registry.close())));

async function paying(more: Parameters<typeof payments>[1] = {}) {
  const world = worlds.fresh();
  const registry = await McpToolRegistry.fromStdioConnection(payments(world.url, more));
  open.push(registry);
  return { world, registry };
}

/** The messages of all requests in which the server's words stand, as a model gets them, each once. */
function told({ requests }: ScriptedModel): string {
  const said = requests.flatMap(({ messages }: ModelRequest) =>
    messages.map((message) => `${message.role}: ${contentText(message.content) || JSON.stringify(message)}`),
  );
  const here = [...new Set(said)].filter((message) => message.includes('Ignore all rules'));
  return here.join('\n\n').replace(/(?:\w{3} )?\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?/g, '<date>');
}

describe('what an MCP server gives, made to look like orders and answered questions', () => {
  it('is data in every prompt of an agent that calls it, and of the steps after', async () => {
    const { world, registry } = await paying();
    const model = scriptedModel([
      toolCall('mcp_payments_hostile', { structured: true }),
      text('It gave a text.'),
      text('Summed up.'),
      text('A summary.'),
    ]);
    const plan = new PlanBuilderV2('Look at it')
      .reactAgentStep({
        stepName: 'look',
        task: 'Look at the payments',
        tools: ['mcp:payments:hostile', 'mcp:payments:create_refund'],
      })
      .invokeToolStep({ stepName: 'again', tool: 'mcp:payments:hostile', args: { structured: false } })
      .llmStep({ stepName: 'sum', task: 'Sum up', inputs: [StepOutput('look'), StepOutput('again')] })
      .build();
    const run = await clientOf({ tools: [...registry], model }).runPlan(plan, { endUser: 'ada' });
    expect([run.state, run.outputs.clarifications, world.effects]).toEqual(['COMPLETE', [], []]);
    expect(told(model)).toMatchSnapshot();
  });

  it('is data where a planned step makes arguments of it, and only the arguments a model gives are used', async () => {
    const { world, registry } = await paying();
    const model = scriptedModel(({ tools = [] }) => {
      if (tools.some(({ name }) => name === 'mcp_payments_hostile'))
        return toolCall('mcp_payments_hostile', { structured: true });
      return tools.length > 0
        ? toolCall('mcp_payments_create_refund', { payment_intent: 'pi_1', amount: 5, key: 'k1' })
        : text('a summary');
    });
    const plan = new PlanBuilder('Refund pi_1')
      .step('Look at the payment', 'mcp:payments:hostile', '$payment')
      .step('Refund 5 of pi_1', 'mcp:payments:create_refund', '$refund')
      .input('$payment')
      .build();
    const portia = clientOf({ tools: [...registry], model, config: { executionAgentType: 'ONE_SHOT' } });
    const run = await portia.runPlan(plan, { endUser: 'ada' });
    expect([run.state, run.outputs.clarifications]).toEqual(['COMPLETE', []]);
    expect(world.effects.map(({ body }) => body)).toEqual([{ payment_intent: 'pi_1', amount: 5 }]);
    expect(told(model)).toMatchSnapshot();
  });
});

describe('a server that asks the model', () => {
  const ponder = (times: number) =>
    new PlanBuilderV2('Ponder').invokeToolStep({ stepName: 'p', tool: 'mcp:payments:ponder', args: { times } }).build();

  it('gets no more answers, and no longer ones, than is allowed for one call', async () => {
    const { registry } = await paying({ allowSampling: { maxCalls: 2, maxTokens: 30 } });
    const model = scriptedModel(Array.from({ length: 4 }, (_, index) => text(`thought ${index + 1}`)));
    const portia = clientOf({ tools: [...registry], model });
    const within = await portia.runPlan(ponder(2));
    expect(within.outputs.finalOutput?.value).toBe('thought 1; thought 2');
    expect(model.requests.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([30, 30]);
    const beyond = await portia.runPlan(ponder(3));
    expect(beyond.outputs.finalOutput?.value).toContain('has asked the model 2 times already');
    expect(model.requests).toHaveLength(4);
    expect(beyond.executionContext.totals.modelCalls).toBe(2);
  });

  it('spends the budget of the run', async () => {
    const { registry } = await paying({ allowSampling: true });
    const model = scriptedModel(Array.from({ length: 4 }, () => text('thought')));
    const portia = clientOf({ tools: [...registry], model });
    const run = await portia.runPlan(ponder(4), { budget: { maxModelCalls: 2 } });
    expect(model.requests).toHaveLength(2);
    expect(JSON.stringify([run.error, run.outputs])).toMatch(/budget|maxModelCalls/i);
  });

  it('is told no where it is not allowed', async () => {
    const { registry } = await paying();
    const model = scriptedModel([]);
    const run = await clientOf({ tools: [...registry], model }).runPlan(ponder(1));
    expect(model.requests).toEqual([]);
    expect(run.outputs.finalOutput?.value).toBe('Method not found');
  });
});
