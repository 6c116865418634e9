import type { Hono } from 'hono';
import { EndUser, type JsonObject } from 'portia-ts';
import type { AppContext, Env } from '../../http/context.ts';
import { fieldsIn } from '../v1/end-users.ts';
import { jsonBody, router, wrong } from './requests.ts';

/** End users. Whoever is not known yet is somebody of whom nothing is known: nobody is ever missing. */
export function endUsers(): Hono<Env> {
  const app = router();
  app.get('/end-user/:id', async (context) => {
    const externalId = context.req.param('id');
    return context.json(endUserJson((await stored(context, externalId)) ?? EndUser({ externalId })), 200);
  });
  app.put('/end-user/:id', async (context) => {
    const externalId = context.req.param('id');
    const { name, email, phone_number: phoneNumber, additional_data: additionalData } = await jsonBody(context);
    const given = { name, email, phoneNumber, additionalData };
    for (const [field, value] of Object.entries(given)) if (value === null) throw wrong(field, 'a value, but null');
    const changed = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const before = await stored(context, externalId);
    const user = EndUser({ ...before, additionalData: {}, ...changed, externalId });
    return context.json(
      endUserJson(await context.get('tenant').portia.storage.saveEndUser(user, fieldsIn(given))),
      200,
    );
  });
  return app;
}

function stored(context: AppContext, externalId: string): Promise<EndUser | undefined> {
  return context.get('tenant').portia.storage.getEndUser(externalId);
}

function endUserJson({ externalId, name, email, phoneNumber, additionalData }: EndUser): JsonObject {
  return { external_id: externalId, name, email, phone_number: phoneNumber, additional_data: { ...additionalData } };
}
