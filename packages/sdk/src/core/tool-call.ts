import { wasTurnedDown } from './apply.ts';
import { PortiaError } from './errors.ts';
import type { CallIdentity, RunError, RunEvent, VisitId } from './event.ts';
import { idempotencyKey } from './hash.ts';
import { PlanRunUUID } from './ids.ts';
import { isPlainObject, type JsonObject, type JsonValue, toJson } from './json.ts';

/** What became of a tool call, as Portia 0.9 records it. */
export const ToolCallStatus = {
  IN_PROGRESS: 'IN_PROGRESS',
  SUCCESS: 'SUCCESS',
  NEED_CLARIFICATION: 'NEED_CLARIFICATION',
  FAILED: 'FAILED',
} as const;
/** What became of a tool call, as Portia 0.9 records it. */
export type ToolCallStatus = (typeof ToolCallStatus)[keyof typeof ToolCallStatus];

/** One tool call as Portia 0.9 records it. */
export interface ToolCallRecord {
  /** The tool's name, not its id. */
  readonly toolName: string;
  readonly planRunId: PlanRunUUID;
  readonly step: number;
  readonly endUserId: string | null;
  readonly status: ToolCallStatus;
  readonly input: JsonValue;
  readonly output: JsonValue;
  readonly latencySeconds: number;
}

/** A record; an input or output that JSON cannot hold is replaced by a mark that names its type. */
export function ToolCallRecord(
  init: Omit<ToolCallRecord, 'input' | 'output'> & { readonly input: unknown; readonly output: unknown },
): ToolCallRecord {
  return Object.freeze({
    toolName: init.toolName,
    planRunId: init.planRunId,
    step: init.step,
    endUserId: init.endUserId,
    status: init.status,
    input: jsonOrMark(init.input),
    output: jsonOrMark(init.output),
    latencySeconds: init.latencySeconds,
  });
}

function jsonOrMark(value: unknown): JsonValue {
  try {
    return toJson(value);
  } catch {
    const name = typeof value === 'object' && value !== null ? value.constructor?.name : undefined;
    return `<<UNSERIALIZABLE: ${name ?? typeof value}>>`;
  }
}

/** The wire form of Portia 0.9. */
export function toolCallRecordToWire(record: ToolCallRecord): JsonObject {
  return {
    tool_name: record.toolName,
    plan_run_id: record.planRunId,
    step: record.step,
    end_user_id: record.endUserId,
    status: record.status,
    input: record.input,
    output: record.output,
    latency_seconds: record.latencySeconds,
  };
}

/** Reads the wire form. @throws PortiaError `TOOL_CALL_INVALID` or `ID_INVALID` naming the field. */
export function toolCallRecordFromWire(wire: unknown): ToolCallRecord {
  if (!isPlainObject(wire)) throw invalid('it is not an object');
  const { tool_name, plan_run_id, step, end_user_id, status, input, output, latency_seconds, ...others } = wire;
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid(`it has an unknown key ${JSON.stringify(other)}`);
  if (typeof tool_name !== 'string') throw invalid('tool_name is not a string');
  if (typeof step !== 'number') throw invalid('step is not a number');
  if (end_user_id !== null && typeof end_user_id !== 'string')
    throw invalid('end_user_id is neither a string nor null');
  const known = Object.values(ToolCallStatus).find((one) => one === status);
  if (known === undefined) throw invalid(`status is not one of ${Object.values(ToolCallStatus).join(', ')}`);
  if (input === undefined) throw invalid('input is missing');
  if (output === undefined) throw invalid('output is missing');
  if (typeof latency_seconds !== 'number') throw invalid('latency_seconds is not a number');
  return ToolCallRecord({
    toolName: tool_name,
    planRunId: PlanRunUUID.fromWire(plan_run_id),
    step,
    endUserId: end_user_id,
    status: known,
    input,
    output,
    latencySeconds: latency_seconds,
  });
}

function invalid(what: string): PortiaError {
  return new PortiaError({ code: 'TOOL_CALL_INVALID', message: `a tool call record cannot be read: ${what}` });
}

/** One call of the effects ledger: what was asked for, and what is known of it. */
export interface ToolCall {
  /** `<step>.<visit>.<n>`. */
  readonly callId: string;
  readonly toolId: string;
  /** Counted from 0. */
  readonly step: number;
  /** The how-manieth time the run was in the step, from 0. */
  readonly visit: VisitId;
  readonly args: JsonObject;
  /**
   * `IN_PROGRESS`: handed to the tool, no receipt yet. `NEED_CLARIFICATION`: waits for an approval (no attempts), or the
   * tool asked something. `UNKNOWN`: it cannot be known whether it happened.
   */
  readonly status: ToolCallStatus | 'UNKNOWN';
  /** What the tool gave; the clarifications it asked for; `null` until there is something. */
  readonly output: JsonValue;
  readonly error: RunError | null;
  /** Why it is not known whether the call happened; while it waits for another attempt, why the last one failed. */
  readonly reason: string | null;
  /** How often it was handed to the tool. */
  readonly attempts: number;
  /** Milliseconds from the last attempt to its receipt. */
  readonly latencyMs: number | null;
  /** Of the first attempt; epoch milliseconds. */
  readonly startedAt: number | null;
  /** What the tool was given to tell a repetition from a new call. */
  readonly idempotencyKey: string;
}

