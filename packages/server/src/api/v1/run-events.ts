import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { type PlanRunUUID, PortiaError, type RunEvent, type RunNotice } from 'portia-ts';
import { may, type Principal, seesAudience } from '../../auth/principal.ts';
import type { Env } from '../../http/context.ts';
import type { ServerLog } from '../../server-log.ts';
import { problems, RunIdParams, router } from './routes.ts';
import { visibleRun } from './visible.ts';

const events = createRoute({
  method: 'get',
  path: '/runs/{runId}/events',
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

/** Milliseconds between signs of life on a connection that has nothing to say: proxies cut silent ones. */
const heartbeatMs = 15_000;

/**
 * How many runs one end user may follow at once, in this process. Each costs looks at the store for as long as it lasts,
 * which no rate of requests counts; what a browser of theirs needs is a few.
 */
const mostFollowed = 50;

/** The events of a run, live. */
export function runEvents(log: ServerLog): OpenAPIHono<Env> {
  const app = router();
  const following = new Counts();
  app.openapi(events, async (context): Promise<never> => {
    const { planRun, clarifications } = await visibleRun(context, context.req.valid('param').runId);
    const after = lastSeen(context.req.header('last-event-id')) ?? context.req.valid('query').after ?? 0;
    const { portia } = context.get('tenant');
    if (isOver(planRun)) {
      const stored = await portia.storage.getEvents(planRun.id);
      if (!stored.some(({ seq }) => seq > after)) return context.body(null, 204) as never;
    }
    const asked = clarifications.map(({ clarification }) => clarification.id);
    const ended = following.begin(context.get('tenant').organisation, context.get('principal'));
    return stream(context, { id: planRun.id, after, asked, ended }, log) as never;
  });
  return app;
}

function isOver({ state }: { readonly state: string }): boolean {
  return state === 'COMPLETE' || state === 'FAILED';
}

interface Following {
  readonly id: PlanRunUUID;
  readonly after: number;
  /** The questions that the principal has seen, or may have. */
  readonly asked: readonly string[];
  readonly ended: () => void;
}

/** How many streams each end user has open. */
class Counts {
  readonly #open = new Map<string, number>();

  /** Counts one more; gives the way to say that it has ended. @throws PortiaError `RATE_LIMITED` */
  begin(organisation: string, { endUserId }: Principal): () => void {
    if (endUserId === undefined) return () => undefined;
    const name = `${organisation}/${endUserId}`;
    const before = this.#open.get(name) ?? 0;
    if (before >= mostFollowed) {
      throw new PortiaError({
        code: 'RATE_LIMITED',
        message: `more than ${mostFollowed} runs are followed at once`,
        hint: 'close the connections that nobody looks at',
        details: { retryAfter: 5 },
      });
    }
    this.#open.set(name, before + 1);
    return () => {
      const left = (this.#open.get(name) ?? 1) - 1;
      if (left > 0) this.#open.set(name, left);
      else this.#open.delete(name);
    };
  }
}

function stream(context: Context<Env>, { id, after, asked, ended }: Following, log: ServerLog): Response {
  const { portia, closing } = context.get('tenant');
  const requestId = context.get('requestId');
  const principal = context.get('principal');
  const holds = context.get('holds');
  return streamSSE(context, async (out) => {
    const leaving = new AbortController();
    out.onAbort(() => leaving.abort());
    const beat = setInterval(() => {
      void out.write(': \n\n');
      holds().then(
        (still) => still || leaving.abort(),
        () => undefined,
      );
    }, heartbeatMs);
    const shown = eventsFor(principal, asked);
    try {
      for await (const event of portia.events(id, { after, signal: AbortSignal.any([leaving.signal, closing]) })) {
        if (!shown(event)) continue;
        // A connection outlives the key it was opened with; what happens after that is not for it.
        if (event.seq !== undefined && !(await holds())) break;
        await out.writeSSE({
          ...(event.seq !== undefined && { id: String(event.seq) }),
          event: event.type,
          data: JSON.stringify(forWhom(principal, event)),
        });
      }
    } catch (err) {
      // The status is sent already: the connection ends, and whoever follows comes again and is told.
      if (!closing.aborted) log.error({ requestId, err }, 'a run can no longer be followed');
    } finally {
      clearInterval(beat);
      ended();
    }
  });
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
