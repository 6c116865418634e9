import { readBudget, type RunBudget } from './budget.ts';
import { PlanBuilderError } from './errors.ts';
import { hashJson } from './hash.ts';
import { uuidFromHash, PlanUUID } from './ids.ts';
import { freezeJson, isPlainObject, type JsonObject, type JsonValue, toJson } from './json.ts';
import type { Plan, PlanContextInit } from './plan.ts';
import { type BlockMap, blocksOf } from './plan-v2-blocks.ts';
import { type PlanChange, planChanges } from './plan-v2-changes.ts';
import { checkReferences } from './plan-v2-check.ts';
import { checkStep } from './plan-v2-fields.ts';
import { decode, encode } from './plan-v2-json.ts';
import { outputNameOf, toLegacyPlan } from './plan-v2-legacy.ts';
import { printPlan } from './plan-v2-print.ts';
import type { StepV2 } from './plan-v2-steps.ts';
import { asJson, settleStep } from './plan-v2-values.ts';
import { isSchema, type Schema } from './schema.ts';

/** Something a builder plan is given when it is run. */
export interface PlanInputV2 {
  readonly name: string;
  readonly description?: string | undefined;
  /** What is used when the run gives no value; absent: the run must give one. */
  readonly defaultValue?: JsonValue | undefined;
  readonly schema?: Schema | undefined;
}

/** What a {@link PlanV2} is made from. */
export interface PlanV2Init {
  readonly label?: string | undefined;
  readonly steps: readonly StepV2[];
  /** Whether references written into strings are read (`${StepOutput('x')}`); strings are taken as they are unless given. */
  readonly templates?: boolean | undefined;
  readonly planInputs?: readonly PlanInputV2[] | undefined;
  readonly summarize?: boolean | undefined;
  readonly finalOutputSchema?: Schema | undefined;
  readonly budget?: RunBudget | undefined;
}

/** What a plan is called unless it is given a label. */
export const defaultLabel = 'Run the plan built with the Plan Builder';

/** Which form of the stored plan this release writes. */
const formVersion = 1;

/**
 * A plan made with `PlanBuilderV2`: steps with functions, branches and loops. Immutable; running it changes nothing in
 * it. Its id derives from what it is (names, kinds, references, values, tool ids, options, JSON Schemas, versions of
 * functions) and never from source text: the same plan built twice, or in another process, has the same id.
 *
 * `Steps` and `Inputs` are the types of its outputs and inputs by name, `Out` the type of its final output.
 */
export class PlanV2<out Steps = unknown, out Inputs = unknown, out Out = JsonValue> {
  readonly id: PlanUUID;
  readonly label: string;
  readonly steps: readonly StepV2[];
  readonly planInputs: readonly PlanInputV2[];
  readonly summarize: boolean;
  readonly finalOutputSchema: Schema | undefined;
  /** What each of its runs may spend, where they do not say. */
  readonly budget: RunBudget | undefined;
  /** Its blocks, with where each begins, divides and ends. */
  readonly blocks: BlockMap;
  /** All of it that JSON can hold, without its id: what the id is the hash of. */
  readonly shape: JsonObject;
  /** SHA-256 of the shape, base64url. */
  readonly hash: string;
  /** Whether it holds no functions or tools of its own, so that its JSON is all of it and it need not be registered. */
  readonly isData: boolean;
  /** Only a type. */
  declare readonly '~types'?: { readonly steps: Steps; readonly inputs: Inputs; readonly out: Out } | undefined;
  readonly #indexes: ReadonlyMap<string, number>;

  /** @throws PlanBuilderError for anything that keeps the plan from being run as written. */
  constructor(init: PlanV2Init) {
    const {
      label = defaultLabel,
      steps,
      planInputs = [],
      summarize = false,
      finalOutputSchema,
      templates = false,
    } = init;
    if (typeof label !== 'string') throw new PlanBuilderError('the label of a plan is not a text');
    if (!Array.isArray(steps)) throw new PlanBuilderError('the steps of a plan are not a list');
    if (finalOutputSchema !== undefined && !isSchema(finalOutputSchema)) {
      throw new PlanBuilderError('outputSchema of the final output is not a schema', {
        hint: 'give a Standard Schema, such as zod',
      });
    }
    for (const [index, step] of steps.entries()) checkStep(step, index);
    this.label = label;
    this.steps = Object.freeze(steps.map((step, index) => settled(step, index, templates)));
    this.planInputs = Object.freeze(planInputs.map(settleInput));
    this.summarize = summarize;
    this.finalOutputSchema = finalOutputSchema;
    this.budget = readBudget(init.budget, 'the budget of the plan');
    this.blocks = blocksOf(this.steps);
    checkReferences({ steps: this.steps, blocks: this.blocks, inputs: byName(this.planInputs) });
    const { json, isData } = encode(
      {
        version: formVersion,
        label,
        planInputs: this.planInputs,
        steps: this.steps,
        summarize,
        finalOutputSchema,
        ...(this.budget && { budget: this.budget }),
      },
      'the plan',
    );
    this.shape = freezeJson(json as JsonObject);
    this.isData = isData;
    this.hash = hashJson(this.shape);
    this.id = uuidFromHash(PlanUUID, this.hash);
    this.#indexes = new Map(this.steps.map(({ name }, index) => [name, index]));
    Object.freeze(this);
  }

