import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ControlStore } from '../../control/control-store.ts';
import type { Env } from '../../http/context.ts';
import { checkedJson } from '../../http/bodies.ts';
import type { ServerLog } from '../../server-log.ts';
import type { WebhookStore } from '../../webhooks/webhook-store.ts';
import { idempotency } from '../../http/idempotency.ts';
import { clarifications } from './clarifications.ts';
import { endUsers } from './end-users.ts';
import { keys } from './keys.ts';
import { plans } from './plans.ts';
import { router } from './routes.ts';
import { runEvents } from './run-events.ts';
import { runs } from './runs.ts';
import { storageRoutes } from './storage-door.ts';
import { tools } from './tools.ts';
import { runUsage } from './usage.ts';
import { webhooks } from './webhooks.ts';

/** What the routes of `/api/v1` need beside the tenant of a request. */
export interface V1Options {
  readonly control: ControlStore | undefined;
  readonly outbox: WebhookStore | undefined;
  readonly log: ServerLog;
}

/** `/api/v1`: what the client library and people need beyond Portia's own protocol. */
export function v1({ control, outbox, log }: V1Options): OpenAPIHono<Env> {
  const app = router();
  app.route('/storage', storageRoutes());
  app.use('*', checkedJson());
  if (control) app.use('*', idempotency(control.sql, control.answers));
  const routers = [
    runs(),
    runEvents(log),
    runUsage(),
    clarifications(),
    plans(),
    tools(),
    endUsers(control),
    keys(control),
  ];
  if (outbox) routers.push(webhooks(outbox));
  for (const one of routers) app.route('/', one);
  return app;
}
