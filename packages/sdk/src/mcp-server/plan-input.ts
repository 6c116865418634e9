import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { PortiaError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { jsonSchemaOf } from '../core/schema.ts';
import type { AnyPlan } from '../run/create-run.ts';
import { serverPackage } from './package.ts';

/** What a plan is called for hosts that read about it. */
export function describePlan(plan: AnyPlan): string {
  const label = 'label' in plan ? plan.label : plan.planContext.query;
  const steps = plan.steps.length;
  return `Runs the plan "${label}" (${steps} ${steps === 1 ? 'step' : 'steps'}). It may pause for a person.`;
}

/** The arguments of the tool that runs a plan: the plan's inputs, and a key so that repeating it starts it once. */
export async function planArguments(plan: AnyPlan): Promise<StandardSchemaWithJSON> {
  const properties: Record<string, JsonObject> = {};
  const required: string[] = [];
  for (const input of plan.planInputs) {
    const standard = 'schema' in input ? input.schema : undefined;
    const description = input.description ?? undefined;
    const value: JsonValue | undefined = 'value' in input ? (input.value ?? undefined) : input.defaultValue;
    properties[input.name] = {
      ...(standard && jsonSchemaOf(standard, `the input ${input.name}`)),
      ...(description !== undefined && { description }),
      ...(value !== undefined && { default: value }),
    };
    if (value === undefined) required.push(input.name);
  }
  if (runKey in properties) {
    throw new PortiaError({ code: 'CONFIG_INVALID', message: `a plan for MCP has an input called ${runKey}` });
  }
  properties[runKey] = {
    type: 'string',
    description:
      'your own name for this run: the same name gives the same run, so that repeating the call starts nothing twice',
  };
  const { fromJsonSchema } = await serverPackage();
  return fromJsonSchema({ type: 'object', properties, required, additionalProperties: false } as never);
}

/** The argument that names a run. */
export const runKey = 'run_key';
