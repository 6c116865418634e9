import { PlanBuilderError, type PortiaError } from '../core/errors.ts';
import {
  checkResponse,
  type Clarification,
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
} from '../core/clarification.ts';
import { nearest } from '../core/nearest.ts';
import { isPlainObject, type JsonValue } from '../core/json.ts';
import type { Args, StepOptions, StepV2, UserInputStep } from '../core/plan-v2-steps.ts';
import { asJson } from '../core/plan-v2-values.ts';
import { type PlanInputV2, PlanV2 } from '../core/plan-v2.ts';
import { Input, isReference } from '../core/reference.ts';
import { isSchema, type Schema, validate } from '../core/schema.ts';
import { parseTemplate } from '../core/template.ts';
import { parseModelName } from '../model/model-name.ts';
import { modelAgents } from '../model/providers.ts';

interface LoopOptions {
  readonly while?: unknown;
  readonly doWhile?: unknown;
  readonly over?: unknown;
}

/** The step that opens a loop. @throws PlanBuilderError for more than one of `while`, `doWhile` and `over`. */
export function loopStep(
  name: string,
  { stepName: _name, ...options }: LoopOptions & { readonly stepName?: unknown },
  maxIterations: number,
): StepV2 {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { while: whileHolds, doWhile, over, ...rest } = given;
  const kinds = ['while', 'doWhile', 'over'].filter((key) => key in given);
  if (kinds.length > 1) {
    throw new PlanBuilderError(`loop ${JSON.stringify(name)} is given ${kinds.join(' and ')}`, {
      hint: 'give only one of while, doWhile and over',
    });
  }
  const common = { kind: 'loop', name, maxIterations };
  if (over !== undefined)
    return { ...common, type: 'for-each', over, concurrency: 1, onFailure: 'finish', ...rest } as unknown as StepV2;
  const condition = whileHolds ?? doWhile;
  const type = whileHolds === undefined ? 'do-while' : 'while';
  return { ...common, type, args: {}, ...(condition === undefined ? {} : { condition }), ...rest } as unknown as StepV2;
}

/** Refuses a default value that does not fit the input's schema, as far as that can be told without waiting. */
export function checkDefault({ name, schema, defaultValue }: PlanInputV2): void {
  if (!isSchema(schema) || defaultValue === undefined) return;
  const issues = issuesOf(schema, defaultValue);
  if (issues === undefined) return;
  throw new PlanBuilderError(`the default of input ${JSON.stringify(name)} does not fit its schema: ${issues}`, {
    hint: 'give a defaultValue that the schema accepts, or none',
  });
}

/** Why a value does not fit a schema; nothing where it does, or where that cannot be told without waiting. */
function issuesOf(schema: Schema, value: unknown): string | undefined {
  const found = validate(schema, value);
  if (!(found instanceof Promise)) return found.ok ? undefined : found.issues.join('; ');
  found.catch(() => {}); // nobody waits for it
  return undefined;
}

type Asking = Partial<Pick<UserInputStep, 'onExpiry' | 'options' | 'schema'> & StepOptions>;

/** Refuses what is laid down for when nobody answers and the question would not take, as far as it can be told now. */
export function checkExpiry(step: StepV2): void {
  const { onExpiry, approval, schema } = step as Asking;
  const where = `step ${JSON.stringify(step.name)}:`;
  if (isPlainObject(approval?.onExpiry))
    checkAnswer(approval.onExpiry.default, confirmation(), `${where} approval.onExpiry.default`);
  if (onExpiry === 'refuse' && step.kind !== 'user-verify')
    throw new PlanBuilderError(
      `${where} onExpiry is 'refuse', and the question asks for no yes or no: there is nothing to refuse`,
      {
        hint: "give 'fail', or { default } with an answer",
      },
    );
  if (!isPlainObject(onExpiry)) return;
  const answer = checkAnswer(onExpiry.default, questionOf(step), `${where} onExpiry.default`);
  const issues = schema && issuesOf(schema, answer);
  if (issues === undefined) return;
  throw new PlanBuilderError(`${where} onExpiry.default does not fit its schema: ${issues}`, {
    hint: 'give an answer that the schema accepts',
  });
}

const confirmation = (): Clarification => UserVerificationClarification({ userGuidance: '' });

