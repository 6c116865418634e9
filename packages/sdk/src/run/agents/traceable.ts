import { isPlainObject, type JsonValue } from '../../core/json.ts';

/**
 * Whether a value stands in the texts letter for letter, each of its parts for itself, as whole words or numbers; case
 * and blanks do not count. `null` and truth values never do: they could stand anywhere.
 */
export function isTraceable(value: JsonValue, texts: readonly string[]): boolean {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).every((item) => isTraceable(item, texts));
  if (isPlainObject(value)) return Object.values(value).every((item) => isTraceable(item as JsonValue, texts));
  if (typeof value === 'number') return texts.some((text) => standsIn(String(value), text));
  return typeof value === 'string' && value.trim() !== '' && texts.some((text) => standsIn(value, text));
}

function standsIn(value: string, text: string): boolean {
  const wanted = plain(value);
  const whole = plain(text);
  for (let at = whole.indexOf(wanted); at >= 0; at = whole.indexOf(wanted, at + 1)) {
    if (isEdge(whole.slice(0, at), wanted, 'before') && isEdge(whole.slice(at + wanted.length), wanted, 'after'))
      return true;
  }
  return false;
}

/** Whether nothing beside a found text belongs to the same word or number. */
function isEdge(beside: string, wanted: string, side: 'before' | 'after'): boolean {
  const near = side === 'before' ? beside.slice(-2) : beside.slice(0, 2);
  const inner = side === 'before' ? wanted.slice(0, 1) : wanted.slice(-1);
  if (!/[\p{L}\p{N}]/u.test(inner)) return true;
  return side === 'before' ? !/(?:[\p{L}\p{N}_]|\d[.,]|-)$/u.test(near) : !/^(?:[\p{L}\p{N}_]|[.,]\d)/u.test(near);
}

function plain(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim();
}
