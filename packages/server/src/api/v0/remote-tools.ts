import type { Hono } from 'hono';
import {
  EndUser,
  type JsonObject,
  type JsonValue,
  type OutsideCall,
  type PlanRunUUID,
  PortiaError,
  type StorageBackend,
} from 'portia-ts';
import type { ControlStore } from '../../control/control-store.ts';
import type { AppContext, Env } from '../../http/context.ts';
import { type Asked, OpenQuestions } from './open-questions.ts';
import { checkName } from '../../http/texts.ts';
import { documentsOf, isObject, jsonBody, router, runId, textField, wrong } from './requests.ts';
import { describedTools } from './tool-description.ts';

/** The tools of this server, for runs that are driven elsewhere; none where there is no place for what they ask. */
export function remoteTools(control: ControlStore | undefined): Hono<Env> {
  const app = router();
  const questions = control && new OpenQuestions(control);
  app.get('/tools/descriptions-v2', (context) => context.json(describedTools(context.get('tenant').remoteTools), 200));
  app.get('/tools/descriptions', (context) =>
    context.json(describedTools(context.get('tenant').remoteTools).tools, 200),
  );
  app.post('/tools/batch/ready', async (context) => {
    const body = await jsonBody(context);
    const ids = body['tool_ids'];
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string'))
      throw wrong('tool_ids', 'a list of tool ids');
    const call = await callOf(context, body);
    const answers = await Promise.all(
      // One that is not there keeps nobody from hearing of the others.
      [...new Set(ids as string[])].map((id) => readiness(context, questions, id, call).catch(unknownTool)),
    );
    return context.json(together(answers), 200);
  });
  app.post('/tools/:id/ready', async (context) => {
    const call = await callOf(context, await jsonBody(context));
    return context.json(together([await readiness(context, questions, context.req.param('id'), call)]), 200);
  });
  app.post('/tools/:id/run', async (context) => {
    const body = await jsonBody(context);
    const args = body['arguments'] ?? {};
    if (!isObject(args)) throw wrong('arguments', 'a JSON object');
    const call = await callOf(context, body);
    const id = context.req.param('id');
    const { portia } = context.get('tenant');
    // Nobody is to call in vain what would not be ready.
    const before = await readiness(context, questions, id, call);
    if (!before.ready) {
      if (before.clarifications.length > 0) return context.json(output(before.clarifications), 200);
      return context.json(output(before.reason ?? `${id} is not ready`, true), 200);
    }
    const result = await portia.callTool(id, args, call);
    if (result.kind === 'soft-error') return context.json(output(result.message, true), 200);
    if (result.kind === 'value') return context.json(valueOutput(result.value), 200);
    const open = offered(context, questions, id);
    return context.json(output(await open.ask(askedIn(context, id, call), result.clarifications, 'call')), 200);
  });
  return app;
}

interface Readiness {
  readonly ready: boolean;
  readonly clarifications: readonly JsonObject[];
  readonly reason?: string | undefined;
}

/**
 * Whether a tool can be called: what it says itself, and then whether what a call of it asked somebody to do is done. A
 * call and this always say the same, else clients call for ever.
 */
async function readiness(
  context: AppContext,
  questions: OpenQuestions | undefined,
  id: string,
  call: OutsideCall,
): Promise<Readiness> {
  const open = offered(context, questions, id);
  const asked = askedIn(context, id, call);
  const { portia, storage } = context.get('tenant');
  const said = await portia.isToolReady(id, call);
  if (!said.ready) {
    const { clarifications = [], reason } = said;
    const asks = clarifications.length > 0 ? open.ask(asked, clarifications, 'readiness') : open.toDo(asked);
    return { ready: false, clarifications: await asks, reason };
  }
  const left = await open.stillToDo(asked, () => resolvedIn(context, call.planRunId, storage));
  return { ready: left.length === 0, clarifications: left };
}

