import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { demand } from '../../auth/principal.ts';
import type { Env } from '../../http/context.ts';
import { type Webhook, type WebhookStore, webhookEvents } from '../../webhooks/webhook-store.ts';
import { answer, body, problems, router } from './routes.ts';

const EventSchema = z.enum(webhookEvents);
const WebhookSchema = z
  .object({ id: z.string(), url: z.string(), events: z.array(EventSchema), createdAt: z.int() })
  .openapi('Webhook');

const list = createRoute({
  method: 'get',
  path: '/webhooks',
  tags: ['Webhooks'],
  summary: 'List webhooks',
  responses: {
    200: answer(z.object({ items: z.array(WebhookSchema) }), 'The webhooks, without secrets.'),
    ...problems,
  },
});

const add = createRoute({
  method: 'post',
  path: '/webhooks',
  tags: ['Webhooks'],
  summary: 'Add a webhook',
  description: 'It is told of what happens from now on. The secret its messages are signed with is shown once.',
  request: {
    body: body(
      z
        .strictObject({
          url: z.url({ protocol: /^https?$/ }).max(2_000),
          events: z.array(EventSchema).min(1).max(10),
        })
        .openapi('NewWebhook'),
    ),
  },
  responses: { 201: answer(WebhookSchema.extend({ secret: z.string() }), 'The webhook.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/webhooks/{webhookId}',
  tags: ['Webhooks'],
  summary: 'Remove a webhook',
  request: { params: z.object({ webhookId: z.string() }) },
  responses: { 204: { description: 'It is told nothing any more.' }, ...problems },
});

/** Addresses that are told when something happens. */
export function webhooks(store: WebhookStore): OpenAPIHono<Env> {
  const app = router();
  app.openapi(list, async (context) => {
    demand(context.get('principal'), 'manage');
    const items = await store.list(context.get('tenant').organisation);
    return context.json({ items: items.map(webhookJson) }, 200);
  });
  app.openapi(add, async (context) => {
    demand(context.get('principal'), 'manage');
    const { organisation } = context.get('tenant');
    const { webhook, secret } = await store.add({ organisation, ...context.req.valid('json') });
    context.header('cache-control', 'no-store');
    return context.json({ ...webhookJson(webhook), secret }, 201);
  });
  app.openapi(remove, async (context) => {
    demand(context.get('principal'), 'manage');
    await store.remove(context.get('tenant').organisation, context.req.valid('param').webhookId);
    return context.body(null, 204);
  });
  return app;
}

function webhookJson({ id, url, events, createdAt }: Webhook): z.infer<typeof WebhookSchema> {
  return { id, url, events: [...events], createdAt };
}
