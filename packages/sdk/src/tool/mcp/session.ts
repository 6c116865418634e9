import type {
  CallToolResult,
  Client,
  ElicitResult,
  OAuthClientProvider,
  Tool as McpTool,
} from '@modelcontextprotocol/client';
import { PortiaError } from '../../core/errors.ts';
import { version } from '../../version.ts';
import { questionOf } from './elicitation.ts';
import type { Flight } from './flight.ts';
import { clientPackage } from './mcp-package.ts';
import { answerSampling } from './sampling.ts';
import type { McpServerSpec } from './server-options.ts';
import { isTooLong, rootsOf, transportTo } from './transports.ts';
import { NotReached } from './what-happened.ts';

/** The longest time Node's timers know: our own signal ends calls, not the client's timer. */
const forEver = 2 ** 31 - 1;

/**
 * A connection to a server that is kept: opened when it is first needed, shared by all calls, opened again when it was
 * lost.
 */
export class McpSession {
  readonly flights: Set<Flight<CallToolResult>> = new Set<Flight<CallToolResult>>();
  readonly #spec: McpServerSpec;
  readonly #authProvider: OAuthClientProvider | undefined;
  readonly #onToolsChanged: (() => void) | undefined;
  #connecting: Promise<Client> | undefined;
  #client: Client | undefined;

  constructor(
    spec: McpServerSpec,
    options: { authProvider?: OAuthClientProvider | undefined; onToolsChanged?: () => void },
  ) {
    this.#spec = spec;
    this.#authProvider = options.authProvider;
    this.#onToolsChanged = options.onToolsChanged;
  }

  /** The connected client. @throws what the connection fails with; the next call tries again. */
  connected(): Promise<Client> {
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  async #connect(): Promise<Client> {
    const { Client, SseError } = await clientPackage();
    const spec = this.#spec;
    const { allowElicitation = true, allowSampling = false, roots, connectTimeoutMs = 30_000 } = spec;
    const client = new Client(
      { name: 'portia-ts', version },
      {
        capabilities: {
          ...(allowElicitation && { elicitation: { form: {}, url: {} } }),
          ...(allowSampling !== false && { sampling: {} }),
          ...(roots && { roots: {} }),
        },
        listMaxPages: 1_000,
        inputRequired: { autoFulfill: false },
        versionNegotiation: { mode: spec.protocol ?? (spec.transport === 'http' ? 'auto' : 'legacy') },
        listChanged: { tools: { autoRefresh: false, onChanged: () => this.#onToolsChanged?.() } },
      },
    );
    if (allowElicitation) {
      client.setRequestHandler('elicitation/create', ({ params }): Promise<ElicitResult> | ElicitResult => {
        const flight = this.#asker();
        return flight ? flight.ask(questionOf(params)) : { action: 'cancel' };
      });
    }
    if (allowSampling !== false) {
      client.setRequestHandler('sampling/createMessage', ({ params }) =>
        answerSampling(this.#asker(), params, allowSampling),
      );
    }
    if (roots) client.setRequestHandler('roots/list', () => ({ roots: rootsOf(roots) }));
    client.onclose = () => this.#forget(client);
    client.onerror = (error) => {
      if (isTooLong(error)) for (const flight of this.flights) flight.tooLong = true;
      // Answers come over the stream of events alone: without it, calls would wait for ever.
      if (spec.transport === 'sse' && SseError.isInstance(error)) void client.close();
    };
    const transport = await transportTo(spec, this.#authProvider);
    try {
      await client.connect(transport, { timeout: connectTimeoutMs });
    } catch (error) {
      // A connection that was half made is not left behind, such as a process that never answered.
      await transport.close().catch(() => {});
      throw error;
    }
    this.#client = client;
    return client;
  }

  /** The connection is gone, or told us that it is: the next call opens another. */
  #forget(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#connecting = undefined;
  }

  /**
   * The call a request of the server belongs to. The protocol of 2025 does not say; where it could be one of several
   * end users' calls, none is it: a question never goes to the wrong person.
   */
  #asker(): Flight<CallToolResult> | undefined {
    const all = [...this.flights];
    const active = all.filter(({ parked }) => !parked);
    if (active.length !== 1) return undefined;
    const people = new Set(all.map(({ context }) => context.endUser.externalId));
    return people.size === 1 ? active[0] : undefined;
  }

  /** Calls a tool of the server, on a flight that can be parked. */
  call(flight: Flight<CallToolResult>, tool: McpTool, params: CallParams): void {
    this.flights.add(flight);
    flight.start(async () => {
      try {
        return await this.#send(flight, tool, params);
      } finally {
        this.flights.delete(flight);
      }
    });
  }

  async #send(
    flight: Flight<CallToolResult>,
    tool: McpTool,
    params: CallParams,
    again = false,
  ): Promise<CallToolResult> {
    const client = await this.connected().catch((error: unknown) => {
      throw new NotReached(error);
    });
    flight.signal.throwIfAborted();
    const { outputSchema: _checkedByUs, ...definition } = tool;
    try {
      const { traceparent, tracestate } = flight.context;
      const trace = { traceparent, ...(tracestate !== undefined && { tracestate }) };
      const traced = { ...params, _meta: { ...params._meta, ...trace } };
      return await client.callTool({ name: tool.name, ...traced } as Parameters<Client['callTool']>[0], {
        toolDefinition: definition,
        signal: flight.signal,
        timeout: forEver,
        allowInputRequired: true,
        onprogress: ({ progress, total, message }) => {
          flight.context.progress({
            progress,
            ...(total !== undefined && { total }),
            ...(message !== undefined && { message }),
          });
        },
      });
    } catch (error) {
      if (!again && (await isGoneSession(error))) {
        // The server does not know this session: it did not look at the call.
        this.#forget(client);
        await client.close().catch(() => {});
        return this.#send(flight, tool, params, true);
      }
      throw error;
    }
  }

  /** Closes the connection unless a call is on its way; calls that wait for people are given up. */
  async release(): Promise<void> {
    for (const flight of this.flights) if (!flight.parked) return;
    await this.close();
  }

  /** Closes the connection. The next call would open another. */
  async close(): Promise<void> {
    for (const flight of this.flights) flight.give('the session was closed');
    const connecting = this.#connecting;
    this.#connecting = undefined;
    this.#client = undefined;
    const client = await connecting?.catch(() => undefined);
    await client?.close().catch(() => {});
  }
}

/** What is sent with a call. */
export interface CallParams {
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly inputResponses?: Readonly<Record<string, unknown>>;
  readonly requestState?: string;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** Servers should say 404 when they do not know a session; many say 400, and that it is about the session. */
async function isGoneSession(error: unknown): Promise<boolean> {
  const { SdkHttpError } = await clientPackage();
  if (!SdkHttpError.isInstance(error)) return false;
  return error.status === 404 || (error.status === 400 && /\bsession\b/i.test(error.message));
}

/** A connection that could not be made, in our words. */
export function unreachable(server: string, error: unknown): PortiaError {
  if (PortiaError.isInstance(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PortiaError({
    code: 'MCP_FAILED',
    message: `the MCP server "${server}" cannot be used: ${reason}`,
    hint: 'start it by hand to see what it says, or give stderr: "inherit" for one that is a process',
    cause: error,
  });
}
