import type { AnyPlan } from '../run/create-run.ts';

/** Who calls over HTTP, as your own authentication knows. */
export type EndUserOf = (request: Request) => string | undefined | Promise<string | undefined>;

/** What an MCP host may do with a client. */
export interface PortiaMcpOptions {
  /**
   * On whose behalf everything happens: runs are started for this end user, and nobody else's can be seen. Over HTTP a
   * function of the request; `undefined` turns it away (401).
   */
  readonly endUser: string | EndUserOf;
  /** The plans that may be started, by name: each becomes the tool `run_<name>`. */
  readonly plans?: Readonly<Record<string, AnyPlan>> | undefined;
  /** Whether a query in words may be planned and run (the tool `run`); false unless given. */
  readonly queries?: boolean | undefined;
  /** Milliseconds a call waits for its run before it says how far it is; 45,000 unless given. */
  readonly waitMs?: number | undefined;
  /** The name of the server; `portia-ts` unless given. */
  readonly name?: string | undefined;
}
