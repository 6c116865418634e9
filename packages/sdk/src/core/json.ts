import { PortiaError } from './errors.ts';

/** Anything JSON can hold. Outputs, arguments and answers are always this, so they read the same live or resumed. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: JsonValue };

/** Whether a value is a plain object: made by `{}` or with a null prototype, not an array or a class instance. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * A frozen JSON copy of `value`: `undefined` becomes `null` (and is left out of objects), `toJSON` is honoured
 * (dates become ISO strings), and instances of classes become their fields.
 *
 * @throws PortiaError `OUTPUT_NOT_JSON`, naming the path of the first thing JSON cannot hold: functions, symbols,
 * bigints, NaN and infinities, invalid dates, Map, Set, bytes, promises (an `await` that was forgotten), errors,
 * iterators and all else that has no fields to see, cycles, and what is nested deeper than 500 levels.
 */
export function toJson(value: unknown, what = 'value'): JsonValue {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (value === undefined) return null;
  return convert(value, what, undefined);
}

/** Levels of arrays and objects in one value: more than data has, and fewer than programs can follow. */
const deepest = 500;

interface Ancestors {
  readonly value: object;
  readonly depth: number;
  readonly parent: Ancestors | undefined;
}

function convert(value: unknown, path: string, above: Ancestors | undefined): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw notJson(path, String(value), 'give a number, a string or null');
      return Object.is(value, -0) ? 0 : value;
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : convertObject(value, path, above);
    default:
      throw notJson(path, `a ${typeof value}`, 'give plain data');
  }
}

function convertObject(value: object, path: string, above: Ancestors | undefined): JsonValue {
  for (let seen = above; seen; seen = seen.parent) {
    if (seen.value === value) throw notJson(path, 'a reference to itself', 'break the cycle');
  }
  const here: Ancestors = { value, depth: (above?.depth ?? 0) + 1, parent: above };
  if (here.depth > deepest)
    throw new PortiaError({
      code: 'OUTPUT_NOT_JSON',
      message: `${path.slice(0, 60)}… is nested deeper than ${deepest} levels`,
      hint: 'give flatter data, or the JSON as a text',
    });
  if (Array.isArray(value)) {
    return Object.freeze(
      Array.from(value as readonly unknown[], (item, index) => convert(item, `${path}[${index}]`, here)),
    );
  }
  const isPlain = isPlainObject(value);
  if (!isPlain) refuseLossy(value, path);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return convert(toJSON.call(value), path, here);
  if (!isPlain && isBoxed(value)) return convert(value.valueOf(), path, here);
  const copy: Record<string, JsonValue> = {};
  const keys = Object.keys(value);
  if (!isPlain && keys.length === 0) refuseUnseen(value, path);
  for (const key of keys) {
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined) continue;
    const converted = convert(item, `${path}.${key}`, here);
    if (key === '__proto__') Object.defineProperty(copy, key, { value: converted, enumerable: true });
    else copy[key] = converted;
  }
  return Object.freeze(copy);
}

/** Objects that would silently become `{}`, null, or a list of numbers. */
function refuseLossy(value: object, path: string): void {
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw notJson(path, `a ${value.constructor.name}`, 'give an array, an object or a base64 string');
  }
  if (value instanceof Promise) throw notJson(path, 'a Promise', 'await it first');
  if (value instanceof Error && !('toJSON' in value))
    throw notJson(path, `a ${value.name}`, 'throw it, or give its message');
  if (value instanceof Date && Number.isNaN(value.getTime()))
    throw notJson(path, 'an invalid Date', 'give a valid date, a text or null');
}

/** A number, text or truth value that stands in an object: JSON writes it as what it is. */
function isBoxed(value: object): boolean {
  return value instanceof Number || value instanceof String || value instanceof Boolean;
}

/** What an object without fields holds, such as a RegExp or an iterator, would silently be lost. */
function refuseUnseen(value: object, path: string): void {
  const prototype: object = Object.getPrototypeOf(value);
  // The `{}` of another realm is plain, too.
  if (Object.getPrototypeOf(prototype) === null) return;
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  const found = tag === 'Object' ? `an instance of ${value.constructor.name} without fields` : `a ${tag}`;
  const hint = Symbol.iterator in value ? 'give a list: [...items]' : 'give plain data, or a toJSON() that does';
  throw notJson(path, found, hint);
}

function notJson(path: string, found: string, hint: string): PortiaError {
  return new PortiaError({ code: 'OUTPUT_NOT_JSON', message: `${path} is ${found}, which JSON cannot hold`, hint });
}

/** Freezes a JSON value, all the way down and in place. One that is frozen already costs nothing. */
export function freezeJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) freezeJson(item);
  return Object.freeze(value);
}

/** Whether two JSON values are the same, whatever the order of their keys. */
export function sameJson(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const entries = Object.entries<JsonValue>(a);
  const others = new Map(Object.entries<JsonValue>(b));
  return entries.length === others.size && entries.every(([key, item]) => sameJson(item, others.get(key) as JsonValue));
}

/**
 * The canonical text of a JSON value (RFC 8785): keys sorted by UTF-16 code units, no white space, numbers as
 * ECMAScript prints them. What is hashed is always this text.
 *
 * @throws PortiaError `OUTPUT_NOT_JSON` for strings with a lone surrogate, which have no canonical form.
 */
export function canonicalJson(value: JsonValue, path = 'value'): string {
  if (typeof value === 'string') return canonicalString(value, path);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    return `[${value.map((item: JsonValue, index) => canonicalJson(item, `${path}[${index}]`)).join(',')}]`;
  }
  const parts = Object.entries(value as JsonObject)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${canonicalString(key, path)}:${canonicalJson(item, `${path}.${key}`)}`);
  return `{${parts.join(',')}}`;
}

function canonicalString(text: string, path: string): string {
  if (!text.isWellFormed()) throw notJson(path, 'a string with half a surrogate pair', 'repair the text first');
  return JSON.stringify(text);
}
