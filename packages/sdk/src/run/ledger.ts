import { InputClarification, MultipleChoiceClarification } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { CallState, ClarificationRecord } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import { checkedResult, defaultTimeoutMs } from './call-outcome.ts';
import { guard } from './guard.ts';
import { CallContext } from './tool-context.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** The three ways out of a call that may or may not have happened. */
export const unknownCallOptions = { callAgain: 'call again', useResult: 'use a given result', stop: 'stop' } as const;

/** Who asks about unknown calls. */
const ledgerSource = 'Effects ledger';

/** What was decided about a call that may have happened. */
export type UnknownDecision =
  | { readonly kind: 'receipt'; readonly value: JsonValue }
  | { readonly kind: 'call' }
  /** The tool itself says so: calling it again is safe. */
  | { readonly kind: 'not-happened' }
  | { readonly kind: 'stop' }
  | Waiting;

/** What is to be done about a call that may have happened: what a person said where one was asked, else they are asked now. */
export function decideUnknown(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  n: number,
  reason: string,
): Promise<UnknownDecision> {
  const asked = visit.questions(unknownKey(call.call)).at(-1);
  return call.status === 'unknown' && asked
    ? readDecision(visit, tool, call, asked)
    : askAboutUnknown(visit, tool, call, n, reason);
}

/** The tool looks the call up where it can; else it goes on record as unknown and a person is asked. */
async function askAboutUnknown(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  n: number,
  reason: string,
): Promise<UnknownDecision> {
  const found = await reconcile(visit, tool, call, n);
  if (found !== undefined) return found;
  visit.driver.emit({ type: 'tool-call-unknown', ...visit.place, call: call.call, reason });
  const question = MultipleChoiceClarification({
    userGuidance:
      `It is not known whether the call of ${tool.name} with ${JSON.stringify(call.args)} happened: ${reason}. ` +
      'Look it up where it would show, then choose.',
    argumentName: 'unknown_call',
    options: Object.values(unknownCallOptions),
    source: ledgerSource,
  });
  visit.raise(unknownKey(call.call), [{ clarification: question }], { audience: 'operator' });
  return waiting;
}

async function reconcile(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  n: number,
): Promise<UnknownDecision | undefined> {
  if (!tool.reconcile) return undefined;
  try {
    const found = await lookUp(visit, tool, call, n);
    if (found === 'not-happened') return { kind: 'not-happened' };
    if (found === 'unknown' || found === undefined) return undefined;
    return { kind: 'receipt', value: await checkedResult(tool, found) };
  } catch (error) {
    if (visit.driver.ending) return waiting;
    visit.run.runtime.logger.warn('a tool could not look up its call; a person is asked', {
      planRunId: visit.driver.id,
      toolCallId: call.call,
      error: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}

async function lookUp(visit: VisitRun, tool: AnyTool, call: CallState, n: number): Promise<unknown> {
  const context = new CallContext(visit, tool, call.call, n);
  const timeoutMs = tool.timeoutMs ?? defaultTimeoutMs;
  const looking = Promise.resolve(tool.reconcile?.(call.args, context));
  const guarded = await guard(visit.driver, looking, {
    timeoutMs,
    started: performance.now(),
    onTimeout: () => context.timeOut(),
    late: () => {},
    read: (outcome) => outcome,
  });
  if (guarded.kind === 'value') return guarded.value;
  throw guarded.kind === 'error' ? guarded.error : new Error(`it did not answer within ${timeoutMs} ms`);
}

const unknownKey = (callId: string): string => `unknown:${callId}`;
const resultKey = (callId: string): string => `unknown-result:${callId}`;

/** Whether a question asks for the result of an unknown call, and of which one. */
export function resultQuestionOf(key: string): string | undefined {
  return key.startsWith('unknown-result:') ? key.slice('unknown-result:'.length) : undefined;
}

/** Reads what the person said about a call that is on record as unknown. */
async function readDecision(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  asked: ClarificationRecord,
): Promise<UnknownDecision> {
  if (!asked.clarification.resolved) return waiting;
  switch (asked.clarification.response) {
    case unknownCallOptions.callAgain:
      return { kind: 'call' };
    case unknownCallOptions.useResult:
      return givenResult(visit, tool, call, asked);
    default:
      return { kind: 'stop' };
  }
}

async function givenResult(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  choice: ClarificationRecord,
): Promise<UnknownDecision> {
  const { clarifications } = visit.driver.state;
  const asked = visit.questions(resultKey(call.call)).at(-1);
  // One from before a retry was the answer to an earlier choice.
  if (!asked || clarifications.indexOf(asked) < clarifications.indexOf(choice)) {
    const question = InputClarification({
      userGuidance: `Give the result of the call of ${tool.name}, as JSON${tool.outputDescription ? ` (${tool.outputDescription.join(': ')})` : ''}.`,
      argumentName: 'result',
      source: ledgerSource,
    });
    visit.raise(resultKey(call.call), [{ clarification: question }], { audience: 'operator' });
    return waiting;
  }
  if (!asked.clarification.resolved) return waiting;
  return { kind: 'receipt', value: await readGivenResult(tool, asked.clarification.response) };
}

/**
 * A result as a person gave it: JSON text is parsed, other text is taken as it is, and it must fit the tool's output
 * schema. @throws PortiaError `CLARIFICATION_RESPONSE_INVALID`.
 */
export async function readGivenResult(tool: AnyTool, response: JsonValue): Promise<JsonValue> {
  try {
    return await checkedResult(tool, parsed(response));
  } catch (cause) {
    if (!PortiaError.isInstance(cause)) throw cause;
    throw new PortiaError({
      code: 'CLARIFICATION_RESPONSE_INVALID',
      message: `this cannot be the result of ${tool.id}: ${cause.message}`,
      hint: 'give the result as JSON, in the form the tool itself would give',
      cause,
    });
  }
}

function parsed(response: JsonValue): JsonValue {
  if (typeof response !== 'string') return response;
  try {
    return JSON.parse(response) as JsonValue;
  } catch {
    return response;
  }
}
