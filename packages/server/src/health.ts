import { Hono } from 'hono';
import type { Env } from './http/context.ts';

/** Says whether the server can do its work; rejects with why not. */
export type Readiness = () => Promise<void>;

/** Milliseconds in which the store has to answer: whoever asks waits no longer, as a rule. */
const readyMs = 1_000;

/** `/health`: the process is there. `/ready`: it can reach its store. Both without a key, and neither says more. */
export function health(readiness: Readiness): Hono<Env> {
  const app = new Hono<Env>();
  app.get('/health', (context) => context.json({ status: 'ok' }));
  app.get('/ready', async (context) => {
    try {
      await within(readyMs, readiness());
      return context.json({ status: 'ready' });
    } catch {
      return context.json({ status: 'not ready' }, 503);
    }
  });
  return app;
}

async function within(ms: number, done: Promise<void>): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms);
  });
  await Promise.race([done, tooLate]).finally(() => clearTimeout(late));
}
