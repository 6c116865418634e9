import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { AnswerTooLong, readText } from '../read-text.ts';

/** One request of a tool to a web service. */
export interface ServiceRequest {
  /** The service, for error messages: `Tavily`. */
  readonly service: string;
  /** The environment variable its key usually stands in, for error messages. */
  readonly keyName: string;
  readonly url: URL;
  readonly method?: 'GET' | 'POST' | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: JsonValue | undefined;
  readonly signal: AbortSignal;
  /** Milliseconds; 30,000 unless given. */
  readonly timeoutMs?: number | undefined;
  /** Largest answer that is read; 2 MiB unless given. */
  readonly maxBytes?: number | undefined;
}

/** What a service answered: its status (2xx or 4xx other than those that throw) and the parsed JSON. */
export interface ServiceAnswer {
  readonly status: number;
  readonly body: JsonValue;
}

/**
 * Asks a web service for JSON. Only for requests without effects, since every failure that may pass is a soft error.
 * No message or cause repeats the address or a header: they hold the key.
 *
 * @throws ToolSoftError for time-outs, lost connections, 429, 5xx, answers that are too long or not JSON;
 * ToolHardError for 401 and 403.
 */
export async function askService(request: ServiceRequest): Promise<ServiceAnswer> {
  const { service, signal, timeoutMs = 30_000, maxBytes = 2 * 1024 * 1024 } = request;
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(request.url, {
      method: request.method ?? 'GET',
      headers: {
        accept: 'application/json',
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      redirect: 'error',
      signal: AbortSignal.any([signal, timeout]),
    });
    text = await readText(response, maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) throw new ToolSoftError(`${service} did not answer within ${timeoutMs / 1000} s`);
    if (error instanceof AnswerTooLong) throw new ToolSoftError(`${service} ${error.message}`);
    throw new ToolSoftError(`${service} could not be reached: ${networkReason(error)}`);
  }
  refuseStatus(response.status, request);
  try {
    return { status: response.status, body: JSON.parse(text) as JsonValue };
  } catch {
    throw new ToolSoftError(`${service} answered with status ${response.status} and something that is not JSON`);
  }
}

function refuseStatus(status: number, { service, keyName }: ServiceRequest): void {
  if (status === 401 || status === 403) {
    throw new ToolHardError(`${service} refused the key (status ${status})`, { hint: `check the key in ${keyName}` });
  }
  if (status === 429) throw new ToolSoftError(`${service} answers no more for now: too many requests (status 429)`);
  if (status >= 500) throw new ToolSoftError(`${service} has a failure of its own (status ${status})`);
}

/** The system's word for what went wrong, such as ECONNREFUSED. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { readonly code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : 'the request failed';
}

/** Where keys come from: the option, else the environment at the time of the call. @throws ToolHardError without one. */
export function serviceKey(option: string | undefined, keyName: string, service: string): string {
  const key = (option ?? process.env[keyName] ?? '').trim();
  if (key !== '') return key;
  throw new ToolHardError(`no key for ${service}: ${keyName} is not set`, {
    hint: `set ${keyName} in the environment, or give the tool apiKey`,
  });
}

/** The address of an endpoint below a base URL. @throws ToolHardError when the base is not a web address. */
export function endpoint(baseUrl: string, path: string, service: string): URL {
  const base = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (base?.protocol !== 'https:' && base?.protocol !== 'http:') {
    throw new ToolHardError(`the base URL for ${service} is not a web address`, { hint: 'give baseUrl as https://…' });
  }
  base.pathname = base.pathname.replace(/\/+$/, '') + path;
  return base;
}
