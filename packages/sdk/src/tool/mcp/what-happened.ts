import { clientPackage } from './mcp-package.ts';

/** What a failure of a call says about whether the call happened. */
export type Happened =
  /** Nothing happened: the server refused it, or never got it. */
  | { readonly kind: 'nothing'; readonly reason: string }
  /** Nothing happened: somebody has to sign in first. */
  | { readonly kind: 'sign-in' }
  /** Nothing happened: somebody has to visit pages first. */
  | { readonly kind: 'visit'; readonly pages: readonly { readonly message: string; readonly url: string }[] }
  /** The connection was lost with the call on its way. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'unknown' };

/** Reads an error of the official client. What is not understood is unknown: a call is never taken for undone. */
export async function whatHappened(error: unknown): Promise<Happened> {
  const { ProtocolError, ProtocolErrorCode, SdkError, SdkErrorCode, SdkHttpError, UnauthorizedError } =
    await clientPackage();
  const isSent = !(error instanceof NotReached);
  const failure: unknown = isSent ? error : error.cause;
  if (UnauthorizedError.isInstance(failure) || (SdkHttpError.isInstance(failure) && failure.status === 401)) {
    return { kind: 'sign-in' };
  }
  if (!isSent) return { kind: 'nothing', reason: `it cannot be reached: ${error.message}` };
  if (SdkError.isInstance(error)) {
    if (error.code === SdkErrorCode.NotConnected) return { kind: 'nothing', reason: 'it is not connected' };
    if (SdkHttpError.isInstance(error) && error.status === 403)
      return { kind: 'nothing', reason: 'it forbids the call' };
    return error.code === SdkErrorCode.ConnectionClosed ? { kind: 'lost' } : { kind: 'unknown' };
  }
  if (ProtocolError.isInstance(error)) {
    if (error.code === ProtocolErrorCode.UrlElicitationRequired) return visit(error.data);
    const refusals: readonly number[] = [
      ProtocolErrorCode.InvalidParams,
      ProtocolErrorCode.MethodNotFound,
      ProtocolErrorCode.InvalidRequest,
      ProtocolErrorCode.ParseError,
    ];
    return refusals.includes(error.code) ? { kind: 'nothing', reason: error.message } : { kind: 'unknown' };
  }
  return isRefusedConnection(error) ? { kind: 'nothing', reason: 'it cannot be reached' } : { kind: 'unknown' };
}

/** The connection could not be made, so that nothing was sent. */
export class NotReached extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'NotReached';
  }
}

function visit(data: unknown): Happened {
  const { elicitations } = (data ?? {}) as { readonly elicitations?: unknown };
  if (!Array.isArray(elicitations)) return { kind: 'unknown' };
  const pages = elicitations.flatMap((item: { readonly message?: unknown; readonly url?: unknown }) =>
    typeof item?.url === 'string' && /^https?:/.test(item.url)
      ? [{ message: String(item.message ?? 'Please open this page'), url: item.url }]
      : [],
  );
  return pages.length > 0
    ? { kind: 'visit', pages }
    : { kind: 'nothing', reason: 'it names no page that can be visited' };
}

function isRefusedConnection(error: unknown): boolean {
  const { cause } = (error ?? {}) as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === 'ECONNREFUSED' || cause?.code === 'ENOTFOUND';
}
