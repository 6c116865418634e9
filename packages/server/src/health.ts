import { Hono } from 'hono';
import type { Env } from './http/context.ts';

/** Says whether the server can do its work; rejects with why not. */
export type Readiness = () => Promise<void>;

/** `/health`: the process is there. `/ready`: it can reach its store. Both without a key, and neither says more. */
export function health(readiness: Readiness): Hono<Env> {
  const app = new Hono<Env>();
  app.get('/health', (context) => context.json({ status: 'ok' }));
  app.get('/ready', async (context) => {
    try {
      await readiness();
      return context.json({ status: 'ready' });
    } catch {
      return context.json({ status: 'not ready' }, 503);
    }
  });
  return app;
}
