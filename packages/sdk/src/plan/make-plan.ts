import { readBudget, type RunBudget } from '../core/budget.ts';
import { PortiaError } from '../core/errors.ts';
import type { EndUser } from '../core/end-user.ts';
import type { Model } from '../core/model.ts';
import type { ModelUsageTotals } from '../core/run-state.ts';
import { type PlanUUID, PlanUUID as PlanIds } from '../core/ids.ts';
import { Plan, PlanInput, type PlanInputInit } from '../core/plan.ts';
import type { Schema } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import type { TraceContext } from '../core/trace.ts';
import { type EndUserInit, initializeEndUser } from '../run/end-users.ts';
import { guardedModel } from '../run/model-hooks.ts';
import type { PlanShelf } from '../run/plan-shelf.ts';
import type { Runtime } from '../run/runtime.ts';
import { meteredModel } from './metered-model.ts';
import { builderOf } from './builder-programs.ts';
import { fromPlanRecord } from './plan-record.ts';
import { planQuery } from './planner.ts';

/** How a query is planned. */
export interface PlanOptions<Out extends Schema = Schema> {
  /** The tools to plan with, by id or as tools; all that the registry matches to the query unless given. */
  readonly tools?: readonly (string | AnyTool)[] | undefined;
  /** Plans to follow: as objects, or by the ids of stored ones. */
  readonly examplePlans?: readonly (Plan | PlanUUID)[] | undefined;
  readonly endUser?: string | EndUserInit | undefined;
  /** What the plan may count on to be given: names, or names with descriptions. Values are ignored. */
  readonly planInputs?: readonly (string | PlanInputInit)[] | undefined;
  /** What the final output must be. */
  readonly structuredOutputSchema?: Out | undefined;
  /** Use the newest stored plan made for exactly this query, if there is one. */
  readonly useCachedPlan?: boolean | undefined;
  /** What the planning may spend; `onBudget` means nothing here: there is no run to wait. */
  readonly budget?: RunBudget | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Plans a query and stores the plan. */
export async function makePlan(runtime: Runtime, plans: PlanShelf, query: string, options: PlanOptions): Promise<Plan> {
  if (options.useCachedPlan) {
    const cached = await cachedPlan(runtime, query, options);
    if (cached) return cached;
  }
  const { plan, usage } = await planForQuery(runtime, query, {
    ...options,
    endUser: options.endUser === undefined ? undefined : await initializeEndUser(runtime.storage, options.endUser),
    examplePlans:
      options.examplePlans && (await Promise.all(options.examplePlans.map((example) => exampleOf(plans, example)))),
  });
  await plans.put(plan, runtime.clock.now(), usage);
  return plan;
}

/** What is known of a planning, beside what {@link PlanOptions} say. */
export interface Planning extends Omit<PlanOptions, 'endUser' | 'examplePlans' | 'useCachedPlan'> {
  readonly endUser?: EndUser | undefined;
  readonly examplePlans?: readonly Plan[] | undefined;
  /** The id of the plan; a random one unless given. */
  readonly id?: PlanUUID | undefined;
  readonly trace?: TraceContext | undefined;
  /** No cached answer will do: it was of no use before. */
  readonly fresh?: boolean | undefined;
}

/** Plans a query, and gives what that took. */
export async function planForQuery(
  runtime: Runtime,
  query: string,
  options: Planning,
): Promise<{ readonly plan: Plan; readonly usage: ModelUsageTotals }> {
  const metered = meteredModel(runtime, runtime.models.get('planning'), readBudget(options.budget, 'budget'));
  const { trace, fresh = false, id } = options;
  const model: Model = {
    ...metered.model,
    generate: (request) =>
      metered.model.generate({
        ...request,
        ...trace,
        ...(fresh && { fresh }),
      }),
  };
  const { plan } = await planQuery({
    model: guardedModel(model, runtime.hooks),
    query,
    tools: toolsFor(runtime, query, options.tools),
    endUser: options.endUser,
    examplePlans: options.examplePlans,
    planInputs: inputsOf(options.planInputs),
    structuredOutputSchema: options.structuredOutputSchema,
    now: runtime.clock.now(),
    signal: options.signal,
  });
  return { plan: id === undefined ? plan : new Plan({ ...plan, id }), usage: metered.usage() };
}

/** A stored plan for the query that can be run with these tools; a store that cannot look is no reason not to plan. */
async function cachedPlan(runtime: Runtime, query: string, options: PlanOptions): Promise<Plan | undefined> {
  try {
    const { items } = await runtime.storage.listPlans({ query, limit: 1 });
    const plan = items[0] && (await fromPlanRecord(items[0]));
    if (!plan || builderOf(plan) || !plan.steps.every(({ toolId }) => toolId === null || runtime.tools.has(toolId)))
      return undefined;
    const { structuredOutputSchema } = options;
    return structuredOutputSchema ? new Plan({ ...plan, structuredOutputSchema }) : plan;
  } catch (error) {
    runtime.logger.warn('Error getting cached plan. Using new plan instead', {
      error: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}

function toolsFor(runtime: Runtime, query: string, given: PlanOptions['tools']): readonly AnyTool[] {
  if (!given || given.length === 0) return matchedTools(runtime, query);
  return given.map((tool) => runtime.tools.getTool(typeof tool === 'string' ? tool : tool.id));
}

/** What the registry chooses for the query; that it left tools out, and why, is said in the log. */
function matchedTools({ tools, logger }: Runtime, query: string): readonly AnyTool[] {
  const chosen = tools.matchTools(query);
  if (chosen.length < tools.size)
    logger.debug('the planner sees only the tools that fit the query', {
      registered: tools.size,
      shown: chosen.map(({ id }) => id),
      reasons: tools
        .rankTools(query)
        .slice(0, 20)
        .map(
          ({ tool, score, terms, neededBy }) => `${tool.id} ${score} ${neededBy ? `for ${neededBy}` : terms.join(' ')}`,
        ),
    });
  return chosen;
}

async function exampleOf(plans: PlanShelf, example: Plan | PlanUUID): Promise<Plan> {
  if (example instanceof Plan) return example;
  if (typeof example === 'string') return plans.get(PlanIds.fromString(example));
  throw new PortiaError({
    code: 'PLAN_INVALID',
    message: 'an example plan is neither a plan nor the id of one',
    hint: 'give Plan objects or ids such as plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  });
}

function inputsOf(given: PlanOptions['planInputs']): PlanInput[] {
  return (given ?? []).map((input) => {
    if (typeof input === 'string') return new PlanInput({ name: input });
    if (typeof input !== 'object' || input === null || typeof input.name !== 'string') {
      throw new PortiaError({
        code: 'INPUT_INVALID',
        message: 'Plan input must have a name and description',
        hint: "give planInputs: ['$region'] or [{ name: '$region', description: '…' }]",
      });
    }
    return new PlanInput({ name: input.name, description: input.description });
  });
}
