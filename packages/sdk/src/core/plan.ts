import { PortiaError } from './errors.ts';
import { PlanUUID } from './ids.ts';
import { isPlainObject, type JsonObject, type JsonValue, toJson } from './json.ts';
import { type Schema, schemaName } from './schema.ts';

/** What a {@link Variable} is made from. */
export interface VariableInit {
  readonly name: string;
  readonly description?: string | null | undefined;
}

/** A reference of a step to a plan input or to the output of an earlier step. */
export class Variable {
  /** Such as `$best_offers`. */
  readonly name: string;
  readonly description: string;

  /** @throws PortiaError `PLAN_INVALID` naming the field of the wrong type. */
  constructor(init: VariableInit) {
    this.name = text(init.name, 'name');
    this.description = text(init.description ?? '', 'description');
    Object.freeze(this);
  }

  toJSON(): JsonObject {
    return { name: this.name, description: this.description };
  }

  /** `name: (description)`. */
  prettyPrint(): string {
    return `${this.name}: (${this.description || 'No description'})`;
  }
}

/** What a {@link PlanInput} is made from. */
export interface PlanInputInit {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** Anything JSON can hold. */
  readonly value?: unknown;
}

/** Something a plan needs to be given when it is run. */
export class PlanInput {
  readonly name: string;
  readonly description: string | null;
  /** The default; `null` when there is none. */
  readonly value: JsonValue;

  /** @throws PortiaError `PLAN_INVALID` naming the field of the wrong type. */
  constructor(init: PlanInputInit) {
    this.name = text(init.name, 'name');
    this.description = textOrNull(init.description, 'description');
    this.value = toJson(init.value, 'value');
    Object.freeze(this);
  }

  toJSON(): JsonObject {
    return { name: this.name, description: this.description, value: this.value };
  }

  /** `name: (description)`. */
  prettyPrint(): string {
    return `${this.name}: (${this.description || 'No description'})`;
  }
}

/** What a {@link Step} is made from. */
export interface StepInit {
  readonly task: string;
  readonly inputs?: readonly VariableInit[] | undefined;
  readonly toolId?: string | null | undefined;
  readonly output: string;
  readonly condition?: string | null | undefined;
  readonly structuredOutputSchema?: Schema | undefined;
  readonly extras?: JsonObject | undefined;
}

const stepKeys = ['task', 'inputs', 'tool_id', 'output', 'condition', 'structured_output_schema'];

/** One unit of a plan. */
export class Step {
  /** What is to be done, in words. */
  readonly task: string;
  readonly inputs: readonly Variable[];
  /** The tool to use; `null` leaves the step to a model. */
  readonly toolId: string | null;
  /** The name under which later steps find the result, such as `$sales`. */
  readonly output: string;
  /** When the step is to run, in words; `null` for always. */
  readonly condition: string | null;
  /** The shape of the result. Never part of the JSON. */
  readonly structuredOutputSchema: Schema | undefined;
  /** Other keys of the JSON document, written back as they were read. */
  readonly extras: JsonObject;

  /** @throws PortiaError `PLAN_INVALID` naming the field of the wrong type. */
  constructor(init: StepInit) {
    this.task = text(init.task, 'task');
    this.inputs = listOf(init.inputs, 'inputs', Variable);
    this.toolId = textOrNull(init.toolId, 'toolId');
    this.output = text(init.output, 'output');
    this.condition = textOrNull(init.condition, 'condition');
    this.structuredOutputSchema = init.structuredOutputSchema;
    const extras = init.extras ?? {};
    for (const key of stepKeys) if (Object.hasOwn(extras, key)) throw invalid(`extras may not hold ${key}`);
    this.extras = toJson(extras, 'extras') as JsonObject;
    Object.freeze(this);
  }

  toJSON(): JsonObject {
    return {
      task: this.task,
      inputs: this.inputs.map((input) => input.toJSON()),
      tool_id: this.toolId,
      output: this.output,
      condition: this.condition,
      ...this.extras,
    };
  }

  /** The step for people, on several lines. */
  prettyPrint(): string {
    const inputs = this.inputs.map((input) => input.prettyPrint()).join(', ');
    const condition = this.condition ? `\n  Condition: ${this.condition}` : '';
    return (
      `- ${this.task}\n    Inputs: ${inputs || 'None'}\n    Tool ID: ${this.toolId ?? 'None'}` +
      `\n    Output: ${this.output}${condition}`
    );
  }
}

const readOnlySteps = new WeakMap<Step, ReadOnlyStep>();

