import type { RunError } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { isInMemory, isMarker, type Output, serializeValue, textOf } from '../core/output.ts';
import type { Variable } from '../core/plan.ts';
import type { RunState } from '../core/run-state.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
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

class LoadedInput implements StepInput {
  readonly name: string;
  readonly description: string;
  readonly value: JsonValue;
  readonly summary: string | null;

  constructor({ name, description }: Variable, value: JsonValue, summary: string | null) {
    this.name = name;
    this.description = description;
    this.value = value;
    this.summary = summary;
  }

  /** Made when it is asked for: a step whose arguments are known needs no text. */
  get text(): string {
    return textOf(this.value);
  }
}

/** The inputs a step names. Run inputs win over outputs of the same name. */
export function loadInputs(visit: VisitRun): readonly StepInput[] | RunError | Promise<readonly StepInput[]> {
  const { state } = visit.driver;
  const { inputs } = state.header;
  let missing = false;
  let later = false;
  const outputOf = (name: string): Output | undefined =>
    Object.hasOwn(inputs, name) ? inputs[name] : state.stepOutputs.get(name);
  const found = visit.instruction.step.inputs.map((variable) => {
    const output = outputOf(variable.name);
    missing ||= output === undefined;
    if (!output || !isInMemory(output))
      return new LoadedInput(variable, output?.value ?? null, output?.summary ?? null);
    later = true;
    const value = fullValue(visit.run.runtime.storage, state, output);
    return value.then((full) => new LoadedInput(variable, full, output.summary));
  });
  if (!missing) return later ? Promise.all(found) : (found as LoadedInput[]);
  const names = visit.instruction.step.inputs.map(({ name }) => name).filter((name) => !outputOf(name));
  const known = [...Object.keys(state.header.inputs), ...state.stepOutputs.keys()].join(', ') || 'none';
  return visit.error(
    'INPUT_MISSING',
    `step ${visit.step} needs ${names.join(', ')}, which nothing has given; there is: ${known}`,
  );
}

/** Outputs of earlier steps that a step does not name as inputs: context for agents. */
export function earlierOutputs(visit: VisitRun): readonly { readonly name: string; readonly text: string }[] {
  const { state } = visit.driver;
  const named = new Set(visit.instruction.step.inputs.map(({ name }) => name));
  // Steps that may run at once do not see each other, also when they happen to run in order.
  const group = visit.run.prepared.groups[visit.step] ?? visit.step;
  for (let step = group; step < visit.step; step += 1) named.add(state.program.instructions[step]?.output ?? '');
  return [...state.stepOutputs]
    .filter(([name, output]) => !named.has(name) && !isMarker(output))
    .map(([name, output]) => ({ name, text: serializeValue(output) }));
}
