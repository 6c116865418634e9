import type { RunError } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { isInMemory, isMarker, type Output, serializeValue, textOf } from '../core/output.ts';
import type { Variable } from '../core/plan.ts';
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
  const found: (StepInput | Promise<StepInput>)[] = [];
  const missing: string[] = [];
  for (const variable of visit.instruction.step.inputs) {
    const { name } = variable;
    const output: Output | undefined = Object.hasOwn(inputs, name) ? inputs[name] : state.stepOutputs.get(name);
    if (!output) {
      missing.push(name);
      continue;
    }
    const { summary } = output;
    if (isInMemory(output)) {
      const value = fullValue(visit.run.runtime.storage, state, output);
      found.push(value.then((full) => new LoadedInput(variable, full, summary)));
    } else {
      found.push(new LoadedInput(variable, output.value, summary));
    }
  }
  if (missing.length === 0)
    return found.some((input) => input instanceof Promise) ? Promise.all(found) : (found as StepInput[]);
  const known = [...Object.keys(state.header.inputs), ...state.stepOutputs.keys()].join(', ') || 'none';
  return visit.error(
    'INPUT_MISSING',
    `step ${visit.step} needs ${missing.join(', ')}, which nothing has given; there is: ${known}`,
  );
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
