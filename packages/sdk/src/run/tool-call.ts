import { isApproved } from '../core/clarification.ts';
import type { CallOutcome, RunError } from '../core/event.ts';
import { hashJson } from '../core/hash.ts';
import { type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import { type CallState, isFinished } from '../core/run-state.ts';
import { validate } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Awaitable } from '../storage/storage-backend.ts';
import { BudgetBreak, breakOff } from './budget.ts';
import { type Settled, defaultTimeoutMs, settle } from './call-outcome.ts';
import { announce, leaveUnknown, record, turnDown } from './call-record.ts';
import { putOnRecord } from './drive.ts';
import { type Guarded, type GuardOptions, guard } from './guard.ts';
import { decideUnknown } from './ledger.ts';
import { ToolLimits } from './limits.ts';
import { knownPlan } from './plan-shelf.ts';
import { CallContext, isRepeatable } from './tool-context.ts';
import { ModelQuestion } from './model-hooks.ts';
import { askAfterHook, askBeforeHook, outputAsShown, refused } from './tool-hooks.ts';
import { brokenOff, type Failure, failureToRetry, waitForNextAttempt } from './tool-retry.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** What a caller of a tool gets: its value, an error (`soft`: nothing happened, trying again may help), or a wait. */
export type CallResult =
  | { readonly ok: true; readonly value: JsonValue; readonly calls?: readonly MadeCall[] | undefined }
  | { readonly ok: false; readonly error: RunError; readonly soft: boolean }
  | Waiting;

/** One of several calls that a value is made of. */
export interface MadeCall {
  /** As the tool got them. */
  readonly args: JsonObject | undefined;
  readonly value: JsonValue;
}

/** How often a call is handed to a tool without a `retry` of its own that may be called again in doubt. */
const maxAttempts = 3;

/**
 * The one place where tools are called, whatever the kind of step. Hooks settle the arguments, a person approves
 * exactly this call, the intent is stored, the tool runs, the receipt is stored. A call that is on record already is
 * not made again; one of which only the intent is known is looked up, repeated with the same key where the tool
 * allows it, or put before a person. After a soft error a new call is made, until there were `tries`; a tool that has a
 * `retry` of its own has been tried enough by then.
 */
export function callTool(visit: VisitRun, tool: AnyTool, args: JsonObject, tries = 1): Awaitable<CallResult> {
  return next(makeCall(visit, tool, args), (known) => afterCall(visit, tool, args, tries, known));
}

/** A call with its number, and what became of its arguments where the hook has settled them. */
export interface Taken {
  readonly n: number;
  readonly prepared?: Prepared | undefined;
}

/** Makes a call, or goes on with it. `taken`: what is settled about it, where its turn was taken up. */
export function makeCall(
  visit: VisitRun,
  tool: AnyTool,
  args: JsonObject,
  taken: Taken | undefined = undefined,
): Awaitable<CallResult | Answered> {
  if (!taken) visit.called += 1;
  const { n, prepared } = taken ?? { n: visit.called };
  if (prepared) return goOnWith(visit, tool, n, prepared);
  const stored = visit.stored?.calls[n - 1];
  return stored ? continueCall(visit, tool, stored, n) : beginCall(visit, tool, args, n);
}

/** What is to be done after a call: the next one, with the answer that its tool wanted, or another attempt. */
export function afterCall(
  visit: VisitRun,
  tool: AnyTool,
  args: JsonObject,
  tries: number,
  result: CallResult | Answered,
): Awaitable<CallResult> {
  if (result === waiting) return waiting;
  // The tool asked for something and has its answer: the next call carries it.
  if (!('ok' in result)) return callTool(visit, tool, result.args, tries);
  return tries > 1 && !tool.retry && mayTryAgain(visit, result) ? callTool(visit, tool, args, tries - 1) : result;
}

/** Goes on with a value, at once where it is there already: most calls of a run have nothing to wait for but their tool. */
export function next<T, U>(value: Awaitable<T>, goOn: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(goOn) : goOn(value);
}

function mayTryAgain(visit: VisitRun, result: Exclude<CallResult, Waiting>): boolean {
  return !result.ok && result.soft && result.error.code !== 'TOOL_ARGS_INVALID' && !visit.ending;
}

/** Answers stand in for the arguments they were asked for. */
export interface Answered {
  readonly args: JsonObject;
}

