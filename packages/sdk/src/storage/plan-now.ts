import { fromCommit } from '../core/event.ts';
import type { PlanUUID } from '../core/ids.ts';
import type { RunStatus, RunSummary, StoredRun } from './storage-backend.ts';

/** What the event is called that changes it, as it stands in a commit. */
export const planChange = '"plan-accept"';

/** The plan a run goes by, as its journal says: the one it began with, or another one that was put on record since. */
export function planIdOf({ header, commits }: Pick<StoredRun, 'header' | 'commits'>): PlanUUID {
  for (let index = commits.length - 1; index >= 0; index -= 1) {
    const planId = planIn(commits[index]?.events ?? '');
    if (planId !== undefined) return planId;
  }
  return header.planId;
}

/** The plan that the events of a commit say a run goes by from then on; undefined where they say nothing of it. */
export function planIn(events: string): PlanUUID | undefined {
  if (!events.includes(planChange)) return undefined;
  const accepted = fromCommit({ seq: 1, at: 0, events }).findLast((event) => event.type === 'plan-accept');
  return accepted?.type === 'plan-accept' ? accepted.planId : undefined;
}

/** The same, as lists say it. */
export function planNow({ header, status }: Pick<RunSummary, 'header' | 'status'>): PlanUUID {
  return status.planId ?? header.planId;
}

/** The status of a run that is stored as it was elsewhere, with the plan it goes by. */
export function statusWithPlan(run: StoredRun): RunStatus {
  const planId = run.status.planId ?? planIdOf(run);
  return planId === run.header.planId && run.status.planId === undefined ? run.status : { ...run.status, planId };
}

/** The same of what a release before wrote: a commit that cannot be read keeps nobody from the rest. */
export function planInOld(events: string): PlanUUID | undefined {
  try {
    return planIn(events);
  } catch {
    return undefined;
  }
}

/** In SQL: whether the text in a column is sealed, so that whoever has the keys has to look into it. */
export function isSealedText(column: string): string {
  return `${column} NOT LIKE '[%'`;
}
