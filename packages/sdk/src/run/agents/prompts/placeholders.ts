import { isPlainObject, type JsonObject, type JsonValue } from '../../../core/json.ts';
import { textOf } from '../../../core/output.ts';

/** Arguments with the named values in place, and the names that stand for nothing. */
export interface FilledArgs {
  readonly args: JsonValue;
  readonly unknown: readonly string[];
}

const placeholder = /\{\{([^{}]{1,200})\}\}/g;

/**
 * Puts values where a model wrote `{{$name}}` (spaces and the `$` may vary) instead of copying them. Done once: what
 * comes in is never read again. A placeholder that is a whole argument keeps the value's type, unless the schema wants
 * a string there. Unknown names with a `$` are reported; other text in double braces is left as it is.
 */
export function fillPlaceholders(
  args: JsonValue,
  values: ReadonlyMap<string, JsonValue>,
  argsSchema?: JsonObject,
): FilledArgs {
  const unknown = new Set<string>();
  const find = (name: string): JsonValue | undefined => {
    const other = name.startsWith('$') ? name.slice(1) : `$${name}`;
    return values.has(name) ? values.get(name) : values.get(other);
  };
  const fill = (value: JsonValue, schema: JsonValue | undefined): JsonValue => {
    if (typeof value === 'string') return fillText(value, isPlainObject(schema) && schema['type'] === 'string');
    if (Array.isArray(value)) return value.map((item: JsonValue) => fill(item, member(schema, 'items')));
    if (!isPlainObject(value)) return value;
    const properties = member(schema, 'properties');
    return Object.fromEntries(
      Object.entries(value as JsonObject).map(([key, item]) => [key, fill(item, member(properties, key))]),
    );
  };
  const fillText = (text: string, asText: boolean): JsonValue => {
    const whole = /^\s*\{\{([^{}]{1,200})\}\}\s*$/.exec(text)?.[1]?.trim();
    const value = whole === undefined || asText ? undefined : find(whole);
    if (value !== undefined) return value;
    return text.replace(placeholder, (written, inside: string) => {
      const name = inside.trim();
      const found = find(name);
      if (found !== undefined) return textOf(found);
      if (name.startsWith('$')) unknown.add(name);
      return written;
    });
  };
  return { args: fill(args, argsSchema), unknown: [...unknown] };
}

function member(schema: JsonValue | undefined, key: string): JsonValue | undefined {
  return isPlainObject(schema) && Object.hasOwn(schema, key) ? (schema as JsonObject)[key] : undefined;
}
