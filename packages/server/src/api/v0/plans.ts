import { isDeepStrictEqual } from 'node:util';
import type { Hono } from 'hono';
import { type JsonObject, Plan, PlanUUID, PortiaError, type Storage } from 'portia-ts';
import type { Env } from '../../http/context.ts';
import { similarPlans } from './plan-search.ts';
import { jsonBody, router, textField, wrong } from './requests.ts';

/** How many plans a search gives unless told. */
const usualLimit = 5;

/** Plans, and the search for those made for a query before. */
export function plans(): Hono<Env> {
  const app = router();
  app.post('/plans', async (context) => {
    const plan = Plan.fromResponse(await jsonBody(context));
    await savePlan(context.get('tenant').portia.storage, plan);
    return context.json(planJson(plan), 200);
  });
  app.post('/plans/embeddings/search', async (context) => {
    const body = await jsonBody(context);
    const { threshold = 0.5, limit = usualLimit } = body;
    if (typeof threshold !== 'number') throw wrong('threshold', 'a number');
    if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 1)
      throw wrong('limit', 'a whole number of at least 1');
    const { storage } = context.get('tenant');
    const found = await similarPlans(storage, textField(body, 'query'), threshold, Math.min(limit, 100));
    return context.json(
      found.map(({ document }) => planJson(Plan.fromJSON(document))),
      200,
    );
  });
  app.get('/plans/:id', async (context) => {
    const id = PlanUUID.fromString(context.req.param('id'));
    return context.json(planJson(await context.get('tenant').portia.storage.getPlan(id)), 200);
  });
  return app;
}

/**
 * Stores a plan once. What stands there may hold more than a document says (a plan of the builder does): said again as it
 * was read, it is the same. @throws PortiaError `PLAN_CHANGED` for other content.
 */
async function savePlan(storage: Storage, plan: Plan): Promise<void> {
  try {
    await storage.savePlan(plan);
  } catch (error) {
    if (!PortiaError.isInstance(error) || error.code !== 'PLAN_CHANGED') throw error;
    if (!isDeepStrictEqual(planJson(await storage.getPlan(plan.id)), planJson(plan))) throw error;
  }
}

/** Query and tool ids stand beside the id here, not in a context of their own. */
function planJson(plan: Plan): JsonObject {
  const { id, plan_context, steps, plan_inputs } = plan.toJSON();
  return { id, ...(plan_context as JsonObject), steps, plan_inputs } as JsonObject;
}
