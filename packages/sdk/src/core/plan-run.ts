import {
  type Clarification,
  type ClarificationCategory,
  clarificationFromWire,
  clarificationToWire,
} from './clarification.ts';
import { PortiaError } from './errors.ts';
import type { RunError } from './event.ts';
import { emptyExecutionContext, type ExecutionContext, executionContextOf } from './execution-context.ts';
import { PlanRunUUID, PlanUUID } from './ids.ts';
import { isPlainObject, type JsonObject, type JsonValue } from './json.ts';
import {
  isInMemory,
  type LocalDataValue,
  type Output,
  outputFromWire,
  outputToWire,
  serializeValue,
} from './output.ts';
import { currentStepIndex, PlanRunState, type RunState, visibleOutputs, wakeTime } from './run-state.ts';

/** What a run has made so far. */
export interface PlanRunOutputs<Out = JsonValue> {
  /** In the order they were raised; answered ones included. */
  readonly clarifications: readonly Clarification[];
  /** By output name; of a step that ran more than once, what it made last. */
  readonly stepOutputs: Readonly<Record<string, Output>>;
  /** The final value, always whole, with a summary where one was made. */
  readonly finalOutput: LocalDataValue<Out> | null;
}

interface PlanRunFields {
  readonly id: PlanRunUUID;
  readonly planId: PlanUUID;
  /** The lowest step that is ready, running or waiting; of a finished run, the last one executed. From 0. */
  readonly currentStepIndex: number;
  readonly endUserId: string;
  /** The values the run was given, by plan input name. */
  readonly planRunInputs: Readonly<Record<string, LocalDataValue>>;
  readonly executionContext: ExecutionContext;
  /**
   * When it goes on by itself, given a worker: when a step has slept, when a question expires, at its `startAt`. Absent
   * while it runs, when it is over, and when it waits for people alone. Epoch milliseconds.
   */
  readonly wakeAt: number | undefined;
  /** Clarifications that wait for an answer. */
  getOutstandingClarifications(): readonly Clarification[];
  /** Clarifications a step raised; of the current step unless another is named. */
  getClarificationsForStep(step?: number): readonly Clarification[];
  /** The first clarification of this kind that a step raised; of the current step unless another is named. */
  getClarificationForStep(category: ClarificationCategory, step?: number): Clarification | undefined;
  /** All that steps may refer to: step outputs and run inputs, which win where names clash. */
  getPotentialStepInputs(): Readonly<Record<string, Output>>;
  /** The run for people, on several lines. */
  prettyPrint(): string;
  toString(): string;
  /** The JSON document of Portia 0.9, except that values keep their JSON type. */
  toJSON(): JsonObject;
}

/** A run that has come to its end. */
export interface CompletePlanRun<Out = JsonValue> extends PlanRunFields {
  readonly state: 'COMPLETE';
  readonly outputs: PlanRunOutputs<Out>;
  readonly error?: undefined;
}

/** A run that failed, and why; final unless it is retried. */
export interface FailedPlanRun extends PlanRunFields {
  readonly state: 'FAILED';
  readonly outputs: PlanRunOutputs;
  readonly error: RunError;
}

/** A run that has not come to its end. */
export interface OpenPlanRun extends PlanRunFields {
  readonly state: 'NOT_STARTED' | 'IN_PROGRESS' | 'NEED_CLARIFICATION' | 'READY_TO_RESUME';
  readonly outputs: PlanRunOutputs;
  readonly error?: undefined;
}

/**
 * One execution of a plan, as it stood when it was looked at: the definitive record of what happened. Read-only;
 * narrows on `state`. `JSON.stringify(planRun, null, 2)` prints the document of Portia 0.9.
 */
export type PlanRun<Out = JsonValue> = CompletePlanRun<Out> | FailedPlanRun | OpenPlanRun;

/** A run as hooks and agents are given it. */
export type ReadOnlyPlanRun<Out = JsonValue> = PlanRun<Out>;

/** Gives the read-only form of a run, which every {@link PlanRun} has already. */
export const ReadOnlyPlanRun: { fromPlanRun<Out>(planRun: PlanRun<Out>): ReadOnlyPlanRun<Out> } = {
  fromPlanRun: (planRun) => planRun,
};

/** Where a view has its contents from; each part is asked for at most once, when it is first looked at. */
interface Source {
  readonly id: PlanRunUUID;
  readonly planId: PlanUUID;
  readonly currentStepIndex: number;
  readonly state: PlanRunState;
  readonly endUserId: string;
  readonly error: RunError | undefined;
  readonly planRunInputs: Readonly<Record<string, LocalDataValue>>;
  readonly wakeAt: number | undefined;
  outputs(): PlanRunOutputs;
  executionContext(): ExecutionContext;
}

const inspection = Symbol.for('nodejs.util.inspect.custom');

class PlanRunView implements PlanRunFields {
  readonly id: PlanRunUUID;
  readonly planId: PlanUUID;
  readonly currentStepIndex: number;
  readonly state: PlanRunState;
  readonly endUserId: string;
  readonly planRunInputs: Readonly<Record<string, LocalDataValue>>;
  readonly error: RunError | undefined;
  readonly wakeAt: number | undefined;
  readonly #source: Source;
  #outputs: PlanRunOutputs | undefined;
  #executionContext: ExecutionContext | undefined;

