import type { VisitId } from './event.ts';
import type { Output } from './output.ts';
import { strandsOf, type Thread } from './thread.ts';

/** A step that has ended and whose hook has not been told, as far as the record shows. */
export interface Untold {
  readonly step: number;
  readonly visit: VisitId;
  readonly output: Output;
}

/** Whether all that comes before a strand in the order of the plan has ended. */
export function isFirst({ parent, place }: Thread): boolean {
  return parent === undefined || (parent.fork?.merged === place && isFirst(parent));
}

/** The end of a step that is to be told next: nothing before it, in the order of the plan, is still to come. */
export function nextUntold(thread: Thread): Untold | undefined {
  const next = thread.untold[0] ?? thread.fork?.untold[0];
  if (next || !thread.fork) return next;
  const first = thread.fork.live.get(thread.fork.merged);
  return first && nextUntold(first);
}

/** All that was not told, in the order of the plan, whatever is still to come before it. */
export function allUntold(thread: Thread): readonly Untold[] {
  return [...thread.untold, ...(thread.fork?.untold ?? []), ...strandsOf(thread).flatMap(allUntold)];
}

/** Takes the end of a visit from those that are to be told. */
export function markTold(thread: Thread, step: number, visit: VisitId): boolean {
  const among = (list: Untold[]): boolean => {
    const found = list.findIndex((one) => one.step === step && one.visit === visit);
    if (found >= 0) list.splice(found, 1);
    return found >= 0;
  };
  if (among(thread.untold) || (thread.fork && among(thread.fork.untold))) return true;
  return strandsOf(thread).some((strand) => markTold(strand, step, visit));
}
