/** How people sign in to an MCP server. */
export interface OAuthOptions {
  /** Where the browser is sent back to: your page, which hands its URL to `handleOAuthCallback`. */
  readonly redirectUrl: string;
  /** What people read on the sign-in page; `portia-ts` unless given. */
  readonly clientName?: string | undefined;
  readonly scope?: string | undefined;
  /** A client that is registered already; else one is registered when the server allows it. */
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /**
   * Whose sign-in is used to list the tools, by end user id; `portia:default_user` unless given. Needed once: the list
   * is kept beside the sign-ins.
   */
  readonly listAs?: string | undefined;
  /**
   * Hosts that may be asked for signing in although they are private, as they stand in the address: `login.corp.example`,
   * `10.0.0.7:8080`. None unless given, where the server is on the public internet; all where it is private itself (by its
   * name: an address, a name without a dot, or one in `.local`, `.internal` or `.localhost`).
   */
  readonly allowPrivateHosts?: readonly string[] | undefined;
}
