import { PortiaError } from './errors.ts';
import { PlanRunUUID } from './ids.ts';
import { isPlainObject, type JsonObject, type JsonValue, toJson } from './json.ts';

/** A value kept in the run itself, with an optional summary for prompts and people. */
export interface LocalDataValue<T = JsonValue> {
  readonly value: T;
  readonly summary: string | null;
}

/** A large value kept in agent memory; the run holds where it is and a summary of it. */
export interface AgentMemoryValue {
  readonly outputName: string;
  readonly planRunId: PlanRunUUID;
  readonly summary: string;
}

/** What a step made: the value itself, or a reference to a large value in agent memory. */
export type Output<T = JsonValue> = LocalDataValue<T> | AgentMemoryValue;

/** Whether an output stands in agent memory rather than in the run. */
export function isInMemory(output: Output<unknown>): output is AgentMemoryValue {
  return 'outputName' in output;
}

/** An output kept in the run. */
export function LocalDataValue<T = JsonValue>(value: T, summary: string | null = null): LocalDataValue<T> {
  return Object.freeze({ value, summary });
}

/** A reference to a large value in agent memory. */
export function AgentMemoryValue(init: AgentMemoryValue): AgentMemoryValue {
  return Object.freeze({ outputName: init.outputName, planRunId: init.planRunId, summary: init.summary });
}

/** The value as prompts and people see it: strings as they are, null as nothing, all else as compact JSON. */
export function textOf(value: JsonValue): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : JSON.stringify(value);
}

/** What an output says without fetching it: its value as text, or the summary of a value in agent memory. */
export function serializeValue(output: Output): string {
  return isInMemory(output) ? output.summary : textOf(output.value);
}

/** What a step that its condition skipped leaves as its output. */
export const skippedMarker = 'Tool execution skipped';
/** What a step leaves as its output when its condition ended the run early. */
export const completedMarker = 'Tool execution skipped and completed the plan run';

/** Whether an output is only the mark of a step that did not run. */
export function isMarker(output: Output): boolean {
  return !isInMemory(output) && (output.value === skippedMarker || output.value === completedMarker);
}

/** The wire form of Portia 0.9, except that values keep their JSON type. */
export function outputToWire(output: Output): JsonObject {
  return isInMemory(output)
    ? { output_name: output.outputName, plan_run_id: output.planRunId, summary: output.summary }
    : { value: output.value, summary: output.summary };
}

/**
 * Reads the wire form; which of the two it is can be told by its keys.
 * @throws PortiaError `OUTPUT_INVALID` naming the field, `ID_INVALID` for a malformed run id.
 */
export function outputFromWire(wire: unknown): Output {
  const { value, summary, output_name, plan_run_id, ...others } = fields(wire);
  const [other] = Object.keys(others);
  if (other !== undefined) throw invalid(`has an unknown key ${JSON.stringify(other)}`);
  if (output_name === undefined && plan_run_id === undefined) {
    if ((summary ?? null) !== null && typeof summary !== 'string') throw invalid('summary is not a string');
    return LocalDataValue(toJson(value), (summary ?? null) as string | null);
  }
  if (value !== undefined) throw invalid('holds both a value and a reference to agent memory');
  if (typeof output_name !== 'string') throw invalid('output_name is not a string');
  if (typeof summary !== 'string') throw invalid('summary is not a string');
  return AgentMemoryValue({ outputName: output_name, planRunId: PlanRunUUID.fromWire(plan_run_id), summary });
}

function fields(wire: unknown): Record<string, unknown> {
  if (!isPlainObject(wire)) throw invalid('is not an object');
  return wire;
}

function invalid(what: string): PortiaError {
  return new PortiaError({ code: 'OUTPUT_INVALID', message: `an output cannot be read: ${what}` });
}