/** The clarifications that the run's client says are resolved, or that somebody answered here; `undefined` for no run of ours. */
async function resolvedIn(
  context: AppContext,
  id: PlanRunUUID,
  storage: StorageBackend,
): Promise<readonly string[] | undefined> {
  if (!(await storage.loadRun(id, Number.MAX_SAFE_INTEGER))) return undefined;
  const { document } = await documentsOf(context).get(id);
  const outputs = document['outputs'] as JsonObject | undefined;
  const clarifications = (outputs?.['clarifications'] ?? []) as readonly JsonObject[];
  return clarifications.filter(({ resolved }) => resolved === true).map((one) => String(one['id']));
}

/** Where the questions of a tool are that is offered. @throws PortiaError `NOT_FOUND` for any other. */
function offered(context: AppContext, questions: OpenQuestions | undefined, id: string): OpenQuestions {
  const { remoteTools } = context.get('tenant');
  if (questions && remoteTools.has(id)) return questions;
  throw new PortiaError({
    code: 'NOT_FOUND',
    message: `this server offers no tool ${JSON.stringify(id.slice(0, 200))}`,
    hint: 'remoteTools in its config says which it offers',
  });
}

/** A tool that is not offered is never ready, and nobody can do anything about it: its call says so. */
function unknownTool(error: unknown): Readiness {
  if (!PortiaError.isInstance(error) || error.code !== 'NOT_FOUND') throw error;
  return { ready: false, clarifications: [], reason: error.message };
}

/** For whom: from the execution context of the run. */
async function callOf(context: AppContext, body: JsonObject): Promise<OutsideCall> {
  const given = body['execution_context'];
  if (!isObject(given)) throw wrong('execution_context', 'a JSON object');
  const externalId = textField(given, 'end_user_id') || 'portia:default_user';
  checkName(externalId, 'end_user_id');
  const planRunId = runId(textField(given, 'plan_run_id'));
  const additional = given['additional_data'] ?? {};
  if (!isObject(additional)) throw wrong('execution_context.additional_data', 'a JSON object');
  // What was answered in the run, where its client says so; those of Portia 0.9 do not.
  const clarifications = given['clarifications'] ?? [];
  if (!Array.isArray(clarifications) || !clarifications.every(isObject))
    throw wrong('execution_context.clarifications', 'a list of clarifications');
  const stored = await context.get('tenant').portia.storage.getEndUser(externalId);
  const additionalData = { ...stored?.additionalData, ...additional } as Record<string, string | null>;
  return {
    planRunId,
    endUser: EndUser({ ...stored, externalId, additionalData }),
    clarifications,
    traceparent: context.get('traceparent'),
    tracestate: context.get('tracestate'),
    signal: context.req.raw.signal,
  };
}

function askedIn(context: AppContext, tool: string, { planRunId, endUser }: OutsideCall): Asked {
  return { organisation: context.get('tenant').organisation, planRunId, endUserId: endUser.externalId, tool };
}

/** `reason`, which clients of 0.9 skip, says what no clarification does. */
function together(answers: readonly Readiness[]): JsonObject {
  const ready = answers.every((one) => one.ready);
  const clarifications = answers.flatMap((one) => one.clarifications);
  const reasons = answers.flatMap(({ reason }) => reason ?? []);
  return { ready, clarifications, ...(!ready && reasons.length > 0 && { reason: reasons.join('; ') }) };
}

/**
 * A value, as a Python client can read it: that looks into the first item of a list for a `category`, fails where it cannot
 * look, and takes for a question what only looks like one. Such a list goes as text, and as it is beside it, for others.
 */
function valueOutput(value: JsonValue): JsonObject {
  if (!Array.isArray(value) || !tripsPython(value[0])) return output(value);
  return { ...output(JSON.stringify(value)), value };
}

function tripsPython(first: JsonValue | undefined): boolean {
  if (first === undefined) return false;
  if (typeof first === 'string' || Array.isArray(first)) return first.includes('category');
  return !isObject(first) || asked.has(String(first['category']));
}

const asked: ReadonlySet<string> = new Set(['Action', 'Input', 'Multiple Choice', 'Value Confirmation']);

function output(value: JsonValue, softError = false): JsonObject {
  return { output: { value }, soft_error: softError };
}
