import { hashText } from '../core/hash.ts';
import { PlanUUID, type PlanRunUUID, uuidFromHash } from '../core/ids.ts';
import { Plan } from '../core/plan.ts';

/** The plans that are none yet: a query, that whoever drives the run plans first. */
const unplanned = new WeakSet<Plan>();

/** What a run of a query goes by until it is planned. The same query gives the same one. */
export function unplannedFor(query: string): Plan {
  const id = uuidFromHash(PlanUUID, hashText(`unplanned/${query}`));
  return asUnplanned(new Plan({ id, planContext: { query, toolIds: [] }, steps: [] }));
}

/** Marks a plan that was read from a store as one that is none yet. */
export function asUnplanned(plan: Plan): Plan {
  unplanned.add(plan);
  return plan;
}

/** Whether a plan is none yet. */
export function isUnplanned(plan: Plan): boolean {
  return unplanned.has(plan);
}

/** The id of the plan that is made for a run: a process that takes over finds what was planned before it. */
export function plannedId(run: PlanRunUUID): PlanUUID {
  return uuidFromHash(PlanUUID, hashText(`planned/${run}`));
}
