import { type Clarification, isApproved, isClarification } from '../core/clarification.ts';
import { PortiaError, ensureError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import { hashJson } from '../core/hash.ts';
import { type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import { ReadOnlyPlanRun, planRunView } from '../core/plan-run.ts';
import { ReadOnlyStep } from '../core/plan.ts';
import { type CallState, type ClarificationRecord, isFinished } from '../core/run-state.ts';
import { validate } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import { type Settled, defaultTimeoutMs, settle } from './call-outcome.ts';
import { type Guarded, guard } from './guard.ts';
import type { ClarificationRequest, ToolHookResult } from './hooks.ts';
import { askAboutUnknown, decideUnknown } from './ledger.ts';
import { CallContext } from './tool-context.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** What a caller of a tool gets: its value, an error (`soft`: nothing happened, trying again may help), or a wait. */
export type CallResult =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly error: RunError; readonly soft: boolean }
  | Waiting;

/** How often a call that is marked idempotent is handed to its tool within one execution. */
const maxAttempts = 3;

/**
 * The one place where tools are called, whatever the kind of step. Hooks settle the arguments, a person approves
 * exactly this call, the intent is stored, the tool runs, the receipt is stored. A call that is on record already is
 * not made again; one of which only the intent is known is looked up, repeated with the same key where the tool
 * allows it, or put before a person.
 */
export async function callTool(visit: VisitRun, tool: AnyTool, args: JsonObject): Promise<CallResult> {
  let given = args;
  for (;;) {
    visit.called += 1;
    const n = visit.called;
    const stored = visit.stored?.calls[n - 1];
    const result = stored ? await continueCall(visit, tool, stored, n) : await beginCall(visit, tool, given, n);
    if (result === waiting || 'ok' in result) return result;
    // The tool asked for something and has its answer: the next call carries it.
    given = result.args;
  }
}

/** Answers stand in for the arguments they were asked for. */
interface Answered {
  readonly args: JsonObject;
}

async function continueCall(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Promise<CallResult | Answered> {
  switch (call.status) {
    case 'ended':
      return finishCall(visit, tool, call);
    case 'proposed':
      return afterApproval(visit, tool, call, n);
    case 'started':
      if (tool.readOnly || tool.idempotent) return perform(visit, tool, call, n);
      return resolveUnknown(visit, tool, call, n, 'the process ended between the call and its receipt');
    case 'unknown':
      return resolveUnknown(visit, tool, call, n, '');
  }
}

async function beginCall(visit: VisitRun, tool: AnyTool, args: JsonObject, n: number): Promise<CallResult | Answered> {
  const callId = visit.callId(n);
  const asked = await askHooks(visit, tool, args, callId);
  if (asked === waiting) return waiting;
  if ('error' in asked) return { ok: false, error: asked.error, soft: false };
  const checked = await checkArgs(visit, tool, asked.args, callId);
  if ('error' in checked) return { ok: false, error: checked.error, soft: true };
  const call: CallState = { call: callId, tool: tool.id, args: checked.args, status: 'proposed', outcome: undefined, attempts: 0 };
  if (!asked.approval) return perform(visit, tool, call, n);
  visit.driver.emit({ type: 'tool-call-propose', ...visit.place, call: callId, tool: tool.id, args: checked.args });
  visit.raise(approvalKey(callId), [asked.approval], {
    audience: 'operator',
    source: 'User verification tool hook',
    approves: { call: callId, argsHash: hashJson(checked.args) },
  });
  return waiting;
}

const approvalKey = (callId: string): string => `approve:${callId}`;

interface Asked {
  readonly args: JsonObject;
  readonly approval: ClarificationRequest | undefined;
}

/** Lets the hook see and change the arguments. Questions that are no approval are answered before it is asked again. */
async function askHooks(visit: VisitRun, tool: AnyTool, args: JsonObject, callId: string): Promise<Asked | { error: RunError } | Waiting> {
  const { beforeToolCall } = visit.run.runtime.hooks;
  if (!beforeToolCall) return { args, approval: undefined };
  const key = `before:${callId}`;
  const asked = visit.questions(key);
  if (asked.some(({ clarification }) => !clarification.resolved)) return waiting;
  const draft = structuredClone(args) as Record<string, JsonValue>;
  let answer: ToolHookResult;
  try {
    answer = await beforeToolCall.call(visit.run.runtime.hooks, tool, draft, runView(visit), stepView(visit));
  } catch (thrown) {
    return { error: hookError(visit, thrown, callId) };
  }
  const settled = toJson(draft, 'arguments') as JsonObject;
  const request = toRequest(answer);
  if (!request) return { args: settled, approval: undefined };
  if (request.clarification.category === 'User Verification') return { args: settled, approval: request };
  visit.raise(key, [request], { audience: 'endUser', source: 'Before tool call hook' });
  return waiting;
}

function toRequest(answer: ToolHookResult): ClarificationRequest | undefined {
  if (!answer) return undefined;
  return isClarification(answer) ? { clarification: answer as Clarification } : (answer as ClarificationRequest);
}

function hookError(visit: VisitRun, thrown: unknown, callId: string): RunError {
  const error = ensureError(thrown);
  return visit.error(PortiaError.isInstance(error) ? error.code : 'HOOK_FAILED', error.message, callId);
}

/** The read-only view of the run that hooks get. */
export function runView(visit: VisitRun): ReadOnlyPlanRun {
  return ReadOnlyPlanRun.fromPlanRun(planRunView(visit.driver.state));
}

function stepView(visit: VisitRun): ReadOnlyStep {
  return ReadOnlyStep.fromStep(visit.instruction.step);
}

async function checkArgs(visit: VisitRun, tool: AnyTool, args: JsonObject, callId: string): Promise<{ args: JsonObject } | { error: RunError }> {
  if (!tool.argsSchema) return { args };
  const validation = await validate(tool.argsSchema, args);
  if (validation.ok) return { args: toJson(validation.value, 'arguments') as JsonObject };
  const message = `the arguments of ${tool.id} do not fit: ${validation.issues.join('; ')}`;
  return { error: visit.error('TOOL_ARGS_INVALID', message, callId) };
}

function afterApproval(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Promise<CallResult | Answered> | CallResult {
  const approval = visit.questions(approvalKey(call.call)).find(({ approves }) => approves?.call === call.call);
  if (!approval) return beginAgain(visit, tool, call, n);
  if (!approval.clarification.resolved) return waiting;
  if (!isApproved(approval.clarification)) return refused(visit, tool.id, approval, call.call);
  if (approval.approves?.argsHash !== hashJson(call.args)) {
    const message = `the arguments of call ${call.call} are not those that were approved`;
    return { ok: false, error: visit.error('APPROVAL_REFUSED', message, call.call), soft: false };
  }
  return perform(visit, tool, call, n);
}

/** A call that was proposed without a question on record never happened. */
function beginAgain(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Promise<CallResult | Answered> {
  return beginCall(visit, tool, call.args, n);
}

function refused(visit: VisitRun, toolId: string, approval: ClarificationRecord, callId: string): CallResult {
  const who = approval.resolvedBy === null ? '' : ` by ${approval.resolvedBy}`;
  return { ok: false, error: visit.error('APPROVAL_REFUSED', `the call of ${toolId} was refused${who}`, callId), soft: false };
}

/** Hands the call to its tool, intent before, receipt after. */
async function perform(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Promise<CallResult | Answered> {
  const { driver } = visit;
  for (let attempt = 1; ; attempt += 1) {
    await announce(visit, tool, call, attempt);
    const context = new CallContext(visit, call.call, n);
    const started = performance.now();
    const guarded = await invoke(visit, tool, call, context);
    const settled = await settle(visit, tool, call.call, guarded);
    await context.saveEndUser();
    // What an ending run broke off is left as it is on record: whoever drives it next decides.
    if (driver.ending && !(settled.kind === 'ended' && settled.outcome.status === 'SUCCESS')) return waiting;
    if (settled.kind === 'again' && attempt < maxAttempts) continue;
    if (settled.kind === 'unknown') return resolveUnknown(visit, tool, call, n, settled.reason);
    return finishCall(visit, tool, record(visit, tool, call, settled, Math.round(performance.now() - started)));
  }
}

async function announce(visit: VisitRun, tool: AnyTool, call: CallState, attempt: number): Promise<void> {
  const { driver } = visit;
  const identity = { ...visit.place, call: call.call, tool: tool.id, args: call.args };
  if (tool.readOnly) {
    driver.notice((at) => ({ at, type: 'tool-call-start', ...identity }));
    return;
  }
  if (attempt > 1 || call.status !== 'proposed') driver.emit({ type: 'tool-call-repeat', ...visit.place, call: call.call });
  else driver.emit({ type: 'tool-call-start', ...identity });
  await driver.commit();
}

async function invoke(visit: VisitRun, tool: AnyTool, call: CallState, context: CallContext): Promise<Guarded<unknown>> {
  const { driver } = visit;
  if (isFinished(driver.state)) throw new Error('a finished run calls no tools');
  try {
    const result: unknown = tool.run(call.args, context);
    if (!isPromise(result)) return { kind: 'value', value: result };
    return await guard(driver, result, {
      timeoutMs: tool.timeoutMs ?? defaultTimeoutMs,
      onTimeout: () => context.timeOut(),
      late: (value) => void lateReceipt(visit, tool, call, value),
    });
  } catch (error) {
    return { kind: 'error', error };
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** The tool gave its result after it was given up. What happened is still put on record, for whoever drives the run now. */
async function lateReceipt(visit: VisitRun, tool: AnyTool, call: CallState, value: unknown): Promise<void> {
  if (tool.readOnly) return;
  const { runtime, driver } = visit.run;
  try {
    const settled = await settle(visit, tool, call.call, { kind: 'value', value });
    if (settled.kind !== 'ended') return;
    const outcome = settled.outcome as unknown as JsonObject;
    await runtime.storage.putCommand(driver.id, { type: 'receipt', key: call.call, at: runtime.clock.now(), outcome });
  } catch (error) {
    runtime.logger.error('a late receipt could not be stored', { planRunId: driver.id, toolCallId: call.call, error: String(error) });
  }
}

function record(visit: VisitRun, tool: AnyTool, call: CallState, settled: Exclude<Settled, { kind: 'unknown' }>, ms: number): CallState {
  const outcome =
    settled.kind === 'ended'
      ? settled.outcome
      : { status: 'FAILED' as const, error: visit.error('TOOL_FAILED', settled.reason, call.call) };
  visit.driver.emit({
    type: 'tool-call-end',
    ...visit.place,
    call: call.call,
    ...(tool.readOnly && { tool: tool.id, ...(hasMembers(call.args) && { args: call.args }) }),
    outcome,
    ...(ms > 0 && { ms }),
  });
  if (settled.kind === 'ended' && settled.clarifications) {
    const requests = settled.clarifications.map((clarification) => ({ clarification }));
    visit.raise(`tool:${call.call}`, requests, { audience: 'endUser', source: tool.name });
  }
  return { ...call, status: 'ended', outcome };
}

function hasMembers(object: JsonObject): boolean {
  for (const _key in object) return true;
  return false;
}

/** What a call that is on record means for whoever made it. */
async function finishCall(visit: VisitRun, tool: AnyTool, call: CallState): Promise<CallResult | Answered> {
  const { outcome } = call;
  if (outcome === undefined) return waiting;
  if (outcome.status === 'FAILED') return { ok: false, error: outcome.error, soft: outcome.soft ?? false };
  if (outcome.status === 'NEED_CLARIFICATION') return answersOf(visit, call);
  return askAfterHook(visit, tool, call, outcome.value);
}

function answersOf(visit: VisitRun, call: CallState): Answered | Waiting {
  const asked = visit.questions(`tool:${call.call}`);
  if (asked.some(({ clarification }) => !clarification.resolved)) return waiting;
  const args: Record<string, JsonValue> = { ...call.args };
  for (const { clarification } of asked) {
    if (clarification.category === 'Input' || clarification.category === 'Multiple Choice') {
      args[clarification.argumentName] = clarification.response;
    }
  }
  return { args };
}

async function askAfterHook(visit: VisitRun, tool: AnyTool, call: CallState, value: JsonValue): Promise<CallResult> {
  const { afterToolCall } = visit.run.runtime.hooks;
  if (!afterToolCall) return { ok: true, value };
  const key = `after:${call.call}`;
  const [asked] = visit.questions(key);
  if (asked) {
    if (!asked.clarification.resolved) return waiting;
    const refusal = asked.clarification.category === 'User Verification' && !isApproved(asked.clarification);
    return refusal ? refused(visit, tool.id, asked, call.call) : { ok: true, value };
  }
  await visit.driver.commit();
  try {
    const answer = await afterToolCall.call(visit.run.runtime.hooks, tool, value, runView(visit), stepView(visit));
    const request = toRequest(answer);
    if (!request) return { ok: true, value };
    const audience = request.clarification.category === 'User Verification' ? 'operator' : 'endUser';
    visit.raise(key, [request], { audience, source: 'After tool call hook' });
    return waiting;
  } catch (thrown) {
    return { ok: false, error: hookError(visit, thrown, call.call), soft: false };
  }
}

/** Whether the call happened is not known: the tool is asked, else a person. */
async function resolveUnknown(visit: VisitRun, tool: AnyTool, call: CallState, n: number, reason: string): Promise<CallResult | Answered> {
  const decision = call.status === 'unknown' ? await decideUnknown(visit, tool, call) : await askAboutUnknown(visit, tool, call, n, reason);
  if (decision === waiting) return waiting;
  switch (decision.kind) {
    case 'receipt':
      return finishCall(visit, tool, record(visit, tool, call, { kind: 'ended', outcome: { status: 'SUCCESS', value: decision.value } }, 0));
    case 'call':
      return perform(visit, tool, { ...call, status: 'unknown' }, n);
    case 'stop':
      return {
        ok: false,
        error: visit.error('CALL_STOPPED', `the run was stopped at the call of ${tool.id}, whose outcome is unknown`, call.call),
        soft: false,
      };
  }
}
