import { mergedBudget, type RunBudget } from './budget.ts';
import { isRefused } from './clarification.ts';
import type { CallOutcome } from './event.ts';
import type { CallState, RunState, StoredAnswer } from './run-state.ts';
import { nextVisit, visitNumber } from './thread.ts';
import { outputNameOf, threadOf } from './state-lookup.ts';
import type { Visit } from './visits.ts';

/** A FAILED run goes on from the visits that were in flight; called by `apply` alone. */
export function applyRetry(state: RunState, budget: RunBudget | undefined): void {
  state.budget = mergedBudget(budget, state.budget);
  const name = outputNameOf(state, state.error?.step);
  if (name !== undefined) state.stepOutputs.delete(name);
  state.state = 'READY_TO_RESUME';
  state.retries += 1;
  state.error = undefined;
  state.finalOutput = undefined;
  state.endedAt = undefined;
  state.untold = false;
  for (const visit of [...state.visits]) {
    state.visits.remove(visit.step, visit.visit);
    const again = afresh(visit);
    state.visits.add(again);
    threadOf(state, again.visit).counts.set(again.step, visitNumber(again.visit));
  }
  withdrawQuestions(state);
}

/** Questions nobody answered are withdrawn, and refusals bind no longer: whoever still has to know asks again. */
function withdrawQuestions(state: RunState): void {
  const answered = state.clarifications.filter(({ clarification }) => clarification.resolved);
  state.clarifications.length = 0;
  for (const record of answered) state.clarifications.push(record);
  state.outstanding = 0;
  for (const [key, asked] of state.questions) {
    const kept = asked.filter(({ clarification }) => clarification.resolved && !isRefused(clarification));
    if (kept.length > 0) state.questions.set(key, kept);
    else state.questions.delete(key);
  }
}

/**
 * The visit that a retry makes of a failed one: calls that succeeded are kept and not made again; those that may have
 * happened are kept too, to be looked up or asked about; without any, the step begins from nothing. What led to a kept
 * call is kept as it was said, and is not done again; what was said inside a call that gave no usable result is not: it
 * would give the same again.
 */
function afresh(visit: Visit): Visit {
  const last = visit.calls.findLastIndex((call) => call !== undefined && mayHaveHappened(call));
  const calls = visit.calls.slice(0, last + 1).map(keptCall);
  const keeps = calls.length > 0;
  return {
    step: visit.step,
    visit: nextVisit(visit.visit),
    startedAt: visit.startedAt,
    until: undefined,
    begun: false,
    calls,
    lastCall: calls.findLast((call) => call?.status === 'ended'),
    answers: keeps
      ? new Map([...(visit.answers ?? [])].filter(([slot, answer]) => isKeptAnswer(visit, slot, answer)))
      : undefined,
  };
}

function isKeptAnswer(visit: Visit, slot: string, { purpose }: StoredAnswer): boolean {
  if (purpose === 'step-summary') return false;
  const [call] = slot.split('.m');
  return !gaveNoUsableResult(visit.calls[Number(call) - 1]?.outcome);
}

function mayHaveHappened({ status, outcome }: CallState): boolean {
  if (status === 'proposed') return false;
  return status !== 'ended' || outcome?.status === 'SUCCESS' || gaveNoUsableResult(outcome);
}

/** The call was made, but what it gave could not be stored. */
function gaveNoUsableResult(outcome: CallOutcome | undefined): boolean {
  return (
    outcome?.status === 'FAILED' &&
    (outcome.error.code === 'OUTPUT_NOT_JSON' || outcome.error.code === 'OUTPUT_INVALID')
  );
}

function keptCall(call: CallState | undefined): CallState | undefined {
  if (!call || call.status === 'proposed') return undefined;
  if (call.status !== 'ended' || gaveNoUsableResult(call.outcome)) return { ...call, status: 'started' };
  return call.outcome?.status === 'FAILED' && !call.outcome.soft ? undefined : call;
}
