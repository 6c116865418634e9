import { PortiaError, ToolHardError } from '../../core/errors.ts';
import { isPublicAddress, type NetworkRules } from '../library/private-network.ts';
import { guardedRequest } from '../library/guarded-request.ts';
import type { HttpServer } from './server-options.ts';

/** Bytes of one message of a server that are read. */
export const mostBytes: number = 10 * 1024 * 1024;

/** Bytes of an answer about a sign-in that are read, and the milliseconds it may take. */
const mostSignInBytes = 1024 * 1024;
const signInMs = 30_000;

type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

/**
 * How a server at a web address is reached, and what it names for signing in. The headers that were given go to the
 * server alone. Where else to sign in is the server's word: one of the public internet can name nothing private, such as
 * this machine or a cloud's own service, unless it was allowed.
 */
export function serverFetch(server: HttpServer): Fetch {
  const own = new URL(server.url);
  return (input, init) => {
    const url = new URL(input);
    if (url.origin !== own.origin) return isPrivateName(own) ? limited(url, init) : guarded(server, url, init);
    const headers = new Headers(server.headers);
    for (const [name, value] of new Headers(init?.headers)) headers.set(name, value);
    return limited(url, { ...init, headers });
  };
}

/** A host only a private network has, by its name alone: what a name stands for is the word of who owns it. */
function isPrivateName({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (/^[\d.]+$/.test(host) || host.includes(':')) return !isPublicAddress(host);
  return !host.includes('.') || /\.(localhost|local|internal)$/.test(host);
}

async function guarded(server: HttpServer, url: URL, init: RequestInit = {}): Promise<Response> {
  const { allowPrivateHosts } = server.oauth ?? {};
  const rules: NetworkRules = { ...(allowPrivateHosts && { allowPrivateHosts }) };
  const { method = 'GET', body, signal } = init;
  try {
    const answer = await guardedRequest({
      address: url.href,
      method,
      // What redirects there are is for who asked to judge.
      safe: false,
      headers: Object.fromEntries(new Headers(init.headers)),
      body: body === undefined || body === null ? undefined : String(body),
      rules,
      signal: signal ?? AbortSignal.timeout(signInMs),
      timeoutMs: signInMs,
      maxBytes: mostSignInBytes,
      maxRedirects: 0,
    });
    const { status, headers, bytes } = answer;
    const isEmpty = status === 204 || status === 205 || status === 304;
    return new Response(isEmpty ? null : new Uint8Array(bytes), { status, headers });
  } catch (error) {
    if (!(error instanceof ToolHardError)) throw error;
    throw new PortiaError({
      code: 'SIGN_IN_FAILED',
      message: `the MCP server "${server.serverName}" names an address for signing in that is not asked: ${error.message}`,
      hint: 'if that host is meant, name it in oauth.allowPrivateHosts',
      cause: error,
    });
  }
}

/** Like `fetch`; an answer, or an event of a stream, that is too long is not read to its end. */
async function limited(input: URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (!response.body) return response;
  const isStream = /^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '');
  let size = 0;
  let line = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.byteLength;
      if (isStream)
        for (const [index, byte] of chunk.entries()) {
          // An empty line ends an event.
          if (byte === 10 && line === 0) size = chunk.byteLength - index - 1;
          if (byte === 10) line = 0;
          else if (byte !== 13) line += 1;
        }
      if (size > mostBytes) controller.error(new Error(`a message exceeded maximum size of ${mostBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  const limited = new Response(response.body.pipeThrough(counted), { status, statusText, headers });
  // Where it came from stays known: redirects are judged by it.
  Object.defineProperties(limited, {
    url: { value: response.url },
    redirected: { value: response.redirected },
    type: { value: response.type },
  });
  return limited;
}
