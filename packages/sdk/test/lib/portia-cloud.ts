// A Portia cloud of 0.9, as its clients see it: plans, runs, agent memory and end users under /api/v0, in memory.
import { type FetchServer, serveFetch } from './fetch-server.ts';

type Json = Record<string, unknown>;

export interface FakePortiaCloud extends FetchServer {
  readonly plans: Map<string, Json>;
  readonly runs: Map<string, Json>;
  readonly users: Map<string, Json>;
  readonly memory: Map<string, { summary: string; value: string }>;
  /** Method and path of each request, in order. */
  readonly asked: string[];
  /** The authorization of each request. */
  readonly keys: Set<string | null>;
  /** Where values of agent memory are said to be; its own address unless set. */
  memoryBase: string;
}

const pageSize = 2;

export async function fakePortiaCloud(): Promise<FakePortiaCloud> {
  const state = {
    plans: new Map<string, Json>(),
    runs: new Map<string, Json>(),
    users: new Map<string, Json>(),
    memory: new Map<string, { summary: string; value: string }>(),
    asked: [] as string[],
    keys: new Set<string | null>(),
    memoryBase: '',
  };
  const server = await serveFetch(async (request) => {
    const { pathname, search, searchParams } = new URL(request.url);
    state.asked.push(`${request.method} ${pathname}${search}`);
    state.keys.add(request.headers.get('authorization'));
    const [, kind = '', id = '', ...rest] = /^\/api\/v0\/([^/]+)\/(.*)$/.exec(pathname) ?? [];
    const answer = await route(state, request, kind, decodeURIComponent([id, ...rest].join('')), searchParams);
    return answer ?? Response.json({ detail: 'Not found.' }, { status: 404 });
  });
  return Object.assign(state, server);
}

async function route(
  state: Omit<FakePortiaCloud, keyof FetchServer>,
  request: Request,
  kind: string,
  path: string,
  query: URLSearchParams,
): Promise<Response | undefined> {
  const { plans, runs, users, memory } = state;
  const post = request.method === 'POST';
  const put = request.method === 'PUT';
  const id = path.replace(/\/$/, '');
  if (kind === 'plans' && post && id === 'embeddings/search') return Response.json([...plans.values()]);
  if (kind === 'plans' && post) {
    const plan = (await request.json()) as Json;
    plans.set(String(plan['id']), { ...plan, created_at: '2026-01-01T00:00:00Z' });
    return Response.json({});
  }
  if (kind === 'plans') return found(plans.get(id));
  if (kind === 'plan-runs' && put) {
    const { plan_id, ...run } = (await request.json()) as Json;
    runs.set(id, { id, ...run, plan: { id: plan_id } });
    return Response.json({});
  }
  if (kind === 'plan-runs' && id !== '') return found(runs.get(id));
  if (kind === 'plan-runs') {
    const state = query.get('run_state');
    const all = [...runs.values()].filter((run) => state === null || run['state'] === state).reverse();
    const page = Number(query.get('page') ?? 1);
    const results = all.slice((page - 1) * pageSize, page * pageSize);
    return Response.json({
      results,
      count: all.length,
      current_page: page,
      total_pages: Math.max(1, Math.ceil(all.length / pageSize)),
    });
  }
  if (kind === 'agent-memory' && put) {
    const form = await request.formData();
    memory.set(id, { summary: String(form.get('summary')), value: await (form.get('value') as Blob).text() });
    return Response.json({});
  }
  if (kind === 'agent-memory' && id.startsWith('blobs/')) return new Response(memory.get(id.slice(6))?.value);
  if (kind === 'agent-memory') {
    const url = `${state.memoryBase}/api/v0/agent-memory/blobs/${encodeURIComponent(id)}/`;
    return found(memory.has(id) ? { summary: memory.get(id)?.summary, url } : undefined);
  }
  if (kind !== 'end-user') return undefined;
  if (!put) return found(users.get(id));
  const user = (await request.json()) as Json;
  const merged = { ...(users.get(id)?.['additional_data'] as Json), ...(user['additional_data'] as Json) };
  users.set(id, { ...user, additional_data: merged });
  return found(users.get(id));
}

function found(json: Json | undefined): Response | undefined {
  return json && Response.json(json);
}
