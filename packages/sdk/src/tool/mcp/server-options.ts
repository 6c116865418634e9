import type { SecretStore } from '../../secrets/secret-store.ts';
import type { OAuthOptions } from './oauth-options.ts';

/** What can be said about any MCP server. */
export interface McpServerOptions {
  /** Milliseconds for connecting and for listing; 30,000 unless given. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Whether a registry is made without the tools of this server when it cannot be reached or does not speak MCP; false
   * unless given: then making the registry fails. What is left out stands in `skippedServers`.
   */
  readonly optional?: boolean | undefined;
  /** Milliseconds for a call of a tool; 60,000 unless given. Waiting for people does not count. */
  readonly toolCallTimeoutMs?: number | undefined;
  /** Only the tools for which it says yes become tools here; it is asked with the server's own name of the tool. */
  readonly onlyTools?: ((name: string) => boolean) | undefined;
  /**
   * Whether the server is believed when it says that a tool is read-only, idempotent or destructive; true unless
   * given. When false every tool counts as one with effects, until `withToolOptions` marks it.
   */
  readonly trustAnnotations?: boolean | undefined;
  /**
   * Who shares a session: everybody (`shared`, unless given), the runs of one end user, or nobody (`run`: each run has
   * its own). Servers that ask people things in the middle of a call do best with `run`: see docs/mcp.md.
   */
  readonly sessions?: 'shared' | 'endUser' | 'run' | undefined;
  /** Whether the server may ask the run's end user questions (elicitation); true unless given. */
  readonly allowElicitation?: boolean | undefined;
  /** Milliseconds a call in flight waits for a person who was asked; 600,000 (ten minutes) unless given. */
  readonly elicitationWaitMs?: number | undefined;
  /** Whether the server may ask the run's model (sampling), at your cost; false unless given. */
  readonly allowSampling?: boolean | SamplingLimits | undefined;
  /** Folders the server is told it may work in, as paths or `file:` URLs. */
  readonly roots?: readonly string[] | undefined;
  /** `resource` and `prompt` tools beside the server's own, so that agents can read them; false unless given. */
  readonly resourceTools?: boolean | undefined;
  /** Where sign-ins and unfinished questions are kept; in memory unless given. */
  readonly secrets?: SecretStore | undefined;
  /**
   * `auto`: the newest protocol both sides speak, asked for first. `legacy`: that of 2025. Over HTTP `auto` unless
   * given; over stdio `legacy`, as asking starts the server's process twice.
   */
  readonly protocol?: 'auto' | 'legacy' | undefined;
}

/** How much of the run's model a server may use. */
export interface SamplingLimits {
  /** Model calls within one call of a tool; 5 unless given. */
  readonly maxCalls?: number | undefined;
  /** Tokens of one answer; 2,000 unless given. */
  readonly maxTokens?: number | undefined;
}

/** A server started as a process that is spoken to over its standard input and output. */
export interface StdioServer extends McpServerOptions {
  readonly serverName: string;
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** Beside the few variables that are safe to hand on (PATH, HOME and such). */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** What becomes of the server's standard error; `ignore` unless given. */
  readonly stderr?: 'ignore' | 'inherit' | undefined;
}

/** A server at a web address. */
export interface HttpServer extends McpServerOptions {
  readonly serverName: string;
  readonly url: string | URL;
  /** Sent with every request, such as `{ authorization: 'Bearer …' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** People sign in, each on their own: see docs/mcp.md. */
  readonly oauth?: OAuthOptions | undefined;
}

/** A server and how it is reached. */
export type McpServerSpec =
  | ({ readonly transport: 'stdio' } & StdioServer)
  | ({ readonly transport: 'http' | 'sse' } & HttpServer);
