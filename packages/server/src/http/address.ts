import { isIP } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import { PortiaError } from 'portia-ts';
import type { Env } from './context.ts';

/** Stands for whoever has no address that can be known. */
const unknown = 'unknown';

/** @throws PortiaError `CONFIG_INVALID` for what is no number of proxies. */
export function readTrustProxy(given: number | undefined): number {
  if (given === undefined) return 0;
  if (Number.isSafeInteger(given) && given >= 0 && given <= 100) return given;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `trustProxy is ${String(given)}, which is no number of proxies`,
    hint: 'give how many proxies of yours stand before the server: 1 for one; 0, or nothing, for none',
  });
}

/** Gives every request the address of its client: the one place where an address comes from. */
export function clientAddress(trustProxy: number): MiddlewareHandler<Env> {
  return async (context, next) => {
    const { incoming } = (context.env ?? {}) as Partial<HttpBindings>;
    const hops = trustProxy === 0 ? undefined : context.req.header('x-forwarded-for');
    context.set('address', addressOf(incoming?.socket?.remoteAddress, hops, trustProxy));
    await next();
  };
}

/**
 * Each proxy puts the address of whoever called it behind what is there already, so that only the last `trustProxy` of the
 * header are words of ours: whatever stands before them anybody may have written.
 */
export function addressOf(socket: string | undefined, header: string | undefined, trustProxy: number): string {
  const hops = header === undefined || trustProxy === 0 ? [] : header.split(',').slice(-trustProxy);
  // A request that came past some of the proxies has fewer of them.
  const first = hops[0] === undefined ? undefined : plainAddress(hops[0].trim());
  return first ?? socket ?? unknown;
}

/** An address as some proxies write it, with a port or in brackets; `undefined` for what is none. */
function plainAddress(text: string): string | undefined {
  const [, inBrackets, v4] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  const address = inBrackets ?? v4 ?? text;
  return isIP(address) === 0 ? undefined : address;
}
