import { type Clarification, isClarification } from '../core/clarification.ts';
import { ensureError, PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { CallOutcome } from '../core/event.ts';
import { type JsonValue, toJson } from '../core/json.ts';
import { validate } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Guarded } from './guard.ts';
import type { VisitRun } from './visit-run.ts';

/** What became of a call in this process; `unknown`: it may have happened and nobody here can say. */
export type Settled =
  | { readonly kind: 'ended'; readonly outcome: CallOutcome; readonly clarifications?: readonly Clarification[] }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'again'; readonly reason: string };

/** Reads what a tool did. Only a soft error, a hard error and a result say for sure what happened. */
export async function settle(visit: VisitRun, tool: AnyTool, callId: string, guarded: Guarded<unknown>): Promise<Settled> {
  switch (guarded.kind) {
    case 'value':
      return settleValue(visit, tool, callId, guarded.value);
    case 'error':
      return settleError(visit, tool, callId, guarded.error);
    case 'timeout':
      return unsettled(visit, tool, callId, 'TOOL_TIMEOUT', `${tool.id} did not answer within ${tool.timeoutMs ?? defaultTimeoutMs} ms`);
    case 'abandoned':
      return { kind: 'unknown', reason: 'the run was ended while the call was in flight' };
  }
}

/** Milliseconds a tool has, unless it says otherwise. */
export const defaultTimeoutMs = 60_000;

async function settleValue(visit: VisitRun, tool: AnyTool, callId: string, value: unknown): Promise<Settled> {
  const clarifications = clarificationsIn(value);
  if (clarifications.length > 0) {
    const ids = clarifications.map(({ id }) => id);
    return { kind: 'ended', outcome: { status: 'NEED_CLARIFICATION', clarifications: ids }, clarifications };
  }
  try {
    return { kind: 'ended', outcome: { status: 'SUCCESS', value: await checkedResult(tool, value) } };
  } catch (error) {
    if (!PortiaError.isInstance(error)) throw error;
    return ended(visit, error.code, `${error.message}; the call itself was made`, callId);
  }
}

/** The result of a tool as it is stored. @throws PortiaError `OUTPUT_NOT_JSON`, `OUTPUT_INVALID`. */
export async function checkedResult(tool: AnyTool, value: unknown): Promise<JsonValue> {
  if (!tool.outputSchema) return toJson(value, `the result of ${tool.id}`);
  const validation = await validate(tool.outputSchema, value);
  if (validation.ok) return toJson(validation.value, `the result of ${tool.id}`);
  throw new PortiaError({
    code: 'OUTPUT_INVALID',
    message: `the result of ${tool.id} does not fit its outputSchema: ${validation.issues.join('; ')}`,
  });
}

function clarificationsIn(value: unknown): readonly Clarification[] {
  if (isClarification(value)) return [value];
  return Array.isArray(value) ? value.filter(isClarification) : [];
}

function settleError(visit: VisitRun, tool: AnyTool, callId: string, thrown: unknown): Settled {
  const error = ensureError(thrown);
  if (error instanceof ToolSoftError || isNamed(error, 'ToolSoftError')) {
    return softly(visit, 'TOOL_RETRIES_EXHAUSTED', error.message, callId);
  }
  if (error instanceof ToolHardError || isNamed(error, 'ToolHardError')) {
    return ended(visit, 'TOOL_FAILED', error.message, callId);
  }
  if (PortiaError.isInstance(error) && tool.readOnly) return ended(visit, error.code, error.message, callId);
  return unsettled(visit, tool, callId, 'TOOL_FAILED', `${tool.id} threw ${error.name}: ${error.message}`);
}

/** Errors made by another copy of this package are no instances of these classes. */
function isNamed(error: Error, name: string): boolean {
  return PortiaError.isInstance(error) && error.name === name;
}

function unsettled(
  visit: VisitRun,
  tool: AnyTool,
  callId: string,
  code: 'TOOL_TIMEOUT' | 'TOOL_FAILED',
  reason: string,
): Settled {
  if (tool.readOnly) return softly(visit, code, reason, callId);
  return tool.idempotent ? { kind: 'again', reason } : { kind: 'unknown', reason };
}

function softly(visit: VisitRun, code: 'TOOL_RETRIES_EXHAUSTED' | 'TOOL_TIMEOUT' | 'TOOL_FAILED', message: string, callId: string): Settled {
  return { kind: 'ended', outcome: { status: 'FAILED', error: visit.error(code, message, callId), soft: true } };
}

function ended(visit: VisitRun, code: PortiaError['code'], message: string, callId: string): Settled {
  return { kind: 'ended', outcome: { status: 'FAILED', error: visit.error(code, message, callId) } };
}
