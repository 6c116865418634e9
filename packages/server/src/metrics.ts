import { Hono } from 'hono';
import type { PlanRunUUID } from 'portia-ts';
import { demand } from './auth/principal.ts';
import type { Env } from './http/context.ts';
import type { Tenant } from './tenants.ts';

/** Milliseconds for which what was counted is shown again. */
const keepMs = 10_000;
/** It is shown for longer where counting takes long: at most one part in so many of the time is spent on it. */
const mostOfTime = 50;
/** Waiting runs whose questions are looked at. */
const mostRead = 1_000;

interface Counted {
  until: number;
  readonly text: Promise<string>;
}

/** `/metrics` in the form of Prometheus: the runs of the organisation whose key asks. */
export function metrics(): Hono<Env> {
  const app = new Hono<Env>();
  const known = new WeakMap<Tenant, Counted>();
  app.get('/metrics', async (context) => {
    demand(context.get('principal'), 'read-all');
    const tenant = context.get('tenant');
    let counted = known.get(tenant);
    if (!counted || performance.now() > counted.until) {
      counted = countedNow(tenant);
      counted.text.catch(() => known.delete(tenant));
      known.set(tenant, counted);
    }
    return context.body(await counted.text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
  return app;
}

function countedNow(tenant: Tenant): Counted {
  const begun = performance.now();
  const counted: Counted = {
    until: Number.POSITIVE_INFINITY,
    text: count(tenant).finally(() => {
      const now = performance.now();
      counted.until = now + Math.max(keepMs, mostOfTime * (now - begun));
    }),
  };
  return counted;
}

async function count(tenant: Tenant): Promise<string> {
  const { states, codes } = await tenant.storage.tallyRuns();
  const { audiences, since, asking } = await waitingIn(tenant);
  const unknown = await unknownCallsIn(tenant, asking);
  return [
    ...family('portia_runs', 'Stored runs, by state.', 'state', states),
    ...family('portia_failed_runs', 'Stored runs that failed, by error code.', 'code', codes),
    ...family(
      'portia_open_clarifications',
      'Questions that wait for an answer, by audience.',
      'audience',
      Object.fromEntries(audiences),
    ),
    ...single('portia_unknown_calls', 'Calls of which nobody knows whether they happened; a person is asked.', unknown),
    ...single(
      'portia_oldest_waiting_seconds',
      'For how long the question waits that has waited longest.',
      (Date.now() - since) / 1000,
    ),
    '',
  ].join('\n');
}

/** What waits, by audience; since when the one that has waited longest; and runs that ask operators, the first of them. */
async function waitingIn({ storage }: Tenant): Promise<{
  readonly audiences: ReadonlyMap<string, number>;
  readonly since: number;
  readonly asking: ReadonlySet<PlanRunUUID>;
}> {
  const audiences = new Map<string, number>();
  const asking = new Set<PlanRunUUID>();
  let since = Date.now();
  let cursor: string | undefined;
  do {
    const page = await storage.listClarifications({ limit: 1_000, cursor });
    for (const { planRunId, audience, raisedAt } of page.items) {
      add(audiences, audience);
      since = Math.min(since, raisedAt);
      if (audience === 'operator' && asking.size < mostRead) asking.add(planRunId);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { audiences, since, asking };
}

async function unknownCallsIn({ portia }: Tenant, runs: ReadonlySet<PlanRunUUID>): Promise<number> {
  let unknown = 0;
  for (const id of runs) {
    for (const { clarification } of await portia.storage.getClarifications(id)) {
      if (!clarification.resolved && 'argumentName' in clarification && clarification.argumentName === 'unknown_call')
        unknown += 1;
    }
  }
  return unknown;
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function family(name: string, help: string, label: string, counts: Readonly<Record<string, number>>): string[] {
  const lines = Object.entries(counts).map(([value, n]) => `${name}{${label}=${JSON.stringify(value)}} ${n}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}

function single(name: string, help: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value}`];
}
