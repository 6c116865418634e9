import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import type { CostEstimate } from './estimate.ts';
import { StepOutput } from '../core/reference.ts';
import { text, toolCall } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import { PlanBuilderV2 } from './builder-v2.ts';
import { quantiles, type Range } from './ranges.ts';

const modelPrices = { 'scripted/*': { input: 2, output: 8 } };
const search = tool({
  id: 'search_tool',
  description: 'Searches the web',
  readOnly: true,
  shouldSummarize: true,
  argsSchema: z.object({ search_query: z.string() }),
  run: ({ search_query }) => `${search_query} grew`,
});
const ping = tool({ id: 'ping', description: 'Says pong', readOnly: true, run: () => 'pong' });
const tools = [search, ping];

const compare = planOf(
  { toolId: 'search_tool', task: 'search Amazon', output: '$amazon' },
  { toolId: 'search_tool', task: 'search Google', output: '$google' },
  { task: 'compare them', output: '$faster', inputs: ['$amazon', '$google'] },
);

const inside = (value: number, { low, high }: Range): boolean => low <= value && value <= high;

/** Whether what a run took is what was estimated. */
function holds(estimate: CostEstimate, took: { modelCalls: number; toolCalls: number }): void {
  expect([took.modelCalls, estimate.modelCalls, inside(took.modelCalls, estimate.modelCalls)]).toEqual([
    took.modelCalls,
    estimate.modelCalls,
    true,
  ]);
  expect(inside(took.toolCalls, estimate.toolCalls)).toBe(true);
}

