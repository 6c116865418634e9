import { isUtf8 } from 'node:buffer';
import type { MiddlewareHandler } from 'hono';
import { PortiaError } from 'portia-ts';
import type { AppContext, Env } from './context.ts';
import { checkTexts } from './texts.ts';

/** How deep JSON may be nested: deeper than any document of ours, and far from what could exhaust the stack. */
const mostDepth = 200;

/**
 * The body of a request that is to hold JSON.
 * @throws PortiaError `REQUEST_INVALID` for bytes that are not UTF-8, and for what is nested so deeply that reading it
 * could exhaust the stack.
 */
export async function bodyText(context: AppContext): Promise<string> {
  // Decoded as it is, everything that is no UTF-8 would become the same sign.
  if (!isUtf8(await context.req.arrayBuffer()))
    throw new PortiaError({ code: 'REQUEST_INVALID', message: 'the body is not UTF-8' });
  const text = await context.req.text();
  checkDepth(text);
  return text;
}

/** Refuses JSON that cannot be read safely, and texts in it that cannot stand where they do. */
export function checkedJson(): MiddlewareHandler<Env> {
  return async (context, next) => {
    const { method } = context.req;
    if (method === 'POST' || method === 'PUT' || method === 'PATCH') {
      const type = context.req.header('content-type') ?? '';
      if (/\bjson\b/i.test(type)) checkTexts(await bodyText(context));
    }
    await next();
  };
}

function checkDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > mostDepth) {
        throw new PortiaError({
          code: 'REQUEST_INVALID',
          message: `the body is nested more than ${mostDepth} levels deep`,
        });
      }
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
}
