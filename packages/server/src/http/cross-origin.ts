import { cors } from 'hono/cors';
import type { MiddlewareHandler } from 'hono';
import { PortiaError } from 'portia-ts';
import type { Env } from './context.ts';

/** Lets pages of these origins use the API: with a key, as everybody; cookies are neither sent nor looked at. */
export function crossOrigin(origins: readonly string[]): MiddlewareHandler<Env> {
  return cors({
    origin: [...origins],
    allowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: [
      'authorization',
      'content-type',
      'idempotency-key',
      'last-event-id',
      'traceparent',
      'tracestate',
      'x-request-id',
    ],
    exposeHeaders: ['idempotency-replayed', 'location', 'retry-after', 'x-request-id'],
    maxAge: 600,
  });
}

/** Origins as browsers send them; nothing for none. @throws PortiaError `CONFIG_INVALID`. */
export function readOrigins(given: readonly string[] = []): readonly string[] | undefined {
  for (const text of given) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url && /^https?:$/.test(url.protocol) && url.origin === text) continue;
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${JSON.stringify(text)} is not the origin of a page`,
      hint: 'write it as browsers do, without a path: https://app.example.org',
    });
  }
  return given.length > 0 ? given : undefined;
}
