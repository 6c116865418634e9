import type { VisitId } from './event.ts';
import type { RunState } from './run-state.ts';
import type { Thread } from './thread.ts';

/** The thread a visit belongs to. */
export function threadOf(state: RunState, visit: VisitId): Thread {
  if (typeof visit === 'number') return state.root;
  const mark = visit.lastIndexOf('~');
  return state.threads.get(mark < 0 ? visit : visit.slice(0, mark)) ?? state.root;
}

/** The output of a step of the plan; of a sub-plan, that of the whole. */
export function outputNameOf(state: RunState, planStep: number | undefined): string | undefined {
  return planStep === undefined
    ? undefined
    : state.program.instructions.findLast((instruction) => instruction.planStep === planStep)?.output;
}
