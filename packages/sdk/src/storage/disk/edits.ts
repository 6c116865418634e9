import { checkResponse, type Clarification, clarificationToWire } from '../../core/clarification.ts';
import { PortiaError } from '../../core/errors.ts';
import { type JsonObject, type JsonValue, sameJson } from '../../core/json.ts';
import { type PlanRun, planRunFromWire, planRunView } from '../../core/plan-run.ts';
import type { RunState } from '../../core/run-state.ts';
import type { Command } from '../storage-backend.ts';

/** An answer to a clarification. */
export type AnswerCommand = Extract<Command, { type: 'answer' }>;

/**
 * The answers that somebody wrote into the file of a run, when that is all they did and the questions were still open.
 *
 * @param state of the run as the file showed it.
 * @throws PortiaError `RUN_FILE_CHANGED` naming the first other thing that was changed.
 */
export function answersIn(state: RunState, text: string, path: string, at: number): readonly AnswerCommand[] {
  const before = planRunView(state);
  const refuse = (what: string, cause?: unknown): PortiaError => fileChanged(before, path, what, cause);
  let after: PlanRun;
  try {
    after = planRunFromWire(JSON.parse(text));
  } catch (cause) {
    throw refuse(`it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const was = before.toJSON();
  const is = after.toJSON();
  for (const key of ['id', 'plan_id', 'current_step_index', 'end_user_id', 'plan_run_inputs'] as const) {
    if (!sameForPortia(was[key] as JsonValue, is[key] as JsonValue)) throw refuse(`${key} was changed`);
  }
  if (is['state'] !== was['state'] && is['state'] !== 'READY_TO_RESUME' && is['state'] !== 'NEED_CLARIFICATION') {
    throw refuse(`state was changed from ${String(was['state'])} to ${String(is['state'])}`);
  }
  const outputsWere = was['outputs'] as JsonObject;
  const outputsAre = is['outputs'] as JsonObject;
  for (const key of ['step_outputs', 'final_output'] as const) {
    if (!sameForPortia(outputsWere[key] as JsonValue, outputsAre[key] as JsonValue))
      throw refuse(`outputs.${key} was changed`);
  }
  const found = answers(before.outputs.clarifications, after.outputs.clarifications, at, refuse);
  for (const { clarification, expiresAt } of state.clarifications) {
    const late = expiresAt !== undefined && expiresAt <= at && found.some(({ key }) => key === clarification.id);
    if (late) throw refuse(`clarification ${clarification.id} was answered after it had expired`);
  }
  return found;
}

function answers(
  before: readonly Clarification[],
  after: readonly Clarification[],
  at: number,
  refuse: (what: string, cause?: unknown) => PortiaError,
): readonly AnswerCommand[] {
  const found: AnswerCommand[] = [];
  const edited = new Map(after.map((clarification) => [clarification.id, clarification]));
  if (edited.size !== before.length) throw refuse('clarifications were added or removed');
  for (const was of before) {
    const is = edited.get(was.id);
    if (!is) throw refuse(`clarification ${was.id} was removed`);
    if (!sameQuestion(was, is)) throw refuse(`clarification ${was.id} asks something else`);
    if (was.resolved !== is.resolved ? was.resolved : !sameForPortia(was.response, is.response)) {
      throw refuse(`the response of clarification ${was.id} was changed`);
    }
    if (was.resolved || !is.resolved) continue;
    try {
      const response = checkResponse(was, is.response);
      found.push({ type: 'answer', key: was.id, at, response, resolvedBy: null, as: null, via: 'file' });
    } catch (cause) {
      throw refuse(`clarification ${was.id} was answered with what does not fit: ${(cause as Error).message}`, cause);
    }
  }
  return found;
}

/** Portia 0.9 reads some kinds of questions as others, and may lose the options of one. */
function sameQuestion(was: Clarification, is: Clarification): boolean {
  const edited = clarificationToWire(is);
  return Object.entries(clarificationToWire(was)).every(
    ([key, value]) =>
      key === 'resolved' || key === 'response' || key === 'options' || sameForPortia(value, edited[key] ?? null),
  );
}

/** Whether two values are the same for Portia 0.9, which writes every value of an output as a string. */
export function sameForPortia(ours: JsonValue, theirs: JsonValue): boolean {
  if (typeof theirs === 'string' && typeof ours !== 'string') {
    if (ours === null) return theirs === '';
    try {
      return sameJson(ours, JSON.parse(theirs) as JsonValue);
    } catch {
      return false;
    }
  }
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null)
    return ours === theirs;
  if (Array.isArray(ours) || Array.isArray(theirs)) return sameJson(ours, theirs);
  const keys = Object.keys(ours);
  return (
    keys.length === Object.keys(theirs).length &&
    keys.every(
      (key) =>
        key in theirs &&
        sameForPortia((ours as JsonObject)[key] as JsonValue, (theirs as JsonObject)[key] as JsonValue),
    )
  );
}

/** Refuses to go on with a run whose file was changed. */
export function fileChanged(run: { readonly id: string }, path: string, what: string, cause?: unknown): PortiaError {
  return new PortiaError({
    code: 'RUN_FILE_CHANGED',
    message: `${path} was changed by somebody else: ${what}`,
    hint: 'only answers to clarifications are taken over from this file; remove it to go on with the run as it is on record',
    planRunId: run.id,
    cause,
  });
}
