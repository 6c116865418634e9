import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';

/** A schema as providers take it: always of an object. */
export interface SchemaFormat {
  readonly jsonSchema: JsonObject;
  /** Whether the value asked for stands in the property `value` of that object. */
  readonly wrapped: boolean;
  /** Whether it is within what OpenAI's strict mode takes. */
  readonly strict: boolean;
}

const formats = new WeakMap<JsonObject, SchemaFormat>();

/** The schema as providers take it; worked out once per schema object. */
export function schemaFormat(schema: JsonObject): SchemaFormat {
  let format = formats.get(schema);
  if (!format) {
    const wrapped = schema['type'] !== 'object';
    const jsonSchema = wrapped ? inObject(schema) : schema;
    format = { jsonSchema, wrapped, strict: isStrict(jsonSchema) };
    formats.set(schema, format);
  }
  return format;
}

function inObject(schema: JsonObject): JsonObject {
  const { $defs, definitions, ...value } = schema;
  return {
    type: 'object',
    properties: { value },
    required: ['value'],
    additionalProperties: false,
    // References are read from the root, so what they point at moves there.
    ...($defs !== undefined && { $defs }),
    ...(definitions !== undefined && { definitions }),
  };
}

const strictKeys = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'enum',
  'const',
  'anyOf',
  'description',
  'title',
  '$ref',
  '$defs',
  'definitions',
]);

function isStrict(schema: JsonValue): boolean {
  if (!isPlainObject(schema)) return false;
  const members = schema as JsonObject;
  if (Object.keys(members).some((key) => !strictKeys.has(key))) return false;
  const { properties, required, additionalProperties, items, anyOf, $defs, definitions } = members;
  if (members['type'] === 'object' || properties !== undefined) {
    const names = Object.keys(isPlainObject(properties) ? properties : {});
    const needed = new Set(Array.isArray(required) ? (required as readonly JsonValue[]) : []);
    if (additionalProperties !== false || !names.every((name) => needed.has(name))) return false;
  }
  return (
    [properties, $defs, definitions].every(
      (map) => map === undefined || allStrict(Object.values(isPlainObject(map) ? map : {})),
    ) &&
    (items === undefined || isStrict(items)) &&
    (anyOf === undefined || allStrict(anyOf))
  );
}

function allStrict(schemas: unknown): boolean {
  return Array.isArray(schemas) && schemas.every((schema: JsonValue) => isStrict(schema));
}
