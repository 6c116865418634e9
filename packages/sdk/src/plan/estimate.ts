import type { PlanUUID } from '../core/ids.ts';
import { inDollars, type ModelTotals } from '../core/usage.ts';
import type { Plan } from '../core/plan.ts';
import { executionContextOf, type ExecutionContext } from '../core/execution-context.ts';
import { type ModelAgent, modelAgents } from '../model/providers.ts';
import { readState } from '../run/answers.ts';
import { type AnyPlan, planOf } from '../run/create-run.ts';
import { builderOf } from './builder-programs.ts';
import type { PlanShelf } from '../run/plan-shelf.ts';
import type { Runtime } from '../run/runtime.ts';
import { argsJsonSchemaOf } from '../tool/tool.ts';
import { compile } from './compile.ts';
import { planningOf } from './plan-record.ts';
import { estimateShape, shapeAssumptions, type StepTake, type Surroundings, type Take } from './estimate-shape.ts';
import { quantiles, type Range, range, rounded } from './ranges.ts';

/** What a step of a plan is expected to take each time it is entered. */
export interface StepEstimate {
  readonly name: string;
  readonly kind: string;
  readonly modelCalls: Range;
  readonly toolCalls: Range;
  readonly inputTokens: Range;
  readonly outputTokens: Range;
  /** US dollars; `null` where a price is not known. */
  readonly costUsd: Range | null;
}

/** What a run of a plan is expected to take. */
export interface CostEstimate {
  /** From recorded runs of this very plan, or from its shape and guesses. */
  readonly basis: 'runs' | 'shape';
  /** How many recorded runs it is from. */
  readonly runs: number;
  readonly modelCalls: Range;
  readonly toolCalls: Range;
  readonly inputTokens: Range;
  readonly outputTokens: Range;
  /** US dollars; `null` where a price is not known. */
  readonly costUsd: Range | null;
  /** Milliseconds at work; only from recorded runs. */
  readonly activeMs: Range | null;
  /** Models without a known price. */
  readonly unpricedModels: readonly string[];
  /** By step, for an estimate from the shape; loops and branches are only in the totals. */
  readonly steps: readonly StepEstimate[];
  /** What planning took, where a model made the plan; not part of the totals. */
  readonly planning: ModelTotals | null;
  readonly assumptions: readonly string[];
}

/** Recorded runs that are looked at, the newest first. */
const mostRuns = 50;

/** Estimates a run of a plan: from its complete runs in the store where there are any, else from its shape. Asks no model. */
export async function estimatePlan(
  runtime: Runtime,
  plans: PlanShelf,
  given: AnyPlan | PlanUUID,
): Promise<CostEstimate> {
  const plan = await planOf(plans, given);
  const stored = await runtime.storage.getPlan(plan.id);
  const planning = stored && planningOf(stored);
  const { items } = await runtime.storage.listRuns({ planId: plan.id, states: ['COMPLETE'], limit: mostRuns });
  const contexts = await Promise.all(
    items.map(async ({ header }) => executionContextOf(await readState(runtime, plans, header.id))),
  );
  const estimate = contexts.length > 0 ? fromRuns(contexts) : fromShape(runtime, plan);
  return { ...estimate, planning: planning ? inDollars(planning) : null };
}

type Estimate = Omit<CostEstimate, 'planning'>;

function fromRuns(contexts: readonly ExecutionContext[]): Estimate {
  const of = (read: (context: ExecutionContext) => number): Range => quantiles(contexts.map(read));
  const costs = contexts.map(({ totals }) => totals.costUsd).filter((cost) => cost !== null);
  const unpriced = contexts.flatMap(({ models }) => models.filter(({ costUsd }) => costUsd === null));
  return {
    basis: 'runs',
    runs: contexts.length,
    modelCalls: of(({ totals }) => totals.modelCalls),
    toolCalls: of(({ totals }) => totals.toolCalls),
    inputTokens: of(({ totals }) => totals.inputTokens + totals.estimatedTokens),
    outputTokens: of(({ totals }) => totals.outputTokens),
    costUsd: costs.length === contexts.length ? quantiles(costs) : null,
    activeMs: of(({ activeMs }) => activeMs),
    unpricedModels: [...new Set(unpriced.map(({ model }) => model))],
    steps: [],
    assumptions: [
      `low, expected and high are the tenth, half and ninth tenth of ${contexts.length} complete run${contexts.length === 1 ? '' : 's'}, the newest first, at most ${mostRuns}`,
      'the next run is like those: inputs, prices as they were, answers from the cache of model answers',
    ],
  };
}

function fromShape(runtime: Runtime, plan: Plan): Estimate {
  const unpriced = new Set<string>();
  const { total, steps } = estimateShape(compile(plan), surroundings(runtime, plan, unpriced));
  return {
    basis: 'shape',
    runs: 0,
    ...told(total, unpriced),
    activeMs: null,
    unpricedModels: [...unpriced],
    steps: steps.map((step: StepTake) => ({ name: step.name, kind: step.kind, ...told(step, unpriced) })),
    assumptions: shapeAssumptions,
  };
}

function told(
  take: Take,
  unpriced: ReadonlySet<string>,
): Pick<StepEstimate, keyof Omit<StepEstimate, 'name' | 'kind'>> {
  const asks = take.modelCalls.high > 0;
  return {
    modelCalls: rounded(take.modelCalls),
    toolCalls: rounded(take.toolCalls),
    inputTokens: rounded(take.inputTokens),
    outputTokens: rounded(take.outputTokens),
    costUsd: asks && unpriced.size > 0 ? null : dollars(take.microUsd),
  };
}

/** Two digits of dollars, to the millionth. */
function dollars({ low, expected, high }: Range): Range {
  const two = (micro: number): number => Math.round(Number(micro.toPrecision(2))) / 1e6;
  return range(two(low), two(expected), two(high));
}

function surroundings({ tools, models, prices }: Runtime, plan: Plan, unpriced: Set<string>): Surroundings {
  const named = (which: string): string => models.get(which as ModelAgent).id;
  return {
    tool: (given) => (typeof given !== 'string' ? given : tools.has(given) ? tools.getTool(given) : undefined),
    schemaText: (tool) => JSON.stringify(argsJsonSchemaOf(tool)),
    costOf(model, inputTokens, outputTokens) {
      const first = typeof model === 'string' ? model : (model[0] ?? 'default');
      const id = (modelAgents as readonly string[]).includes(first) ? named(first) : first;
      const cost = prices.costOf(id, { inputTokens, outputTokens });
      if (cost === undefined) unpriced.add(id);
      return cost ?? 0;
    },
    finalSchema: (builderOf(plan)?.finalOutputSchema ?? plan.structuredOutputSchema ?? undefined) !== undefined,
  };
}
