import type { Hono } from 'hono';
import { type JsonValue, LocalDataValue, type PlanRunUUID, PortiaError } from 'portia-ts';
import type { AppContext, Env } from '../../http/context.ts';
import { documentsOf, router, runId, wrong } from './requests.ts';

const output = '/agent-memory/plan-runs/:run/outputs/:name';

/** Keeps a byte order mark, which is part of the value. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Large outputs: written in one request with two parts, read in two requests. */
export function agentMemory(): Hono<Env> {
  const app = router();
  app.put(output, async (context) => {
    const { run, name } = named(context);
    const documents = documentsOf(context);
    if (!(await documents.isTheirs(run))) throw notTheirs(run);
    const { summary, value } = await parts(context);
    await context.get('tenant').storage.saveOutput(run, name, LocalDataValue(value, summary));
    return context.json({ summary }, 200);
  });
  app.get(output, async (context) => {
    const { run, name } = named(context);
    const { summary } = await found(context, run, name);
    const url = `/api/v0/agent-memory/plan-runs/${run}/outputs/${encodeURIComponent(name)}/value/`;
    return context.json({ summary, url }, 200);
  });
  app.get(`${output}/value`, async (context) => {
    const { run, name } = named(context);
    const { value } = await found(context, run, name);
    return context.body(asText(value), 200, { 'content-type': 'text/plain; charset=utf-8' });
  });
  return app;
}

function named(context: AppContext): { readonly run: PlanRunUUID; readonly name: string } {
  const { run = '', name = '' } = context.req.param() as { readonly run?: string; readonly name?: string };
  // Names with control characters are ours, if anybody's.
  if (/\p{Cc}/u.test(name)) throw nothing(name);
  return { run: runId(run), name };
}

async function found(context: AppContext, run: PlanRunUUID, name: string): Promise<LocalDataValue> {
  const output = await context.get('tenant').storage.getOutput(run, name);
  if (!output) throw nothing(name);
  return output;
}

/** The parts of the form: `summary`, and a file with the value in UTF-8. */
async function parts(context: AppContext): Promise<{ readonly summary: string; readonly value: string }> {
  let form: FormData;
  try {
    form = await context.req.formData();
  } catch (cause) {
    throw new PortiaError({ code: 'REQUEST_INVALID', message: 'the body is not a form with parts', cause });
  }
  const summary = form.get('summary') ?? '';
  const value = form.get('value');
  if (typeof summary !== 'string') throw wrong('summary', 'a text');
  if (value === null) throw wrong('value', 'there');
  return { summary, value: typeof value === 'string' ? value : utf8.decode(await value.arrayBuffer()) };
}

function asText(value: JsonValue): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : JSON.stringify(value);
}

function nothing(name: string): PortiaError {
  return new PortiaError({ code: 'NOT_FOUND', message: `there is no output ${JSON.stringify(name.slice(0, 200))}` });
}

function notTheirs(planRunId: PlanRunUUID): PortiaError {
  return new PortiaError({
    code: 'RUN_STATE_INVALID',
    message: `the outputs of run ${planRunId} cannot be written by a client of Portia 0.9: it is driven by this server`,
    planRunId,
  });
}
