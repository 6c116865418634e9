import type { Tool as McpTool } from '@modelcontextprotocol/client';
import { PortiaError } from '../../core/errors.ts';
import type { AnyTool } from '../../core/tool.ts';
import { ToolRegistry } from '../registry.ts';
import { checkTool } from '../tool.ts';
import { type McpConfig, serversOf } from './config.ts';
import { toolOf } from './mcp-tool.ts';
import { resourceTools } from './resource-tools.ts';
import { McpServer } from './server.ts';
import type { HttpServer, McpServerOptions, McpServerSpec, StdioServer } from './server-options.ts';
import { type CallbackOptions, type CallbackResult, handleCallback } from './sign-in-callback.ts';
import { toolIds } from './tool-names.ts';

/** A tool of a server that could not be taken in, and why. */
export interface SkippedTool {
  readonly server: string;
  readonly name: string;
  readonly reason: string;
}

/** An `optional` server that could not be used, and why. */
export interface SkippedServer {
  readonly server: string;
  readonly reason: string;
}

/**
 * The tools of MCP servers. The set is what the servers listed when it was made, and does not change: what was planned
 * and approved with it stays what it was. A server's sessions are kept behind it; {@link McpToolRegistry.refreshed}
 * gives the set of today.
 *
 * Closing the client a registry was given to lets go of its connections; they open again when a tool is called.
 */
export class McpToolRegistry extends ToolRegistry {
  /** The servers, by name: their resources, prompts and changes. */
  readonly servers: ReadonlyMap<string, McpServer>;
  /** Tools that could not be taken in. */
  readonly skipped: readonly SkippedTool[];
  /** Servers marked `optional` that could not be used, whose tools are missing; {@link refreshed} asks them again. */
  readonly skippedServers: readonly SkippedServer[];

  private constructor(servers: readonly McpServer[], listings: readonly Listing[]) {
    super(listings.flatMap(({ tools }) => tools));
    this.servers = new Map(servers.map((server) => [server.name, server]));
    this.skipped = listings.flatMap(({ skipped }) => skipped);
    this.skippedServers = listings.flatMap(({ skippedServer }) => skippedServer ?? []);
  }

  /**
   * The tools of a server that is started as a process.
   * @throws PortiaError `PACKAGE_MISSING`; `MCP_FAILED` when it does not start or does not speak MCP.
   */
  static fromStdioConnection(server: StdioServer): Promise<McpToolRegistry> {
    return McpToolRegistry.#of([{ transport: 'stdio', ...server }]);
  }

  /**
   * The tools of a server at a web address (streamable HTTP).
   * @throws PortiaError `PACKAGE_MISSING`; `MCP_FAILED`; `SIGN_IN_REQUIRED` with the page in `details.url` when nobody
   * has signed in yet who could list the tools.
   */
  static fromStreamableHttpConnection(server: HttpServer): Promise<McpToolRegistry> {
    return McpToolRegistry.#of([{ transport: 'http', ...server }]);
  }

  /** The same for a server that speaks the older HTTP with server-sent events. */
  static fromSseConnection(server: HttpServer): Promise<McpToolRegistry> {
    return McpToolRegistry.#of([{ transport: 'sse', ...server }]);
  }

  /**
   * The tools of all servers of a configuration as other MCP hosts have it: `{ mcpServers: { name: { command, args } } }`,
   * as an object or its JSON. `${NAME}` in it stands for a variable of the environment. `options` hold for all servers.
   * One server that cannot be used fails all, unless it is marked `optional`.
   * @throws PortiaError `CONFIG_INVALID` saying what is wrong where; `CONFIG_NOT_FOUND` for a variable that is not set;
   * and what the servers fail with.
   */
  static fromConfig(config: McpConfig | string, options: McpServerOptions & ConfigEnv = {}): Promise<McpToolRegistry> {
    const { env = process.env, ...rest } = options;
    return McpToolRegistry.#of(serversOf(config, env).map((spec) => ({ ...rest, ...spec })));
  }

