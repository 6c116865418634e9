import { PortiaError } from '../core/errors.ts';
import { redactor } from '../observe/logger.ts';

/** What a failed model call means. */
export interface ModelFailure {
  readonly error: PortiaError;
  /** Whether the same call may work in a while. */
  readonly retryable: boolean;
  /** Milliseconds the server asks to wait. */
  readonly retryAfterMs?: number | undefined;
}

// The errors of provider packages, as far as they are looked at; told by their fields, as copies of packages differ.
interface ProviderFailure {
  readonly name?: string;
  /** Of an error inside a stream. */
  readonly type?: unknown;
  readonly message?: string;
  readonly statusCode?: number;
  readonly isRetryable?: boolean;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly responseBody?: string;
  readonly code?: unknown;
  readonly cause?: unknown;
}

const connectionCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * Reads what a provider package threw. The error made of it holds the status and the provider's message, and
 * nothing of requests, headers or keys: provider errors carry all of these, so none is kept as a cause.
 */
export function failureReader(about: {
  readonly model: string;
  readonly secrets: readonly string[];
  readonly keyHint: string | undefined;
}): (thrown: unknown) => ModelFailure {
  const redact = redactor(about.secrets);
  const clean = (text: string): string => {
    const safe = redact.text(text).replace(keyLike, '[redacted]').replace(/\s+/g, ' ').trim();
    return safe.length > 500 ? `${safe.slice(0, 500)}…` : safe;
  };
  return (thrown) => {
    const failure = (
      typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }
    ) as ProviderFailure;
    const status = failure.statusCode;
    const lost = lostConnection(failure);
    const fault = lost ? undefined : faultOf(failure);
    const retryable = lost !== undefined || isRetryable(failure);
    const said = clean(messageIn(failure.responseBody) ?? failure.message ?? '') || 'no message';
    const how = lost
      ? `could not be reached (${lost})`
      : status === undefined
        ? 'failed'
        : status < 400
          ? `answered with something that cannot be read (status ${status})`
          : `failed with status ${status}`;
    const retryAfterMs = retryAfter(failure.responseHeaders);
    const error = new PortiaError({
      code: 'MODEL_FAILED',
      message: `${about.model} ${how}: ${said}`,
      hint: hintFor(failure, lost !== undefined, fault, about.keyHint),
      details: {
        model: about.model,
        ...(status !== undefined && { status }),
        retryable,
        retryAfterMs,
        ...(fault && { fault }),
      },
    });
    return { error, retryable, retryAfterMs };
  };
}

// Keys as the usual providers write them, where a message repeats one that is not known here.
const keyLike = /\b(?:(?:sk|pk|rk|gsk|xai|pplx|tvly)[-_][\w*-]{6,}|AIza[\w-]{10,}|Bearer\s+[\w.~+/-]+=*)/g;

function lostConnection(failure: ProviderFailure): string | undefined {
  let current: ProviderFailure | undefined = failure;
  for (let depth = 0; depth < 6 && current; depth++) {
    if (typeof current.code === 'string' && connectionCodes.has(current.code)) return current.code;
    if (current.message === 'terminated' || current.message === 'fetch failed')
      return connectionCode(current.cause) ?? 'connection lost';
    current =
      typeof current.cause === 'object' && current.cause !== null ? (current.cause as ProviderFailure) : undefined;
  }
  return undefined;
}

function connectionCode(cause: unknown): string | undefined {
  const code = (cause as ProviderFailure | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whose fault a failure is: `request` when no attempt with it can work; `too-long` when a larger model might take it. */
export type ModelFault = 'request' | 'too-long';

const tooLong =
  /context.?length|context.?window|(?:prompt|input|request) (?:is )?too (?:long|large)|too many (?:input |total )?tokens|token count .*exceeds|exceeds? .*(?:token|context) (?:limit|count)|maximum context|reduce the length/i;
const refusedHere = /Unsupported|InvalidPrompt|InvalidArgument/;

function faultOf({ statusCode: status, responseBody, message, name }: ProviderFailure): ModelFault | undefined {
  if (status === undefined) return refusedHere.test(name ?? '') ? 'request' : undefined;
  if (status !== 400 && status !== 413 && status !== 422) return undefined;
  return status === 413 || tooLong.test(`${message} ${responseBody ?? ''}`) ? 'too-long' : 'request';
}

const passingTrouble = /overloaded|rate_limit|throttl|unavailable|internal_?server|api_error/i;

function isRetryable(failure: ProviderFailure): boolean {
  const { statusCode: status } = failure;
  // Out of credit looks like a rate limit, and no waiting helps.
  if (status === 429) return !/insufficient_quota|billing/i.test(failure.responseBody ?? '');
  if (status !== undefined)
    return status === 408 || status === 409 || status >= 500 || /overloaded/i.test(failure.responseBody ?? '');
  if (typeof failure.type === 'string' && passingTrouble.test(failure.type)) return true;
  return failure.isRetryable === true;
}

// Packages know the usual form of their provider's errors; servers in between have forms of their own.
function messageIn(body: string | undefined): string | undefined {
  if (!body?.startsWith('{')) return undefined;
  try {
    const { error, message, detail } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const said = (error as { readonly message?: unknown } | undefined)?.message ?? message ?? detail ?? error;
    return typeof said === 'string' && said.trim() !== '' ? said : undefined;
  } catch {
    return undefined;
  }
}

function retryAfter(headers: Readonly<Record<string, string>> | undefined): number | undefined {
  const ms = Number(headers?.['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const asked = headers?.['retry-after'];
  if (!asked) return undefined;
  const seconds = Number(asked);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(asked);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function hintFor(
  { statusCode: status, responseBody }: ProviderFailure,
  lost: boolean,
  fault: ModelFault | undefined,
  keyHint: string | undefined,
): string {
  if (fault === 'too-long')
    return 'the request does not fit into the model: shorten the task or its inputs, or name a model with a larger context window';
  if (lost) return 'check the network and the base URL';
  if (status === 401 || status === 403) return keyHint ?? 'check the key of the provider';
  if (status === 404) return 'check the name of the model and the base URL';
  if (status === 429) {
    return /insufficient_quota|billing/i.test(responseBody ?? '')
      ? 'check the credit of the account'
      : 'send fewer requests, or raise the limit with the provider';
  }
  if (status !== undefined && status >= 500) return 'the provider has trouble: try again later';
  return 'read the provider’s message; the request was not accepted as it is';
}
