import { createHash, randomBytes } from 'node:crypto';
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client';
import { ActionClarification, type Clarification } from '../../core/clarification.ts';
import { PortiaError } from '../../core/errors.ts';
import { ClarificationUUID } from '../../core/ids.ts';
import type { ReadyResponse, ToolReadyContext } from '../../core/tool.ts';
import type { SecretStore } from '../../secrets/secret-store.ts';
import { clientPackage } from './mcp-package.ts';
import type { OAuthOptions } from './oauth-options.ts';
import { serverFetch } from './server-fetch.ts';
import type { HttpServer } from './server-options.ts';
import { whatHappened } from './what-happened.ts';

/** A sign-in that was begun: all that is needed when the browser comes back, perhaps to another process. */
export interface SignInFlow {
  readonly endUserId: string;
  readonly url: string;
  readonly verifier: string;
  readonly client: StoredOAuthClientInformation | undefined;
  readonly discovery: OAuthDiscoveryState | undefined;
  /** Epoch milliseconds. */
  readonly begunAt: number;
}

interface KeptTokens {
  readonly tokens: StoredOAuthTokens;
  /** Epoch milliseconds; absent when the server does not say. */
  readonly expiresAt?: number;
}

/** A run that waits for a sign-in, and the question it asked. */
export interface WaitingRun {
  readonly planRunId: string;
  readonly clarificationId: string;
}

/** Milliseconds for which the page of a sign-in that was begun is given out again. */
const sameFlowMs = 600_000;

/** The sign-ins of people to one server: each end user has one's own, and all are in the secret store. */
export class SignIns {
  readonly server: string;
  readonly url: URL;
  readonly options: OAuthOptions;
  readonly #secrets: SecretStore;
  readonly #fetch: ReturnType<typeof serverFetch>;

  constructor(spec: HttpServer, options: OAuthOptions, secrets: SecretStore) {
    this.server = spec.serverName;
    this.url = new URL(spec.url);
    this.options = options;
    this.#secrets = secrets;
    this.#fetch = serverFetch(spec);
  }

