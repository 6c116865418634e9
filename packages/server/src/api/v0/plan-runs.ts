import type { Hono } from 'hono';
import {
  type JsonObject,
  type PlanRunState,
  PlanUUID,
  type RecordedRun,
  type RunSummary,
  type StorageBackend,
} from 'portia-ts';
import type { AppContext, Env } from '../../http/context.ts';
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
    const { count, items } = await numberedPage(storage, wanted, page);
    const documents = documentsOf(context);
    const results: JsonObject[] = [];
    for (const { header } of items) results.push(runJson(await documents.get(header.id)));
    return context.json(
      { results, count, current_page: page, total_pages: Math.max(1, Math.ceil(count / pageSize)) },
      200,
    );
  });
  return app;
}

/** What clients send: the id is in the path, and whose run it is is called `end_user`. */
function documentIn({ end_user, plan_id, ...rest }: JsonObject): JsonObject {
  if (typeof end_user !== 'string' || end_user === '') throw wrong('end_user', 'the external id of an end user');
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

/** Pages with numbers, over a store whose pages follow each other. Newest first. */
async function numberedPage(
  storage: StorageBackend,
  state: PlanRunState | undefined,
  page: number,
): Promise<{ readonly count: number; readonly items: readonly RunSummary[] }> {
  const first = (page - 1) * pageSize;
  const items: RunSummary[] = [];
  let count = 0;
  let cursor: string | undefined;
  do {
    const query = { limit: 1_000, ...(state && { states: [state] }), ...(cursor !== undefined && { cursor }) };
    const found = await storage.listRuns(query);
    items.push(...found.items.slice(Math.max(0, first - count), Math.max(0, first + pageSize - count)));
    count += found.items.length;
    cursor = found.cursor;
  } while (cursor !== undefined);
  return { count, items };
}
