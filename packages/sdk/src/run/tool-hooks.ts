import { type Clarification, isApproved, isClarification } from '../core/clarification.ts';
import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import { hashJson } from '../core/hash.ts';
import { type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import type { CallState, ClarificationRecord } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Settled } from './call-outcome.ts';
import { askInTurn } from './hook-turns.ts';
import { runView, stepView } from './hook-views.ts';
import type { ClarificationRequest, ToolHookResult } from './hooks.ts';
import { stepApprovalKey, type VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** The arguments of a call as the hooks left them, and the approval they ask for. */
export interface Asked {
  readonly args: JsonObject;
  readonly approval: ClarificationRequest | undefined;
}

/** What a call is not made or used for. */
export interface Refusal {
  readonly ok: false;
  readonly error: RunError;
  readonly soft: false;
}

/** Lets the hook see and change the arguments. Questions that are no approval are answered before it is asked again. */
export async function askBeforeHook(
  visit: VisitRun,
  tool: AnyTool,
  args: JsonObject,
  callId: string,
): Promise<Asked | Refusal | Waiting> {
  const { hooks } = visit.run.runtime;
  if (!hooks.beforeToolCall) return { args, approval: undefined };
  const key = `before:${callId}`;
  if (visit.questions(key).some(({ clarification }) => !clarification.resolved)) return waiting;
  const draft = structuredClone(args) as Record<string, JsonValue>;
  let request: ClarificationRequest | undefined;
  try {
    const answer = await askInTurn(
      visit,
      () => visit.ending,
      () => hooks.beforeToolCall?.(tool, draft, runView(visit.run), stepView(visit.instruction)),
    );
    if (answer === waiting) return waiting;
    request = toRequest(answer);
  } catch (thrown) {
    return hookError(visit, thrown, callId);
  }
  const settled = toJson(draft, 'arguments') as JsonObject;
  if (!request) return changedApproved(visit, args, settled, callId) ?? { args: settled, approval: undefined };
  if (request.clarification.category === 'User Verification') return { args: settled, approval: request };
  visit.raise(key, [request], { audience: 'endUser', source: 'Before tool call hook' });
  return waiting;
}

/** What a person approved with the step is what runs: a hook that changes it has to have the change approved. */
function changedApproved(visit: VisitRun, before: JsonObject, after: JsonObject, callId: string): Refusal | undefined {
  const isBound = visit.questions(stepApprovalKey(visit)).some(({ approves }) => approves !== undefined);
  if (!isBound || hashJson(before) === hashJson(after)) return undefined;
  const message = `a hook changed the arguments of call ${callId} after its step was approved`;
  return { ok: false, error: visit.error('APPROVAL_REFUSED', message, callId), soft: false };
}

/** Tells the hook what a call gave. What it asks is answered before the value is used; it is told once. */
export async function askAfterHook(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  value: JsonValue,
): Promise<{ readonly ok: true; readonly value: JsonValue } | Refusal | Waiting> {
  const { hooks } = visit.run.runtime;
  if (!hooks.afterToolCall || call.accepted) return { ok: true, value };
  const key = `after:${call.call}`;
  const asked = visit.questions(key).at(-1);
  if (asked) {
    if (!asked.clarification.resolved) return waiting;
    const refusal = asked.clarification.category === 'User Verification' && !isApproved(asked.clarification);
    return refusal ? refused(visit, tool.id, asked, call.call) : { ok: true, value };
  }
  if (visit.driver.dirty) await visit.driver.commit();
  try {
    const request = toRequest(await hooks.afterToolCall(tool, value, runView(visit.run), stepView(visit.instruction)));
    if (!request) {
      visit.driver.emit({ type: 'tool-call-accept', ...visit.place, call: call.call });
      return { ok: true, value };
    }
    const audience = request.clarification.category === 'User Verification' ? 'operator' : 'endUser';
    visit.raise(key, [request], { audience, source: 'After tool call hook' });
    return waiting;
  } catch (thrown) {
    return hookError(visit, thrown, call.call);
  }
}

/**
 * What a call gave, as the hook wants it stored: nothing else of it goes on record, into a prompt or to anybody. A hook
 * that fails lets nothing through.
 */
export function outputAsShown(visit: VisitRun, tool: AnyTool, callId: string, settled: Settled): Settled {
  const { hooks } = visit.run.runtime;
  if (!hooks.toolOutput) return settled;
  const show = (value: JsonValue): JsonValue => toJson(hooks.toolOutput?.(tool, value), 'what toolOutput returned');
  try {
    if (settled.kind !== 'ended') return { ...settled, reason: String(show(settled.reason)) };
    const { outcome } = settled;
    if (outcome.status === 'SUCCESS') return { ...settled, outcome: { ...outcome, value: show(outcome.value) } };
    if (outcome.status !== 'FAILED') return settled;
    const { error } = outcome;
    return { ...settled, outcome: { ...outcome, error: { ...error, message: String(show(error.message)) } } };
  } catch {
    const message = `the toolOutput hook failed; what ${tool.id} gave is not kept, but the call itself was made`;
    return { kind: 'ended', outcome: { status: 'FAILED', error: visit.error('HOOK_FAILED', message, callId) } };
  }
}

function toRequest(answer: ToolHookResult): ClarificationRequest | undefined {
  if (!answer) return undefined;
  return isClarification(answer) ? { clarification: answer as Clarification } : (answer as ClarificationRequest);
}

function hookError(visit: VisitRun, thrown: unknown, callId: string): Refusal {
  const error = ensureError(thrown);
  const code = PortiaError.isInstance(error) ? error.code : 'HOOK_FAILED';
  return { ok: false, error: visit.error(code, error.message, callId), soft: false };
}

/** A person said no. */
export function refused(visit: VisitRun, toolId: string, approval: ClarificationRecord, callId: string): Refusal {
  const by =
    approval.via === 'expiry'
      ? ': nobody approved it in time'
      : approval.resolvedBy === null
        ? ''
        : ` by ${approval.resolvedBy}`;
  return {
    ok: false,
    error: visit.error('APPROVAL_REFUSED', `the call of ${toolId} was refused${by}`, callId),
    soft: false,
  };
}
