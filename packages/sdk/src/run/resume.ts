import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import type { RunState } from '../core/run-state.ts';
import { legacyOf } from '../plan/builder-programs.ts';
import { compile } from '../plan/compile.ts';
import type { StoredRun } from '../storage/storage-backend.ts';
import { drive, eventsOf, notFound } from './drive.ts';
import { planIdOf } from '../storage/plan-now.ts';
import { knownPlan, type PlanShelf, type Successor } from './plan-shelf.ts';
import { advance } from './runner.ts';
import type { Runtime } from './runtime.ts';

/** How a run is resumed. */
export interface ResumeOptions {
  /** Stops driving when aborted; the run stays resumable. */
  readonly signal?: AbortSignal | undefined;
  /** Go on with the version of the plan that is registered now, if only steps that were not visited yet are different. */
  readonly acceptPlanChange?: boolean | undefined;
}

/** Goes on with a run; with a later version of its plan when that was accepted. */
export async function resumeRun(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  options: ResumeOptions,
): Promise<RunState> {
  const { signal, acceptPlanChange = false } = options;
  try {
    return await drive(runtime, plans, id, advance, { signal, again: advance });
  } catch (error) {
    if (!acceptPlanChange || !PortiaError.isInstance(error) || error.code !== 'PLAN_CHANGED') throw error;
    return resumeWithSuccessor(runtime, plans, id, signal, error);
  }
}

async function resumeWithSuccessor(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  signal: AbortSignal | undefined,
  changed: PortiaError,
): Promise<RunState> {
  const stored = await runtime.storage.loadRun(id);
  if (!stored) throw notFound(id);
  const successor = await plans.successor(planIdOf(stored));
  if (!successor) throw changed;
  const plan = legacyOf(successor.plan);
  checkReach(id, await reachOf(stored, plans), successor, changed);
  const inputs = newInputs(stored, successor, changed);
  await plans.put(plan, runtime.clock.now());
  return drive(
    runtime,
    knownPlan(plan),
    id,
    async (run) => {
      run.driver.emit({ type: 'plan-accept', planId: plan.id, changes: toJson(successor.changes), ...inputs });
      await run.driver.commit();
      await advance(run);
    },
    { signal, again: advance },
  );
}

/** The defaults of inputs that the later version has and the run was not given. @throws PortiaError where there is none. */
function newInputs({ header }: StoredRun, { plan }: Successor, changed: PortiaError): { readonly inputs?: JsonObject } {
  const added = plan.planInputs.filter(({ name }) => !Object.hasOwn(header.inputs, name));
  if (added.length === 0) return {};
  const missing = added.filter(({ defaultValue }) => defaultValue === undefined).map(({ name }) => name);
  if (missing.length === 0)
    return { inputs: Object.fromEntries(added.map(({ name, defaultValue }) => [name, defaultValue as JsonValue])) };
  throw new PortiaError({
    code: 'PLAN_CHANGED',
    message: `run ${header.id} was not given the input ${missing.join(', ')} of the version that is registered now: ${changed.message}`,
    hint: 'give it a default, or register the old version beside the new one: new Portia({ plans: [before, now] })',
    planRunId: header.id,
    details: changed.details,
  });
}

/** The last step of the plan that the record shows as visited, waiting ones included; -1 for none. */
async function reachOf(stored: StoredRun, plans: PlanShelf): Promise<number> {
  const { instructions } = compile(await plans.view(planIdOf(stored)));
  let reach = -1;
  for (const event of eventsOf(stored)) {
    if ('step' in event) reach = Math.max(reach, instructions[event.step]?.planStep ?? -1);
  }
  return reach;
}

function checkReach(id: string, reach: number, { sameSteps }: Successor, changed: PortiaError): void {
  if (sameSteps > reach) return;
  throw new PortiaError({
    code: 'PLAN_CHANGED',
    message: `run ${id} has visited steps up to ${reach}, and step ${sameSteps} is different now: ${changed.message}`,
    hint: 'register the old version beside the new one: new Portia({ plans: [before, now] })',
    planRunId: id,
    details: changed.details,
  });
}
