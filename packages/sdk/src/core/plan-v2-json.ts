import { PlanBuilderError, type PortiaError } from './errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from './json.ts';
import { Input, isReference, type Reference, StepOutput, type Text, textOfParts } from './reference.ts';
import { isDataSchema, isSchema, jsonSchemaOf, type Schema } from './schema.ts';

/** A plan inside a plan, as far as writing it needs to know. */
interface PlanLike {
  readonly shape: JsonObject;
  readonly isData: boolean;
}

/** A value of a plan as JSON, and whether that JSON is all of it. */
export interface Encoded {
  readonly json: JsonValue;
  /** False where a function, a tool or a schema cannot be made again from the JSON. */
  readonly isData: boolean;
}

/**
 * Writes what a plan holds. What JSON has no word for is tagged with a key that begins with `$`, and keys of the plan's
 * own data that begin with `$` get another one, so that no data can be taken for a tag.
 *
 * @throws PlanBuilderError for a schema that gives no JSON Schema.
 */
export function encode(value: unknown, where: string): Encoded {
  const seen = { isData: true };
  return { json: write(value, where, seen), isData: seen.isData };
}

function write(value: unknown, where: string, seen: { isData: boolean }): JsonValue {
  if (typeof value === 'function') {
    seen.isData = false;
    return { $function: true };
  }
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  if (isReference(value)) return writeReference(value);
  if (Array.isArray(value)) return value.map((item: unknown, index) => write(item, `${where}[${index}]`, seen));
  if (isSchema(value)) return writeSchema(value, where, seen);
  if ('shape' in value && 'isData' in value && !isPlainObject(value))
    return writePlan(value as unknown as PlanLike, seen);
  const { run, id } = value as { run?: unknown; id?: unknown };
  if (typeof run === 'function' && typeof id === 'string') {
    seen.isData = false;
    return { $tool: id };
  }
  return writeObject(value, where, seen);
}

function writeObject(value: object, where: string, seen: { isData: boolean }): JsonObject {
  const json: Record<string, JsonValue> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) setKey(json, key.startsWith('$') ? `$${key}` : key, write(item, `${where}.${key}`, seen));
  }
  return json;
}

function setKey(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}

function writePlan(plan: PlanLike, seen: { isData: boolean }): JsonValue {
  if (!plan.isData) seen.isData = false;
  return { $plan: plan.shape };
}

function writeReference(value: Reference | Text): JsonObject {
  if (value.reference === 'text')
    return { $text: value.parts.map((part) => (typeof part === 'string' ? part : writeReference(part))) };
  const path = value.path === '' ? {} : { path: value.path };
  if (value.reference === 'input') return { $input: value.name, ...path };
  return { $step: value.name, ...path, ...(value.full && { full: true }), ...(value.optional && { optional: true }) };
}

function writeSchema(schema: Schema, where: string, seen: { isData: boolean }): JsonValue {
  try {
    const accepts = normalised(jsonSchemaOf(schema, where, 'input'));
    if (!isDataSchema(schema)) seen.isData = false;
    return { $schema: accepts };
  } catch (cause) {
    const { message, hint } = cause as PortiaError;
    throw new PlanBuilderError(message, { hint, cause });
  }
}

const literals = ['default', 'const', 'enum', 'examples'];

/** A JSON Schema with what has no order in order, so that the order of fields in the source does not matter. */
function normalised(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(normalised);
  if (!isPlainObject(schema)) return schema;
  const entries = Object.entries(schema as JsonObject).map(([key, item]): [string, JsonValue] => {
    if (key === 'required' && Array.isArray(item)) return [key, [...item].sort()];
    return [key, literals.includes(key) ? item : normalised(item)];
  });
  return Object.fromEntries(entries);
}

/** What {@link decode} cannot make itself. */
export interface DecodeDoors {
  /** Makes a schema of a JSON Schema. */
  readonly schema: (jsonSchema: JsonObject) => Schema;
  readonly plan: (shape: JsonValue) => unknown;
}

/**
 * Reads what {@link encode} wrote.
 * @throws PlanBuilderError for a function or a tool, which are not in the JSON, and for what is no plan data.
 */
export function decode(json: JsonValue, where: string, doors: DecodeDoors): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map((item: JsonValue, index) => decode(item, `${where}[${index}]`, doors));
  const tag = Object.keys(json).find((key) => key.startsWith('$') && !key.startsWith('$$'));
  if (tag !== undefined) return decodeTag(tag, json as JsonObject, where, doors);
  const value = {};
  for (const [key, item] of Object.entries(json as JsonObject)) {
    setKey(value, key.startsWith('$') ? key.slice(1) : key, decode(item, `${where}.${key}`, doors));
  }
  return value;
}

function decodeTag(tag: string, json: JsonObject, where: string, doors: DecodeDoors): unknown {
  const value = json[tag];
  const { path, full, optional } = json;
  const known = path === undefined || typeof path === 'string';
  if (tag === '$step' && (typeof value === 'string' || Number.isSafeInteger(value)) && known) {
    return StepOutput(value as string | number, { path: path ?? '', full: full === true, optional: optional === true });
  }
  if (tag === '$input' && typeof value === 'string' && known) return Input(value, { path: path ?? '' });
  if (tag === '$text' && Array.isArray(value))
    return textOfParts(value.map((part: JsonValue) => decodePart(part, where, doors)));
  if (tag === '$schema' && isPlainObject(value)) return doors.schema(value as JsonObject);
  if (tag === '$plan' && isPlainObject(value)) return doors.plan(value as JsonObject);
  if (tag === '$function' || tag === '$tool') {
    throw new PlanBuilderError(`${where} is a ${tag.slice(1)}, which is not stored with a plan`, {
      hint: 'register the plan with the client: new Portia({ plans: [plan] })',
    });
  }
  throw new PlanBuilderError(`${where} has ${JSON.stringify(tag)} with a value that cannot be read`);
}

function decodePart(part: JsonValue, where: string, doors: DecodeDoors): string | Reference {
  if (typeof part === 'string') return part;
  const read = decode(part, where, doors);
  if (isReference(read) && read.reference !== 'text') return read;
  throw new PlanBuilderError(`${where} has a text with a part that is neither text nor reference`);
}