  static async #of(specs: readonly McpServerSpec[]): Promise<McpToolRegistry> {
    const servers = specs.map((spec) => new McpServer(spec));
    try {
      return await McpToolRegistry.#listed(servers);
    } catch (error) {
      await Promise.all(servers.map((server) => server.close()));
      throw error;
    }
  }

  static async #listed(servers: readonly McpServer[]): Promise<McpToolRegistry> {
    return new McpToolRegistry(servers, await Promise.all(servers.map(listingOf)));
  }

  /** The same servers, on the same sessions, with the tools they list now. */
  refreshed(): Promise<McpToolRegistry> {
    return McpToolRegistry.#listed([...this.servers.values()]);
  }

  /**
   * Takes the browser of somebody who signed in: hand it the whole URL your page at `redirectUrl` was called with. The
   * sign-in is kept, the questions that waited for it are answered, and with `portia` given their runs go on.
   * @throws PortiaError `SIGN_IN_FAILED` for a URL that belongs to no open sign-in, or when the sign-in was refused.
   */
  handleOAuthCallback(url: string | URL, options: CallbackOptions = {}): Promise<CallbackResult> {
    return handleCallback([...this.servers.values()], url, options);
  }

  /** Closes all connections, whatever is on its way. */
  async close(): Promise<void> {
    await Promise.all([...this.servers.values()].map((server) => server.close()));
  }
}

/** Where `${NAME}` in a configuration is looked up. */
export interface ConfigEnv {
  /** The environment of the process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** What came of asking a server for its tools. */
interface Listing {
  readonly tools: readonly AnyTool[];
  readonly skipped: readonly SkippedTool[];
  readonly skippedServer?: SkippedServer;
}

/** The tools of a server; none of one that cannot be used and need not be. Somebody who has to sign in is no such reason. */
async function listingOf(server: McpServer): Promise<Listing> {
  try {
    return await toolsOf(server);
  } catch (error) {
    if (!PortiaError.isInstance(error) || error.code !== 'MCP_FAILED') throw error;
    const { code, message: reason, hint, cause } = error;
    if (server.spec.optional !== true) {
      const leaveOut = 'mark it optional: true to go without its tools while it cannot be used';
      throw new PortiaError({ code, message: reason, hint: hint ? `${hint}; ${leaveOut}` : leaveOut, cause });
    }
    await server.release();
    return { tools: [], skipped: [], skippedServer: { server: server.name, reason } };
  }
}

async function toolsOf(server: McpServer): Promise<Listing> {
  const { onlyTools, resourceTools: wanted = false } = server.spec;
  const listed = (await listOrKept(server)).filter(({ name }) => onlyTools?.(name) ?? true);
  const ids = toolIds(
    server.name,
    listed.map(({ name }) => name),
  );
  const tools: AnyTool[] = [];
  const skipped: SkippedTool[] = [];
  const taken = new Set<string>();
  for (const info of listed) {
    try {
      const id = ids.get(info.name) as string;
      if (taken.has(id)) throw new Error(`another tool that the server listed before it has its id, "${id}"`);
      const made = await toolOf(server, info, id);
      checkTool(made);
      taken.add(id);
      tools.push(made);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      skipped.push({ server: server.name, name: info.name, reason });
    }
  }
  return { tools: wanted ? [...tools, ...resourceTools(server)] : tools, skipped };
}

/** Where people must sign in first, the list that was kept is good enough until somebody has. */
async function listOrKept(server: McpServer): Promise<readonly McpTool[]> {
  try {
    const tools = await server.listTools();
    await server.keepTools(tools);
    return tools;
  } catch (error) {
    const kept = PortiaError.isInstance(error) && error.code === 'SIGN_IN_REQUIRED' && (await server.keptTools());
    if (kept) return kept;
    throw error;
  }
}
