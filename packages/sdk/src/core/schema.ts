import { PortiaError } from './errors.ts';
import { isPlainObject, type JsonObject, type JsonValue, sameJson, toJson } from './json.ts';

/**
 * A schema of any library that speaks Standard Schema v1 (zod, valibot, arktype); zod is what the docs use.
 * JSON Schema for tools and models comes from the library's own door (`~standard.jsonSchema`), or is given beside
 * with {@link withJsonSchema}.
 */
export interface Schema<Output = unknown, Input = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
      options?: { readonly libraryOptions?: Record<string, unknown> | undefined } | undefined,
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** The type a schema gives. */
export type Infer<S> = S extends Schema<infer Output, never> ? Output : S extends Schema<infer Output> ? Output : never;

/** Whether a value is a schema: data never is, as a schema can do something. */
export function isSchema(value: unknown): value is Schema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value))
    return false;
  const standard = value['~standard'];
  return (
    typeof standard === 'object' &&
    standard !== null &&
    'validate' in standard &&
    typeof standard.validate === 'function'
  );
}

/** The outcome of {@link validate}: the schema's output, or what does not fit, each issue with its path. */
export type Validation<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly string[] };

/** Checks a value against a schema. Never throws for a value that does not fit. */
export function validate<T>(schema: Schema<T>, value: unknown): Validation<T> | Promise<Validation<T>> {
  const result = schema['~standard'].validate(value);
  return result instanceof Promise ? result.then(toValidation) : toValidation(result);
}

function toValidation<T>(result: SchemaResult<T>): Validation<T> {
  if (result.issues === undefined) return { ok: true, value: result.value };
  return { ok: false, issues: result.issues.map(describeIssue) };
}

function describeIssue(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

const given = new WeakMap<object, JsonObject>();
const made = { input: new WeakMap<object, JsonObject>(), output: new WeakMap<object, JsonObject>() };

/** Gives a schema its JSON Schema by hand, for libraries that cannot make one. Returns the same schema. */
export function withJsonSchema<S extends Schema>(schema: S, jsonSchema: JsonObject): S {
  given.set(schema, jsonSchema);
  return schema;
}

interface JsonSchemaDoor {
  readonly input?: (options: { readonly target: string }) => Record<string, unknown>;
  readonly output?: (options: { readonly target: string }) => Record<string, unknown>;
}

/**
 * The JSON Schema (draft-07) of what a schema accepts (`input`) or gives (`output`).
 *
 * @throws PortiaError `TOOL_INVALID` when the library has no JSON Schema door and none was given beside.
 */
export function jsonSchemaOf(schema: Schema, where: string, side: 'input' | 'output' = 'input'): JsonObject {
  const known = given.get(schema) ?? made[side].get(schema);
  if (known) return known;
  const door = (schema['~standard'] as { readonly jsonSchema?: JsonSchemaDoor }).jsonSchema?.[side];
  if (!door) {
    throw new PortiaError({
      code: 'TOOL_INVALID',
      message: `the schema of ${where} (${schema['~standard'].vendor}) gives no JSON Schema`,
      hint: 'use zod 4, or give the JSON Schema beside it: withJsonSchema(schema, { type: "object", … })',
    });
  }
  try {
    const { $schema: _dialect, ...rest } = door({ target: 'draft-07' });
    const jsonSchema = toJson(rest) as JsonObject;
    made[side].set(schema, jsonSchema);
    return jsonSchema;
  } catch (cause) {
    throw new PortiaError({
      code: 'TOOL_INVALID',
      message: `the schema of ${where} cannot be written as JSON Schema: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'use types JSON can hold (no dates, maps or functions), or give the JSON Schema with withJsonSchema()',
      cause,
    });
  }
}

/** What to call a schema when talking to people: its title, or whose it is. */
export function schemaName(schema: Schema): string {
  const fallback = `${schema['~standard'].vendor} schema`;
  try {
    const { title } = jsonSchemaOf(schema, fallback, 'output');
    return typeof title === 'string' ? title : fallback;
  } catch {
    return fallback;
  }
}

/**
 * Whether the JSON Schema of a schema says all that it does, so that it can be made again from it. Refinements,
 * transformations and coercions are code, which is in no JSON Schema.
 */
export function isDataSchema(schema: Schema): boolean {
  if (given.has(schema)) return true;
  if (schema['~standard'].vendor === 'zod') return !hasCode(schema, new Set());
  try {
    return sameJson(essence(jsonSchemaOf(schema, 'it', 'input')), essence(jsonSchemaOf(schema, 'it', 'output')));
  } catch {
    return false;
  }
}

const zodCode = new Set<unknown>(['transform', 'custom', 'catch', 'overwrite']);

/** Whether there is code somewhere in what a zod schema is defined by. */
function hasCode(value: unknown, seen: Set<unknown>): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  seen.add(value);
  const { _zod } = value as { readonly _zod?: { readonly def?: Readonly<Record<string, unknown>> } };
  if (!_zod?.def) return Object.values(value).some((item) => hasCode(item, seen));
  const { type, check, coerce, getter, ...parts } = _zod.def;
  if (zodCode.has(type) || zodCode.has(check) || coerce === true) return true;
  return hasCode(typeof getter === 'function' ? getter() : undefined, seen) || hasCode(parts, seen);
}

/** A JSON Schema without what differs between what is accepted and what is given when there are only defaults. */
function essence(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(essence);
  if (!isPlainObject(schema)) return schema;
  const kept = Object.entries(schema as JsonObject).filter(
    ([key, item]) =>
      !(key === 'required' && Array.isArray(item)) && !(key === 'additionalProperties' && item === false),
  );
  return Object.fromEntries(kept.map(([key, item]) => [key, essence(item)]));
}
