import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Audience, type ClarificationUUID, PortiaError, type Storage, type WaitingClarification } from 'portia-ts';
import { capacityFor, forbidden, may, type Principal, rolesOf } from '../../auth/principal.ts';
import type { AppContext, Env } from '../../http/context.ts';
import { answer, body, pageOf, problems, RunIdParams, several, router } from './routes.ts';
import {
  ClarificationSchema,
  Json,
  PageQuerySchema,
  RunSchema,
  type WaitingClarificationJson,
  WaitingClarificationSchema,
} from './schemas.ts';
import { clarificationJson, runJson, visibleRun } from './visible.ts';

const list = createRoute({
  method: 'get',
  path: '/clarifications',
  tags: ['Clarifications'],
  summary: 'List what waits for a person, across runs',
  description:
    'Those that have waited longest first. A page may hold fewer than its limit and still have a cursor, where an ' +
    'answer has just been given: go on until there is none.',
  request: {
    query: PageQuerySchema.extend({
      audience: z.string().optional().openapi({ description: 'endUser, operator or role:<name>' }),
      label: several(z.string().regex(/^[^=]+=/, 'is not name=value')),
      endUserId: z.string().optional(),
      raisedBefore: z.coerce.number().int().optional().openapi({ description: 'Epoch milliseconds.' }),
    }),
  },
  responses: { 200: answer(pageOf(WaitingClarificationSchema), 'A page of open clarifications.'), ...problems },
});

const ofRun = createRoute({
  method: 'get',
  path: '/runs/{runId}/clarifications',
  tags: ['Clarifications'],
  summary: 'List the clarifications of a run, answered ones included',
  request: { params: RunIdParams },
  responses: { 200: answer(z.object({ items: z.array(ClarificationSchema) }), 'The clarifications.'), ...problems },
});

const resolve = createRoute({
  method: 'post',
  path: '/runs/{runId}/clarifications/{clarificationId}/answer',
  tags: ['Clarifications'],
  summary: 'Answer a clarification',
  description:
    'Checked against the question, its audience and its expiry, and taken once: the same answer again is fine, another ' +
    'one is refused. Whose key it is stands in the record. The run goes on by itself.',
  request: {
    params: RunIdParams.extend({ clarificationId: z.string() }),
    body: body(z.strictObject({ response: Json }).refine((given) => 'response' in given, 'response is missing')),
  },
  responses: { 200: answer(RunSchema, 'The run with the answer on record.'), ...problems },
});

/** Listing and answering what people are asked. */
export function clarifications(): OpenAPIHono<Env> {
  const app = router();
  app.openapi(list, async (context) => context.json(await openOnes(context, context.req.valid('query')), 200));
  app.openapi(ofRun, async (context) => {
    const { planRun, clarifications: seen } = await visibleRun(context, context.req.valid('param').runId);
    return context.json({ items: seen.map((record) => clarificationJson(planRun.id, record)) }, 200);
  });
  app.openapi(resolve, async (context) => {
    const { runId, clarificationId } = context.req.valid('param');
    await answerOne(context, runId, clarificationId, context.req.valid('json').response);
    return context.json(runJson(await visibleRun(context, runId)), 200);
  });
  return app;
}

async function answerOne(context: AppContext, runId: string, id: string, response: unknown): Promise<void> {
  const principal = context.get('principal');
  const { portia } = context.get('tenant');
  const { planRun } = await visibleRun(context, runId);
  const record = (await portia.storage.getClarifications(planRun.id)).find(
    ({ clarification }) => clarification.id === id,
  );
  if (!record) {
    throw new PortiaError({
      code: 'CLARIFICATION_NOT_FOUND',
      message: `Could not match clarification ${id} to run ${planRun.id}`,
      planRunId: planRun.id,
    });
  }
  const as = capacityFor(principal, record.audience);
  if (as === undefined) {
    throw forbidden(
      'a key that starts and reads runs answers nothing',
      'use a key of an operator or a role, or a token of the end user',
    );
  }
  await portia.resolveClarification({
    planRunId: planRun.id,
    clarificationId: id as ClarificationUUID,
    response,
    // The library compares the id with whose run it is: it has to be the end user's, whatever the program calls it.
    resolvedBy: { id: principal.endUserId ?? principal.id, as },
    via: 'api',
  });
}

/** Questions of one page at most: what is asked stands in the journals of the runs, which are read for it. */
const mostQuestions = 200;

type Filter = z.infer<(typeof list)['request']['query']>;

async function openOnes(
  context: AppContext,
  { limit = 50, cursor, audience, label, endUserId, raisedBefore }: Filter,
): Promise<{ items: WaitingClarificationJson[]; cursor: string | null }> {
  const principal = context.get('principal');
  const { storage } = context.get('tenant').portia;
  const page = await storage.listClarifications({
    audiences: audiencesFor(principal, audience),
    labels: label && Object.fromEntries(label.map(pair)),
    endUserId: principal.endUserId ?? endUserId,
    raisedBefore,
    limit: Math.min(limit, mostQuestions),
    cursor,
  });
  return {
    items: await Promise.all(page.items.map((record) => waitingJson(storage, principal, record))),
    cursor: page.cursor ?? null,
  };
}

/** Plans are for those who may list them; whoever is only asked sees whose run it is, as in the run itself. */
async function waitingJson(
  storage: Storage,
  principal: Principal,
  record: WaitingClarification,
): Promise<WaitingClarificationJson> {
  const { planRunId, planId, endUserId, stepName: step, toolId: tool } = record;
  const plan = may(principal, 'read-all') ? await storage.getPlan(planId) : undefined;
  return {
    ...clarificationJson(planRunId, record),
    endUserId,
    plan: plan ? { query: plan.planContext.query, step, tool } : null,
  };
}

/** Whose questions are listed: those that the principal may see, and of these the ones that were asked for. */
function audiencesFor(principal: Principal, asked: string | undefined): readonly Audience[] | undefined {
  const wanted = asked as Audience | undefined;
  if (may(principal, 'read-all')) return wanted && [wanted];
  const seen: readonly Audience[] = principal.endUserId === undefined ? rolesOf(principal) : ['endUser'];
  return wanted === undefined ? seen : seen.filter((audience) => audience === wanted);
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
