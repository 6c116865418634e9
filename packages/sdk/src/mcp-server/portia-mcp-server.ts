import type {
  CallToolResult,
  InputRequiredResult,
  McpHttpHandler,
  McpServer as OfficialServer,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Portia } from '../client.ts';
import { ensureError, PortiaError } from '../core/errors.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { version } from '../version.ts';
import { HostSession } from './host-session.ts';
import type { PortiaMcpOptions } from './options.ts';
import { serverPackage } from './package.ts';
import { describePlan, planArguments, runKey } from './plan-input.ts';
import { RunDrives } from './run-drives.ts';

/** A client as an MCP server. */
export interface PortiaMcpServer {
  /** Serves the host that started this process, over standard input and output. Resolves when it has gone. */
  serveStdio(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Serves one request of MCP over HTTP (streamable), for any server with `Request` and `Response`. */
  fetch(request: Request): Promise<Response>;
  /** Stops driving; runs stay resumable. The client stays open. */
  close(): Promise<void>;
}

/**
 * Makes a client an MCP server, so that any MCP host can start its plans, watch the runs and pass questions to the end
 * user. A host acts for one end user. It sees that end user's runs alone, and answers what is addressed to the end user
 * alone; what operators decide, and every approval, is out of its reach.
 *
 * @throws PortiaError `PACKAGE_MISSING` without `@modelcontextprotocol/server`; `CONFIG_INVALID` for a plan's name that
 * is not letters, digits, `_` and `-`.
 */
export async function portiaMcpServer(portia: Portia, options: PortiaMcpOptions): Promise<PortiaMcpServer> {
  const official = await serverPackage();
  const drives = new RunDrives(portia);
  const plans = await planTools(options);
  const make = (endUser: string): OfficialServer => {
    const server = new official.McpServer({ name: options.name ?? 'portia-ts', version }, { instructions });
    const canElicit = (): boolean => server.server.getClientCapabilities()?.elicitation !== undefined;
    const session = new HostSession(portia, drives, endUser, options.waitMs ?? 45_000, canElicit);
    addRunning(server, portia, session, plans, options);
    addWatching(server, session);
    addResources(server, official.ResourceTemplate, session, plans);
    return server;
  };
  let http: McpHttpHandler | undefined;
  return {
    async serveStdio({ signal } = {}) {
      const { endUser } = options;
      if (typeof endUser !== 'string') throw invalid('over standard input and output endUser is an id, no function');
      const { serveStdio, StdioServerTransport } = await import('@modelcontextprotocol/server/stdio');
      const transport = new StdioServerTransport();
      const handle = serveStdio(() => make(endUser), { transport });
      await new Promise<void>((gone) => {
        process.stdin.once('end', gone);
        process.stdin.once('close', gone);
        signal?.addEventListener('abort', () => gone(), { once: true });
        if (signal?.aborted) gone();
      });
      await handle.close();
    },
    async fetch(request) {
      const endUser = typeof options.endUser === 'string' ? options.endUser : await options.endUser(request);
      if (endUser === undefined || endUser === '') return new Response(null, { status: 401 });
      http ??= official.createMcpHandler(({ authInfo }) => make(String(authInfo?.extra?.['endUser'])));
      return http.fetch(request, { authInfo: { token: '', clientId: '', scopes: [], extra: { endUser } } });
    },
    async close() {
      await http?.close();
      await drives.close();
    },
  };
}

const instructions =
  'Starts plans and follows their runs. A run may pause for a person: questions to the end user are listed with the ' +
  'run, and are answered with the tool "answer" only in the end user’s own words. Approvals are never given by a model.';

interface PlanTool {
  readonly name: string;
  readonly description: string;
  readonly plan: NonNullable<PortiaMcpOptions['plans']>[string];
  readonly schema: Awaited<ReturnType<typeof planArguments>>;
}

function planTools({ plans = {} }: PortiaMcpOptions): Promise<PlanTool[]> {
  return Promise.all(
    Object.entries(plans).map(async ([name, plan]) => {
      if (!/^[\w-]{1,60}$/.test(name))
        throw invalid(`the plan name ${JSON.stringify(name)} is not letters, digits, _ and -`);
      return { name, plan, description: describePlan(plan), schema: await planArguments(plan) };
    }),
  );
}

function invalid(message: string): PortiaError {
  return new PortiaError({ code: 'CONFIG_INVALID', message });
}

function addRunning(
  server: OfficialServer,
  portia: Portia,
  session: HostSession,
  plans: readonly PlanTool[],
  { queries = false }: PortiaMcpOptions,
): void {
  const { endUser } = session;
  for (const { name, plan, description, schema } of plans) {
    server.registerTool(`run_${name}`, { description, inputSchema: schema }, (args, context) =>
      told(() => {
        const { [runKey]: key, ...planRunInputs } = args as JsonObject;
        return session.run(() => portia.start(plan, { planRunInputs, endUser, runKey: keyOf(endUser, key) }), context);
      }),
    );
  }
  if (!queries) return;
  const inputSchema = z.object({ query: z.string().min(1), [runKey]: z.string().optional() });
  const description = 'Plans a query in words and runs the plan. It may pause for a person.';
  server.registerTool('run', { description, inputSchema }, (args, context) =>
    told(() => {
      const { query, [runKey]: key } = args as { readonly query: string; readonly [runKey]?: string };
      return session.run(() => portia.startQuery(query, { endUser, runKey: keyOf(endUser, key) }), context);
    }),
  );
}

/** A key names a run of one end user: nobody reaches another's by guessing it. */
function keyOf(endUser: string, key: JsonValue | undefined): string | undefined {
  return typeof key === 'string' ? `mcp:${JSON.stringify([endUser, key])}` : undefined;
}

function addWatching(server: OfficialServer, session: HostSession): void {
  const run_id = z.string();
  server.registerTool(
    'get_run',
    {
      description: 'Says how a run stands, and waits for it a while if it is under way.',
      inputSchema: z.object({ run_id, wait_seconds: z.number().min(0).max(60).optional() }),
    },
    ({ run_id: id, wait_seconds: seconds }, context) =>
      told(async () => {
        const asked = context.mcpReq.requestState();
        if (typeof asked === 'string') return session.run(neverStarts, context);
        const run = await session.ownRun(id);
        return seconds === undefined ? session.outcome(run.id) : session.follow(run.id, context, seconds * 1_000);
      }),
  );
  server.registerTool(
    'answer',
    {
      description:
        'Passes on what the end user answered to a question of a run. Only in the end user’s own words; approvals cannot be given here.',
      inputSchema: z.object({ run_id, question_id: z.string(), answer: z.json() }),
    },
    ({ run_id: id, question_id: question, answer }, context) =>
      told(() => {
        if (typeof context.mcpReq.requestState() === 'string') return session.run(neverStarts, context);
        return session.answer(id, question, answer as JsonValue, context);
      }),
  );
  server.registerTool(
    'list_runs',
    {
      description: 'Lists the end user’s runs, newest first.',
      inputSchema: z.object({ limit: z.number().int().min(1).max(100).optional() }),
      annotations: { readOnlyHint: true },
    },
    ({ limit = 20 }) =>
      told(async () => {
        const runs = await session.list(limit);
        return { content: [{ type: 'text', text: JSON.stringify(runs) }], structuredContent: { runs } };
      }),
  );
  server.registerTool(
    'cancel_run',
    { description: 'Cancels a run of the end user.', inputSchema: z.object({ run_id }) },
    ({ run_id: id }) => told(() => session.cancel(id)),
  );
}

function neverStarts(): never {
  throw new Error('a call that goes on starts nothing');
}

/** What goes wrong is said to the model with its code; what is not foreseen is not told in detail. */
async function told(
  work: () => Promise<CallToolResult | InputRequiredResult>,
): Promise<CallToolResult | InputRequiredResult> {
  try {
    return await work();
  } catch (thrown) {
    const error = ensureError(thrown);
    const text = PortiaError.isInstance(error)
      ? [`${error.code}: ${error.message}`, ...(error.hint === undefined ? [] : [error.hint])].join('\n')
      : 'INTERNAL: it did not work';
    return { isError: true, content: [{ type: 'text', text }] };
  }
}

function addResources(
  server: OfficialServer,
  Template: typeof import('@modelcontextprotocol/server')['ResourceTemplate'],
  session: HostSession,
  plans: readonly PlanTool[],
): void {
  const mimeType = 'application/json';
  const json = (uri: URL, value: unknown): { contents: { uri: string; mimeType: string; text: string }[] } => ({
    contents: [{ uri: uri.href, mimeType, text: JSON.stringify(value, null, 2) }],
  });
  const described = plans.map(({ name, description }) => ({ tool: `run_${name}`, description }));
  server.registerResource('plans', 'portia://plans', { description: 'The plans that can be run', mimeType }, (uri) =>
    json(uri, described),
  );
  server.registerResource('runs', 'portia://runs', { description: 'The end user’s runs', mimeType }, async (uri) =>
    json(uri, await session.list(100)),
  );
  const one = async (uri: URL, id: unknown, part?: 'questions'): Promise<ReturnType<typeof json>> => {
    const { structuredContent } = await session.report(PlanRunUUID.fromString(String(id)));
    return json(uri, part ? ((structuredContent as JsonObject)[part] ?? []) : structuredContent);
  };
  server.registerResource(
    'run',
    new Template('portia://runs/{id}', { list: undefined }),
    { description: 'How a run stands', mimeType },
    (uri, { id }) => one(uri, id),
  );
  server.registerResource(
    'clarifications',
    new Template('portia://runs/{id}/clarifications', { list: undefined }),
    { description: 'What a run asks the end user', mimeType },
    (uri, { id }) => one(uri, id, 'questions'),
  );
}
