import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { demand, isScope, type Scope } from '../../auth/principal.ts';
import type { ApiKey, ControlStore } from '../../control/control-store.ts';
import type { Env } from '../../http/context.ts';
import { answer, body, problems, router } from './routes.ts';

const ScopeSchema = z
  .string()
  .refine(isScope, 'is none of admin, operator, client, driver and role:<name>')
  .openapi({ description: 'admin, operator, client, driver or role:<name>' });

const ApiKeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    createdAt: z.int(),
    expiresAt: z.int().nullable(),
    revokedAt: z.int().nullable(),
    tokens: z.int().openapi({ description: 'Tokens of end users made with it that are valid now; they end with it.' }),
  })
  .openapi('ApiKey');

const list = createRoute({
  method: 'get',
  path: '/keys',
  tags: ['Keys'],
  summary: 'List the keys of the organisation',
  responses: { 200: answer(z.object({ items: z.array(ApiKeySchema) }), 'The keys, without secrets.'), ...problems },
});

const create = createRoute({
  method: 'post',
  path: '/keys',
  tags: ['Keys'],
  summary: 'Make a key',
  request: {
    body: body(
      z
        .strictObject({
          name: z.string().min(1).max(200),
          scopes: z.array(ScopeSchema).min(1).max(50),
          expiresAt: z.int().min(0).optional().openapi({ description: 'Epoch milliseconds; never unless given.' }),
        })
        .openapi('NewApiKey'),
    ),
  },
  responses: {
    201: answer(ApiKeySchema.extend({ key: z.string() }), 'The key. Its secret is shown here and never again.'),
    ...problems,
  },
});

const revoke = createRoute({
  method: 'delete',
  path: '/keys/{keyId}',
  tags: ['Keys'],
  summary: 'Revoke a key, or a token of an end user',
  description: 'The tokens that were made with a key are refused with it.',
  request: { params: z.object({ keyId: z.string() }) },
  responses: { 200: answer(ApiKeySchema, 'The key, revoked at once.'), ...problems },
});

const me = createRoute({
  method: 'get',
  path: '/me',
  tags: ['Keys'],
  summary: 'Who is asking',
  responses: {
    200: answer(
      z.object({
        id: z.string(),
        organisation: z.string(),
        scopes: z.array(z.string()),
        endUserId: z.string().nullable(),
      }),
      'The principal of the key.',
    ),
    ...problems,
  },
});

/** The keys of an organisation, where the server has keys of its own; and whose key it is that asks. */
export function keys(control: ControlStore | undefined): OpenAPIHono<Env> {
  const app = router();
  app.openapi(me, (context) => {
    const { id, scopes, endUserId = null } = context.get('principal');
    return context.json({ id, organisation: context.get('tenant').organisation, scopes: [...scopes], endUserId }, 200);
  });
  if (control) manage(app, control);
  return app;
}

function manage(app: OpenAPIHono<Env>, control: ControlStore): void {
  app.openapi(list, async (context) => {
    demand(context.get('principal'), 'manage');
    const { organisation } = context.get('tenant');
    const tokens = await control.countTokens(organisation);
    const items = (await control.listKeys(organisation)).map((key) => keyJson(key, tokens.get(key.id)));
    return context.json({ items }, 200);
  });
  app.openapi(create, async (context) => {
    demand(context.get('principal'), 'manage');
    const { name, scopes, expiresAt } = context.req.valid('json');
    const { organisation } = context.get('tenant');
    const { apiKey, key } = await control.createKey({ organisation, name, scopes: scopes as Scope[], expiresAt });
    context.header('cache-control', 'no-store');
    return context.json({ ...keyJson(apiKey), key }, 201);
  });
  app.openapi(revoke, async (context) => {
    demand(context.get('principal'), 'manage');
    const { keyId } = context.req.valid('param');
    return context.json(keyJson(await control.revokeKey(context.get('tenant').organisation, keyId)), 200);
  });
}

function keyJson(
  { id, name, scopes, createdAt, expiresAt, revokedAt }: ApiKey,
  tokens = 0,
): z.infer<typeof ApiKeySchema> {
  const isOver = revokedAt !== null || (expiresAt !== null && expiresAt <= Date.now());
  return { id, name, scopes: [...scopes], createdAt, expiresAt, revokedAt, tokens: isOver ? 0 : tokens };
}
