import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { guardedLookup } from './guarded-lookup.ts';
import { type NetworkRules, webAddress } from './private-network.ts';

/** A request to an address that a model or a document named. */
export interface GuardedRequest {
  readonly address: string;
  readonly method: string;
  /** Whether the method changes nothing on the other side. */
  readonly safe: boolean;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly rules: NetworkRules;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Largest answer that is read. */
  readonly maxBytes: number;
  /** Redirects that are followed, each judged like the first address. Only requests without effects are redirected. */
  readonly maxRedirects: number;
}

/** What was answered. */
export interface GuardedAnswer {
  /** Where the answer came from, after redirects. */
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

/**
 * Fetches what an address stands for, never from a private host (see `private-network.ts`).
 * @throws ToolHardError for an address that is not allowed and an answer that is too long. For a request without
 * effects, ToolSoftError when the other side cannot be reached or is too slow; for any other the error says nothing of
 * that kind when it may have arrived.
 */
export async function guardedRequest(asked: GuardedRequest): Promise<GuardedAnswer> {
  const timeout = AbortSignal.timeout(asked.timeoutMs);
  const signal = AbortSignal.any([asked.signal, timeout]);
  const { safe } = asked;
  let { address, headers } = asked;
  let phase: Phase = { sent: false };
  try {
    for (let redirects = 0; ; redirects += 1) {
      signal.throwIfAborted();
      const url = webAddress(address, asked.rules);
      phase = { sent: false };
      const response = await send(url, { ...asked, headers, signal }, phase);
      const { location } = response.headers;
      const status = response.statusCode ?? 0;
      if (!safe || !location || ![301, 302, 303, 307, 308].includes(status))
        return await readAnswer(url, response, asked.maxBytes);
      response.destroy();
      if (redirects >= asked.maxRedirects)
        throw new ToolHardError(`the address leads on more than ${asked.maxRedirects} times`);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (!next) throw new ToolHardError('the address leads on to something that is not an address');
      // Keys and cookies are for the host they were given for.
      if (next.origin !== url.origin) headers = undefined;
      address = next.href;
    }
  } catch (error) {
    asked.signal.throwIfAborted();
    if (error instanceof ToolHardError || error instanceof ToolSoftError) throw error;
    const reason = timeout.aborted ? `no answer within ${asked.timeoutMs / 1000} s` : networkReason(error);
    if (safe || !phase.sent) throw new ToolSoftError(`the address could not be fetched: ${reason}`);
    throw new Error(`the request was sent, but its answer was lost: ${reason}`);
  }
}

interface Phase {
  sent: boolean;
}

function send(url: URL, asked: GuardedRequest, phase: Phase): Promise<IncomingMessage> {
  const { promise, resolve, reject } = withResolvers<IncomingMessage>();
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    method: asked.method,
    headers: { 'accept-encoding': 'identity', ...asked.headers },
    // No agent: a connection that somebody else opened to a private host would be used without a look-up.
    agent: false,
    lookup: guardedLookup(url, asked.rules),
    signal: asked.signal,
  });
  request.on('response', resolve).on('error', reject);
  request.on('socket', (socket) => {
    const connected = url.protocol === 'https:' ? 'secureConnect' : 'connect';
    socket.once(connected, () => {
      phase.sent = true;
    });
  });
  request.end(asked.body);
  return promise;
}

function withResolvers<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

async function readAnswer(url: URL, response: IncomingMessage, maxBytes: number): Promise<GuardedAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      response.destroy();
      throw new ToolHardError(`the answer has more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined && name !== 'set-cookie') headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { url: url.href, status: response.statusCode ?? 0, headers, bytes: Buffer.concat(chunks) };
}

function networkReason(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'the connection was lost';
}
