import type {
  CallToolResult,
  Client,
  GetPromptResult,
  Prompt,
  ReadResourceResult,
  Resource,
  ResourceTemplateType,
  Tool as McpTool,
} from '@modelcontextprotocol/client';
import type { Clarification } from '../../core/clarification.ts';
import { defaultEndUserId } from '../../core/end-user.ts';
import { isPlainObject, type JsonValue } from '../../core/json.ts';
import type { ToolReadyContext, ToolRunContext } from '../../core/tool.ts';
import { memorySecretStore, type SecretStore } from '../../secrets/secret-store.ts';
import type { Flight } from './flight.ts';
import { areAnswered } from './answers.ts';
import type { McpServerSpec } from './server-options.ts';
import { McpSession, unreachable } from './session.ts';
import { SignIns } from './sign-ins.ts';

/** How long the session of one end user or run is kept when nobody calls, in milliseconds. */
const idleMs = 300_000;

/** Whose session: what every call is told. */
type Whose = Pick<ToolReadyContext, 'endUser' | 'planRunId'>;

/**
 * An MCP server in use: its sessions, and what stands beside its tools: resources, prompts, changes of its list of
 * tools.
 */
export class McpServer {
  readonly name: string;
  /** @internal */
  readonly spec: McpServerSpec;
  readonly #secrets: SecretStore;
  readonly #signIns: SignIns | undefined;
  readonly #sessions: Map<string, { readonly session: McpSession; timer: NodeJS.Timeout | undefined }> = new Map();
  readonly #listeners: Set<() => void> = new Set<() => void>();
  readonly #givenUp: Map<Flight<CallToolResult>, readonly string[]> = new Map();
  readonly #settled: Set<string> = new Set<string>();
  readonly #wholes: WeakSet<object> = new WeakSet<object>();

  /** @internal */
  constructor(spec: McpServerSpec) {
    this.name = spec.serverName;
    this.spec = spec;
    this.#secrets = spec.secrets ?? memorySecretStore();
    if (spec.transport !== 'stdio' && spec.oauth) {
      this.#signIns = new SignIns(spec, spec.oauth, this.#secrets);
    }
  }

  /** The people's sign-ins; `undefined` for a server that needs none. @internal */
  get signIns(): SignIns | undefined {
    return this.#signIns;
  }

  /** @internal */
  sessionFor({ endUser, planRunId }: Whose): McpSession {
    const { sessions = 'shared' } = this.spec;
    const user = this.#signIns || sessions !== 'shared' ? `user:${endUser.externalId}` : '';
    return this.#session(sessions === 'run' ? `${user} run:${planRunId}` : user, endUser.externalId);
  }

  #session(key: string, endUserId: string): McpSession {
    let kept = this.#sessions.get(key);
    if (!kept) {
      const authProvider = this.#signIns?.provider(endUserId);
      const onToolsChanged = (): void => {
        for (const listener of this.#listeners) listener();
      };
      kept = { session: new McpSession(this.spec, { authProvider, onToolsChanged }), timer: undefined };
      this.#sessions.set(key, kept);
    }
    if (key !== '') this.#closeWhenIdle(key, kept);
    return kept.session;
  }