/** A step as hooks and agents are given it. */
export class ReadOnlyStep extends Step {
  /** The read-only form of a step: the same object every time. */
  static fromStep(step: Step): ReadOnlyStep {
    if (step instanceof ReadOnlyStep) return step;
    const known = readOnlySteps.get(step);
    if (known) return known;
    const made = new ReadOnlyStep(step);
    readOnlySteps.set(step, made);
    return made;
  }
}

/** What a {@link PlanContext} is made from. */
export interface PlanContextInit {
  readonly query: string;
  readonly toolIds: readonly string[];
}

/** What a plan was made for, and with which tools in mind. */
export class PlanContext {
  readonly query: string;
  /** In the order given; sorted only in JSON. */
  readonly toolIds: readonly string[];

  /** @throws PortiaError `PLAN_INVALID` naming the field of the wrong type. */
  constructor(init: PlanContextInit) {
    this.query = text(init.query, 'query');
    if (!Array.isArray(init.toolIds)) throw wrongType(init.toolIds, 'toolIds', 'a list of strings');
    this.toolIds = Object.freeze(init.toolIds.map((id, index) => text(id, `toolIds[${index}]`)));
    Object.freeze(this);
  }

  toJSON(): JsonObject {
    return { query: this.query, tool_ids: [...this.toolIds].sort() };
  }
}

/** What a {@link Plan} is made from. */
export interface PlanInit {
  readonly id?: PlanUUID | undefined;
  readonly planContext: PlanContextInit;
  readonly steps: readonly StepInit[];
  readonly planInputs?: readonly PlanInputInit[] | undefined;
  readonly structuredOutputSchema?: Schema | undefined;
}

/** The steps that answer a query. Immutable, and only data: nothing happens until it is run. */
export class Plan {
  readonly id: PlanUUID;
  readonly planContext: PlanContext;
  readonly steps: readonly Step[];
  readonly planInputs: readonly PlanInput[];
  /** The shape of the final output. Never part of the JSON. */
  readonly structuredOutputSchema: Schema | undefined;

  /**
   * @throws PortiaError `PLAN_INVALID` for a field of the wrong type, two steps with the same output and condition, or
   * two plan inputs of one name; `ID_INVALID` for a malformed id.
   */
  constructor(init: PlanInit) {
    this.id = init.id === undefined ? PlanUUID.random() : PlanUUID.fromString(init.id);
    this.planContext = made(init.planContext, 'planContext', PlanContext);
    if (!Array.isArray(init.steps)) throw wrongType(init.steps, 'steps', 'a list of steps');
    this.steps = listOf(init.steps, 'steps', Step);
    this.planInputs = listOf(init.planInputs, 'planInputs', PlanInput);
    this.structuredOutputSchema = init.structuredOutputSchema;
    checkOutputs(this.steps);
    checkInputNames(this.planInputs);
    Object.freeze(this);
  }

  /**
   * Reads the JSON document of Portia 0.9.
   * @throws PortiaError `PLAN_INVALID` or `ID_INVALID` naming the field.
   */
  static fromJSON(wire: unknown): Plan {
    const { id, plan_context, steps, plan_inputs, ...others } = object(wire, 'the plan');
    refuseOthers(others, 'the plan');
    const { query, tool_ids, ...more } = object(plan_context, 'plan_context');
    refuseOthers(more, 'plan_context');
    return planOf(id, query, tool_ids, steps, plan_inputs);
  }

  /**
   * Reads the answer of a Portia server, in which the query and tool ids stand beside the id.
   * @throws PortiaError `PLAN_INVALID` or `ID_INVALID` naming the field.
   */
  static fromResponse(json: unknown): Plan {
    const { id, query, tool_ids, steps, plan_inputs } = object(json, 'the plan');
    if (id === undefined) throw wrongType(id, 'id', 'a plan id');
    return planOf(id, query, tool_ids, steps, plan_inputs);
  }

  /** The JSON document of Portia 0.9. */
  toJSON(): JsonObject {
    return {
      id: this.id,
      plan_context: this.planContext.toJSON(),
      steps: this.steps.map((step) => step.toJSON()),
      plan_inputs: this.planInputs.map((input) => input.toJSON()),
    };
  }

  /** The plan for people, on several lines. */
  prettyPrint(): string {
    const { query, toolIds } = this.planContext;
    const portia = toolIds.filter((id) => id.startsWith('portia:')).length;
    const lines = [`Task: ${query}`];
    lines.push(`Tools Available Summary: ${portia} portia tools, ${toolIds.length - portia} other tools`);
    if (this.planInputs.length > 0)
      lines.push('Inputs:', ...this.planInputs.map((input) => `    ${input.prettyPrint()}`));
    lines.push('Steps:', ...this.steps.map((step) => step.prettyPrint()));
    if (this.structuredOutputSchema) {
      lines.push(`Structured Output Schema: ${schemaName(this.structuredOutputSchema)}`);
    }
    return lines.join('\n');
  }

