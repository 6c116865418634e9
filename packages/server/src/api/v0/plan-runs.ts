import type { Hono } from 'hono';
import {
  type JsonObject,
  type PlanRunState,
  PlanUUID,
  type PortiaDocuments,
  PortiaError,
  type PortiaErrorCode,
  type RecordedRun,
  type RunSummary,
} from 'portia-ts';
import type { AppContext, Env } from '../../http/context.ts';
import { checkName } from '../../http/texts.ts';
import { documentsOf, jsonBody, router, runId, wrong } from './requests.ts';

/** Runs on a page. */
const pageSize = 20;

const states: ReadonlySet<string> = new Set<PlanRunState>([
  'NOT_STARTED',
  'IN_PROGRESS',
  'NEED_CLARIFICATION',
  'READY_TO_RESUME',
  'COMPLETE',
  'FAILED',
]);

const unreadable: ReadonlySet<string> = new Set<PortiaErrorCode>([
  'CONTENT_ERASED',
  'STORAGE_CORRUPT',
  'PLAN_NOT_FOUND',
]);

/** Runs as whole documents. */
export function planRuns(): Hono<Env> {
  const app = router();
  app.put('/plan-runs/:id', async (context) => {
    const id = runId(context.req.param('id'));
    const documents = documentsOf(context);
    await documents.put(id, documentIn(await jsonBody(context)));
    return context.json(runJson(await documents.get(id)), 200);
  });
  app.get('/plan-runs/:id', async (context) =>
    context.json(runJson(await documentsOf(context).get(runId(context.req.param('id')))), 200),
  );
  app.get('/plan-runs', async (context) => {
    const page = pageOf(context);
    const wanted = stateOf(context);
    const { storage } = context.get('tenant');
    const query = { limit: pageSize, skip: (page - 1) * pageSize, ...(wanted && { states: [wanted] }) };
    const [count, { items }] = await Promise.all([storage.countRuns(query), storage.listRuns(query)]);
    const documents = documentsOf(context);
    const results: JsonObject[] = [];
    for (const item of items) results.push(runJson(await listed(documents, item)));
    return context.json(
      { results, count, current_page: page, total_pages: Math.max(1, Math.ceil(count / pageSize)) },
      200,
    );
  });
  return app;
}

/** Of a run whose contents are gone, or cannot be read, what lists know: it must not keep the others from being read. */
async function listed(documents: PortiaDocuments, { header, status }: RunSummary): Promise<RecordedRun> {
  try {
    return await documents.get(header.id);
  } catch (error) {
    if (!PortiaError.isInstance(error) || !unreadable.has(error.code)) throw error;
    const { id, planId, endUserId: end_user_id } = header;
    return { id, document: { plan_id: status.planId ?? planId, end_user_id, state: status.state } };
  }
}

/** What clients send: the id is in the path, and whose run it is is called `end_user`. */
function documentIn({ end_user, plan_id, ...rest }: JsonObject): JsonObject {
  if (typeof end_user !== 'string' || end_user === '') throw wrong('end_user', 'the external id of an end user');
  checkName(end_user, 'end_user');
  return { ...rest, plan_id: PlanUUID.fromWire(plan_id), end_user_id: end_user };
}

/** What clients read: not quite what they send. */
function runJson({ id, document }: RecordedRun): JsonObject {
  const { plan_id, end_user_id, current_step_index = 0, state = 'NOT_STARTED', plan_run_inputs = {} } = document;
  const outputs = document['outputs'] as JsonObject | undefined;
  return {
    id,
    plan: { id: plan_id },
    end_user: end_user_id,
    current_step_index,
    state,
    outputs: { clarifications: [], step_outputs: {}, final_output: null, ...outputs },
    plan_run_inputs,
  } as JsonObject;
}

function pageOf(context: AppContext): number {
  const given = context.req.query('page') ?? '1';
  const page = /^\d{1,9}$/.test(given) ? Math.max(1, Number(given)) : Number.NaN;
  if (Number.isNaN(page)) throw wrong('page', 'a whole number');
  return page;
}

function stateOf(context: AppContext): PlanRunState | undefined {
  const given = context.req.query('run_state');
  if (given === undefined || given === '') return undefined;
  if (!states.has(given)) throw wrong('run_state', 'one of the six states');
  return given as PlanRunState;
}