  #closeWhenIdle(key: string, kept: { readonly session: McpSession; timer: NodeJS.Timeout | undefined }): void {
    clearTimeout(kept.timer);
    kept.timer = setTimeout(() => {
      if (kept.session.flights.size > 0) return this.#closeWhenIdle(key, kept);
      this.#sessions.delete(key);
      void kept.session.close();
    }, idleMs).unref();
  }

  /** The client for what is asked outside of runs, as `endUser` where people sign in. */
  async #client(endUserId?: string): Promise<Client> {
    const { spec } = this;
    const listAs = spec.transport === 'stdio' ? undefined : spec.oauth?.listAs;
    const id = endUserId ?? listAs ?? defaultEndUserId;
    const perUser = this.#signIns || (spec.sessions !== undefined && spec.sessions !== 'shared');
    try {
      return await this.#session(perUser ? `user:${id}` : '', id).connected();
    } catch (error) {
      throw (await this.#signIns?.needed(error, id)) ?? unreachable(this.name, error);
    }
  }

  async #ask<T>(ask: (client: Client) => Promise<T>, endUserId?: string): Promise<T> {
    const client = await this.#client(endUserId);
    try {
      return await ask(client);
    } catch (error) {
      throw unreachable(this.name, error);
    }
  }

  /** The tools as the server describes them, all pages. @throws PortiaError `MCP_FAILED`, `SIGN_IN_REQUIRED`. */
  listTools(): Promise<readonly McpTool[]> {
    return this.#ask(async (client) => {
      if (!client.getServerCapabilities()?.tools) return [];
      return (await client.listTools(undefined, { cacheMode: 'refresh', ...this.#timeout })).tools;
    });
  }

  get #timeout(): { timeout: number } {
    return { timeout: this.spec.connectTimeoutMs ?? 30_000 };
  }

  /** The server's resources, all pages. @throws PortiaError `MCP_FAILED`, `SIGN_IN_REQUIRED`. */
  listResources(options: { readonly endUserId?: string } = {}): Promise<readonly Resource[]> {
    return this.#ask(
      async (client) => (await client.listResources(undefined, this.#timeout)).resources,
      options.endUserId,
    );
  }

  /** The templates of its resources, all pages. @throws PortiaError `MCP_FAILED`, `SIGN_IN_REQUIRED`. */
  listResourceTemplates(options: { readonly endUserId?: string } = {}): Promise<readonly ResourceTemplateType[]> {
    return this.#ask(
      async (client) => (await client.listResourceTemplates(undefined, this.#timeout)).resourceTemplates,
      options.endUserId,
    );
  }

  /** One resource. @throws PortiaError `MCP_FAILED`, `SIGN_IN_REQUIRED`. */
  readResource(uri: string, options: { readonly endUserId?: string } = {}): Promise<ReadResourceResult> {
    return this.#ask(
      (client) => client.readResource({ uri }, { cacheMode: 'refresh', ...this.#timeout }),
      options.endUserId,
    );
  }

  /** The server's prompts, all pages. @throws PortiaError `MCP_FAILED`, `SIGN_IN_REQUIRED`. */
  listPrompts(options: { readonly endUserId?: string } = {}): Promise<readonly Prompt[]> {
    return this.#ask(async (client) => (await client.listPrompts(undefined, this.#timeout)).prompts, options.endUserId);
  }

  /** A prompt, filled in. @throws PortiaError `MCP_FAILED`, `SIGN_IN_REQUIRED`. */
  getPrompt(
    name: string,
    args: Readonly<Record<string, string>> = {},
    options: { readonly endUserId?: string } = {},
  ): Promise<GetPromptResult> {
    return this.#ask((client) => client.getPrompt({ name, arguments: { ...args } }, this.#timeout), options.endUserId);
  }

  /** What the server says about itself and how it wants to be used, once it is connected. */
  async instructions(): Promise<string | undefined> {
    return (await this.#client()).getInstructions();
  }

  /** Calls the listener whenever the server says that its tools have changed. Returns how to stop. */
  onToolsChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Lets go of connections nobody is calling over; they open again when they are needed. */
  async release(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ session }) => session.release()));
  }

  /** Closes all connections, whatever is on its way. */
  async close(): Promise<void> {
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const { timer } of all) clearTimeout(timer);
    await Promise.all(all.map(({ session }) => session.close()));
  }

  /** The question for a sign-in; `undefined` when this server has none. @internal */
  signIn(context: ToolReadyContext | ToolRunContext): Promise<Clarification | undefined> | undefined {
    return this.#signIns?.ask(context);
  }

  /** Remembers a call that waits for people, so that its end is found if it comes before their answer. @internal */
  parked(flight: Flight<CallToolResult>, ids: readonly string[]): void {
    this.#givenUp.set(flight, ids);
  }

  /** A call that was parked goes on: its end is for whoever waits for it now. @internal */
  unparked(flight: Flight<CallToolResult>): void {
    this.#givenUp.delete(flight);
  }

  /** A call that was parked for these questions and has ended meanwhile. @internal */
  takeGivenUp(clarifications: readonly Clarification[]): Flight<CallToolResult> | undefined {
    for (const [flight, ids] of this.#givenUp) {
      if (!areAnswered(clarifications, ids)) continue;
      this.#givenUp.delete(flight);
      if (flight.ended) return flight;
    }
    return undefined;
  }

  /** The questions were dealt with: they are not those of a call that was lost. @internal */
  settle(clarifications: readonly Clarification[]): void {
    for (const { id } of clarifications) this.#settled.add(id);
  }

  /** Whether somebody visited a page for a call that nobody knows of any more. @internal */
  hasLostQuestion(clarifications: readonly Clarification[]): boolean {
    return clarifications.some(
      ({ id, category, resolved, source }) =>
        category === 'Action' && resolved && source === `MCP server ${this.name}` && !this.#settled.has(id),
    );
  }

  #unfinishedName(planRunId: string, clarificationId: string): string {
    return `mcp/${this.name}/unfinished/${planRunId}/${clarificationId}`;
  }

  /** @internal */
  keepUnfinished(planRunId: string, clarificationId: string, text: string): Promise<void> {
    return this.#secrets.set(this.#unfinishedName(planRunId, clarificationId), text);
  }

  /** What was kept of a call whose questions are answered now. @internal */
  async takeUnfinished({ planRunId, clarifications }: ToolRunContext): Promise<string | undefined> {
    for (const { id, resolved } of clarifications) {
      if (!resolved || this.#settled.has(id)) continue;
      const name = this.#unfinishedName(planRunId, id);
      const text = await this.#secrets.get(name);
      if (text === undefined) continue;
      await this.#secrets.delete(name);
      return text;
    }
    return undefined;
  }

  /** The last list of tools, kept where people must sign in before they see it. @internal */
  async keptTools(): Promise<readonly McpTool[] | undefined> {
    const text = await this.#secrets.get(`mcp/${this.name}/tools`);
    return text === undefined ? undefined : (JSON.parse(text) as McpTool[]);
  }

  /** @internal */
  async keepTools(tools: readonly McpTool[]): Promise<void> {
    if (this.#signIns) await this.#secrets.set(`mcp/${this.name}/tools`, JSON.stringify(tools));
  }

  /** Marks a result as one with all its blocks, so that it is not checked as if it were structured content. @internal */
  whole(value: JsonValue): JsonValue {
    if (isPlainObject(value) && Array.isArray(value['content']) && 'structuredContent' in value)
      this.#wholes.add(value);
    return value;
  }

  /** The part of a result that has a schema. @internal */
  structured(value: unknown): unknown {
    return isPlainObject(value) && this.#wholes.has(value) ? value['structuredContent'] : value;
  }
}
