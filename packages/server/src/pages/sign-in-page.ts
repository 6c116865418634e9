import { Hono } from 'hono';
import { PortiaError } from 'portia-ts';
import type { Env } from '../http/context.ts';
import { RateLimit } from '../http/rate-limit.ts';
import type { ServerLog } from '../server-log.ts';

/** Takes a browser back from a sign-in. @throws PortiaError `SIGN_IN_FAILED`, `NOT_FOUND`. */
export type TakeBack = (
  organisation: string,
  url: string,
) => Promise<{ readonly server: string; readonly runs: number }>;

/** Browsers come without a key, so guesses of what they bring are slowed down: for each address. */
const rate = { perSecond: 5, burst: 50 };

/** Where browsers come back to from the sign-in of an MCP server. They are told whether it worked, and nothing else. */
export function signInPage(takeBack: TakeBack, log: ServerLog): Hono<Env> {
  const app = new Hono<Env>();
  const comes = new RateLimit(rate);
  app.get('/sign-in/:organisation/callback', async (context) => {
    comes.take(context.get('address'));
    const organisation = context.req.param('organisation');
    context.header('cache-control', 'no-store');
    context.header('content-security-policy', "default-src 'none'");
    try {
      const { server, runs } = await takeBack(organisation, context.req.url);
      log.info({ requestId: context.get('requestId'), organisation, server, runs }, 'somebody signed in');
      return context.text('You are signed in. You can close this window.');
    } catch (error) {
      const code = PortiaError.isInstance(error) ? error.code : 'INTERNAL';
      log.warn({ requestId: context.get('requestId'), organisation, code }, 'a sign-in did not work');
      return context.text('The sign-in did not work. Please begin it again.', 400);
    }
  });
  return app;
}
