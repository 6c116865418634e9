import { Hono } from 'hono';
import { storageDoor } from 'portia-ts';
import { demand } from '../../auth/principal.ts';
import type { Env } from '../../http/context.ts';
import { bodyText } from '../../http/bodies.ts';

/** The whole store of an organisation, for clients with `storageClass: 'CLOUD'` that drive runs themselves. */
export function storageRoutes(): Hono<Env> {
  const app = new Hono<Env>();
  app.all('/*', async (context) => {
    demand(context.get('principal'), 'store');
    const { method, url } = context.req;
    const isRead = method === 'GET' || method === 'HEAD';
    const body = isRead ? '' : await bodyText(context);
    return storageDoor(context.get('tenant').storage)({ method, url, text: async () => body });
  });
  return app;
}
