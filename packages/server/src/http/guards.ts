import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { routePath } from 'hono/route';
import { PortiaError, readTrace, traceIdIn } from 'portia-ts';
import type { Authenticate } from '../auth/authenticate.ts';
import { countedAs } from '../auth/principal.ts';
import type { ServerLog } from '../server-log.ts';
import type { Tenant } from '../tenants.ts';
import type { Env } from './context.ts';
import { type Rate, RateLimit } from './rate-limit.ts';

/** Gives every request an id, the caller's own where it is a plain one, and writes a line about it. */
export function requestLog(log: ServerLog): MiddlewareHandler<Env> {
  return async (context, next) => {
    const given = context.req.header('x-request-id');
    const requestId = given !== undefined && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
    context.set('requestId', requestId);
    const { traceparent, tracestate } = readTrace(context.req.header('traceparent'), context.req.header('tracestate'));
    context.set('traceparent', traceparent);
    context.set('tracestate', tracestate);
    const begun = performance.now();
    await next();
    // On the answer as it is: `context.header` would build it anew, with a stream for its body.
    context.res.headers.set('x-request-id', requestId);
    // The route and not the path: ids and query strings are the caller's.
    log.info(
      {
        requestId,
        ...(traceparent !== undefined && { traceId: traceIdIn(traceparent) }),
        method: context.req.method,
        route: routePath(context, -1),
        status: context.res.status,
        ms: Math.round((performance.now() - begun) * 10) / 10,
        by: context.get('principal')?.id,
        organisation: context.get('tenant')?.organisation,
      },
      'request',
    );
  };
}

/** What keeps answers from being used in ways they were not meant for. */
export function answerHeaders(): MiddlewareHandler<Env> {
  return async (context, next) => {
    await next();
    context.res.headers.set('x-content-type-options', 'nosniff');
    context.res.headers.set('referrer-policy', 'no-referrer');
  };
}

/** Refuses bodies of more bytes than this. @throws PortiaError `REQUEST_TOO_LARGE`. */
export function limitBody(maxBytes: number): MiddlewareHandler<Env> {
  const refuse = (): never => {
    throw new PortiaError({
      code: 'REQUEST_TOO_LARGE',
      message: `the body is larger than ${maxBytes} bytes`,
      hint: 'send less at once, or start the server with a higher limit',
    });
  };
  const whileRead = bodyLimit({ maxSize: maxBytes, onError: refuse });
  return (context, next) => {
    const { method } = context.req;
    if (method === 'GET' || method === 'HEAD') return next();
    const length = context.req.header('content-length');
    // How many bytes come is only known by reading them where nobody said so.
    if (length === undefined || context.req.header('transfer-encoding') !== undefined) return whileRead(context, next);
    return Number(length) <= maxBytes ? next() : refuse();
  };
}

/** Who may come in, and how often. */
export interface GuardOptions {
  readonly authenticate: Authenticate;
  readonly tenantFor: (organisation: string) => Promise<Tenant>;
  /** Of one key. */
  readonly rate: Rate;
}

/** How often one address may try keys that are wrong. */
const wrongKeys: Rate = { perSecond: 5, burst: 50 };

/** What is wrong with the config of this server names its files, and is nothing that whoever asks could change. */
function ofTheServer(error: unknown): never {
  if (!PortiaError.isInstance(error) || error.code !== 'CONFIG_INVALID') throw error;
  const message = 'this server is not set up as it has to be; its log says what is wrong';
  throw new PortiaError({ code: 'INTERNAL', message, cause: error });
}

/** Lets nobody in who is not known, then gives the request its principal and its tenant. */
export function guard({ authenticate, tenantFor, rate }: GuardOptions): MiddlewareHandler<Env> {
  const byPrincipal = new RateLimit(rate);
  const wrong = new RateLimit(wrongKeys);
  return async (context, next) => {
    const known = await authenticate(context.req.raw).catch((error: unknown) => {
      wrong.take(context.get('address'));
      throw error;
    });
    byPrincipal.take(`${known.organisation}/${countedAs(known.principal)}`);
    context.set('principal', known.principal);
    context.set('keyId', known.keyId);
    context.set('holds', known.holds ?? (async () => true));
    context.set('tenant', await tenantFor(known.organisation).catch(ofTheServer));
    await next();
  };
}