  toString(): string {
    return `Plan(id=${this.id}, plan_context=${JSON.stringify(this.planContext)}, steps=${JSON.stringify(this.steps)})`;
  }
}

const readOnlyPlans = new WeakMap<Plan, ReadOnlyPlan>();

/** A plan as hooks and agents are given it. */
export class ReadOnlyPlan extends Plan {
  declare readonly steps: readonly ReadOnlyStep[];

  /** The read-only form of a plan: the same object every time. */
  static fromPlan(plan: Plan): ReadOnlyPlan {
    if (plan instanceof ReadOnlyPlan) return plan;
    const known = readOnlyPlans.get(plan);
    if (known) return known;
    const made = new ReadOnlyPlan({ ...plan, steps: plan.steps.map((step) => ReadOnlyStep.fromStep(step)) });
    readOnlyPlans.set(plan, made);
    return made;
  }
}

function planOf(id: unknown, query: unknown, toolIds: unknown, steps: unknown, planInputs: unknown): Plan {
  return new Plan({
    id: id === undefined ? undefined : PlanUUID.fromWire(id),
    planContext: { query, toolIds } as PlanContextInit,
    steps: Array.isArray(steps) ? steps.map((step, index) => stepInit(step, `steps[${index}]`)) : (steps as never),
    planInputs: planInputs as readonly PlanInputInit[] | undefined,
  });
}

function stepInit(wire: unknown, where: string): StepInit {
  const { task, inputs, tool_id, output, condition, structured_output_schema, ...extras } = object(wire, where);
  if ((structured_output_schema ?? null) !== null) {
    throw invalid(
      `${where}: a schema cannot be read from JSON`,
      'leave it out: what the final output must be is said when the plan is run',
    );
  }
  return { task, inputs, toolId: tool_id, output, condition, extras } as StepInit;
}

function checkOutputs(steps: readonly Step[]): void {
  const seen = new Map<string, number>();
  for (const [index, step] of steps.entries()) {
    const key = JSON.stringify([step.output, step.condition ?? '']);
    const other = seen.get(key);
    if (other !== undefined) {
      const condition = step.condition ? `the condition ${JSON.stringify(step.condition)}` : 'no condition';
      throw invalid(
        `Outputs + conditions must be unique: steps[${other}] and steps[${index}] both give ` +
          `${JSON.stringify(step.output)} with ${condition}`,
        'give one of them another output name',
      );
    }
    seen.set(key, index);
  }
}

function checkInputNames(inputs: readonly PlanInput[]): void {
  const seen = new Map<string, number>();
  for (const [index, { name }] of inputs.entries()) {
    const other = seen.get(name);
    if (other !== undefined) {
      throw invalid(
        `Plan input names must be unique: planInputs[${other}] and planInputs[${index}] are both called ` +
          JSON.stringify(name),
        'give one of them another name',
      );
    }
    seen.set(name, index);
  }
}

function listOf<Init, T>(inits: readonly Init[] | undefined, where: string, kind: new (init: Init) => T): readonly T[] {
  if (inits !== undefined && !Array.isArray(inits)) throw wrongType(inits, where, 'a list');
  return Object.freeze((inits ?? []).map((init: Init, index: number) => made(init, `${where}[${index}]`, kind)));
}

/** An instance of the class, made now if it is only what one is made from. What is wrong with it is told with its place. */
function made<Init, T>(init: Init | T, where: string, kind: new (init: Init) => T): T {
  if (init instanceof kind) return init;
  if (typeof init !== 'object' || init === null) throw wrongType(init, where, 'an object');
  try {
    return new kind(init as Init);
  } catch (cause) {
    if (!PortiaError.isInstance(cause)) throw cause;
    throw new PortiaError({ code: 'PLAN_INVALID', message: `${where}: ${cause.message}`, hint: cause.hint, cause });
  }
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (!isPlainObject(value)) throw wrongType(value, where, 'an object');
  return value;
}

function refuseOthers(others: object, where: string): void {
  const names = Object.keys(others);
  if (names.length > 0) throw invalid(`${where} has an unknown key ${JSON.stringify(names[0])}`, 'leave it out');
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw wrongType(value, where, 'a string');
  return value;
}

function textOrNull(value: unknown, where: string): string | null {
  return (value ?? null) === null ? null : text(value, where);
}

function wrongType(value: unknown, where: string, wanted: string): PortiaError {
  if (value === undefined) return invalid(`${where} is missing`, `give ${wanted}`);
  const found = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
  return invalid(`${where} is ${found}, not ${wanted}`);
}

function invalid(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'PLAN_INVALID', message, hint });
}