  constructor(source: Source) {
    this.id = source.id;
    this.planId = source.planId;
    this.currentStepIndex = source.currentStepIndex;
    this.state = source.state;
    this.endUserId = source.endUserId;
    this.planRunInputs = source.planRunInputs;
    this.error = source.error;
    this.wakeAt = source.wakeAt;
    this.#source = source;
    Object.freeze(this);
  }

  get outputs(): PlanRunOutputs {
    this.#outputs ??= this.#source.outputs();
    return this.#outputs;
  }

  get executionContext(): ExecutionContext {
    this.#executionContext ??= this.#source.executionContext();
    return this.#executionContext;
  }

  getOutstandingClarifications(): readonly Clarification[] {
    return this.outputs.clarifications.filter((clarification) => !clarification.resolved);
  }

  getClarificationsForStep(step: number = this.currentStepIndex): readonly Clarification[] {
    return this.outputs.clarifications.filter((clarification) => clarification.step === step);
  }

  getClarificationForStep(category: ClarificationCategory, step?: number): Clarification | undefined {
    return this.getClarificationsForStep(step).find((clarification) => clarification.category === category);
  }

  getPotentialStepInputs(): Readonly<Record<string, Output>> {
    return Object.freeze({ ...this.outputs.stepOutputs, ...this.planRunInputs });
  }

  prettyPrint(): string {
    const { stepOutputs, finalOutput } = this.outputs;
    const lines = [
      `Run: ${this.id}`,
      `Plan: ${this.planId}`,
      `State: ${this.state}`,
      `Current step: ${this.currentStepIndex}`,
    ];
    if (this.wakeAt !== undefined) lines.push(`Goes on by itself: ${new Date(this.wakeAt).toISOString()}`);
    const listed = (title: string, entries: readonly string[]): void => {
      if (entries.length > 0) lines.push(`${title}:`, ...entries.map((entry) => `    ${entry}`));
    };
    listed('Inputs', Object.entries(this.planRunInputs).map(printed));
    listed('Step outputs', Object.entries(stepOutputs).map(printed));
    listed(
      'Outstanding clarifications',
      this.getOutstandingClarifications().map(({ category, userGuidance }) => `${category}: ${userGuidance}`),
    );
    if (this.error) lines.push(`Error: ${this.error.code}: ${this.error.message}`);
    else if (finalOutput) lines.push(`Final output: ${serializeValue(finalOutput)}`);
    return lines.join('\n');
  }

  toString(): string {
    return (
      `Run(id=${this.id}, plan_id=${this.planId}, state=PlanRunState.${this.state}, ` +
      `current_step_index=${this.currentStepIndex}, final_output=${this.outputs.finalOutput ? 'set' : 'unset'})`
    );
  }

  toJSON(): JsonObject {
    const { clarifications, stepOutputs, finalOutput } = this.outputs;
    return {
      id: this.id,
      plan_id: this.planId,
      current_step_index: this.currentStepIndex,
      state: this.state,
      end_user_id: this.endUserId,
      outputs: {
        clarifications: clarifications.map(clarificationToWire),
        step_outputs: mapped(stepOutputs, outputToWire),
        final_output: finalOutput && outputToWire(finalOutput),
      },
      plan_run_inputs: mapped(this.planRunInputs, outputToWire),
    };
  }

  // What console.log shows: the parts behind getters too.
  [inspection](): object {
    return { ...this, outputs: this.outputs, executionContext: this.executionContext };
  }
}

function printed([name, output]: readonly [string, Output]): string {
  return `${name}: ${serializeValue(output)}`;
}

/**
 * The public view of a run. Making one costs the same however long the run is: its outputs and its execution context
 * are copied when they are first looked at, and stay as they were then.
 */
export function planRunView<Out = JsonValue>(state: RunState): PlanRun<Out> {
  const view = new PlanRunView({
    id: state.header.id,
    planId: state.planId,
    currentStepIndex: currentStepIndex(state),
    state: state.state,
    endUserId: state.header.endUserId,
    error: state.state === 'FAILED' ? (state.error ?? unknownError(state.finalOutput)) : undefined,
    planRunInputs: state.header.inputs,
    wakeAt: wakeTime(state),
    outputs: () => outputsOf(state),
    executionContext: () => executionContextOf(state),
  });
  return view as unknown as PlanRun<Out>;
}

function outputsOf(state: RunState): PlanRunOutputs {
  return Object.freeze({
    clarifications: Object.freeze(state.clarifications.map(({ clarification }) => clarification)),
    stepOutputs: recordOf(visibleOutputs(state)),
    finalOutput: asFinal(state.finalOutput ?? null),
  });
}

/** As `Object.fromEntries`, which takes four times as long for many. */
function recordOf(outputs: ReadonlyMap<string, Output>): Readonly<Record<string, Output>> {
  const record: Record<string, Output> = {};
  outputs.forEach((output, name) => {
    if (name === '__proto__') Object.defineProperty(record, name, { value: output, enumerable: true });
    else record[name] = output;
  });
  return Object.freeze(record);
}

