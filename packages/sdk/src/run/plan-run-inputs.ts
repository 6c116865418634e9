import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonValue, toJson } from '../core/json.ts';
import { LocalDataValue } from '../core/output.ts';
import type { Plan } from '../core/plan.ts';
import { type Schema, validate } from '../core/schema.ts';
import { builderOf } from '../plan/builder-programs.ts';
import type { ExecutionHooks } from './hooks.ts';
import type { Logger } from '../observe/logger.ts';

/** Values for a plan's inputs: an object by name, or a list of `{ name, value }`. */
export type PlanRunInputs =
  | Readonly<Record<string, unknown>>
  | readonly { readonly name: string; readonly value?: unknown }[];

/**
 * The inputs of a run: what was given over the plan's defaults.
 * @throws PortiaError `INPUT_INVALID` for a form that cannot be read, or a value that does not fit its schema, `INPUT_MISSING` naming what has no value.
 */
export async function planRunInputs(
  plan: Plan,
  given: PlanRunInputs | undefined,
  logger: Logger,
  hooks: Pick<ExecutionHooks, 'runInput'> = {},
): Promise<Record<string, LocalDataValue>> {
  const values = byName(given);
  const inputs: Record<string, LocalDataValue> = {};
  const missing: string[] = [];
  for (const { name, value } of plan.planInputs) {
    if (values.has(name)) inputs[name] = inputAsShown(name, await checkedInput(plan, name, values.get(name)), hooks);
    else if (value !== null) inputs[name] = inputAsShown(name, value, hooks);
    else missing.push(name);
  }
  if (missing.length > 0) {
    throw new PortiaError({
      code: 'INPUT_MISSING',
      message: `Missing required plan input values: ${missing.join(', ')}`,
      hint: `give them: planRunInputs: { ${missing.map((name) => `${JSON.stringify(name)}: …`).join(', ')} }`,
      details: { missing },
    });
  }
  if (plan.planInputs.length === 0 && values.size > 0) {
    logger.warn('Inputs are not required for this plan but plan inputs were provided');
  } else {
    for (const name of values.keys())
      if (!Object.hasOwn(inputs, name)) logger.warn(`Ignoring unknown plan input: ${name}`);
  }
  return inputs;
}

/** An input as it is stored: as the hook for inputs, where there is one, has left it. */
export function inputAsShown(name: string, value: JsonValue, hooks: Pick<ExecutionHooks, 'runInput'>): LocalDataValue {
  return LocalDataValue(hooks.runInput ? toJson(hooks.runInput(name, value), `input ${name}`) : value);
}

/** An input of a builder plan is what its schema makes of the value. @throws PortiaError `INPUT_INVALID`. */
async function checkedInput(plan: Plan, name: string, value: unknown): Promise<JsonValue> {
  const schema = builderOf(plan)?.planInputs.find((input) => input.name === name)?.schema;
  return schema ? fittingInput(name, schema, value) : toJson(value, `input ${name}`);
}

/** What the schema of an input makes of a value. @throws PortiaError `INPUT_INVALID`. */
export async function fittingInput(name: string, schema: Schema, value: unknown): Promise<JsonValue> {
  const validation = await validate(schema, value);
  if (validation.ok) return toJson(validation.value, `input ${name}`);
  throw new PortiaError({
    code: 'INPUT_INVALID',
    message: `the value of input ${JSON.stringify(name)} does not fit: ${validation.issues.join('; ')}`,
    hint: 'give a value of the form the plan asks for',
    details: { input: name, issues: validation.issues },
  });
}

/** What was given, by name. @throws PortiaError `INPUT_INVALID` for a form that cannot be read. */
export function byName(given: PlanRunInputs | undefined): ReadonlyMap<string, unknown> {
  if (given === undefined || given === null) return new Map();
  if (Array.isArray(given)) {
    return new Map(
      given.map((item: unknown) => {
        if (
          typeof item !== 'object' ||
          item === null ||
          !('name' in item) ||
          typeof item.name !== 'string' ||
          !('value' in item)
        ) {
          throw new PortiaError({
            code: 'INPUT_INVALID',
            message: 'Plan input must have a name and value',
            hint: "give planRunInputs as { name: value } or [{ name: '$region', value: 'EMEA' }]",
          });
        }
        return [item.name, item.value];
      }),
    );
  }
  if (isPlainObject(given)) return new Map(Object.entries(given));
  throw new PortiaError({
    code: 'INPUT_INVALID',
    message: 'Invalid plan run inputs received',
    hint: 'give planRunInputs as { name: value }',
  });
}
