import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { ModelTool } from '../../core/model.ts';
import type { AnyTool } from '../../core/tool.ts';
import { toolToModelTool } from '../../tool/tool.ts';
import { fillPlaceholders } from './prompts/placeholders.ts';

/** Arguments with the named values in place, and what is wrong with which of them. */
export interface CheckedArgs {
  readonly args: JsonObject;
  readonly problems: ReadonlyMap<string, string>;
}

/** The names of a tool's arguments; none for a tool that takes what it likes. */
export function argumentNames({ argsSchema: { properties } }: ModelTool): readonly string[] {
  return isPlainObject(properties) ? Object.keys(properties) : [];
}

/** Whether the tool needs this argument. */
export function isRequired({ argsSchema: { required } }: ModelTool, name: string): boolean {
  return Array.isArray(required) && (required as readonly JsonValue[]).includes(name);
}

/**
 * Puts named values in place and checks the whole against the tool's schema. A text that is the JSON of what the schema
 * wants, such as a list that a model or a person wrote as text, is taken as that.
 */
export async function checkArguments(
  tool: AnyTool,
  raw: JsonObject,
  values: ReadonlyMap<string, JsonValue>,
): Promise<CheckedArgs> {
  const { argsSchema } = toolToModelTool(tool);
  const problems = new Map<string, string>();
  const args: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(raw)) {
    const schema = (argsSchema['properties'] as JsonObject | undefined)?.[name];
    const filled = fillPlaceholders(value, values, isPlainObject(schema) ? (schema as JsonObject) : undefined);
    args[name] = filled.args;
    if (filled.unknown.length > 0) problems.set(name, `nothing is named ${filled.unknown.join(', ')}`);
  }
  for (const [name, problem] of await misfits(tool, args)) {
    const mended = problems.has(name) ? undefined : await mend(tool, args, name);
    if (mended === undefined) problems.set(name, problems.get(name) ?? problem);
    else args[name] = mended;
  }
  return { args, problems };
}

async function mend(tool: AnyTool, args: JsonObject, name: string): Promise<JsonValue | undefined> {
  const value = args[name];
  const parsed = typeof value === 'string' ? fromText(value) : undefined;
  if (parsed === undefined) return undefined;
  return (await misfits(tool, { ...args, [name]: parsed })).has(name) ? undefined : parsed;
}

function fromText(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** The arguments that do not fit the tool's schema, each with why. What concerns no single one stands under `''`. */
async function misfits(tool: AnyTool, args: JsonObject): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  if (!tool.argsSchema) {
    const model = toolToModelTool(tool);
    for (const name of argumentNames(model))
      if (isRequired(model, name) && !Object.hasOwn(args, name)) found.set(name, 'it is required');
    return found;
  }
  const { issues = [] } = await tool.argsSchema['~standard'].validate(args);
  for (const { path = [], message } of issues) {
    const [first] = path;
    const name = first === undefined ? '' : String(typeof first === 'object' ? first.key : first);
    found.set(name, [found.get(name), message].filter(Boolean).join('; '));
  }
  return found;
}
