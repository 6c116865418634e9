import { plainLine } from '../../clarify/plain-text.ts';
import type { JsonValue } from '../../core/json.ts';
import { textOf } from '../../core/output.ts';

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** How many columns of a terminal a text takes. */
export function textWidth(text: string): number {
  let width = 0;
  for (const letter of text) width += wide.test(letter) ? 2 : 1;
  return width;
}

/** The text cut to a width, with a mark where something is missing. */
export function cut(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const letter of text) {
    used += wide.test(letter) ? 2 : 1;
    if (used > width - 1) break;
    kept += letter;
  }
  return `${kept.trimEnd()}…`;
}

// The codes that style a text; everything else of that kind was taken out of it before.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const styleCodes = /(\u001b\[[0-9;]*m)/;

/** {@link cut} for a text that has colours: they are kept, and take no room. */
export function cutStyled(text: string, width: number): string {
  const parts = text.split(styleCodes);
  if (textWidth(parts.filter((_, index) => index % 2 === 0).join('')) <= width) return text;
  let left = width;
  return parts
    .map((part, index) => {
      if (index % 2 === 1) return part;
      const kept = left <= 0 ? '' : cut(part, left);
      left = kept === part ? left - textWidth(part) : 0;
      return kept;
    })
    .join('');
}

/** The text filled up with spaces. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

/** The text in lines of at most this width, broken between words where there are some. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    let rest = word;
    if (line !== '' && textWidth(line) + 1 + textWidth(rest) > width) {
      lines.push(line);
      line = '';
    }
    while (textWidth(rest) > width) {
      const head = [...rest].slice(0, Math.max(1, width)).join('');
      lines.push(head);
      rest = rest.slice(head.length);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

/** A value in one line that a terminal can show; a list tells how long it is. */
export function preview(value: JsonValue, most = 200): string {
  const text = plainLine(textOf(value).slice(0, most * 4)).trim();
  const many = Array.isArray(value) && value.length > 1 ? `${value.length} items: ` : '';
  return cut(`${many}${text}`, most);
}

/** Milliseconds for people. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = seconds / 60;
  if (minutes < 100) return `${Math.round(minutes)} min`;
  const hours = minutes / 60;
  return hours < 72 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}

/** `1 step`, `3 steps`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** US dollars for people: cents from a dollar on, else as many digits as say something. */
export function dollars(usd: number): string {
  return `$${usd >= 1 ? usd.toFixed(2) : String(Number(usd.toPrecision(3)))}`;
}