  /**
   * Reads what {@link toJSON} wrote of a plan that is data only. `schemaFrom` makes a schema of a JSON Schema.
   * @throws PlanBuilderError for a plan with functions or tools, and for anything that is not such a document.
   */
  static fromJSON(json: unknown, schemaFrom: (jsonSchema: JsonObject) => Schema): PlanV2<unknown, unknown, unknown> {
    if (!isPlainObject(json) || json['kind'] !== 'plan-v2')
      throw new PlanBuilderError('this is not the JSON of a builder plan');
    const { id, kind: _kind, ...shape } = json as JsonObject;
    const plan = PlanV2.#fromShape(shape, schemaFrom);
    if (plan.id === id) return plan;
    throw new PlanBuilderError(
      `the JSON of plan ${String(id)} does not belong to this id: its content has ${plan.id}`,
      {
        hint: 'a changed plan is another plan: leave its JSON as it was written',
      },
    );
  }

  static #fromShape(
    shape: JsonValue,
    schemaFrom: (jsonSchema: JsonObject) => Schema,
  ): PlanV2<unknown, unknown, unknown> {
    const { version, ...init } = shape as JsonObject;
    if (version !== formVersion)
      throw new PlanBuilderError(`a builder plan of version ${String(version)} cannot be read`);
    const plan = (inner: JsonValue): unknown => PlanV2.#fromShape(inner, schemaFrom);
    return new PlanV2(decode(toJson(init, 'the plan'), 'the plan', { schema: schemaFrom, plan }) as PlanV2Init);
  }

  /** The plan as JSON. All of it when {@link isData}; else functions and tools are only named. */
  toJSON(): JsonObject {
    return { kind: 'plan-v2', id: this.id, ...this.shape };
  }

  /** The index of a step by its name. @throws PlanBuilderError naming the steps there are. */
  idxByName(name: string): number {
    const index = this.#indexes.get(name);
    if (index !== undefined) return index;
    throw new PlanBuilderError(`the plan has no step ${JSON.stringify(name)}`, {
      hint: `its steps are ${[...this.#indexes.keys()].join(', ')}`,
    });
  }

  /**
   * The name under which Portia 0.9 knows the output of a step, given by name or index (negative from the end).
   * @throws PlanBuilderError for a step that is not there.
   */
  stepOutputName(step: string | number | StepV2): string {
    if (typeof step === 'object') return this.stepOutputName(step.name);
    const index = typeof step === 'string' ? this.idxByName(step) : step < 0 ? this.steps.length + step : step;
    if (this.steps[index]) return outputNameOf(index);
    throw new PlanBuilderError(`the plan has no step ${step}`, { hint: `it has ${this.steps.length} steps` });
  }

  /** The plan in the form of Portia 0.9, for its wire and dashboards. */
  toLegacyPlan(context?: PlanContextInit): Plan {
    return toLegacyPlan(this, context);
  }

  /** What became different in another version of this plan, or in the shape of one that was stored. */
  changesTo(other: PlanV2<unknown, unknown, unknown> | JsonObject): readonly PlanChange[] {
    return planChanges(this.shape, other instanceof PlanV2 ? other.shape : other);
  }

  /** The plan for people, on several lines: what it is given, and what each step does. */
  prettyPrint(): string {
    return printPlan(this);
  }

  toString(): string {
    return `PlanV2(id=${this.id}, label=${JSON.stringify(this.label)}, steps=${this.steps.length})`;
  }
}

/** @throws PlanBuilderError for values that hold themselves: there is no end of reading them. */
function settled(step: StepV2, index: number, templates: boolean): StepV2 {
  try {
    return settleStep(step, templates);
  } catch (error) {
    if (!(error instanceof RangeError && error.message.includes('call stack'))) throw error;
    throw new PlanBuilderError(`step ${index} holds a value that holds itself, or is nested too deep`, {
      hint: 'give values that JSON can hold',
    });
  }
}

function settleInput(input: PlanInputV2): PlanInputV2 {
  if (input.defaultValue === undefined) return Object.freeze({ ...input });
  const defaultValue = asJson(input.defaultValue, `the default of input ${JSON.stringify(input.name)}`);
  return Object.freeze({ ...input, defaultValue });
}

function byName(inputs: readonly PlanInputV2[]): ReadonlyMap<string, PlanInputV2> {
  const found = new Map<string, PlanInputV2>();
  for (const input of inputs) {
    if (typeof input.name !== 'string' || input.name === '')
      throw new PlanBuilderError('a plan input has no name', { hint: 'give it a name' });
    if (input.name === '__proto__') {
      throw new PlanBuilderError('a plan input cannot be named "__proto__"', {
        hint: 'values are given by name, and JavaScript keeps this name for itself: give the input another one',
      });
    }
    if (found.has(input.name)) {
      throw new PlanBuilderError(`two plan inputs are named ${JSON.stringify(input.name)}`, {
        hint: 'give one of them another name',
      });
    }
    if (input.schema !== undefined && !isSchema(input.schema)) {
      throw new PlanBuilderError(`schema of input ${JSON.stringify(input.name)} is not a schema`, {
        hint: 'give a Standard Schema, such as zod',
      });
    }
    found.set(input.name, input);
  }
  return found;
}
