import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type JsonObject, Plan, PlanUUID, PortiaError } from 'portia-ts';
import { demand } from '../../auth/principal.ts';
import type { Env } from '../../http/context.ts';
import { answer, body, pageOf, problems, router } from './routes.ts';
import { type PlanJson, PageQuerySchema, PlanSchema, PlanSummarySchema } from './schemas.ts';

const list = createRoute({
  method: 'get',
  path: '/plans',
  tags: ['Plans'],
  summary: 'List plans, newest first',
  request: {
    query: PageQuerySchema.extend({ query: z.string().optional().openapi({ description: 'Exactly this.' }) }),
  },
  responses: { 200: answer(pageOf(PlanSummarySchema), 'A page of stored plans.'), ...problems },
});

const registered = createRoute({
  method: 'get',
  path: '/registered-plans',
  tags: ['Plans'],
  summary: 'List the plans of the config module',
  responses: {
    200: answer(
      z.object({ items: z.array(z.object({ name: z.string(), planId: z.string(), label: z.string() })) }),
      'The plans that can be started by name.',
    ),
    ...problems,
  },
});

const get = createRoute({
  method: 'get',
  path: '/plans/{planId}',
  tags: ['Plans'],
  summary: 'Look at a plan',
  request: { params: z.object({ planId: z.string() }) },
  responses: { 200: answer(PlanSchema, 'The plan.'), ...problems },
});

const create = createRoute({
  method: 'post',
  path: '/plans',
  tags: ['Plans'],
  summary: 'Make or store a plan, without running it',
  request: {
    body: body(
      z
        .strictObject({
          query: z.string().min(1).max(100_000).optional().openapi({ description: 'What to plan, in words.' }),
          document: z.record(z.string(), z.unknown()).optional().openapi({ description: 'A plan of Portia 0.9.' }),
        })
        .openapi('NewPlan'),
    ),
  },
  responses: { 201: answer(PlanSchema, 'The plan, stored.'), ...problems },
});

/** Making, storing and looking at plans. */
export function plans(): OpenAPIHono<Env> {
  const app = router();
  app.openapi(list, async (context) => {
    demand(context.get('principal'), 'read-all');
    const { storage, plans: known } = context.get('tenant');
    const { limit = 50, query, cursor } = context.req.valid('query');
    const page = await storage.listPlans({
      limit,
      ...(query !== undefined && { query }),
      ...(cursor !== undefined && { cursor }),
    });
    const names = new Map([...known].map(([name, { id }]) => [id, name]));
    return context.json(
      {
        items: page.items
          .filter(isPlanned)
          .map(({ id, query, createdAt }) => ({ id, query, createdAt, name: names.get(id) ?? null })),
        cursor: page.cursor ?? null,
      },
      200,
    );
  });
  app.openapi(registered, async (context) => {
    demand(context.get('principal'), 'read-all');
    const items = [...context.get('tenant').plans].map(([name, plan]) => ({
      name,
      planId: plan.id,
      label: plan instanceof Plan ? plan.planContext.query : plan.label,
    }));
    return context.json({ items }, 200);
  });
  app.openapi(get, async (context) => {
    demand(context.get('principal'), 'read-all');
    const plan = await context
      .get('tenant')
      .portia.storage.getPlan(PlanUUID.fromString(context.req.valid('param').planId));
    return context.json(planJson(plan), 200);
  });
  app.openapi(create, async (context) => {
    demand(context.get('principal'), 'start');
    const { portia } = context.get('tenant');
    const { query, document } = context.req.valid('json');
    if ((query === undefined) === (document === undefined)) {
      throw new PortiaError({ code: 'REQUEST_INVALID', message: 'a plan is made from one of query and document' });
    }
    if (query !== undefined) return context.json(planJson(await portia.plan(query)), 201);
    const plan = Plan.fromJSON(document);
    await portia.storage.savePlan(plan);
    return context.json(planJson(plan), 201);
  });
  return app;
}

/** A query that is planned only when its run is driven is no plan yet. */
function isPlanned({ beside }: { readonly beside?: JsonObject | undefined }): boolean {
  return beside?.['unplanned'] !== true;
}

function planJson(plan: Plan): PlanJson {
  return { id: plan.id, query: plan.planContext.query, document: plan.toJSON() };
}
