import { PortiaError, ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { anyJson, argsOf, choice, optionalObject, text } from './args.ts';
import type { GuardedAnswer } from './guarded-request.ts';
import type { NetworkRules } from './private-network.ts';

/** What a request may do. */
export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Options of {@link createHttpRequestTool}. */
export interface HttpRequestToolOptions extends NetworkRules {
  /** `http_request_tool` unless given. */
  readonly id?: string | undefined;
  readonly description?: string | undefined;
  /** What it may do; `['GET', 'HEAD']` unless given, and then it is read-only. The first is the default of a call. */
  readonly methods?: readonly [HttpMethod, ...HttpMethod[]] | undefined;
  /** Headers of every request, such as a key. Models never see them, and a call cannot replace them. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The addresses that get `headers`: their origins, such as `https://api.example.com`. Needed with `headers`. */
  readonly headersFor?: readonly string[] | undefined;
  /** Largest answer that is read; 1 MiB unless given. */
  readonly maxBytes?: number | undefined;
  /** Milliseconds; 30,000 unless given. */
  readonly timeoutMs?: number | undefined;
  /** Redirects that a GET or HEAD follows; 3 unless given. */
  readonly maxRedirects?: number | undefined;
}

/** The arguments of the HTTP request tool. */
export type HttpRequestArgs = {
  readonly url: string;
  readonly method: HttpMethod;
  readonly headers?: JsonObject;
  readonly body?: JsonValue;
};

/** What the other side said. `body` is parsed when it is JSON, else text. */
export type HttpRequestResult = {
  readonly url: string;
  readonly status: number;
  readonly content_type: string;
  readonly body: JsonValue;
};

// Methods that change nothing on the other side.
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

// Where a request goes, who sends it and how it is framed is not for a model to say.
const ownHeaders =
  /^(?:host|connection|content-length|transfer-encoding|expect|upgrade|te|trailer|keep-alive|proxy-.*|cookie|authorization|idempotency-key)$/i;

/**
 * A tool that makes one HTTP request to a host of the public internet and gives status and body. Private addresses,
 * cloud metadata and names that stand for them are refused, after redirects too. With `methods` that change things it
 * has effects: it sends the call's key as `Idempotency-Key`, and an answer that was lost leaves the call unknown.
 * @throws PortiaError `TOOL_INVALID` when `headers` are given for no address.
 */
export function createHttpRequestTool(options: HttpRequestToolOptions = {}): Tool<HttpRequestArgs, HttpRequestResult> {
  const { methods = ['GET', 'HEAD'], maxBytes = 1024 * 1024, timeoutMs = 30_000, maxRedirects = 3 } = options;
  const { headers: secret = {}, headersFor = [] } = options;
  if (Object.keys(secret).length > 0 && headersFor.length === 0)
    throw new PortiaError({
      code: 'TOOL_INVALID',
      message: 'the HTTP request tool has headers, but for no address',
      hint: "say which origins get them: headersFor: ['https://api.example.com']",
    });
  const readOnly = methods.every((method) => safeMethods.has(method));
  return tool<HttpRequestArgs, HttpRequestResult>({
    id: options.id ?? 'http_request_tool',
    ...(options.id === undefined && { name: 'HTTP Request Tool' }),
    description:
      options.description ??
      `Makes one HTTP request (${methods.join(', ')}) to a public web address and gives the status and the body. A body that is JSON comes parsed.`,
    argsSchema: argsOf({
      url: text('The address: https://…'),
      method: choice<HttpMethod>('What to do', methods),
      headers: optionalObject('More headers, as texts by name'),
      body: anyJson('What to send: a text as it is, any other value as JSON'),
    }),
    outputDescription: ['object', 'url, status, content_type and body'],
    readOnly,
    timeoutMs: timeoutMs + 5_000,
    async run(args, { signal, idempotencyKey, traceparent, tracestate }) {
      const { url, method, body } = args;
      if (safeMethods.has(method) && body !== undefined)
        throw new ToolSoftError(`a ${method} request has no body`, { hint: 'leave body out' });
      // Node's HTTP is loaded by whoever uses the tool, not by whoever imports the library.
      const { guardedRequest } = await import('./guarded-request.ts');
      const keyed = URL.canParse(url) && headersFor.includes(new URL(url).origin);
      const answer = await guardedRequest({
        address: url,
        method,
        safe: safeMethods.has(method),
        headers: {
          ...headersOf(args.headers, body),
          ...(!safeMethods.has(method) && { 'idempotency-key': idempotencyKey }),
          // Whom nobody vouches for is told of no trace.
          ...(keyed && { traceparent, ...(tracestate !== undefined && { tracestate }), ...lowerCase(secret) }),
        },
        body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
        rules: options,
        signal,
        timeoutMs,
        maxBytes,
        maxRedirects,
      });
      return resultOf(answer);
    },
  });
}

function headersOf(given: JsonObject | undefined, body: JsonValue | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = typeof body === 'string' ? 'text/plain' : 'application/json';
  for (const [name, value] of Object.entries(given ?? {})) {
    if (typeof value !== 'string' || !/^[\w-]+$/.test(name) || /[\0\r\n]/.test(value))
      throw new ToolSoftError(`the header ${JSON.stringify(name)} is not a text by a name`);
    if (ownHeaders.test(name)) throw new ToolSoftError(`the header ${name} cannot be set by a call`);
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function resultOf({ url, status, headers, bytes }: GuardedAnswer): HttpRequestResult {
  const contentType = headers['content-type'] ?? '';
  const words = decode(bytes, contentType);
  return { url, status, content_type: contentType, body: /[/+]json\b/i.test(contentType) ? parsed(words) : words };
}

function decode(bytes: Buffer, contentType: string): string {
  const charset = /charset="?([\w-]+)/i.exec(contentType)?.[1] ?? 'utf-8';
  const decoder = new TextDecoder(known(charset) ? charset : 'utf-8');
  const words = decoder.decode(bytes);
  if (words.includes('\0')) throw new ToolHardError('the answer is not text');
  return words;
}

function known(charset: string): boolean {
  try {
    new TextDecoder(charset);
    return true;
  } catch {
    return false;
  }
}

function parsed(words: string): JsonValue {
  try {
    const value = JSON.parse(words) as JsonValue;
    return deeperThan(value, 200) ? words : value;
  } catch {
    return words;
  }
}

/** Whether a value is nested deeper than the rest of the program should have to follow. */
function deeperThan(value: JsonValue, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return most === 0 || Object.values(value).some((item) => deeperThan(item as JsonValue, most - 1));
}

/** Makes GET and HEAD requests to the public internet. */
export const httpRequestTool: Tool<HttpRequestArgs, HttpRequestResult> = createHttpRequestTool();