describe('an estimate from the shape of a plan', () => {
  it('of a planned one names calls, tokens and cost as ranges, and what it takes for granted; no model is asked', async () => {
    const model = scriptedModel([]);
    const estimate = await clientOf({ model, tools, config: { modelPrices } }).estimateCost(compare);
    expect(estimate).toMatchObject({ basis: 'shape', runs: 0, unpricedModels: [], activeMs: null, planning: null });
    expect(estimate.modelCalls).toEqual({ low: 5, expected: 5, high: 9 });
    expect(estimate.toolCalls).toEqual({ low: 3, expected: 3, high: 5 });
    const { low, expected, high } = estimate.costUsd ?? { low: 0, expected: 0, high: 0 };
    expect(low > 0 && low < expected && expected < high).toBe(true);
    expect(estimate.steps.map(({ name, kind }) => [name, kind])).toEqual([
      ['$amazon', 'tool'],
      ['$google', 'tool'],
      ['$faster', 'llm'],
      ['final output', 'summary'],
    ]);
    expect(estimate.assumptions.length).toBeGreaterThan(3);
    expect(model.requests).toHaveLength(0);
  });

  it('knows no cost where it knows no price', async () => {
    const portia = clientOf({ tools });
    expect(await portia.estimateCost(compare)).toMatchObject({ costUsd: null, unpricedModels: ['scripted/model'] });
    expect((await portia.estimateCost(planOf({ toolId: 'ping' }))).modelCalls).toEqual({
      low: 0,
      expected: 0,
      high: 2,
    });
  });

  it('of a condition, and of what a builder plan may leave out or repeat, begins at what is certain', async () => {
    const portia = clientOf({ tools, config: { modelPrices } });
    const conditional = planOf(
      { toolId: 'ping', output: '$a' },
      { task: 'think', output: '$b', condition: '$a is bad' },
    );
    expect((await portia.estimateCost(conditional)).modelCalls).toMatchObject({ low: 1, expected: 2 });
    const branches = new PlanBuilderV2('q')
      .if({ condition: 'It is late' })
      .llmStep({ stepName: 'a', task: 'x' })
      .llmStep({ stepName: 'b', task: 'x' })
      .else()
      .invokeToolStep({ stepName: 'c', tool: 'ping' })
      .endIf()
      .build();
    expect((await portia.estimateCost(branches)).modelCalls).toMatchObject({ low: 1, expected: 2 });
    const loops = new PlanBuilderV2('q')
      .loop({ over: ['a', 'b', 'c', 'd'], stepName: 'item' })
      .llmStep({ stepName: 'each', task: 'x' })
      .endLoop()
      .loop({ while: () => true, args: {}, maxIterations: 2, stepName: 'again' })
      .llmStep({ stepName: 'once', task: 'x' })
      .endLoop()
      .build();
    expect((await portia.estimateCost(loops)).modelCalls).toEqual({ low: 4, expected: 6, high: 12 });
    const leaves = new PlanBuilderV2('q')
      .invokeToolStep({ stepName: 'c', tool: 'ping' })
      .if({ condition: ({ c }) => c === 'stop', args: { c: StepOutput('c') } })
      .exit({ message: 'no' })
      .endIf()
      .llmStep({ stepName: 'a', task: 'x' })
      .build();
    expect((await portia.estimateCost(leaves)).modelCalls).toMatchObject({ low: 0, expected: 1 });
  });

  it('holds what runs of many kinds of steps then take', async () => {
    const model = scriptedModel(({ tools: offered = [], messages, schema }) => {
      const asked = JSON.stringify(messages);
      if (schema) return text('{"reason":"r","holds":true}');
      if (asked.includes('pong')) return text('done');
      if (offered.some(({ name }) => name === 'ping')) return toolCall('ping', {});
      return offered.length > 0 ? toolCall('search_tool', { search_query: 'x' }) : text('words');
    });
    const portia = clientOf({ model, tools, config: { modelPrices } });
    const plan = new PlanBuilderV2('q')
      .singleToolAgentStep({ stepName: 'found', tool: 'search_tool', task: 'search' })
      .parallel()
      .branch()
      .invokeToolStep({ stepName: 'p', tool: 'ping' })
      .branch()
      .functionStep({ stepName: 'f', function: () => 1, readOnly: true })
      .endParallel()
      .if({ condition: 'It grew', args: { found: StepOutput('found') } })
      .llmStep({ stepName: 'says', task: 'say it', inputs: [StepOutput('found')] })
      .endIf()
      .reactAgentStep({ stepName: 'agent', task: 'ping', tools: ['ping'] })
      .build();
    const before = await portia.estimateCost(plan);
    const run = await portia.runPlan(plan);
    expect(run.error).toBeUndefined();
    holds(before, run.executionContext.totals);
    const inTokens = before.steps.map(({ inputTokens }) => inputTokens.low <= inputTokens.high);
    expect(inTokens.every(Boolean)).toBe(true);
  });
});

describe('an estimate from recorded runs', () => {
  it('is what those runs took, by tenths, with how many there were', async () => {
    let answered = 0;
    const model = scriptedModel(({ tools: offered = [] }) => {
      answered += 1;
      const usage = { inputTokens: 100 * answered, outputTokens: 10 };
      return offered.length > 0 ? toolCall('search_tool', { search_query: 'x' }, { usage }) : text('words', { usage });
    });
    const portia = clientOf({ model, tools, config: { modelPrices } });
    const plan = planOf({ task: 'think', output: '$a' });
    for (let n = 0; n < 4; n += 1) await portia.runPlan(plan);
    const estimate = await portia.estimateCost(plan.id);
    expect(estimate).toMatchObject({
      basis: 'runs',
      runs: 4,
      modelCalls: { low: 1, expected: 1, high: 1 },
      inputTokens: { low: 100, expected: 200, high: 400 },
      costUsd: { low: 0.00028, expected: 0.00048, high: 0.00088 },
    });
    expect(estimate.activeMs).not.toBeNull();
    expect(answered).toBe(4);
  });

  it('of a plan that no run is recorded of begins with its shape, and of no plan is an error', async () => {
    const portia = clientOf({ tools });
    await expect(portia.estimateCost('plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10')).rejects.toMatchObject({
      code: 'PLAN_NOT_FOUND',
    });
    expect(quantiles([])).toEqual({ low: 0, expected: 0, high: 0 });
  });
});
