import { type Clarification, isClarification } from '../core/clarification.ts';
import { ensureError, PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { CallOutcome } from '../core/event.ts';
import { type JsonValue, toJson } from '../core/json.ts';
import { type Schema, validate } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Guarded } from './guard.ts';
import { outputAsShown } from './tool-hooks.ts';
import type { VisitRun } from './visit-run.ts';

/** What became of a call in this process; `unknown`: it may have happened and nobody here can say. */
export type Settled =
  | { readonly kind: 'ended'; readonly outcome: CallOutcome; readonly clarifications?: readonly Clarification[] }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'again'; readonly code: 'TOOL_TIMEOUT' | 'TOOL_FAILED'; readonly reason: string };

/** Reads what a tool did. Only a soft error, a hard error and a result say for sure what happened. */
export function settle(
  visit: VisitRun,
  tool: AnyTool,
  callId: string,
  guarded: Guarded<unknown>,
): Settled | Promise<Settled> {
  const settled = settleRaw(visit, tool, callId, guarded);
  if (!visit.run.runtime.hooks.toolOutput) return settled;
  return settled instanceof Promise
    ? settled.then((one) => outputAsShown(visit, tool, callId, one))
    : outputAsShown(visit, tool, callId, settled);
}

function settleRaw(
  visit: VisitRun,
  tool: AnyTool,
  callId: string,
  guarded: Guarded<unknown>,
): Settled | Promise<Settled> {
  switch (guarded.kind) {
    case 'value':
      return settleValue(visit, tool, callId, guarded.value);
    case 'error':
      return settleError(visit, tool, callId, guarded.error);
    case 'timeout':
      return unsettled(visit, tool, callId, 'TOOL_TIMEOUT', `${tool.id} did not answer within ${guarded.ms} ms`);
    case 'abandoned':
      return { kind: 'unknown', reason: 'the run was ended while the call was in flight' };
  }
}

/** Milliseconds a tool has, unless it says otherwise. */
export const defaultTimeoutMs = 60_000;

function settleValue(visit: VisitRun, tool: AnyTool, callId: string, value: unknown): Settled | Promise<Settled> {
  const found = typeof value === 'object' ? clarificationsIn(value) : undefined;
  if (found) {
    const clarifications = found.map((clarification) => visit.fresh(clarification));
    const ids = clarifications.map(({ id }) => id);
    return { kind: 'ended', outcome: { status: 'NEED_CLARIFICATION', clarifications: ids }, clarifications };
  }
  try {
    const result = checkedResult(tool, value);
    return result instanceof Promise
      ? result.then(succeeded, (error) => unfit(visit, callId, error))
      : succeeded(result);
  } catch (error) {
    return unfit(visit, callId, error);
  }
}

function unfit(visit: VisitRun, callId: string, error: unknown): Settled {
  if (!PortiaError.isInstance(error)) throw error;
  const message = `step ${visit.instruction.key}: ${error.message}; the call itself was made`;
  return ended(visit, error.code, message, callId);
}

function succeeded(value: JsonValue): Settled {
  return { kind: 'ended', outcome: { status: 'SUCCESS', value } };
}

/** The result of a tool as it is stored. @throws PortiaError `OUTPUT_NOT_JSON`, `OUTPUT_INVALID`. */
export function checkedResult(tool: AnyTool, value: unknown): JsonValue | Promise<JsonValue> {
  return tool.outputSchema ? fitted(tool, tool.outputSchema, value) : toJson(value, `the result of ${tool.id}`);
}

async function fitted(tool: AnyTool, schema: Schema, value: unknown): Promise<JsonValue> {
  const validation = await validate(schema, value);
  if (validation.ok) return toJson(validation.value, `the result of ${tool.id}`);
  throw new PortiaError({
    code: 'OUTPUT_INVALID',
    message: `the result of ${tool.id} does not fit its outputSchema: ${validation.issues.join('; ')}`,
  });
}

/** The questions a tool gave back; `undefined` when what it gave is a value. */
export function clarificationsIn(value: unknown): readonly Clarification[] | undefined {
  if (isClarification(value)) return [value];
  const found = Array.isArray(value) ? value.filter(isClarification) : [];
  return found.length > 0 ? found : undefined;
}

function settleError(visit: VisitRun, tool: AnyTool, callId: string, thrown: unknown): Settled {
  const error = ensureError(thrown);
  if (error instanceof ToolSoftError || isNamed(error, 'ToolSoftError')) {
    return softly(visit, 'TOOL_RETRIES_EXHAUSTED', withHint(error), callId);
  }
  if (error instanceof ToolHardError || isNamed(error, 'ToolHardError')) {
    return ended(visit, 'TOOL_FAILED', withHint(error), callId);
  }
  if (PortiaError.isInstance(error) && tool.readOnly) return ended(visit, error.code, withHint(error), callId);
  return unsettled(visit, tool, callId, 'TOOL_FAILED', `${tool.id} threw ${error.name}: ${error.message}`);
}

/** What a tool says of its failure, with what to do about it: the record has no other place for that. */
export function withHint(error: Error): string {
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : '';
  return hint === '' ? error.message : `${error.message} (${hint})`;
}

/** Errors made by another copy of this package are no instances of these classes. */
export function isNamed(error: Error, name: string): boolean {
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
  return tool.idempotent ? { kind: 'again', code, reason } : { kind: 'unknown', reason };
}

function softly(
  visit: VisitRun,
  code: 'TOOL_RETRIES_EXHAUSTED' | 'TOOL_TIMEOUT' | 'TOOL_FAILED',
  message: string,
  callId: string,
): Settled {
  return { kind: 'ended', outcome: { status: 'FAILED', error: visit.error(code, message, callId), soft: true } };
}

function ended(visit: VisitRun, code: PortiaError['code'], message: string, callId: string): Settled {
  return { kind: 'ended', outcome: { status: 'FAILED', error: visit.error(code, message, callId) } };
}
