import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';

const schemaMaps = new Set(['properties', 'patternProperties', '$defs', 'definitions']);
const schemaPlaces = new Set(['items', 'additionalProperties', 'not', 'anyOf', 'oneOf', 'allOf', 'prefixItems']);

/** A JSON Schema without what a reader can do without: dialect, titles, and limits that only restate the type. */
export function compactSchema(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return (schema as readonly JsonValue[]).map(compactSchema);
  if (!isPlainObject(schema)) return schema;
  const compact: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(schema as JsonObject)) {
    if (isNoise(key, value, schema as JsonObject)) continue;
    compact[key] = schemaMaps.has(key) ? eachSchema(value) : schemaPlaces.has(key) ? compactSchema(value) : value;
  }
  return compact;
}

function eachSchema(schemas: JsonValue): JsonValue {
  if (!isPlainObject(schemas)) return schemas;
  return Object.fromEntries(
    Object.entries(schemas as JsonObject).map(([name, schema]) => [name, compactSchema(schema)]),
  );
}

function isNoise(key: string, value: JsonValue, schema: JsonObject): boolean {
  if (key === '$schema' || key === '$id' || key === 'title') return true;
  if (key === 'additionalProperties') return typeof value === 'boolean' || JSON.stringify(value) === '{}';
  if (key === 'pattern') return schema['format'] !== undefined;
  return (key === 'minimum' || key === 'maximum') && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;
}

/** The arguments of a tool for people who plan with it: property schemas by name, `?` after those that may be left out. */
export function argsOutline(argsSchema: JsonObject): JsonObject {
  const { properties, required, $defs, definitions } = compactSchema(argsSchema) as JsonObject;
  const needed = new Set(Array.isArray(required) ? (required as readonly JsonValue[]) : []);
  const outline: Record<string, JsonValue> = {};
  for (const [name, schema] of Object.entries((properties ?? {}) as JsonObject)) {
    outline[needed.has(name) ? name : `${name}?`] = schema;
  }
  if ($defs !== undefined) outline['$defs'] = $defs;
  if (definitions !== undefined) outline['definitions'] = definitions;
  return outline;
}
