import { mergedBudget, readBudget, type RunBudget } from '../core/budget.ts';
import type { EndUser } from '../core/end-user.ts';
import { PortiaError } from '../core/errors.ts';
import { PlanRunUUID, type PlanUUID, PlanUUID as PlanIds } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import { initialState, isFinished, type RunHeader, type RunState } from '../core/run-state.ts';
import { jsonSchemaOf, type Schema } from '../core/schema.ts';
import { readTrace } from '../core/trace.ts';
import { PlanV2 } from '../core/plan-v2.ts';
import { type AnyPlanV2, builderOf, legacyOf } from '../plan/builder-programs.ts';
import { compile } from '../plan/compile.ts';
import { validatePlan } from '../plan/planner.ts';
import { readState } from './answers.ts';
import { createAndTake, drive, driveTaken, type Work } from './drive.ts';
import { type EndUserInit, initializeEndUser } from './end-users.ts';
import { knownPlan, type PlanShelf } from './plan-shelf.ts';
import { type PlanRunInputs, planRunInputs } from './plan-run-inputs.ts';
import { toolsOf } from './readiness.ts';
import type { Runtime } from './runtime.ts';
import { planIdOf } from '../storage/plan-now.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { someOf, type ToolRegistry } from '../tool/registry.ts';

/** A plan of either kind. */
export type AnyPlan = Plan | AnyPlanV2;

/** How a run is made. */
export interface RunOptions<Out extends Schema = Schema> {
  readonly planRunInputs?: PlanRunInputs | undefined;
  /** On whose behalf. */
  readonly endUser?: string | EndUserInit | undefined;
  /** Your own name for the run, unique in the store: given twice, for one plan and end user, it gives the same run. */
  readonly runKey?: string | undefined;
  /** What runs can be listed by. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What the final output must be. */
  readonly structuredOutputSchema?: Out | undefined;
  /** What it may spend; what is not said here is as the plan says. */
  readonly budget?: RunBudget | undefined;
  /** For `start`: not before this time. Epoch milliseconds. */
  readonly startAt?: number | undefined;
  /** The W3C trace context of whoever starts it, which its calls go on with; what is none is as if it were not given. */
  readonly traceparent?: string | undefined;
  /** What goes with `traceparent`: up to 512 characters; what is none is as if it were not given. */
  readonly tracestate?: string | undefined;
  /** Stops driving when aborted; the run stays resumable. */
  readonly signal?: AbortSignal | undefined;
}

/** Stores a run that nobody drives yet. A run key that is taken gives the run that has it. */
export async function createRun(
  runtime: Runtime,
  plans: PlanShelf,
  given: AnyPlan | PlanUUID,
  options: RunOptions,
): Promise<RunState> {
  const plan = await planFor(runtime, plans, given);
  const { header } = await beginning(runtime, plan, options);
  const made = await runtime.storage.createRun(header);
  if (made.created) return initialState(made.header, compile(plan));
  await checkSameRun(runtime, made.header, plan, options);
  return readState(runtime, plans, made.header.id);
}

/** Stores a run and drives it; one that is there under this run key goes on instead. */
export async function startRun(
  runtime: Runtime,
  plans: PlanShelf,
  given: AnyPlan | PlanUUID,
  options: RunOptions,
  work: Work,
): Promise<RunState> {
  const plan = await planFor(runtime, plans, given);
  const { header, endUser } = await beginning(runtime, plan, options);
  const { structuredOutputSchema: outputSchema, signal } = options;
  const made = await createAndTake(runtime, plan, header);
  if (made.taken)
    return driveTaken(runtime, knownPlan(plan), made.taken, work, { outputSchema, signal, endUser, again: work });
  await checkSameRun(runtime, made.header, plan, options);
  const state = await readState(runtime, plans, made.header.id);
  return isFinished(state) ? state : drive(runtime, plans, made.header.id, work, { outputSchema, signal, again: work });
}

async function planFor(runtime: Runtime, plans: PlanShelf, given: AnyPlan | PlanUUID): Promise<Plan> {
  const plan = await planOf(plans, given);
  checkOnce(runtime, plan);
  if (typeof given !== 'string') await plans.put(plan, runtime.clock.now());
  return plan;
}