function continueCall(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Awaitable<CallResult | Answered> {
  switch (call.status) {
    case 'ended':
      return finishCall(visit, tool, call);
    case 'proposed':
      return call.cleared ? perform(visit, tool, call, n) : afterApproval(visit, tool, call, n);
    case 'started':
    case 'unknown':
      if (isRepeatable(tool)) return perform(visit, tool, { ...call, status: 'started' }, n);
      return resolveUnknown(visit, tool, call, n, whyUnknown(call));
  }
}

/** A call that is kept for a retry may have its failure with it. */
function whyUnknown({ outcome }: CallState): string {
  return outcome?.status === 'FAILED' ? outcome.error.message : 'the process ended between the call and its receipt';
}

function beginCall(visit: VisitRun, tool: AnyTool, args: JsonObject, n: number): Awaitable<CallResult | Answered> {
  const settled = !tool.argsSchema && !visit.run.runtime.hooks.beforeToolCall;
  return settled ? perform(visit, tool, proposed(visit, tool, args, n), n) : settleArgs(visit, tool, args, n);
}

function proposed(visit: VisitRun, tool: AnyTool, args: JsonObject, n: number): CallState {
  return { call: visit.callId(n), tool: tool.id, args, status: 'proposed', outcome: undefined, attempts: 0 };
}

async function settleArgs(visit: VisitRun, tool: AnyTool, args: JsonObject, n: number): Promise<CallResult | Answered> {
  return goOnWith(visit, tool, n, await prepare(visit, tool, args, n));
}

/** A call whose arguments are settled, or what came of it instead. */
export type Prepared = { readonly ready: CallState } | CallResult;

function goOnWith(visit: VisitRun, tool: AnyTool, n: number, prepared: Prepared): Awaitable<CallResult | Answered> {
  return prepared !== waiting && 'ready' in prepared ? perform(visit, tool, prepared.ready, n) : prepared;
}

/** Has the hook settle the arguments of a call, and checks them. */
export async function prepare(visit: VisitRun, tool: AnyTool, args: JsonObject, n: number): Promise<Prepared> {
  const callId = visit.callId(n);
  const asked = await askBeforeHook(visit, tool, args, callId);
  if (asked === waiting || 'error' in asked) return asked;
  const checked = await checkArgs(visit, tool, asked.args, callId);
  if ('error' in checked) return turnDown(visit, proposed(visit, tool, asked.args, n), checked.error);
  const call = proposed(visit, tool, checked.args, n);
  if (!asked.approval) return { ready: call };
  visit.driver.emit({ type: 'tool-call-propose', ...visit.place, call: callId, tool: tool.id, args: checked.args });
  visit.raise(approvalKey(callId), [asked.approval], {
    audience: 'operator',
    source: 'User verification tool hook',
    approves: { call: callId, argsHash: hashJson(checked.args) },
  });
  return waiting;
}

const approvalKey = (callId: string): string => `approve:${callId}`;

async function checkArgs(
  visit: VisitRun,
  tool: AnyTool,
  args: JsonObject,
  callId: string,
): Promise<{ args: JsonObject } | { error: RunError }> {
  if (!tool.argsSchema) return { args };
  const validation = await validate(tool.argsSchema, args);
  if (validation.ok) return { args: toJson(validation.value, 'arguments') as JsonObject };
  const message = `the arguments of ${tool.id} do not fit: ${validation.issues.join('; ')}`;
  return { error: visit.error('TOOL_ARGS_INVALID', message, callId) };
}

function afterApproval(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Awaitable<CallResult | Answered> {
  const approval = visit.questions(approvalKey(call.call)).find(({ approves }) => approves?.call === call.call);
  if (!approval) return call.attempts > 0 ? perform(visit, tool, call, n) : beginAgain(visit, tool, call, n);
  if (!approval.clarification.resolved) return waiting;
  if (!isApproved(approval.clarification)) return refused(visit, tool.id, approval, call.call);
  if (approval.approves?.argsHash !== hashJson(call.args)) {
    const message = `the arguments of call ${call.call} are not those that were approved`;
    return { ok: false, error: visit.error('APPROVAL_REFUSED', message, call.call), soft: false };
  }
  return perform(visit, tool, call, n);
}

/** A call that was proposed without a question on record never happened. */
function beginAgain(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Awaitable<CallResult | Answered> {
  return beginCall(visit, tool, call.args, n);
}

/**
 * Hands the call to its tool as soon as the tool's limits allow it. `release`: gives back what an earlier attempt holds of
 * a budget; a call without effects is counted by its receipt.
 */
function perform(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  n: number,
  number: number = nextNumber(visit, tool, call, n),
  release: (() => void) | undefined = undefined,
): Awaitable<CallResult | Answered> {
  const attempt = new Attempt(visit, tool, call, n, number, release);
  // It may have been ended while a hook was asked about the call.
  if (visit.ending) return notMade(attempt);
  return ToolLimits.limits(tool) ? performInTurn(attempt) : performNow(attempt);
}

/** The run ends, or the block: nothing new begins, and whoever drives the run next makes the call where it is to be made. */
function notMade({ release }: Attempt): Waiting {
  release?.();
  return waiting;
}

/** Attempts are counted over all executions of a step where the tool says how many there may be. */
function nextNumber(visit: VisitRun, tool: AnyTool, call: CallState, n: number): number {
  const made = visit.stored?.calls[n - 1]?.attempts ?? 0;
  return tool.retry || call.status === 'proposed' ? made + 1 : 1;
}

async function performInTurn(attempt: Attempt): Promise<CallResult | Answered> {
  const { visit, tool } = attempt;
  try {
    attempt.leave = await visit.run.runtime.toolLimits.enter(tool, brokenOff(visit));
  } catch {
    return notMade(attempt);
  }
  try {
    if (visit.ending) return notMade(attempt);
    return await performNow(attempt);
  } finally {
    attempt.leave();
  }
}

/** Intent before, receipt after. */
function performNow(attempt: Attempt): Awaitable<CallResult | Answered> {
  const { visit, tool, call, number } = attempt;
  if (isFirst(call, number) && visit.driver.purse.limited) attempt.release = reserve(visit, tool);
  const announced = announce(visit, tool, call, number);
  return announced ? announced.then(() => make(attempt)) : make(attempt);
}

/** One attempt of a call, while it is made. The guard tells it when its time is over, or when it ends too late. */
class Attempt implements GuardOptions<unknown, CallResult | Answered> {
  readonly visit: VisitRun;
  readonly tool: AnyTool;
  readonly call: CallState;
  readonly n: number;
  readonly number: number;
  readonly context: CallContext;
  /** Gives back what a budget holds for it. */
  release: (() => void) | undefined;
  /** Gives back the place the tool's limits gave it. */
  leave: (() => void) | undefined = undefined;
  timeoutMs: number = defaultTimeoutMs;
  started = 0;
  ms = 0;

  constructor(
    visit: VisitRun,
    tool: AnyTool,
    call: CallState,
    n: number,
    number: number,
    release: (() => void) | undefined,
  ) {
    this.visit = visit;
    this.tool = tool;
    this.call = call;
    this.n = n;
    this.number = number;
    this.release = release;
    this.context = new CallContext(visit, tool, call.call, n, number);
  }

  /** It is made now. */
  start(): void {
    this.started = performance.now();
    const { timeoutMs = defaultTimeoutMs } = this.tool;
    const left = this.visit.driver.purse.timeLeft();
    // No call outlives the budget; timers may come a little early.
    this.timeoutMs = left === undefined ? timeoutMs : Math.min(timeoutMs, 1 + Math.ceil(left));
  }

  onTimeout(): void {
    this.context.timeOut();
  }

  read(outcome: Guarded<unknown>): Awaitable<CallResult | Answered> {
    return readOutcome(this, outcome);
  }

  late(value: unknown): void {
    void lateReceipt(this.visit, this.tool, this.call, value);
  }
}

function make(attempt: Attempt): Awaitable<CallResult | Answered> {
  // From here on a call with effects is counted by the record, one without them by its receipt.
  if (!attempt.tool.readOnly) attempt.release?.();
  attempt.start();
  const { driver } = attempt.visit;
  if (isFinished(driver.state)) throw new Error('a finished run calls no tools');
  const made = invoke(attempt);
  return made.kind === 'promise' ? guard(driver, made.work, attempt) : readOutcome(attempt, made);
}

function readOutcome(attempt: Attempt, guarded: Guarded<unknown>): Awaitable<CallResult | Answered> {
  const { visit, tool, call, release } = attempt;
  if (tool.readOnly && guarded.kind === 'error' && guarded.error instanceof BudgetBreak) {
    release?.();
    throw guarded.error;
  }
  // Of a call without effects that ran out of the budget's time nothing is to be put on record.
  const over = tool.readOnly && guarded.kind === 'timeout' ? visit.driver.purse.timeOver() : undefined;
  if (over) {
    release?.();
    breakOff(visit, over.crossing, over.scope, `a call of ${tool.id}`);
  }
  // A hook asked a person while the tool asked a model: it is called again, with the answer.
  const asks = guarded.kind === 'error' && guarded.error instanceof ModelQuestion;
  if (asks && isRepeatable(tool)) {
    release?.();
    return waiting;
  }
  const settled = settle(visit, tool, call.call, guarded);
  return settled instanceof Promise
    ? settled.then((one) => keep(attempt, guarded, one))
    : keep(attempt, guarded, settled);
}

function keep(attempt: Attempt, guarded: Guarded<unknown>, settled: Settled): Awaitable<CallResult | Answered> {
  const { visit, tool, number, context } = attempt;
  attempt.ms = Math.round(performance.now() - attempt.started);
  context.close();
  const failure = tool.retry && failureToRetry(visit, tool, number, guarded, settled);
  if (!context.changedEndUser) return goOn(attempt, settled, failure);
  return context.saveEndUser().then(() => goOn(attempt, settled, failure));
}

function goOn(attempt: Attempt, settled: Settled, failure: Failure | undefined): Awaitable<CallResult | Answered> {
  return failure && !attempt.visit.ending ? tryAgain(attempt, failure) : afterAttempt(attempt, settled);
}

async function tryAgain(attempt: Attempt, failure: Failure): Promise<CallResult | Answered> {
  const { visit, tool, call, n, number, release } = attempt;
  attempt.leave?.();
  if (await waitForNextAttempt(visit, tool, call.call, failure))
    return perform(visit, tool, call, n, number + 1, release);
  release?.();
  return waiting;
}

function isFirst({ status, attempts }: CallState, attempt: number): boolean {
  return attempt === 1 && status === 'proposed' && attempts === 0;
}

/** @throws BudgetBreak where a budget leaves no room for the call. */
function reserve(visit: VisitRun, tool: AnyTool): () => void {
  return visit.driver.purse.beforeToolCall((crossing, scope) =>
    breakOff(visit, crossing, scope, `a call of ${tool.id}`),
  );
}

function afterAttempt(attempt: Attempt, settled: Settled): Awaitable<CallResult | Answered> {
  const { visit, tool, call, n, number } = attempt;
  attempt.release?.();
  attempt.leave?.();
  // What an ending run broke off is left as it is on record: whoever drives it next decides.
  if (visit.ending && !isCertain(settled)) return waiting;
  switch (settled.kind) {
    case 'again':
      return !tool.retry && number < maxAttempts && !visit.driver.purse.timeOver()
        ? perform(visit, tool, call, n, number + 1)
        : leaveUnknown(visit, call, settled);
    case 'unknown':
      return resolveUnknown(visit, tool, { ...call, status: 'started' }, n, settled.reason);
    case 'ended':
      return finishCall(visit, tool, record(visit, tool, call, settled, attempt));
  }
}

/** Whether a tool says for sure what happened. A hard failure may only be its word for having been broken off. */
function isCertain(settled: Settled): boolean {
  if (settled.kind !== 'ended') return false;
  const { outcome } = settled;
  return outcome.status !== 'FAILED' || outcome.error.code === 'TOOL_RETRIES_EXHAUSTED';
}

function invoke(
  attempt: Attempt,
): Guarded<unknown> | { readonly kind: 'promise'; readonly work: PromiseLike<unknown> } {
  try {
    const value: unknown = attempt.tool.run(attempt.call.args, attempt.context);
    return isPromise(value) ? { kind: 'promise', work: value } : { kind: 'value', value };
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
    if (runtime.drivers.get(driver.id) !== driver) await putOnRecord(runtime, knownPlan(visit.run.plan), driver.id);
  } catch (error) {
    runtime.logger.error('a late receipt could not be stored', {
      planRunId: driver.id,
      toolCallId: call.call,
      error: String(error),
    });
  }
}

/** What a call that is on record means for whoever made it. */
function finishCall(visit: VisitRun, tool: AnyTool, call: CallState): Awaitable<CallResult | Answered> {
  const { outcome } = call;
  if (outcome === undefined) return waiting;
  if (outcome.status === 'FAILED') return { ok: false, error: outcome.error, soft: outcome.soft ?? false };
  if (outcome.status === 'NEED_CLARIFICATION') return answersOf(visit, call);
  return visit.run.runtime.hooks.afterToolCall
    ? askAfterHook(visit, tool, call, outcome.value)
    : { ok: true, value: outcome.value };
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

/** Whether the call happened is not known: the tool is asked, else a person. */
async function resolveUnknown(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  n: number,
  reason: string,
): Promise<CallResult | Answered> {
  const decision = await decideUnknown(visit, tool, call, n, reason);
  if (decision === waiting) return waiting;
  const { kind } = decision;
  if (kind === 'receipt') return finish({ status: 'SUCCESS', value: decision.value });
  if (kind === 'stop') {
    const message = `the run was stopped at the call of ${tool.id}, whose outcome is unknown`;
    return { ok: false, error: visit.error('CALL_STOPPED', message, call.call), soft: false };
  }
  // A tool that fails and then says that nothing happened, over and over, has failed: the agent may try otherwise.
  const attempts = visit.stored?.calls[n - 1]?.attempts ?? 0;
  if (kind === 'not-happened' && attempts >= (tool.retry?.maxAttempts ?? maxAttempts)) {
    return finish({ status: 'FAILED', error: visit.error('TOOL_FAILED', reason, call.call), soft: true });
  }
  return perform(visit, tool, { ...call, status: 'started' }, n);

  function finish(outcome: CallOutcome): Awaitable<CallResult | Answered> {
    const settled = outputAsShown(visit, tool, call.call, { kind: 'ended', outcome });
    return settled.kind === 'ended'
      ? finishCall(visit, tool, record(visit, tool, call, settled, { ms: 0, number: 1 }))
      : waiting;
  }
}