  #name(...parts: readonly string[]): string {
    return ['mcp', this.server, ...parts].map(encodeURIComponent).join('/');
  }

  async #read<T>(...parts: readonly string[]): Promise<T | undefined> {
    const text = await this.#secrets.get(this.#name(...parts));
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  #write(value: unknown, ...parts: readonly string[]): Promise<void> {
    return this.#secrets.set(this.#name(...parts), JSON.stringify(value));
  }

  #remove(...parts: readonly string[]): Promise<void> {
    return this.#secrets.delete(this.#name(...parts));
  }

  /** What the official client asks for the tokens of an end user; `flow` when it is to redeem one that was begun. */
  provider(endUserId: string, flow?: SignInFlow): OAuthClientProvider {
    const { options } = this;
    const verifiers = new Map<string, string>();
    return {
      redirectUrl: options.redirectUrl,
      clientMetadata: this.#metadata(),
      state: () => randomBytes(24).toString('base64url'),
      clientInformation: async () => flow?.client ?? this.#client(),
      saveClientInformation: (client) => this.#write({ client, redirectUrl: options.redirectUrl }, 'client'),
      tokens: async () => (await this.#read<KeptTokens>('tokens', endUserId))?.tokens,
      saveTokens: (tokens) => this.#saveTokens(endUserId, tokens),
      saveCodeVerifier: (verifier) => {
        verifiers.set(createHash('sha256').update(verifier).digest('base64url'), verifier);
      },
      codeVerifier: () => flow?.verifier ?? '',
      redirectToAuthorization: (url) => {
        // Several sign-ins may be begun at once: the verifier is the one whose challenge stands in the address.
        const verifier = verifiers.get(url.searchParams.get('code_challenge') ?? '') ?? '';
        return this.#begin(endUserId, url, verifier);
      },
      saveDiscoveryState: (state) => this.#write(state, 'discovery'),
      discoveryState: async () => flow?.discovery ?? (await this.#read<OAuthDiscoveryState>('discovery')),
      invalidateCredentials: async (scope) => {
        if (scope === 'all' || scope === 'tokens') await this.#remove('tokens', endUserId);
        if (scope === 'all' || scope === 'client') await this.#remove('client');
        if (scope === 'all' || scope === 'discovery') await this.#remove('discovery');
      },
    };
  }

  #metadata(): OAuthClientMetadata {
    const { redirectUrl, clientName = 'portia-ts', scope, clientSecret } = this.options;
    return {
      redirect_uris: [redirectUrl],
      client_name: clientName,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: clientSecret === undefined ? 'none' : 'client_secret_post',
      ...(scope !== undefined && { scope }),
    };
  }

  async #client(): Promise<StoredOAuthClientInformation | undefined> {
    const { clientId, clientSecret, redirectUrl } = this.options;
    if (clientId !== undefined) {
      return { client_id: clientId, ...(clientSecret !== undefined && { client_secret: clientSecret }) };
    }
    const kept = await this.#read<{ client: StoredOAuthClientInformation; redirectUrl: string }>('client');
    return kept?.redirectUrl === redirectUrl ? kept.client : undefined;
  }

  #saveTokens(endUserId: string, tokens: StoredOAuthTokens): Promise<void> {
    const { expires_in: seconds } = tokens;
    const kept: KeptTokens = { tokens, ...(seconds !== undefined && { expiresAt: Date.now() + seconds * 1_000 }) };
    return this.#write(kept, 'tokens', endUserId);
  }

  async #begin(endUserId: string, url: URL, verifier: string): Promise<void> {
    const state = url.searchParams.get('state') ?? '';
    const [client, discovery] = await Promise.all([this.#client(), this.#read<OAuthDiscoveryState>('discovery')]);
    const flow: SignInFlow = { endUserId, url: url.href, verifier, client, discovery, begunAt: Date.now() };
    await this.#write(flow, 'flow', state);
    await this.#write(state, 'current', endUserId);
  }

  /** Whether a call for this end user can be made without asking anybody. */
  async #isSignedIn(endUserId: string): Promise<boolean> {
    const kept = await this.#read<KeptTokens>('tokens', endUserId);
    if (!kept) return false;
    return kept.tokens.refresh_token !== undefined || (kept.expiresAt ?? Infinity) > Date.now();
  }

  /** Whether the end user is signed in; if not, the question that sends there. */
  async ready(context: ToolReadyContext): Promise<ReadyResponse> {
    if (await this.#isSignedIn(context.endUser.externalId)) return { ready: true };
    return { ready: false, clarifications: [await this.ask(context)] };
  }

  /** Asks the end user to sign in; the run that asks is remembered until somebody has. */
  async ask({ endUser, planRunId }: Pick<ToolReadyContext, 'endUser' | 'planRunId'>): Promise<Clarification> {
    const actionUrl = await this.#page(endUser.externalId);
    const id = ClarificationUUID.random();
    const waiting: WaitingRun = { planRunId, clarificationId: id };
    await this.#write(waiting, 'waiting', endUser.externalId, id);
    return ActionClarification({
      id,
      userGuidance: `Please sign in to ${this.server}, so that this can go on on your behalf.`,
      actionUrl,
      source: `Sign-in to ${this.server}`,
    });
  }

  /** The page where this end user signs in. */
  async #page(endUserId: string): Promise<string> {
    const current = await this.#current(endUserId);
    if (current && current.begunAt > Date.now() - sameFlowMs) return current.url;
    const { auth } = await clientPackage();
    try {
      await auth(this.provider(endUserId), { serverUrl: this.url, fetchFn: this.#fetch, forceReauthorization: true });
    } catch (error) {
      throw failed(this.server, error);
    }
    const begun = await this.#current(endUserId);
    if (begun) return begun.url;
    throw new PortiaError({ code: 'SIGN_IN_FAILED', message: `${this.server} gives no page to sign in at` });
  }

  async #current(endUserId: string): Promise<SignInFlow | undefined> {
    const state = await this.#read<string>('current', endUserId);
    return state === undefined ? undefined : this.#read<SignInFlow>('flow', state);
  }

  /** The error of somebody who has to sign in before tools can be listed; `undefined` for any other failure. */
  async needed(error: unknown, endUserId: string): Promise<PortiaError | undefined> {
    const { NotReached } = await import('./what-happened.ts');
    if ((await whatHappened(new NotReached(error))).kind !== 'sign-in') return undefined;
    const url = await this.#page(endUserId);
    return new PortiaError({
      code: 'SIGN_IN_REQUIRED',
      message: `the MCP server "${this.server}" lists its tools only to somebody who is signed in`,
      hint: `open ${url} as ${endUserId}, hand the URL the browser comes back with to completeSignIn, and try again`,
      details: { server: this.server, endUserId, url },
    });
  }

  /** A sign-in that was begun, by its state; it is taken once. */
  async takeFlow(state: string): Promise<SignInFlow | undefined> {
    const flow = await this.#read<SignInFlow>('flow', state);
    if (flow) await this.#remove('flow', state);
    return flow;
  }

  /** Redeems the code the browser brought. @throws PortiaError `SIGN_IN_FAILED`. */
  async redeem(flow: SignInFlow, code: string, iss: string | undefined): Promise<void> {
    const { auth } = await clientPackage();
    try {
      await auth(this.provider(flow.endUserId, flow), {
        serverUrl: this.url,
        fetchFn: this.#fetch,
        authorizationCode: code,
        ...(iss !== undefined && { iss }),
      });
    } catch (error) {
      throw failed(this.server, error);
    }
    await this.#remove('current', flow.endUserId);
  }

  /** The runs that wait for this end user's sign-in; each is given once. */
  async takeWaiting(endUserId: string): Promise<readonly WaitingRun[]> {
    const names = await this.#secrets.list(`${this.#name('waiting', endUserId)}/`);
    const runs: WaitingRun[] = [];
    for (const name of names) {
      const text = await this.#secrets.get(name);
      if (text === undefined) continue;
      await this.#secrets.delete(name);
      runs.push(JSON.parse(text) as WaitingRun);
    }
    return runs;
  }

  /** Forgets the sign-in of an end user: the next run of theirs asks again. */
  async signOut(endUserId: string): Promise<void> {
    await this.#remove('tokens', endUserId);
    await this.#remove('current', endUserId);
  }
}

/** What the other side said is not passed on: it may hold codes and tokens. */
function failed(server: string, error: unknown): PortiaError {
  if (PortiaError.isInstance(error)) return error;
  const what = error instanceof Error ? error.name : 'an error';
  const code = (error as { readonly code?: unknown } | null)?.code;
  return new PortiaError({
    code: 'SIGN_IN_FAILED',
    message: `the sign-in to ${server} failed: ${what}${typeof code === 'string' ? ` (${code})` : ''}`,
    hint: 'check the address of the server and that it allows this redirect URL',
  });
}
