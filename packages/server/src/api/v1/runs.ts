import { createHash } from 'node:crypto';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  type AnyPlan,
  type JsonObject,
  PlanRunUUID,
  PlanUUID,
  PortiaError,
  type RunOptions,
  type Schema,
  schemaFromJson,
} from 'portia-ts';
import { demand } from '../../auth/principal.ts';
import type { AppContext, Env } from '../../http/context.ts';
import type { Tenant } from '../../tenants.ts';
import { answer, body, optionalBody, pageOf, problems, RunIdParams, several, router } from './routes.ts';
import {
  BudgetSchema,
  EndUserPatchSchema,
  Json,
  LabelsSchema,
  OutputSchema,
  PageQuerySchema,
  PlanRunStateSchema,
  RunSchema,
  RunSummarySchema,
} from './schemas.ts';
import { outputJson, runJson, summaryJson, visibleRun } from './visible.ts';

const StartSchema = z
  .strictObject({
    query: z.string().min(1).max(100_000).optional().openapi({ description: 'What to plan, in words.' }),
    planId: z.string().optional().openapi({ description: 'A stored or registered plan, by id.' }),
    plan: z.string().optional().openapi({ description: 'A registered plan, by name.' }),
    planRunInputs: z.record(z.string(), Json).optional(),
    endUser: z
      .union([z.string().min(1).max(1_000), EndUserPatchSchema.extend({ externalId: z.string().min(1).max(1_000) })])
      .optional()
      .openapi({ description: 'On whose behalf: an id, or the whole person.' }),
    runKey: z.string().min(1).max(500).optional().openapi({ description: 'The same key gives the same run.' }),
    labels: LabelsSchema.optional(),
    startAt: z.int().min(0).optional().openapi({ description: 'Not before this time. Epoch milliseconds.' }),
    budget: BudgetSchema.optional(),
    outputSchema: z
      .record(z.string(), Json)
      .optional()
      .openapi({ description: 'What the final output must be: a JSON Schema.' }),
  })
  .openapi('StartPlanRun');
type Start = z.infer<typeof StartSchema>;

const start = createRoute({
  method: 'post',
  path: '/runs',
  tags: ['Runs'],
  summary: 'Start a run',
  description:
    'Give one of query, planId and plan. A worker drives the run; this answers as soon as it is stored. A query is planned ' +
    'by the worker: what that fails with, the run does.',
  request: { body: body(StartSchema) },
  responses: {
    201: answer(RunSchema, 'The run, stored.'),
    202: answer(RunSchema, 'The run of a query, stored: a worker plans it first.'),
    ...problems,
  },
});

const list = createRoute({
  method: 'get',
  path: '/runs',
  tags: ['Runs'],
  summary: 'List runs',
  request: {
    query: PageQuerySchema.extend({
      state: several(PlanRunStateSchema),
      planId: z
        .string()
        .optional()
        .openapi({ description: 'Runs that go by this plan now, whichever they were started with, and no others.' }),
      endUserId: z.string().optional(),
      label: several(z.string().regex(/^[^=]+=/, 'is not name=value')),
      code: several(z.string()).openapi({ description: 'Error codes of failed runs.' }),
      order: z.enum(['newest', 'oldest']).optional(),
    }),
  },
  responses: { 200: answer(pageOf(RunSummarySchema), 'A page of runs.'), ...problems },
});

const get = createRoute({
  method: 'get',
  path: '/runs/{runId}',
  tags: ['Runs'],
  summary: 'Look at a run',
  request: { params: RunIdParams },
  responses: { 200: answer(RunSchema, 'The run as it stands.'), ...problems },
});

const output = createRoute({
  method: 'get',
  path: '/runs/{runId}/outputs/{name}',
  tags: ['Runs'],
  summary: 'Fetch a large output',
  request: { params: RunIdParams.extend({ name: z.string() }) },
  responses: { 200: answer(OutputSchema, 'The whole value.'), ...problems },
});

const cancel = createRoute({
  method: 'post',
  path: '/runs/{runId}/cancel',
  tags: ['Runs'],
  summary: 'Cancel a run',
  request: { params: RunIdParams, body: optionalBody(z.strictObject({ reason: z.string().max(1_000).optional() })) },
  responses: { 200: answer(RunSchema, 'The run, cancelled.'), ...problems },
});

const retry = createRoute({
  method: 'post',
  path: '/runs/{runId}/retry',
  tags: ['Runs'],
  summary: 'Retry a failed run',
  description: 'The run goes on from the failed step; outputs and calls that succeeded are kept. A worker drives it.',
  request: { params: RunIdParams, body: optionalBody(z.strictObject({ budget: BudgetSchema.optional() })) },
  responses: { 202: answer(RunSchema, 'The run, ready to go on.'), ...problems },
});