/** The question that a step asks, as far as it is known before its references are. */
function questionOf(step: StepV2): Clarification | undefined {
  if (step.kind === 'user-verify') return confirmation();
  if (step.kind !== 'user-input') return undefined;
  const { name, options = [] } = step;
  const listed = asJson(options, `step ${JSON.stringify(name)}: options`);
  if (isBound(options)) return undefined;
  const fields = { userGuidance: '', argumentName: 'value' };
  return Array.isArray(listed) && listed.length > 0
    ? MultipleChoiceClarification({ ...fields, options: listed })
    : InputClarification(fields);
}

function checkAnswer(given: unknown, question: Clarification | undefined, where: string): JsonValue {
  const answer = asJson(given, where);
  try {
    return question ? checkResponse(question, answer) : answer;
  } catch (cause) {
    const { message, hint } = cause as PortiaError;
    throw new PlanBuilderError(`${where} is no answer to its question: ${message}`, { hint, cause });
  }
}

/** Refuses names of models that cannot be read, or whose provider is not known. */
export function checkModel(step: string, { model }: { readonly model?: unknown }): void {
  for (const name of Array.isArray(model) ? (model as unknown[]) : [model]) {
    if (typeof name !== 'string' || (modelAgents as readonly string[]).includes(name)) continue;
    try {
      for (const one of name.split(',')) parseModelName(one);
    } catch (error) {
      const { message, hint } = error as PortiaError;
      throw new PlanBuilderError(`model of step ${JSON.stringify(step)}: ${message}`, { hint });
    }
  }
}

interface SubPlan {
  readonly plan: PlanV2<unknown, unknown, unknown>;
  /** A value or reference for every input of the plan. */
  readonly inputValues: Args;
  /** The inputs that the plan around it gets. */
  readonly inputs: readonly PlanInputV2[];
}

/** @throws PlanBuilderError for options that are none, which TypeScript does not let through. */
export function checkOptions(what: string, options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw new PlanBuilderError(`${what} was given ${options === undefined ? 'nothing' : JSON.stringify(options)}`, {
    hint: 'give an object with its options',
  });
}

/**
 * A plan inside another whose inputs are `existing`.
 * @throws PlanBuilderError for values of inputs the plan does not have, and for inputs without a value whose names exist
 * already.
 */
export function subPlanOf(
  options: {
    readonly plan: PlanV2<unknown, unknown, unknown> | readonly StepV2[];
    readonly inputValues?: Args | undefined;
  },
  existing: readonly PlanInputV2[],
): SubPlan {
  const plan = Array.isArray(options.plan) ? new PlanV2({ steps: options.plan, templates: true }) : options.plan;
  if (!(plan instanceof PlanV2))
    throw new PlanBuilderError('plan of addSubPlan() is no plan', {
      hint: 'give what PlanBuilderV2.build() returned, or a list of steps',
    });
  const given = options.inputValues ?? {};
  const known = plan.planInputs.map(({ name }) => name).sort();
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new PlanBuilderError(
      `the sub-plan ${JSON.stringify(plan.label)} has no input ${JSON.stringify(name)}${near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`}`,
      {
        hint: known.length === 0 ? 'it has no inputs' : `its inputs are ${known.join(', ')}`,
        details: { known },
      },
    );
  }
  const inputValues: Record<string, unknown> = {};
  const inputs: PlanInputV2[] = [];
  for (const input of plan.planInputs) {
    const value = Object.hasOwn(given, input.name) ? given[input.name] : undefined;
    const exposed = value === undefined || isBound(value) ? input : { ...input, defaultValue: value as JsonValue };
    checkDefault(exposed);
    const isTaken = existing.some(({ name }) => name === input.name);
    // The same plan may stand here more than once, each time with values of its own.
    if (value !== undefined && (isTaken || isBound(value))) {
      inputValues[input.name] = value;
      continue;
    }
    if (isTaken) {
      throw new PlanBuilderError(
        `the sub-plan ${JSON.stringify(plan.label)} has an input ${JSON.stringify(input.name)}, and so has the plan`,
        {
          hint: `give it a value, bind it, or rename one of them: inputValues: { ${input.name}: Input(${JSON.stringify(input.name)}) }`,
        },
      );
    }
    inputValues[input.name] = Input(input.name);
    inputs.push(exposed);
  }
  return { plan, inputValues, inputs };
}

/** Whether a value has references in it, also in plain strings. */
function isBound(value: unknown): boolean {
  if (isReference(value)) return true;
  if (typeof value === 'string') return parseTemplate(value).some((part) => typeof part !== 'string');
  return typeof value === 'object' && value !== null && Object.values(value).some(isBound);
}
