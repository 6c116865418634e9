import { isPlainObject, type JsonObject } from './json.ts';

/** What stands at a key of a value: its schemas, or `undefined` where the schema does not say. */
type Found = readonly JsonObject[] | undefined;

/**
 * Whether a value that fits a JSON Schema can have something at a dotted path. Only what the schema rules out is
 * `false`; the names that are known where the path ends are given for the message.
 */
export function schemaAllowsPath(
  schema: JsonObject,
  path: string,
): { readonly ok: true } | { readonly ok: false; readonly at: string; readonly known: readonly string[] } {
  let here: readonly JsonObject[] = [schema];
  const keys = path.split('.');
  for (const [depth, key] of keys.entries()) {
    const variants = here.flatMap((part) => expand(part, schema, 0));
    const next: JsonObject[] = [];
    for (const variant of variants) {
      const found = member(variant, key);
      if (found === undefined) return { ok: true };
      next.push(...found);
    }
    if (next.length === 0) {
      const known = variants.flatMap((variant) =>
        isPlainObject(variant['properties']) ? Object.keys(variant['properties']) : [],
      );
      return { ok: false, at: keys.slice(0, depth + 1).join('.'), known: [...new Set(known)] };
    }
    here = next;
  }
  return { ok: true };
}

const deepest = 20;

/** The alternatives a schema stands for; an `allOf` and references inside one another are not taken apart: anything goes. */
function expand(schema: JsonObject, root: JsonObject, depth: number): readonly JsonObject[] {
  if (depth > deepest || Array.isArray(schema['allOf'])) return [{}];
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const target = resolve(reference, root);
    return target ? expand(target, root, depth + 1) : [{}];
  }
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (!Array.isArray(alternatives)) return [schema];
  return alternatives.flatMap((item: unknown) =>
    isPlainObject(item) ? expand(item as JsonObject, root, depth + 1) : [{}],
  );
}

function resolve(reference: string, root: JsonObject): JsonObject | undefined {
  if (!reference.startsWith('#')) return undefined;
  let here: unknown = root;
  for (const key of reference
    .slice(1)
    .split('/')
    .filter((part) => part !== '')) {
    here = isPlainObject(here) ? here[decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
  }
  return isPlainObject(here) ? (here as JsonObject) : undefined;
}

const scalars = ['string', 'number', 'integer', 'boolean', 'null'];

function member(schema: JsonObject, key: string): Found {
  const { type } = schema;
  if (typeof type === 'string' && scalars.includes(type)) return [];
  if (type === 'array') return arrayMember(schema, key);
  if (type !== 'object') return undefined;
  const { properties, additionalProperties, patternProperties } = schema;
  const known = isPlainObject(properties) && Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (isPlainObject(known)) return [known as JsonObject];
  if (known !== undefined || patternProperties !== undefined || !isPlainObject(properties)) return undefined;
  if (isPlainObject(additionalProperties)) return [additionalProperties as JsonObject];
  return additionalProperties === true ? undefined : [];
}

function arrayMember({ items, prefixItems }: JsonObject, key: string): Found {
  if (!/^\d+$/.test(key)) return [];
  const positions = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : [];
  const item: unknown = positions[Number(key)] ?? items;
  return isPlainObject(item) ? [item as JsonObject] : undefined;
}
