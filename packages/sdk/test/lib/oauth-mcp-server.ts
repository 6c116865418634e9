// An MCP server behind OAuth 2.1: discovery, dynamic registration, PKCE, refresh tokens that are used once. Who opens
// its page is signed in as the next person; real HTTP, real redirects.
import { createHash, randomBytes } from 'node:crypto';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { serveFetch } from './fetch-server.ts';

export interface OAuthServer {
  readonly url: string;
  /** Every code, token and verifier that was ever made: none may stand in a record. */
  readonly secrets: readonly string[];
  readonly refreshes: number;
  readonly registrations: number;
  /** All access tokens are over; with `all`, refresh tokens too. */
  expire(what: 'access' | 'all'): void;
  close(): Promise<void>;
}

interface Grant {
  readonly client: string;
  readonly challenge: string;
  readonly redirect: string;
}

const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json', ...headers } });

export async function oauthServer(): Promise<OAuthServer> {
  const clients = new Map<string, readonly string[]>();
  const codes = new Map<string, Grant>();
  const access = new Map<string, string>();
  const refresh = new Map<string, string>();
  const secrets: string[] = [];
  let [people, refreshes] = [0, 0];
  const secret = (): string => {
    const made = randomBytes(24).toString('base64url');
    secrets.push(made);
    return made;
  };
  const tokensFor = (person: string): Response => {
    const tokens = { access_token: secret(), refresh_token: secret(), token_type: 'Bearer', expires_in: 3600 };
    access.set(tokens.access_token, person);
    refresh.set(tokens.refresh_token, person);
    return json(tokens);
  };

  const handler = createMcpHandler(({ authInfo }) => {
    const server = new McpServer({ name: 'mail', version: '1.0.0' });
    server.registerTool('who', { description: 'says whose mail it is', annotations: { readOnlyHint: true } }, () => ({
      content: [{ type: 'text', text: String(authInfo?.extra?.['person']) }],
    }));
    return server;
  });

  function authorize(url: URL): Response {
    const param = (name: string): string => url.searchParams.get(name) ?? '';
    const redirect = param('redirect_uri');
    if (!clients.get(param('client_id'))?.includes(redirect)) return json({ error: 'invalid_client' }, 400);
    if (param('code_challenge_method') !== 'S256') return json({ error: 'invalid_request' }, 400);
    const code = secret();
    codes.set(code, { client: param('client_id'), challenge: param('code_challenge'), redirect });
    const back = new URL(redirect);
    back.searchParams.set('code', code);
    back.searchParams.set('state', param('state'));
    return new Response(null, { status: 302, headers: { location: back.href } });
  }

  function token(form: URLSearchParams): Response {
    const given = (name: string): string => form.get(name) ?? '';
    if (given('grant_type') === 'refresh_token') {
      const person = refresh.get(given('refresh_token'));
      if (!person) return json({ error: 'invalid_grant' }, 400);
      refresh.delete(given('refresh_token'));
      refreshes += 1;
      return tokensFor(person);
    }
    const grant = codes.get(given('code'));
    codes.delete(given('code'));
    secrets.push(given('code_verifier'));
    const challenge = createHash('sha256').update(given('code_verifier')).digest('base64url');
    const fits = grant?.client === given('client_id') && grant.redirect === given('redirect_uri');
    if (!fits || grant.challenge !== challenge) return json({ error: 'invalid_grant' }, 400);
    people += 1;
    return tokensFor(`person ${people}`);
  }

  const http = await serveFetch(async (request) => {
    const url = new URL(request.url);
    const base = url.origin;
    switch (url.pathname) {
      case '/.well-known/oauth-protected-resource/mcp':
        return json({ resource: `${base}/mcp`, authorization_servers: [base] });
      case '/.well-known/oauth-authorization-server':
        return json({
          issuer: base,
          authorization_endpoint: `${base}/authorize`,
          token_endpoint: `${base}/token`,
          registration_endpoint: `${base}/register`,
          response_types_supported: ['code'],
          grant_types_supported: ['authorization_code', 'refresh_token'],
          code_challenge_methods_supported: ['S256'],
          token_endpoint_auth_methods_supported: ['none'],
        });
      case '/register': {
        const asked = (await request.json()) as { redirect_uris: string[] };
        const client_id = `client_${clients.size + 1}`;
        clients.set(client_id, asked.redirect_uris);
        return json({ ...asked, client_id }, 201);
      }
      case '/authorize':
        return authorize(url);
      case '/token':
        return token(new URLSearchParams(await request.text()));
      case '/mcp': {
        const bearer = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
        const person = access.get(bearer);
        if (person) {
          return handler.fetch(request, { authInfo: { token: bearer, clientId: 'c', scopes: [], extra: { person } } });
        }
        const metadata = `${base}/.well-known/oauth-protected-resource/mcp`;
        return json({}, 401, { 'www-authenticate': `Bearer resource_metadata="${metadata}"` });
      }
      default:
        return json({ error: 'not_found' }, 404);
    }
  });
  return {
    url: `${http.url}/mcp`,
    secrets,
    get refreshes() {
      return refreshes;
    },
    get registrations() {
      return clients.size;
    },
    expire(what) {
      access.clear();
      if (what === 'all') refresh.clear();
    },
    async close() {
      await handler.close();
      await http.close();
    },
  };
}
