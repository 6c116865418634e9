import type { MiddlewareHandler } from 'hono';
import { PortiaError } from 'portia-ts';
import type { Env } from './context.ts';

/**
 * What a text has to be that names something: the id of an end user, a run key, a label, a code. PostgreSQL holds no NUL,
 * and half a surrogate pair is no text at all: databases would hold several of them as one, and JSON with one in it is
 * refused by strict readers.
 */

/** What keeps a text from naming something; undefined for one that may. */
function flawOf(text: string): string | undefined {
  if (!text.isWellFormed()) return 'holds half a surrogate pair, which is no text';
  return text.includes('\0') ? 'holds a NUL character, which no name may' : undefined;
}

/** @throws PortiaError `REQUEST_INVALID` for a text that cannot name anything. */
export function checkName(text: string, where: string): void {
  const flaw = flawOf(text);
  if (flaw !== undefined) throw new PortiaError({ code: 'REQUEST_INVALID', message: `${where}: ${flaw}` });
}

/** Fields of bodies that hold contents and no names: NUL may stand in them. */
const contents: ReadonlySet<string> = new Set([
  'query',
  'planRunInputs',
  'outputSchema',
  'document',
  'response',
  'reason',
]);

/** @throws PortiaError `REQUEST_INVALID` for JSON with a text that cannot stand where it does. */
export function checkTexts(json: string): void {
  // NUL and halves of pairs come as escapes only: the bytes of one are no JSON, and those of the other no UTF-8.
  if (!/\\u(?:0000|d[89a-f])/i.test(json)) return;
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch {
    // Whoever reads it says so, in their own words.
    return;
  }
  checkWithin(body, [], false);
}

function checkWithin(value: unknown, path: readonly string[], isContent: boolean): void {
  if (typeof value === 'string') return checkIn(value, path, isContent);
  if (typeof value !== 'object' || value === null) return;
  for (const [name, held] of Object.entries(value)) {
    const at = [...path, name];
    checkIn(name, at, isContent);
    checkWithin(held, at, isContent || (path.length === 0 && contents.has(name)));
  }
}

function checkIn(text: string, path: readonly string[], isContent: boolean): void {
  if (isContent && text.isWellFormed()) return;
  // As JSON has it, so that what is told can be read itself.
  checkName(text, `the body ${JSON.stringify(path.join('.')).slice(1, -1).slice(0, 200)}`);
}

/** Refuses paths and query parameters that cannot name anything, and those that are not UTF-8. */
export function checkedAddress(): MiddlewareHandler<Env> {
  return (context, next) => {
    const { pathname, search } = new URL(context.req.url);
    checkEncoded(pathname, 'the path');
    for (const parameter of search.slice(1).split('&')) {
      const [name = ''] = parameter.split('=', 1);
      checkEncoded(parameter, `the query parameter ${name.slice(0, 200)}`);
    }
    return next();
  };
}

function checkEncoded(text: string, where: string): void {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch (cause) {
    throw new PortiaError({ code: 'REQUEST_INVALID', message: `${where}: is not percent-encoded UTF-8`, cause });
  }
  checkName(plain, where);
}
