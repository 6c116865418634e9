import { OpenAPIHono } from '@hono/zod-openapi';
import { PortiaError, version } from 'portia-ts';
import { apiTags } from './api/tags.ts';
import { describeV0 } from './api/v0/document.ts';
import { v0 } from './api/v0/index.ts';
import { v1 } from './api/v1/index.ts';
import type { ControlStore } from './control/control-store.ts';
import { clientAddress } from './http/address.ts';
import type { Env } from './http/context.ts';
import { answerHeaders, guard, type GuardOptions, limitBody, requestLog } from './http/guards.ts';
import { answerProblem } from './http/problem.ts';
import { checkedAddress } from './http/texts.ts';
import { crossOrigin } from './http/cross-origin.ts';
import { health, type Readiness } from './health.ts';
import { metrics } from './metrics.ts';
import { signInPage, type TakeBack } from './pages/sign-in-page.ts';
import { pages } from './pages/pages.ts';
import type { ServerLog } from './server-log.ts';
import type { WebhookStore } from './webhooks/webhook-store.ts';

/** Limits that hold for every request. */
export interface Limits {
  /** Bytes of a body. */
  readonly maxBodyBytes: number;
}

/** All that the routes need. */
export interface AppOptions extends GuardOptions {
  readonly log: ServerLog;
  readonly limits: Limits;
  readonly readiness: Readiness;
  /** Absent where a host program says who may come in: there are no keys to manage then. */
  readonly control?: ControlStore | undefined;
  /** Absent where nobody is told. */
  readonly outbox?: WebhookStore | undefined;
  /** Pages of these origins may use the API; of no others unless given. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** How many proxies before the server are believed to name the client's address; 0 unless given. */
  readonly trustProxy?: number | undefined;
  /** Takes browsers back from sign-ins; absent where a host program has pages of its own for that. */
  readonly takeBack?: TakeBack | undefined;
}

/** The app: small routers put together, each with a concern of its own. */
export function createApp(options: AppOptions): OpenAPIHono<Env> {
  const { log, limits, readiness, control, outbox, takeBack, corsOrigins, trustProxy = 0 } = options;
  const app = new OpenAPIHono<Env>({ strict: false });
  app.onError((thrown, context) => answerProblem(context, thrown, log));
  app.notFound((context) => answerProblem(context, nothingHere(context.req.path), log));
  app.use(requestLog(log), answerHeaders(), clientAddress(trustProxy));
  app.route('/', health(readiness));
  app.route('/', pages());
  if (takeBack) app.route('/', signInPage(takeBack, log));
  const door = guard(options);
  app.use('/metrics', door);
  app.route('/', metrics());
  if (corsOrigins) app.use('/api/*', crossOrigin(corsOrigins));
  // Nothing is read for somebody who is not known.
  app.use('/api/*', door, checkedAddress(), limitBody(limits.maxBodyBytes));
  app.route('/api/v1', v1({ control, outbox, log }));
  // The document has the routes in the order in which they are put into it.
  app.route('/api/v0', v0(control));
  describeV0(app);
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'apiKey',
    in: 'header',
    name: 'authorization',
    description: 'Api-Key <key>, or Bearer <key>',
  });
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Portia for TypeScript', version },
    security: [{ key: [] }],
    tags: apiTags.map((tag) => ({ ...tag })),
  });
  return app;
}

function nothingHere(path: string): PortiaError {
  return new PortiaError({
    code: 'NOT_FOUND',
    message: `there is nothing at ${path.slice(0, 200)}`,
    hint: 'see /openapi.json for what there is',
  });
}
