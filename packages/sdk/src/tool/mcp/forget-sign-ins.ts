import type { SecretStore } from '../../secrets/secret-store.ts';

/** What stands under the id of an end user; sign-ins that were begun stand under a name made at random. */
const theirs: ReadonlySet<string> = new Set(['tokens', 'current', 'waiting']);

/**
 * Removes what is kept of an end user's sign-ins to all MCP servers: tokens, and sign-ins that were begun. Gives how many
 * secrets that were. The servers themselves are not told: there the account still says that it lent a token.
 */
export async function forgetSignIns(secrets: SecretStore, endUserId: string): Promise<number> {
  const id = encodeURIComponent(endUserId);
  let forgotten = 0;
  for (const name of await secrets.list('mcp/')) {
    const [, , kind = '', owner] = name.split('/');
    const isTheirs = theirs.has(kind)
      ? owner === id
      : kind === 'flow' && endUserIn(await secrets.get(name)) === endUserId;
    if (!isTheirs) continue;
    await secrets.delete(name);
    forgotten += 1;
  }
  return forgotten;
}

function endUserIn(flow: string | undefined): unknown {
  return flow === undefined ? undefined : (JSON.parse(flow) as { readonly endUserId?: unknown }).endUserId;
}