/** A plan as it was given, or by its id. @throws PortiaError `PLAN_NOT_FOUND`. */
export function planOf(plans: PlanShelf, given: AnyPlan | PlanUUID): Plan | Promise<Plan> {
  if (typeof given === 'string') return plans.get(PlanIds.fromString(given));
  return given instanceof PlanV2 ? legacyOf(given) : given;
}

const checkedPlans = new WeakMap<object, WeakSet<Plan>>();

/** A plan is checked against a set of tools once, not once per run. */
function checkOnce({ tools }: Runtime, plan: Plan): void {
  const known = checkedPlans.get(tools) ?? new WeakSet();
  checkedPlans.set(tools, known);
  if (known.has(plan)) return;
  if (builderOf(plan)) checkToolIds(plan, tools);
  else validatePlan(plan, [...tools.toolIds(), ...aliasesIn(plan, tools)]);
  known.add(plan);
}

/** The tool ids of a plan that no tool has any more, but that stand for one. */
function aliasesIn(plan: Plan, tools: ToolRegistry): string[] {
  return plan.steps.flatMap(({ toolId }) => (toolId !== null && tools.has(toolId) ? [toolId] : []));
}

/** References of a builder plan were checked when it was built; its tools are known only here. */
function checkToolIds(plan: Plan, tools: ToolRegistry): void {
  const named = compile(plan).instructions.flatMap(toolsOf);
  const unknown = [...new Set(named.filter((tool): tool is string => typeof tool === 'string' && !tools.has(tool)))];
  if (unknown.length === 0) return;
  throw new PortiaError({
    code: 'PLAN_INVALID',
    message: `the plan cannot be run: no tool ${unknown.map((id) => JSON.stringify(id)).join(', ')} is registered`,
    hint: `registered: ${someOf(tools.toolIds())}`,
    details: { unknown },
  });
}

/** What a new run begins with. */
export async function beginning(
  runtime: Runtime,
  plan: Plan,
  options: RunOptions,
): Promise<{ readonly header: RunHeader; readonly endUser: EndUser }> {
  const { runKey, labels, structuredOutputSchema, startAt } = options;
  const inputs = await planRunInputs(plan, options.planRunInputs, runtime.logger, runtime.hooks);
  const endUser = await initializeEndUser(runtime.storage, options.endUser);
  const header = {
    id: PlanRunUUID.random(),
    planId: plan.id,
    endUserId: endUser.externalId,
    createdAt: runtime.clock.now(),
    inputs,
    runKey,
    labels,
    startAt,
    ...readTrace(options.traceparent, options.tracestate),
    budget: mergedBudget(readBudget(options.budget, 'budget'), builderOf(plan)?.budget),
    outputSchema: structuredOutputSchema && jsonSchemaOf(structuredOutputSchema, 'the final output', 'output'),
  };
  return { header, endUser };
}

/** Whether a run has gone on by this plan, which was another one when it began. */
async function goesBy(storage: StorageBackend, id: PlanRunUUID, planId: PlanUUID): Promise<boolean> {
  const stored = await storage.loadRun(id);
  return stored !== undefined && planIdOf(stored) === planId;
}

/**
 * A key that is used again gives the same run: not that of another plan, nor that of one person to whoever names another.
 * @throws PortiaError `RUN_KEY_CONFLICT`.
 */
export async function checkSameRun(
  { storage }: Runtime,
  header: RunHeader,
  plan: Plan,
  { endUser }: Pick<RunOptions, 'endUser'>,
): Promise<void> {
  const runKey = JSON.stringify(header.runKey);
  if (header.planId !== plan.id && !(await goesBy(storage, header.id, plan.id))) {
    throw new PortiaError({
      code: 'RUN_KEY_CONFLICT',
      message: `run key ${runKey} belongs to run ${header.id} of plan ${header.planId}`,
      hint: 'give every run a key of its own, for example with the name of the plan in it',
      planRunId: header.id,
    });
  }
  const named = typeof endUser === 'string' ? endUser : endUser?.externalId;
  if (!named || named === header.endUserId) return;
  throw new PortiaError({
    code: 'RUN_KEY_CONFLICT',
    message: `run key ${runKey} belongs to a run of another end user`,
    hint: 'give every run a key of its own, for example with the id of the end user in it',
  });
}