type Entry = { -readonly [Key in keyof ToolCall]: ToolCall[Key] } & { attemptAt: number | null; ended: boolean };
type CallEvent = Extract<RunEvent, { readonly call: string; readonly type: `tool-call-${string}` }>;

/** The effects ledger of a run, from its events: every call once, in the order they were first heard of. */
export function ledgerOf(events: Iterable<RunEvent>, planRunId: PlanRunUUID): ToolCall[] {
  const entries = new Map<string, Entry>();
  for (const event of events) {
    if (event.type === 'run-end') endOpenCall(entries, event.error);
    else if (isCallEvent(event)) record(entries, event, planRunId);
  }
  return inOrder([...entries.values()]).map(({ attemptAt: _attemptAt, ended: _ended, ...call }) => Object.freeze(call));
}

/** Calls that one visit made at once stand in the order in which they were asked for, whichever ended first. */
function inOrder(entries: readonly Entry[]): readonly Entry[] {
  const byVisit = new Map<string, Entry[]>();
  const visitOf = ({ callId }: Entry): string => callId.slice(0, callId.lastIndexOf('.'));
  const numberOf = ({ callId }: Entry): number => Number(callId.slice(callId.lastIndexOf('.') + 1));
  for (const entry of entries) byVisit.set(visitOf(entry), [...(byVisit.get(visitOf(entry)) ?? []), entry]);
  for (const calls of byVisit.values()) calls.sort((a, b) => numberOf(a) - numberOf(b));
  return entries.map((entry) => byVisit.get(visitOf(entry))?.shift() as Entry);
}

function isCallEvent(event: RunEvent): event is CallEvent {
  return event.type.startsWith('tool-call-');
}

function record(entries: Map<string, Entry>, event: CallEvent, planRunId: PlanRunUUID): void {
  let entry = entries.get(event.call);
  if (!entry) {
    entry = newEntry(event, planRunId);
    entries.set(event.call, entry);
  }
  switch (event.type) {
    case 'tool-call-propose':
    case 'tool-call-accept':
      return;
    case 'tool-call-unknown':
      entry.status = 'UNKNOWN';
      entry.reason = event.reason;
      return;
    case 'tool-call-retry':
      entry.reason = event.reason;
      return;
    case 'tool-call-end':
      return end(entry, event);
    default:
      entry.status = 'IN_PROGRESS';
      entry.reason = null;
      entry.attempts += 1;
      entry.attemptAt = event.at;
      entry.startedAt ??= event.at;
  }
}

function newEntry(event: CallEvent, planRunId: PlanRunUUID): Entry {
  const { tool, args } = event as Partial<CallIdentity>;
  return {
    callId: event.call,
    toolId: tool ?? '',
    step: event.step,
    visit: event.visit ?? 0,
    args: args ?? {},
    status: 'NEED_CLARIFICATION',
    output: null,
    error: null,
    reason: null,
    attempts: 0,
    latencyMs: null,
    startedAt: null,
    idempotencyKey: idempotencyKey(planRunId, event.call),
    attemptAt: null,
    ended: false,
  };
}

function end(entry: Entry, event: Extract<CallEvent, { type: 'tool-call-end' }>): void {
  if (entry.ended) return;
  const { outcome } = event;
  entry.ended = true;
  entry.status = outcome.status;
  entry.output =
    outcome.status === 'SUCCESS' ? outcome.value : outcome.status === 'FAILED' ? null : outcome.clarifications;
  entry.error = outcome.status === 'FAILED' ? outcome.error : null;
  entry.reason = null;
  // A call without effects has no intent: its receipt is the first that is heard of it.
  if (entry.attempts === 0 && !wasTurnedDown(outcome)) {
    entry.attempts = event.attempts ?? 1;
    entry.startedAt = event.at - (event.ms ?? 0);
  }
  entry.latencyMs = event.ms ?? (entry.attemptAt === null ? null : event.at - entry.attemptAt);
}

/** A call that was proposed, and the refusal of which ended the run. */
function endOpenCall(entries: Map<string, Entry>, error: RunError | undefined): void {
  const entry = error?.toolCallId === undefined ? undefined : entries.get(error.toolCallId);
  if (!error || !entry || entry.ended || entry.attempts > 0) return;
  entry.ended = true;
  entry.status = 'FAILED';
  entry.error = error;
}
