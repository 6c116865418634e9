import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { PortiaError, type PortiaErrorCode, portiaErrorCodes } from 'portia-ts';
import type { ServerLog } from '../server-log.ts';
import type { Tenant } from '../tenants.ts';
import type { Env } from './context.ts';
import { isOfThisMachine, wordsFor } from './words.ts';

/** The HTTP status of each code that has one of its own; any other is 500. */
export const statuses: { readonly [Code in PortiaErrorCode]?: number } = {
  REQUEST_INVALID: 400,
  ID_INVALID: 400,
  CONFIG_INVALID: 400,
  PLAN_INVALID: 400,
  PLAN_RUN_INVALID: 400,
  OUTPUT_INVALID: 400,
  TOOL_CALL_INVALID: 400,
  END_USER_INVALID: 400,
  INPUT_MISSING: 400,
  INPUT_INVALID: 400,
  OUTPUT_NOT_JSON: 400,
  CLARIFICATION_INVALID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  CLARIFICATION_FORBIDDEN: 403,
  NOT_FOUND: 404,
  PLAN_NOT_FOUND: 404,
  PLAN_RUN_NOT_FOUND: 404,
  CLARIFICATION_NOT_FOUND: 404,
  RUN_BUSY: 409,
  RUN_CANCELLED: 409,
  RUN_STATE_INVALID: 409,
  RUN_KEY_CONFLICT: 409,
  DRIVER_LOST: 409,
  PLAN_CHANGED: 409,
  PLAN_NOT_REGISTERED: 409,
  TOOL_NOT_FOUND: 409,
  IDEMPOTENCY_CONFLICT: 409,
  CLARIFICATION_ALREADY_RESOLVED: 409,
  CLARIFICATION_EXPIRED: 410,
  CONTENT_ERASED: 410,
  REQUEST_TOO_LARGE: 413,
  CLARIFICATION_RESPONSE_INVALID: 422,
  PLANNING_FAILED: 422,
  STORAGE_CORRUPT: 422,
  // The request is fine, and this server is not set up for it.
  CONFIG_NOT_FOUND: 422,
  PACKAGE_MISSING: 422,
  MODEL_KEY_MISSING: 422,
  RATE_LIMITED: 429,
  TOOL_FAILED: 502,
  MODEL_FAILED: 502,
  MODEL_ANSWER_INVALID: 502,
  STORAGE_FAILED: 503,
  SIGN_IN_REQUIRED: 503,
  MODEL_TIMEOUT: 504,
  TOOL_TIMEOUT: 504,
};

/** A problem document (RFC 9457), with our code beside its own members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: PortiaErrorCode;
  readonly hint?: string | undefined;
  readonly planRunId?: string | undefined;
  readonly requestId?: string | undefined;
  /** Of `BUDGET_EXCEEDED`: whose budget it is. */
  readonly scope?: string | undefined;
}

/** The HTTP status for an error code. */
function statusOf({ code, details }: PortiaError): number {
  // What this server may spend is used up, for everybody; any other budget came with the request.
  if (code === 'BUDGET_EXCEEDED') return details?.['scope'] === 'client' ? 503 : 422;
  return statuses[code] ?? 500;
}

/** Any thrown value as an error of ours. What was not foreseen says nothing of itself to the caller. */
function asPortiaError(thrown: unknown, isClientGone: boolean): PortiaError {
  if (PortiaError.isInstance(thrown)) return ofTheRequest(thrown);
  if (isClientGone && isBrokenOff(thrown)) {
    const message = 'the client went away before all of the body was sent';
    return new PortiaError({ code: 'REQUEST_INVALID', message, cause: thrown });
  }
  if (thrown instanceof HTTPException && thrown.status < 500) {
    const code = thrown.status === 413 ? 'REQUEST_TOO_LARGE' : 'REQUEST_INVALID';
    return new PortiaError({ code, message: thrown.message || 'the request cannot be read' });
  }
  return new PortiaError({
    code: 'INTERNAL',
    message: 'something happened that was not foreseen; the log of the server says what',
    cause: thrown,
  });
}

/** Whether this is what reading a body throws whose connection has ended. */
function isBrokenOff(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const { name, code, message } = thrown as NodeJS.ErrnoException;
  if (name === 'AbortError' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') return true;
  return /connection prematurely closed/i.test(message);
}

/** A cursor is a setting of a call in code; here it stands in the request. */
function ofTheRequest(error: PortiaError): PortiaError {
  const { code, message, hint, details } = error;
  if (code !== 'CONFIG_INVALID' || details?.['cursor'] === undefined) return error;
  return new PortiaError({
    code: 'REQUEST_INVALID',
    message: `the query parameter cursor: ${message}`,
    hint,
    cause: error,
  });
}

/** The problem document of an error. */
function problemOf(error: PortiaError, store: string | undefined, requestId: string | undefined): Problem {
  const { code, planRunId } = error;
  const { message, hint } = wordsFor(error, store);
  return {
    type: 'about:blank',
    title: portiaErrorCodes[code],
    status: statusOf(error),
    detail: message,
    code,
    hint,
    planRunId,
    requestId,
    ...(code === 'BUDGET_EXCEEDED' && { scope: String(error.details?.['scope'] ?? 'run') }),
  };
}

/** Answers with the problem document of what was thrown, and writes down what was not foreseen. */
export function answerProblem(context: Context<Env>, thrown: unknown, log: ServerLog): Response {
  const error = asPortiaError(thrown, context.req.raw.signal.aborted);
  const requestId = context.get('requestId');
  // Nobody has a tenant before the guard has let them in.
  const tenant: Tenant | undefined = context.get('tenant');
  const problem = problemOf(error, tenant?.storage.name, requestId);
  if (problem.status >= 500 || isOfThisMachine(error))
    log.error({ requestId, code: error.code, err: error.cause ?? error }, error.message);
  // Whoever can send a request must not be able to fill the log.
  else if (error.cause === thrown) log.debug({ requestId }, error.message);
  return problemResponse(problem, error.details?.['retryAfter'], context.req.path.startsWith('/api/v0/'));
}

/** As clients of `/api/v0` know errors: always JSON, and all of it in words. */
function detailOf({ detail, hint }: Problem): { readonly detail: string } {
  return { detail: hint === undefined ? detail : `${detail.replace(/\.$/, '')}; ${hint}` };
}

function problemResponse(problem: Problem, retryAfter: unknown, isV0: boolean): Response {
  return new Response(JSON.stringify(isV0 ? detailOf(problem) : problem), {
    status: problem.status,
    headers: {
      'content-type': isV0 ? 'application/json' : 'application/problem+json',
      'cache-control': 'no-store',
      ...(problem.status === 401 && { 'www-authenticate': 'Bearer realm="portia-ts"' }),
      ...(typeof retryAfter === 'number' && { 'retry-after': String(retryAfter) }),
    },
  });
}
