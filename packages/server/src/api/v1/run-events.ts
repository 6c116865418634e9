import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type PlanRunUUID, type Portia, PortiaError, type RunEvent, type RunNotice } from 'portia-ts';
import { countedAs, may, type Principal, seesAudience } from '../../auth/principal.ts';
import type { AppContext, Env } from '../../http/context.ts';
import type { ServerLog } from '../../server-log.ts';
import { eventStream } from './event-stream.ts';
import { Journals, type Past } from './journals.ts';
import { problems, RunIdParams, router } from './routes.ts';
import { visibleStanding } from './visible.ts';

const events = createRoute({
  method: 'get',
  path: '/runs/{runId}/events',
  tags: ['Runs'],
  summary: 'Follow a run',
  description:
    'Server-sent events: what happened to the run, then what happens, until it ends. Each stored event has its number ' +
    'as id; after a lost connection a browser sends it as Last-Event-ID and goes on there. Answers 204 when the run ' +
    'has ended and nothing is new, which tells a browser to stop.',
  request: {
    params: RunIdParams,
    query: z.object({
      after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({
        description: 'The number of the last event that was seen. The header Last-Event-ID goes before it.',
      }),
    }),
  },
  responses: {
    200: { description: 'The events.', content: { 'text/event-stream': { schema: z.string() } } },
    204: { description: 'The run has ended, and nothing is new.' },
    ...problems,
  },
});

/**
 * How many runs may be followed at once, in this process: by one end user, and with one key. Each costs looks at the store
 * for as long as it lasts, which no rate of requests counts. What a browser of an end user needs is a few; a program may
 * follow for all of its users.
 */
const mostFollowed = { endUser: 50, key: 1_000 } as const;

/** The events of a run, live. */
export function runEvents(log: ServerLog): OpenAPIHono<Env> {
  const app = router();
  const following = new Counts();
  const journals = new Journals();
  app.openapi(events, async (context): Promise<never> => {
    const after = lastSeen(context.req.header('last-event-id')) ?? context.req.valid('query').after ?? 0;
    const { id, isOver, asked } = await visibleStanding(context, context.req.valid('param').runId, after);
    const uncount = following.begin(context.get('tenant').organisation, context.get('principal'));
    let past: Past | undefined;
    const ended = (): void => {
      past?.release();
      uncount();
    };
    try {
      past = await journals.past(context.get('tenant'), id, after);
      const isNothingNew = isOver && past.events.length === 0;
      // Nobody reads what is said to HEAD.
      if (isNothingNew || context.req.method === 'HEAD') ended();
      if (isNothingNew) return context.body(null, 204) as never;
      for (const [name, value] of Object.entries(streamHeaders)) context.header(name, value);
      if (context.req.method === 'HEAD') return context.body(null) as never;
      return context.body(stream(context, { id, asked, past, ended }, log)) as never;
    } catch (error) {
      ended();
      throw error;
    }
  });
  return app;
}

const streamHeaders = {
  'transfer-encoding': 'chunked',
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
} as const;

interface Following {
  readonly id: PlanRunUUID;
  /** The questions that the principal has seen, or may have. */
  readonly asked: readonly string[];
  readonly past: Past;
  readonly ended: () => void;
}

/** How many streams everybody has open. */
class Counts {
  readonly #open = new Map<string, number>();

  /** Counts one more; gives the way to say that it has ended. @throws PortiaError `RATE_LIMITED` */
  begin(organisation: string, principal: Principal): () => void {
    const most = principal.endUserId === undefined ? mostFollowed.key : mostFollowed.endUser;
    const name = `${organisation}/${countedAs(principal)}`;
    const before = this.#open.get(name) ?? 0;
    if (before >= most) {
      throw new PortiaError({
        code: 'RATE_LIMITED',
        message: `more than ${most} runs are followed at once`,
        hint: 'close the connections that nobody looks at',
        details: { retryAfter: 5 },
      });
    }
    this.#open.set(name, before + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#open.get(name) ?? 1) - 1;
      if (left > 0) this.#open.set(name, left);
      else this.#open.delete(name);
    };
  }
}

function stream(context: AppContext, { id, asked, past, ended }: Following, log: ServerLog): ReadableStream {
  const { portia, closing } = context.get('tenant');
  const requestId = context.get('requestId');
  const principal = context.get('principal');
  const holds = context.get('holds');
  const shown = eventsFor(principal, asked);
  async function* told(signal: AbortSignal): AsyncGenerator<readonly string[], void, undefined> {
    for await (const event of sinceThen(portia, id, past, signal)) {
      if (!shown(event)) continue;
      // A connection outlives the key it was opened with; what happens after that is not for it.
      if (event.seq !== undefined && !(await holds())) return;
      const number = event.seq === undefined ? '' : `\nid: ${event.seq}`;
      yield [`event: ${event.type}\ndata: `, textOf(forWhom(principal, event)), `${number}\n\n`];
    }
  }
  return eventStream({
    events: told,
    holds,
    until: [closing, context.req.raw.signal],
    ended(err) {
      ended();
      // The status is sent already: the connection ends, and whoever follows comes again and is told.
      if (err !== undefined && !closing.aborted) log.error({ requestId, err }, 'a run can no longer be followed');
    },
  });
}

/** What was stored, which is let go then, and what came since. */
async function* sinceThen(
  portia: Portia,
  id: PlanRunUUID,
  past: Past,
  signal: AbortSignal,
): AsyncGenerator<RunEvent | RunNotice, void, undefined> {
  yield* past.events;
  past.release();
  yield* portia.events(id, { after: past.last, signal });
}

/** Texts of events, for as long as somebody has these: of a large one, all who follow the run share one. */
const texts = new WeakMap<RunEvent | RunNotice, string>();

function textOf(event: RunEvent | RunNotice): string {
  const known = texts.get(event) ?? JSON.stringify(event);
  texts.set(event, known);
  return known;
}

function lastSeen(header: string | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (!/^\d{1,15}$/.test(header)) {
    throw new PortiaError({ code: 'REQUEST_INVALID', message: 'Last-Event-ID is not the number of an event' });
  }
  return Number(header);
}

/** What people who see a run, but not the work in it, are told: how it goes on, and what they are asked. */
const outline: ReadonlySet<string> = new Set([
  'run-start',
  'run-wait',
  'run-end',
  'run-retry',
  'step-start',
  'step-end',
]);

/** Machines of the server are nobody's business who sees a run only because it is theirs. */
function forWhom(principal: Principal, event: RunEvent | RunNotice): RunEvent | RunNotice {
  return event.type === 'run-start' && !may(principal, 'read-all') ? { ...event, host: '' } : event;
}

/** Which events a principal is shown. Prompts and arguments are for those who may read everything. */
function eventsFor(principal: Principal, known: readonly string[]): (event: RunEvent | RunNotice) => boolean {
  if (may(principal, 'read-all')) return () => true;
  const asked = new Set(known);
  return (event) => {
    if (event.type === 'clarification-raised') {
      if (!seesAudience(principal, event.audience)) return false;
      asked.add(String(event.clarification['id']));
      return true;
    }
    if (event.type === 'clarification-resolved') return asked.has(event.id);
    return event.seq !== undefined && outline.has(event.type);
  };
}
