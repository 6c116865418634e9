import type { RunError } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { isInMemory, isMarker, type Output, serializeValue, textOf } from '../core/output.ts';
import type { RunState } from '../core/run-state.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { groupsOf } from './groups.ts';
import type { VisitRun } from './visit-run.ts';

/** An input of a step with its value, fetched from agent memory where it stands there. */
export interface StepInput {
  readonly name: string;
  readonly description: string;
  readonly value: JsonValue;
  /** The value as prompts show it. */
  readonly text: string;
  readonly summary: string | null;
}

/** The value of an output, wherever it stands. */
export async function fullValue(storage: StorageBackend, state: RunState, output: Output): Promise<JsonValue> {
  if (!isInMemory(output)) return output.value;
  const stored = await storage.getOutput(state.header.id, output.outputName);
  return stored ? stored.value : output.summary;
}

/** The inputs a step names. Run inputs win over outputs of the same name. */
export async function loadInputs(visit: VisitRun): Promise<readonly StepInput[] | RunError> {
  const { state } = visit.driver;
  const found: StepInput[] = [];
  const missing: string[] = [];
  for (const { name, description } of visit.instruction.step.inputs) {
    const { inputs } = state.header;
    const output: Output | undefined = Object.hasOwn(inputs, name) ? inputs[name] : state.stepOutputs.get(name);
    if (!output) {
      missing.push(name);
      continue;
    }
    const value = await fullValue(visit.run.runtime.storage, state, output);
    found.push({ name, description, value, text: textOf(value), summary: output.summary });
  }
  if (missing.length === 0) return found;
  const known = [...Object.keys(state.header.inputs), ...state.stepOutputs.keys()].join(', ') || 'none';
  return visit.error('INPUT_MISSING', `step ${visit.step} needs ${missing.join(', ')}, which nothing has given; there is: ${known}`);
}

/** Outputs of earlier steps that a step does not name as inputs: context for agents. */
export function earlierOutputs(visit: VisitRun): readonly { readonly name: string; readonly text: string }[] {
  const { state } = visit.driver;
  const named = new Set(visit.instruction.step.inputs.map(({ name }) => name));
  // Steps that may run at once do not see each other, also when they happen to run in order.
  const group = groupsOf(state.program, visit.run.runtime.tools)[visit.step] ?? visit.step;
  for (let step = group; step < visit.step; step += 1) named.add(state.program.instructions[step]?.output ?? '');
  return [...state.stepOutputs]
    .filter(([name, output]) => !named.has(name) && !isMarker(output))
    .map(([name, output]) => ({ name, text: serializeValue(output) }));
}