/** Starting, listing and steering runs. */
export function runs(): OpenAPIHono<Env> {
  const app = router();
  app.openapi(start, async (context) => {
    demand(context.get('principal'), 'start');
    const given = context.req.valid('json');
    const planRunId = await startRun(context, given);
    const visible = await visibleRun(context, planRunId);
    context.header('location', `/api/v1/runs/${planRunId}`);
    return context.json(runJson(visible), given.query === undefined ? 201 : 202);
  });
  app.openapi(list, async (context) => {
    const { endUserId, ...query } = context.req.valid('query');
    const page = await context.get('tenant').portia.storage.listRuns({
      states: query.state,
      planId: query.planId as PlanUUID | undefined,
      endUserId: ownRuns(context, endUserId),
      labels: query.label && labelsOf(query.label),
      codes: query.code,
      order: query.order,
      limit: query.limit,
      cursor: query.cursor,
    });
    return context.json({ items: page.items.map(summaryJson), cursor: page.cursor ?? null }, 200);
  });
  app.openapi(get, async (context) =>
    context.json(runJson(await visibleRun(context, context.req.valid('param').runId)), 200),
  );
  app.openapi(output, async (context) => {
    const { runId, name } = context.req.valid('param');
    const { planRun } = await visibleRun(context, runId);
    const found = await context.get('tenant').portia.storage.getPlanRunOutput(name, planRun.id);
    if (!found) throw new PortiaError({ code: 'NOT_FOUND', message: 'the run has no large output of this name' });
    return context.json(outputJson(found), 200);
  });
  app.openapi(cancel, async (context) => {
    const principal = context.get('principal');
    demand(principal, 'steer');
    const planRunId = PlanRunUUID.fromString(context.req.valid('param').runId);
    const { reason } = context.req.valid('json') ?? {};
    await context.get('tenant').portia.cancel({ planRunId, by: principal.id, reason });
    return context.json(runJson(await visibleRun(context, planRunId)), 200);
  });
  app.openapi(retry, async (context) => {
    const principal = context.get('principal');
    demand(principal, 'steer');
    const planRunId = PlanRunUUID.fromString(context.req.valid('param').runId);
    const { budget } = context.req.valid('json') ?? {};
    await context.get('tenant').portia.retry({ planRunId, by: principal.id, budget, drive: false });
    return context.json(runJson(await visibleRun(context, planRunId)), 202);
  });
  return app;
}

/** Whose runs are listed: an end user sees its own whatever it asks for, a role none. */
function ownRuns(context: AppContext, asked: string | undefined): string | undefined {
  const principal = context.get('principal');
  if (principal.endUserId !== undefined) return principal.endUserId;
  demand(principal, 'read-all');
  return asked;
}

function labelsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

async function startRun(context: AppContext, given: Start): Promise<PlanRunUUID> {
  const tenant = context.get('tenant');
  const named = [given.query, given.planId, given.plan].filter((one) => one !== undefined);
  if (named.length !== 1) {
    throw new PortiaError({
      code: 'REQUEST_INVALID',
      message: 'a run is started with one of query, planId and plan',
      hint: 'give exactly one of them',
    });
  }
  const { planRunInputs, labels, startAt } = given;
  const [traceparent, tracestate] = [context.get('traceparent'), context.get('tracestate')];
  const endUser = given.endUser as RunOptions['endUser'];
  const options: RunOptions = {
    planRunInputs,
    endUser,
    labels,
    startAt,
    traceparent,
    tracestate,
    runKey: runKeyOf(context, given),
    budget: given.budget,
    structuredOutputSchema: given.outputSchema && (await schemaOf(given.outputSchema)),
  };
  const { query } = given;
  if (query !== undefined) return (await tenant.portia.startQuery(query, options)).planRunId;
  return (await tenant.portia.start(planOf(tenant, given), options)).planRunId;
}

function planOf(tenant: Tenant, { planId, plan }: Start): AnyPlan | PlanUUID {
  if (planId !== undefined) {
    const id = PlanUUID.fromString(planId);
    return [...tenant.plans.values()].find((registered) => registered.id === id) ?? id;
  }
  const found = tenant.plans.get(plan ?? '');
  if (found) return found;
  throw new PortiaError({
    code: 'PLAN_NOT_FOUND',
    message: `no plan named ${JSON.stringify(plan)} is registered on this server`,
  });
}

/** An idempotency key serves as the run key, so that a repeated request finds the run even after a crash. */
function runKeyOf(context: AppContext, { runKey }: Start): string | undefined {
  const key = context.req.header('idempotency-key');
  if (runKey !== undefined || key === undefined) return runKey;
  return `request:${createHash('sha256')
    .update(`${context.get('principal').id}\n${key}`)
    .digest('base64url')}`;
}

/** A schema that checks what a JSON Schema says. @throws PortiaError `REQUEST_INVALID` for what is none. */
async function schemaOf(jsonSchema: Readonly<Record<string, unknown>>): Promise<Schema> {
  try {
    return await schemaFromJson(jsonSchema as JsonObject);
  } catch (error) {
    throw new PortiaError({
      code: 'REQUEST_INVALID',
      message: `the body outputSchema: is no JSON Schema that can be checked: ${(error as Error).message}`,
      hint: 'give one such as { "type": "object", "properties": { "total": { "type": "number" } } }',
    });
  }
}
