import { apply } from '../core/apply.ts';
import { type Audience, checkResponse } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import type { Resolution } from '../core/event.ts';
import type { ClarificationUUID, PlanRunUUID } from '../core/ids.ts';
import { type JsonValue, sameJson } from '../core/json.ts';
import { type ClarificationRecord, isFinished, type RunState } from '../core/run-state.ts';
import type { Command } from '../storage/storage-backend.ts';
import { foldStored, type LoadedRun, notFound, putOnRecord } from './drive.ts';
import { planIdOf } from '../storage/plan-now.ts';
import type { Plans } from './plan-shelf.ts';
import { type AnswerCommand, resolutionsOf } from './resolutions.ts';
import type { Runtime } from './runtime.ts';
import { checkSpecialAnswer } from './special-answer.ts';

/**
 * Who answers. A string is an end user's id: it may answer what is addressed to the end user of its own run, and
 * nothing else. Operators and people with a role say so.
 */
export type Resolver = string | { readonly id: string; readonly as: Audience };

/** An answer to a clarification. */
export interface Answer {
  readonly planRunId: PlanRunUUID;
  readonly clarificationId: ClarificationUUID;
  readonly response: unknown;
  /** Absent: the host program itself, which is trusted. */
  readonly resolvedBy?: Resolver | undefined;
  readonly via?: Resolution['via'] | undefined;
}

/**
 * Takes an answer: checked against the question, the audience and the clock, stored once, and passed on to the driver
 * if one is alive. The same answer twice is fine.
 *
 * @throws PortiaError `CLARIFICATION_NOT_FOUND`, `CLARIFICATION_FORBIDDEN`, `CLARIFICATION_EXPIRED`,
 * `CLARIFICATION_RESPONSE_INVALID`, `CLARIFICATION_ALREADY_RESOLVED`, `RUN_STATE_INVALID`; none changes anything.
 */
export async function resolveClarification(runtime: Runtime, plans: Plans, answer: Answer): Promise<RunState> {
  const { planRunId, clarificationId } = answer;
  const read = await readRun(runtime, plans, planRunId);
  const { state } = read;
  const record = state.clarifications.find(({ clarification }) => clarification.id === clarificationId);
  if (!record) throw unknown(planRunId, clarificationId);
  const as = checkAudience(state, record, answer.resolvedBy);
  const response = checkResponse(record.clarification, answer.response);
  if (record.clarification.resolved) {
    if (sameJson(record.clarification.response, response)) return state;
    throw alreadyResolved(planRunId, clarificationId);
  }
  await checkOpen(runtime, state, record, response);
  const { resolvedBy, via = 'library' } = answer;
  const command = await runtime.storage.putCommand(planRunId, {
    type: 'answer',
    key: clarificationId,
    at: runtime.clock.now(),
    response,
    resolvedBy: resolvedBy === undefined ? null : typeof resolvedBy === 'string' ? resolvedBy : resolvedBy.id,
    as,
    via,
  });
  if (command.type === 'answer' && !sameJson(command.response, response))
    throw alreadyResolved(planRunId, clarificationId);
  const known = read.isAsStored ? read : undefined;
  return (
    (await putOnRecord(runtime, plans, planRunId, { known, commands: [command] })) ??
    readState(runtime, plans, planRunId)
  );
}

/** @throws PortiaError when it is too late for an answer, or it does not fit: `RUN_STATE_INVALID`, `CLARIFICATION_EXPIRED`, `CLARIFICATION_RESPONSE_INVALID`. */
export async function checkOpen(
  runtime: Runtime,
  state: RunState,
  record: ClarificationRecord,
  response: JsonValue,
): Promise<void> {
  const { id } = record.clarification;
  if (isFinished(state)) {
    throw new PortiaError({
      code: 'RUN_STATE_INVALID',
      message: `clarification ${id} needs no answer any more: the run is ${state.state}`,
      planRunId: state.header.id,
    });
  }
  if (record.expiresAt !== undefined && record.expiresAt <= runtime.clock.now()) {
    throw new PortiaError({
      code: 'CLARIFICATION_EXPIRED',
      message: `clarification ${id} expired at ${new Date(record.expiresAt).toISOString()}`,
      hint: 'resume the run: what was laid down for this case happens then',
      planRunId: state.header.id,
    });
  }
  await checkSpecialAnswer(runtime.tools, state, record, response);
}

/** Fails closed: who does not clearly belong to the audience may not answer. */
function checkAudience(state: RunState, record: ClarificationRecord, by: Resolver | undefined): Audience | null {
  if (by === undefined) return null;
  const who: { readonly id: string; readonly as: Audience } = typeof by === 'string' ? { id: by, as: 'endUser' } : by;
  const { audience } = record;
  const own = who.as === 'endUser' && audience === 'endUser' && who.id === state.header.endUserId;
  const operator = who.as === 'operator' && (audience === 'operator' || audience === 'endUser');
  const role = who.as.startsWith('role:') && who.as === audience;
  if (own || operator || role) return who.as;
  throw new PortiaError({
    code: 'CLARIFICATION_FORBIDDEN',
    message: `${who.id} (${who.as}) may not answer a clarification for ${audience === 'endUser' ? "the run's end user" : audience}`,
    hint: "give resolvedBy: { id, as: 'operator' } (or as: 'role:<name>') for people whom your program has checked",
    planRunId: state.header.id,
  });
}

function alreadyResolved(planRunId: string, id: string): PortiaError {
  return new PortiaError({
    code: 'CLARIFICATION_ALREADY_RESOLVED',
    message: `clarification ${id} was answered before, and differently`,
    hint: 'the first answer stands',
    planRunId,
  });
}

function unknown(planRunId: string, id: string): PortiaError {
  return new PortiaError({
    code: 'CLARIFICATION_NOT_FOUND',
    message: `Could not match clarification ${id} to run ${planRunId}`,
    hint: 'list what is outstanding with planRun.getOutstandingClarifications()',
    planRunId,
  });
}

/** A run as it stands, with answers that are stored but not yet taken up. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
export async function readState(runtime: Pick<Runtime, 'storage'>, plans: Plans, id: PlanRunUUID): Promise<RunState> {
  return (await readRun(runtime, plans, id)).state;
}

/** `isAsStored`: no answer was added that the journal does not hold yet. */
async function readRun(
  runtime: Pick<Runtime, 'storage'>,
  plans: Plans,
  id: PlanRunUUID,
): Promise<LoadedRun & { readonly isAsStored: boolean }> {
  const stored = await runtime.storage.loadRun(id);
  if (!stored) throw notFound(id);
  const plan = await plans.view(planIdOf(stored));
  const state = foldStored(stored, plan);
  const open = stored.commands.filter((command) => isOpenAnswer(state, command));
  for (const answer of open) applyAnswer(state, answer);
  return { stored, plan, state, isAsStored: open.length === 0 };
}

function isOpenAnswer(state: RunState, command: Command): command is AnswerCommand {
  if (command.type !== 'answer') return false;
  return state.clarifications.some(({ clarification }) => clarification.id === command.key && !clarification.resolved);
}

function applyAnswer(state: RunState, command: AnswerCommand): void {
  const record = state.clarifications.find(({ clarification }) => clarification.id === command.key);
  if (!record || record.clarification.resolved) return;
  for (const resolution of resolutionsOf(state, record, command)) {
    apply(state, { type: 'clarification-resolved', ...resolution }, command.at);
  }
}
