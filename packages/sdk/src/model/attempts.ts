import type { Clock } from '../core/clock.ts';
import { PortiaError } from '../core/errors.ts';
import type { ModelFailure } from './model-failure.ts';

/** How a model call is tried. */
export interface AttemptPolicy {
  /** For messages. */
  readonly model: string;
  /** Milliseconds for one attempt. */
  readonly timeoutMs: number;
  /** Attempts after the first. */
  readonly retries: number;
  readonly clock: Clock;
  read(thrown: unknown): ModelFailure;
}

const firstPauseMs = 500;
const longestPauseMs = 20_000;
/** A server that asks for a longer pause than this is not waited for: the caller decides. */
const longestAskedPauseMs = 60_000;

/**
 * Calls until it works: again after rate limits, overload and lost connections, with growing pauses or those the
 * server asks for. The caller's abort ends it at once, with the caller's reason; time running out is `MODEL_TIMEOUT`;
 * no pause goes beyond the caller's deadline.
 */
export async function withAttempts<T>(
  policy: AttemptPolicy,
  limits: { readonly signal?: AbortSignal | undefined; readonly deadline?: number | undefined },
  call: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> {
  const { signal: caller, deadline = Number.POSITIVE_INFINITY } = limits;
  for (let attempt = 0; ; attempt++) {
    caller?.throwIfAborted();
    try {
      const timeoutMs = Math.min(policy.timeoutMs, deadline - policy.clock.now());
      if (timeoutMs <= 0) throw timedOut(policy.model, 0);
      return await once({ ...policy, timeoutMs }, caller, call);
    } catch (thrown) {
      caller?.throwIfAborted();
      if (PortiaError.isInstance(thrown)) throw thrown;
      const failure = policy.read(thrown);
      const pause = failure.retryAfterMs ?? pauseAfter(attempt);
      const tooLong = pause > longestAskedPauseMs || policy.clock.now() + pause >= deadline;
      if (!failure.retryable || attempt >= policy.retries || tooLong) throw failure.error;
      await policy.clock.sleep(pause, caller);
    }
  }
}

// Between half of the pause and all of it, so that many callers do not come back together.
function pauseAfter(attempt: number): number {
  const pause = Math.min(firstPauseMs * 2 ** attempt, longestPauseMs);
  return Math.round(pause * (0.5 + Math.random() / 2));
}

/** One attempt, which ends when its time is over or the caller aborts, even if the call itself takes no notice. */
function once<T>(
  { model, timeoutMs }: AttemptPolicy,
  caller: AbortSignal | undefined,
  call: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const own = new AbortController();
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      caller?.removeEventListener('abort', onAbort);
      settle();
    };
    const stop = (reason: unknown): void =>
      end(() => {
        reject(reason);
        own.abort(reason);
      });
    const onAbort = (): void => stop(caller?.reason);
    const timer = setTimeout(() => stop(timedOut(model, timeoutMs)), timeoutMs);
    caller?.addEventListener('abort', onAbort, { once: true });
    // A call that throws before it gives a promise counts like one that rejects.
    void (async () => call(own.signal))().then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error)),
    );
  });
}

function timedOut(model: string, timeoutMs: number): PortiaError {
  return new PortiaError({
    code: 'MODEL_TIMEOUT',
    message:
      timeoutMs > 0 ? `${model} did not answer within ${timeoutMs / 1000} s` : `${model} was not asked: the time is up`,
    hint: 'try again, use a faster model, or set modelTimeoutMs higher',
    details: { timeoutMs },
  });
}
