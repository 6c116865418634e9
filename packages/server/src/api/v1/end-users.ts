import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { EndUser, type EndUserField, PortiaError } from 'portia-ts';
import { demand } from '../../auth/principal.ts';
import type { ControlStore } from '../../control/control-store.ts';
import type { Env } from '../../http/context.ts';
import { answer, body, optionalBody, pageOf, problems, router } from './routes.ts';
import { type EndUserJson, EndUserPatchSchema, EndUserSchema, PageQuerySchema } from './schemas.ts';

const EndUserParams = z.object({ endUserId: z.string().min(1).max(1_000) });

const list = createRoute({
  method: 'get',
  path: '/end-users',
  tags: ['End users'],
  summary: 'List end users',
  request: { query: PageQuerySchema },
  responses: { 200: answer(pageOf(EndUserSchema), 'A page of end users.'), ...problems },
});

const get = createRoute({
  method: 'get',
  path: '/end-users/{endUserId}',
  tags: ['End users'],
  summary: 'Look at an end user',
  request: { params: EndUserParams },
  responses: { 200: answer(EndUserSchema, 'The end user.'), ...problems },
});

const put = createRoute({
  method: 'put',
  path: '/end-users/{endUserId}',
  tags: ['End users'],
  summary: 'Save an end user',
  description:
    'additionalData is merged key by key (null marks a key as removed); other fields replace what was there.',
  request: { params: EndUserParams, body: body(EndUserPatchSchema) },
  responses: { 200: answer(EndUserSchema, 'The end user as stored.'), ...problems },
});

const erase = createRoute({
  method: 'delete',
  path: '/end-users/{endUserId}',
  tags: ['End users'],
  summary: 'Erase an end user',
  description:
    'Destroys the key of the person, and with it the contents of all their runs, which have to be finished; revokes their ' +
    'tokens and forgets their sign-ins. It cannot be undone. The store has to be encrypted.',
  request: { params: EndUserParams },
  responses: { 200: answer(z.object({ runs: z.int() }), 'How many runs can no longer be read.'), ...problems },
});

/** Seconds a token lives: an hour unless given, thirty days at most. */
const life = { usual: 3_600, most: 30 * 24 * 3_600 } as const;

const token = createRoute({
  method: 'post',
  path: '/end-users/{endUserId}/tokens',
  tags: ['End users'],
  summary: 'Make a token for an end user',
  description:
    "For the person's own browser or app: it sees that person's runs and answers what that person is asked, and " +
    'nothing else. It is shown once, and ends with the key it was made with.',
  request: {
    params: EndUserParams,
    body: optionalBody(
      z.strictObject({
        lifeSeconds: z.int().min(1).max(life.most).optional().openapi({ description: 'An hour unless given.' }),
      }),
    ),
  },
  responses: {
    201: answer(z.object({ id: z.string(), token: z.string(), expiresAt: z.int() }), 'The token.'),
    ...problems,
  },
});

const revokeTokens = createRoute({
  method: 'delete',
  path: '/end-users/{endUserId}/tokens',
  tags: ['End users'],
  summary: 'Revoke all tokens of an end user',
  request: { params: EndUserParams },
  responses: { 200: answer(z.object({ revoked: z.int() }), 'How many there were.'), ...problems },
});

/** End users, and their tokens where the server has keys of its own. */
export function endUsers(control: ControlStore | undefined): OpenAPIHono<Env> {
  const app = router();
  app.openapi(list, async (context) => {
    demand(context.get('principal'), 'read-all');
    const page = await context.get('tenant').storage.listEndUsers(context.req.valid('query'));
    return context.json({ items: page.items.map(endUserJson), cursor: page.cursor ?? null }, 200);
  });
  app.openapi(get, async (context) => {
    demand(context.get('principal'), 'read-all');
    const found = await context.get('tenant').portia.storage.getEndUser(context.req.valid('param').endUserId);
    if (!found) throw new PortiaError({ code: 'NOT_FOUND', message: 'no end user has this id' });
    return context.json(endUserJson(found), 200);
  });
  app.openapi(put, async (context) => {
    demand(context.get('principal'), 'start');
    const { portia } = context.get('tenant');
    const { endUserId: externalId } = context.req.valid('param');
    const given = context.req.valid('json');
    const before = await portia.storage.getEndUser(externalId);
    const user = EndUser({ ...before, additionalData: {}, ...given, externalId } as EndUser);
    const saved = await portia.storage.saveEndUser(user, fieldsIn(given));
    return context.json(endUserJson(saved), 200);
  });
  app.openapi(erase, async (context) => {
    demand(context.get('principal'), 'erase');
    const { portia, organisation, secrets } = context.get('tenant');
    const { endUserId } = context.req.valid('param');
    const { runs } = await portia.storage.eraseEndUser(endUserId);
    await control?.revokeTokensOf(organisation, endUserId);
    await control?.forgetAnswers(organisation);
    if (secrets) {
      const { forgetSignIns } = await import('portia-ts/mcp');
      await forgetSignIns(secrets, endUserId);
    }
    return context.json({ runs }, 200);
  });
  if (control) tokens(app, control);
  return app;
}

function tokens(app: OpenAPIHono<Env>, control: ControlStore): void {
  app.openapi(token, async (context) => {
    demand(context.get('principal'), 'start');
    const { endUserId } = context.req.valid('param');
    const { lifeSeconds = life.usual } = context.req.valid('json') ?? {};
    const expiresAt = Date.now() + lifeSeconds * 1_000;
    const { apiKey, key } = await control.createKey({
      organisation: context.get('tenant').organisation,
      name: 'token of an end user',
      scopes: [],
      endUserId,
      madeWith: context.get('keyId'),
      expiresAt,
    });
    context.header('cache-control', 'no-store');
    return context.json({ id: apiKey.id, token: key, expiresAt }, 201);
  });
  app.openapi(revokeTokens, async (context) => {
    demand(context.get('principal'), 'start');
    const { endUserId } = context.req.valid('param');
    return context.json({ revoked: await control.revokeTokensOf(context.get('tenant').organisation, endUserId) }, 200);
  });
}

/** What of these fields was given: others may save other ones at once. */
export function fieldsIn(given: object): readonly EndUserField[] {
  const fields: readonly EndUserField[] = ['name', 'email', 'phoneNumber'];
  return fields.filter((field) => (given as Partial<EndUser>)[field] !== undefined);
}

function endUserJson(user: EndUser): EndUserJson {
  return { ...user, additionalData: { ...user.additionalData } };
}
