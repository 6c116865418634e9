import { PortiaError } from 'portia-ts';
import type { HttpServer, McpToolRegistry, OAuthOptions, SecretStore } from 'portia-ts/mcp';
import type { SqlSecrets } from './control/sql-secrets.ts';
import type { ServerLog } from './server-log.ts';
import type { Tenant } from './tenants.ts';

/** An MCP server at a web address; where browsers come back to and where sign-ins are kept is the server's affair. */
export interface ServedMcp extends Omit<HttpServer, 'secrets' | 'oauth'> {
  /** People sign in to it, each on their own. */
  readonly oauth?: Omit<OAuthOptions, 'redirectUrl'> | undefined;
}

/** What a config module that is a function gets, for each organisation. */
export interface ServerDoors {
  readonly organisation: string;
  /** Secrets of the organisation, in the server's database, sealed with its key (`PORTIA_SECRET_KEY`). */
  readonly secrets: SecretStore;
  /**
   * The tools of an MCP server. With `oauth`, each end user of the organisation signs in once: the run that needs it asks,
   * the browser comes back to this server, and the run goes on by itself.
   */
  mcp(server: ServedMcp): Promise<McpToolRegistry>;
}

/** The sign-ins of one organisation to the MCP servers of its tools. */
export class SignInDesk {
  readonly doors: ServerDoors;
  readonly #servers = new Map<string, HttpServer>();

  constructor(organisation: string, secrets: SqlSecrets, log: ServerLog, publicUrl: () => string) {
    const store = secrets.of(organisation);
    this.doors = {
      organisation,
      secrets: store,
      mcp: async ({ oauth, ...server }) => {
        const { McpToolRegistry: Registry } = await import('portia-ts/mcp');
        const redirectUrl = `${publicUrl()}${callbackPath(organisation)}`;
        const spec: HttpServer = { ...server, secrets: store, ...(oauth && { oauth: { ...oauth, redirectUrl } }) };
        // Before it is listed: that may need somebody to sign in.
        if (oauth) this.#servers.set(spec.serverName, spec);
        const tools = await Registry.fromStreamableHttpConnection(spec);
        for (const { server: name, reason } of tools.skippedServers)
          log.warn({ organisation, server: name, reason }, 'an MCP server is left out: its tools are missing');
        return tools;
      },
    };
  }

  /**
   * Takes a browser back: keeps the sign-in and answers what waited for it. `open` gives the organisation, whose tools may
   * only now be there to be listed.
   * @throws PortiaError `SIGN_IN_FAILED`.
   */
  async complete(
    url: string,
    open: () => Promise<Tenant | undefined>,
  ): Promise<{ readonly server: string; readonly runs: number }> {
    const { completeSignIn } = await import('portia-ts/mcp');
    const { server, planRunIds } = await completeSignIn([...this.#servers.values()], url, {
      portia: async () => (await open())?.portia,
      // Whichever worker comes first drives them.
      resume: false,
    });
    return { server, runs: planRunIds.length };
  }
}

/** Where browsers come back to, for one organisation. */
function callbackPath(organisation: string): string {
  return `/sign-in/${organisation}/callback`;
}

/** Says in the log where somebody has to sign in before the tools of an organisation can be listed. */
export function tellSignIn(log: ServerLog, organisation: string, error: unknown): boolean {
  if (!PortiaError.isInstance(error) || error.code !== 'SIGN_IN_REQUIRED') return false;
  const { server, endUserId, url } = error.details ?? {};
  log.warn(
    { organisation, server, endUserId, url },
    'somebody has to sign in before the tools can be listed: open the url',
  );
  return true;
}
