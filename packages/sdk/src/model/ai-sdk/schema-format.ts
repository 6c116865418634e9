import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';

/** A schema as providers take it: always of an object. */
export interface SchemaFormat {
  readonly jsonSchema: JsonObject;
  /** Whether the value asked for stands in the property `value` of that object. */
  readonly wrapped: boolean;
  /** Whether it is within what OpenAI's strict mode takes. */
  readonly strict: boolean;
  /** Whether some object in it may have members that it does not name. */
  readonly openMaps: boolean;
  /** Whether it refers to itself. */
  readonly recursive: boolean;
}

const formats = new WeakMap<JsonObject, SchemaFormat>();

/** The schema as providers take it; worked out once per schema object. */
export function schemaFormat(schema: JsonObject): SchemaFormat {
  let format = formats.get(schema);
  if (!format) {
    const wrapped = schema['type'] !== 'object';
    const jsonSchema = wrapped ? inObject(schema) : schema;
    format = {
      jsonSchema,
      wrapped,
      strict: isStrict(jsonSchema),
      openMaps: hasOpenMap(jsonSchema),
      recursive: refersToItself(jsonSchema),
    };
    formats.set(schema, format);
  }
  return format;
}

/** The schema without keywords a provider does not take; what they said stands in the descriptions instead. */
export function withoutKeywords(schema: JsonObject, keywords: ReadonlySet<string>): JsonObject {
  return strip(schema, keywords) as JsonObject;
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

// Keywords whose values are schemas, by how these stand in them.
const inside = ['items', 'additionalProperties', 'not', 'contains', 'propertyNames', 'if', 'then', 'else'];
const insideLists = ['anyOf', 'oneOf', 'allOf', 'prefixItems'];
const insideMaps = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];

/** The schemas directly inside a schema. */
function parts(schema: JsonObject): JsonObject[] {
  const found = [
    ...inside.map((key) => schema[key]),
    ...insideLists.flatMap((key) => (Array.isArray(schema[key]) ? (schema[key] as readonly JsonValue[]) : [])),
    ...insideMaps.flatMap((key) => (isPlainObject(schema[key]) ? Object.values(schema[key] as JsonObject) : [])),
  ];
  return found.filter((part): part is JsonObject => isPlainObject(part));
}

function hasOpenMap(schema: JsonObject): boolean {
  const { type, properties, additionalProperties: more, patternProperties } = schema;
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object')) || properties !== undefined;
  const named = isPlainObject(properties) && Object.keys(properties).length > 0;
  // Members beside named ones are an allowance; where none is named, they are all there is.
  const isMap = isPlainObject(more) || (isObject && !named && more !== false);
  return isMap || isPlainObject(patternProperties) || parts(schema).some(hasOpenMap);
}

function refersToItself(schema: JsonObject): boolean {
  const definitions = { ...(schema['definitions'] as JsonObject), ...(schema['$defs'] as JsonObject) };
  const reaches = (part: JsonObject, open: readonly string[]): boolean => {
    const reference = part['$ref'];
    if (reference === '#') return true;
    if (typeof reference === 'string') {
      const name = decodeURIComponent(reference.slice(reference.lastIndexOf('/') + 1));
      if (open.includes(name)) return true;
      const target = definitions[name];
      if (isPlainObject(target) && reaches(target as JsonObject, [...open, name])) return true;
    }
    return parts(part).some((next) => reaches(next, open));
  };
  const { $defs: _defs, definitions: _definitions, ...root } = schema;
  return reaches(root, []);
}

function strip(schema: JsonValue, keywords: ReadonlySet<string>): JsonValue {
  if (!isPlainObject(schema)) return schema;
  const kept: Record<string, JsonValue> = {};
  const said: string[] = [];
  for (const [key, value] of Object.entries(schema as JsonObject)) {
    if (keywords.has(key)) said.push(`${key}: ${JSON.stringify(value)}`);
    else if (inside.includes(key)) kept[key] = strip(value, keywords);
    else if (insideLists.includes(key) && Array.isArray(value))
      kept[key] = (value as readonly JsonValue[]).map((part) => strip(part, keywords));
    else if (insideMaps.includes(key) && isPlainObject(value))
      kept[key] = Object.fromEntries(
        Object.entries(value as JsonObject).map(([name, part]) => [name, strip(part, keywords)]),
      );
    else kept[key] = value;
  }
  if (said.length > 0) {
    const { description } = kept;
    kept['description'] = [...(typeof description === 'string' ? [description] : []), said.join('; ')].join('\n');
  }
  return kept;
}
