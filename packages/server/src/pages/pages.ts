import { Hono } from 'hono';
import type { Env } from '../http/context.ts';
import { docsPage } from './docs-page.ts';
import { waitingPage } from './waiting-page.ts';

/** The pages for people: what waits for them at `/`, and the API to browse at `/docs`. */
export function pages(): Hono<Env> {
  const app = new Hono<Env>();
  for (const [path, shown] of [
    ['/', waitingPage()],
    ['/docs', docsPage()],
  ] as const) {
    app.get(path, (context) => context.body(shown.html, 200, shown.headers));
  }
  return app;
}
