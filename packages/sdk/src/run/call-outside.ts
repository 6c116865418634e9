import { type Clarification, clarificationFromWire } from '../core/clarification.ts';
import { EndUser } from '../core/end-user.ts';
import { ensureError, PortiaError, ToolSoftError } from '../core/errors.ts';
import { hashText } from '../core/hash.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { Clock } from '../core/clock.ts';
import { type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import { validate } from '../core/schema.ts';
import type { AnyTool, ReadyResponse, ToolRunContext } from '../core/tool.ts';
import { readTrace, traceContextFor } from '../core/trace.ts';
import { checkedResult, clarificationsIn, defaultTimeoutMs, isNamed, withHint } from './call-outcome.ts';
import { isRepeatable } from './tool-context.ts';
import type { Logger } from '../observe/logger.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import type { ToolLimits } from './limits.ts';
import { pauseToRetry } from './tool-retry.ts';

/** For whom a tool is called that no run of this store calls. */
export interface OutsideCall {
  /** The run elsewhere. */
  readonly planRunId: PlanRunUUID;
  readonly endUser: EndUser;
  /** The W3C trace context of whoever asks; the call gets one of its own without. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Stops waiting for the tool. */
  readonly signal?: AbortSignal | undefined;
  /** The id of the call, where the caller has one, and what the other side tells a repetition by. */
  readonly callId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** What was asked and answered for it so far, in the wire form. */
  readonly clarifications?: readonly JsonObject[] | undefined;
  /** What the tool gets when it asks a model. */
  readonly model?: Model | undefined;
  readonly onProgress?: ((progress: JsonValue) => void) | undefined;
}

/** What such a call needs of the process it is made in. */
export interface OutsideRuntime {
  readonly storage: Pick<StorageBackend, 'saveEndUser'>;
  readonly toolLimits: ToolLimits;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What came of such a call: a value, questions, or a failure that the caller may try again after. */
export type OutsideResult =
  | { readonly kind: 'value'; readonly value: JsonValue }
  | { readonly kind: 'clarifications'; readonly clarifications: readonly Clarification[] }
  | { readonly kind: 'soft-error'; readonly message: string };

/**
 * Calls a tool outside any run: there is no ledger and nobody asks hooks, which is the affair of whoever drives the run
 * that wants the call. The tool's own `retry` holds. It gets no model unless the caller gives one: nothing would count
 * what it costs.
 * @throws PortiaError what a tool that fails for good throws; `TOOL_TIMEOUT`, `OUTPUT_INVALID`, `OUTPUT_NOT_JSON`;
 * `CLARIFICATION_INVALID` for answers that are none.
 */
export async function callOutside(
  runtime: OutsideRuntime,
  tool: AnyTool,
  args: JsonObject,
  call: OutsideCall,
): Promise<OutsideResult> {
  const checked = tool.argsSchema ? await validate(tool.argsSchema, args) : { ok: true as const, value: args };
  if (!checked.ok) return { kind: 'soft-error', message: `the arguments do not fit: ${checked.issues.join('; ')}` };
  // Where nobody says which call of the run this is, two that look alike are two.
  const callId = call.callId ?? globalThis.crypto.randomUUID();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOutside(runtime, tool, checked.value, { ...call, callId }, attempt);
    } catch (thrown) {
      const error = ensureError(thrown);
      const isSoft = error instanceof ToolSoftError || isNamed(error, 'ToolSoftError');
      const isOpen = !PortiaError.isInstance(error) || error.code === 'TOOL_TIMEOUT';
      const isSafe = isSoft || (isRepeatable(tool) && isOpen);
      const pause = isSafe && !call.signal?.aborted ? pauseToRetry(tool, attempt, error, runtime.logger) : undefined;
      if (pause === undefined) {
        if (isSoft) return { kind: 'soft-error', message: withHint(error) };
        throw asFailure(tool, error);
      }
      await runtime.clock.sleep(pause, call.signal);
    }
  }
}

function attemptOutside(
  runtime: OutsideRuntime,
  tool: AnyTool,
  args: unknown,
  call: OutsideCall & { readonly callId: string },
  attempt: number,
): Promise<OutsideResult> {
  const changes: Record<string, string | null> = {};
  return inTime(tool, call.signal, async (signal) => {
    const leave = await runtime.toolLimits.enter(tool, signal);
    try {
      const given: unknown = await tool.run(args as never, contextOf(tool, call, attempt, signal, changes));
      const clarifications = typeof given === 'object' ? clarificationsIn(given) : undefined;
      if (clarifications) return { kind: 'clarifications', clarifications };
      return { kind: 'value', value: await checkedResult(tool, given) };
    } finally {
      leave();
      await saveChanges(runtime, call, changes);
    }
  });
}

/** Asks a tool whether it can be called; one that cannot say is not ready. */
export async function readyOutside(tool: AnyTool, call: OutsideCall): Promise<ReadyResponse> {
  if (!tool.ready) return { ready: true };
  try {
    const { planRunId, endUser } = call;
    return (
      (await inTime(tool, call.signal, async (signal) => tool.ready?.({ planRunId, endUser, signal }))) ?? {
        ready: true,
      }
    );
  } catch (error) {
    return { ready: false, reason: ensureError(error).message };
  }
}

function contextOf(
  tool: AnyTool,
  {
    planRunId,
    endUser,
    traceparent,
    tracestate,
    callId,
    idempotencyKey,
    clarifications = [],
    model,
    onProgress,
  }: OutsideCall & { readonly callId: string },
  attempt: number,
  signal: AbortSignal,
  changes: Record<string, string | null>,
): ToolRunContext {
  return {
    callId,
    idempotencyKey: idempotencyKey ?? hashText(`${planRunId}/${callId}`),
    attempt,
    repeatable: isRepeatable(tool),
    planRunId,
    ...traceContextFor({ id: planRunId, ...readTrace(traceparent, tracestate) }, callId),
    endUser,
    clarifications: clarifications.map(clarificationFromWire),
    signal,
    model() {
      if (model) return model;
      throw new PortiaError({
        code: 'TOOL_FAILED',
        message: `${tool.id} asks a model, which a tool that is called from elsewhere cannot`,
        hint: 'use it in plans that this server runs',
      });
    },
    progress: (progress) => onProgress?.(toJson(progress)),
    updateEndUser(additionalData) {
      Object.assign(changes, additionalData);
    },
  };
}

async function inTime<T>(
  { id, timeoutMs = defaultTimeoutMs }: AnyTool,
  given: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const signal = given ? AbortSignal.any([given, timeout.signal]) : timeout.signal;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new PortiaError({ code: 'TOOL_TIMEOUT', message: `${id} did not answer within ${timeoutMs} ms` });
      timeout.abort(error);
      reject(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

function asFailure(tool: AnyTool, error: Error): PortiaError {
  if (PortiaError.isInstance(error)) return error;
  return new PortiaError({ code: 'TOOL_FAILED', message: `${tool.id} failed: ${error.message}`, cause: error });
}

/** What a call changed about the end user never decides whether the call succeeded. */
async function saveChanges(
  { storage, logger }: OutsideRuntime,
  { endUser, planRunId }: OutsideCall,
  changes: Readonly<Record<string, string | null>>,
): Promise<void> {
  if (Object.keys(changes).length === 0) return;
  try {
    await storage.saveEndUser(EndUser({ ...endUser, additionalData: changes }), []);
  } catch (error) {
    logger.warn('the end user could not be saved after a tool call', { planRunId, error: ensureError(error).message });
  }
}