/** Final outputs never move to agent memory; a document that says so all the same is shown as it is. */
function asFinal(output: Output | null): LocalDataValue | null {
  return output as LocalDataValue | null;
}

function unknownError(finalOutput: Output | null | undefined): RunError {
  return {
    code: 'STEP_FAILED',
    message: finalOutput ? serializeValue(finalOutput) : 'the run failed; its record does not say why',
  };
}

/** What a run document of Portia 0.9 cannot hold, from where it is kept beside it. */
export interface BesidePlanRun {
  readonly error?: RunError | undefined;
  readonly executionContext?: ExecutionContext | undefined;
}

/**
 * Reads the run document of Portia 0.9. Its values are strings and stay strings.
 * @throws PortiaError `PLAN_RUN_INVALID` or `ID_INVALID` naming the field.
 */
export function planRunFromWire(wire: unknown, beside: BesidePlanRun = {}): PlanRun {
  const fields = record(wire, 'the run');
  refuseOthers(fields, 'the run', [
    'id',
    'plan_id',
    'current_step_index',
    'state',
    'end_user_id',
    'outputs',
    'plan_run_inputs',
  ]);
  const state = oneOf(fields['state'] ?? 'NOT_STARTED', Object.values(PlanRunState), 'state');
  const outputs = outputsFromWire(fields['outputs'] ?? {});
  const index = fields['current_step_index'] ?? 0;
  if (!Number.isSafeInteger(index)) throw invalid('current_step_index', 'is not a whole number');
  if (typeof fields['end_user_id'] !== 'string') throw invalid('end_user_id', 'is not a string');
  return new PlanRunView({
    id: fields['id'] === undefined ? PlanRunUUID.random() : at('id', () => PlanRunUUID.fromWire(fields['id'])),
    planId: at('plan_id', () => PlanUUID.fromWire(fields['plan_id'])),
    currentStepIndex: index as number,
    state,
    endUserId: fields['end_user_id'],
    error: state === 'FAILED' ? (beside.error ?? unknownError(outputs.finalOutput)) : undefined,
    planRunInputs: each(fields['plan_run_inputs'] ?? {}, 'plan_run_inputs', inputFromWire),
    wakeAt: undefined,
    outputs: () => outputs,
    executionContext: () => beside.executionContext ?? emptyExecutionContext,
  }) as unknown as PlanRun;
}

function outputsFromWire(wire: unknown): PlanRunOutputs {
  const fields = record(wire, 'outputs');
  refuseOthers(fields, 'outputs', ['clarifications', 'step_outputs', 'final_output']);
  const clarifications = fields['clarifications'] ?? [];
  if (!Array.isArray(clarifications)) throw invalid('outputs.clarifications', 'is not a list');
  const final = fields['final_output'] ?? null;
  return Object.freeze({
    clarifications: Object.freeze(
      clarifications.map((clarification: unknown, index) => {
        const where = `outputs.clarifications[${index}]`;
        return at(where, () => clarificationFromWire(record(clarification, where) as JsonObject));
      }),
    ),
    stepOutputs: each(fields['step_outputs'] ?? {}, 'outputs.step_outputs', outputFromWire),
    finalOutput: asFinal(final === null ? null : at('outputs.final_output', () => outputFromWire(final))),
  });
}

function inputFromWire(wire: unknown): LocalDataValue {
  const output = outputFromWire(wire);
  if (isInMemory(output))
    throw new PortiaError({ code: 'OUTPUT_INVALID', message: 'an input may not be in agent memory' });
  return output;
}

function each<T>(wire: unknown, where: string, read: (wire: unknown) => T): Readonly<Record<string, T>> {
  const entries = Object.entries(record(wire, where));
  return Object.freeze(
    Object.fromEntries(entries.map(([name, value]) => [name, at(`${where}.${name}`, () => read(value))])),
  );
}

function mapped<T>(values: Readonly<Record<string, T>>, write: (value: T) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, write(value)]));
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (!isPlainObject(value)) throw invalid(where, 'is not an object');
  return value;
}

function refuseOthers(fields: object, where: string, known: readonly string[]): void {
  const other = Object.keys(fields).find((key) => !known.includes(key));
  if (other !== undefined) throw invalid(where, `has an unknown key ${JSON.stringify(other)}`);
}

function oneOf<T extends string>(value: unknown, known: readonly T[], where: string): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw invalid(where, `is ${JSON.stringify(value)}, not one of ${known.join(', ')}`);
  return found;
}

/** Says in which field something could not be read. */
function at<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!PortiaError.isInstance(cause)) throw cause;
    const code = cause.code === 'ID_INVALID' ? cause.code : 'PLAN_RUN_INVALID';
    throw new PortiaError({ code, message: `${where}: ${cause.message}`, hint: cause.hint, cause });
  }
}

function invalid(where: string, what: string): PortiaError {
  return new PortiaError({ code: 'PLAN_RUN_INVALID', message: `a run cannot be read: ${where} ${what}` });
}
