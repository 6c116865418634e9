import { PlanRunState } from '../core/run-state.ts';

/** The states by the numbers they are stored as; never reordered. */
export const states: readonly PlanRunState[] = [
  'NOT_STARTED',
  'IN_PROGRESS',
  'NEED_CLARIFICATION',
  'READY_TO_RESUME',
  'COMPLETE',
  'FAILED',
];
const stateNumbers: ReadonlyMap<PlanRunState, number> = new Map(states.map((state, number) => [state, number]));

/** The number a state is stored as. */
export function stateNumber(state: PlanRunState): number {
  return stateNumbers.get(state) ?? 0;
}

/** The state that is stored as a number. */
export function stateOfNumber(number: number): PlanRunState {
  return states[number] ?? PlanRunState.NOT_STARTED;
}
