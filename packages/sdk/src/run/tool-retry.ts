import { ensureError, PortiaError } from '../core/errors.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Logger } from '../observe/logger.ts';
import type { Settled } from './call-outcome.ts';
import type { Guarded } from './guard.ts';
import type { VisitRun } from './visit-run.ts';

/** An attempt that is to be followed by another with the same key. */
export interface Failure {
  readonly reason: string;
  /** Milliseconds until the next attempt. */
  readonly pauseMs: number;
}

/** Whether the tool's `retry` has the call made again after attempt `attempt`, where that is safe at all. */
export function failureToRetry(
  visit: VisitRun,
  tool: AnyTool,
  attempt: number,
  guarded: Guarded<unknown>,
  settled: Settled,
): Failure | undefined {
  if (!isSafe(settled)) return undefined;
  const error = thrownBy(tool, guarded);
  const pauseMs = error && pauseToRetry(tool, attempt, error, visit.run.runtime.logger);
  if (!error || pauseMs === undefined) return undefined;
  // An attempt that could only begin when the budget's time is over is none.
  if (pauseMs >= (visit.driver.purse.timeLeft() ?? Number.POSITIVE_INFINITY)) return undefined;
  return { reason: reasonOf(settled) ?? error.message, pauseMs };
}

/** Nothing happened, or the tool says that a repetition does no harm. */
function isSafe(settled: Settled): boolean {
  if (settled.kind !== 'ended') return settled.kind === 'again';
  return settled.outcome.status === 'FAILED' && settled.outcome.soft === true;
}

/** Why it failed, in the words that are stored: those that the hook for what tools give has left. */
function reasonOf(settled: Settled): string | undefined {
  if (settled.kind !== 'ended') return settled.reason;
  return settled.outcome.status === 'FAILED' ? settled.outcome.error.message : undefined;
}

function thrownBy({ id }: AnyTool, guarded: Guarded<unknown>): Error | undefined {
  if (guarded.kind === 'error') return ensureError(guarded.error);
  if (guarded.kind !== 'timeout') return undefined;
  return new PortiaError({ code: 'TOOL_TIMEOUT', message: `${id} did not answer in time` });
}

/** Milliseconds until the attempt after a failure that is safe to repeat; undefined when the tool's `retry` wants none. */
export function pauseToRetry(
  { id, retry }: AnyTool,
  attempt: number,
  error: Error,
  logger: Logger,
): number | undefined {
  if (!retry || attempt >= retry.maxAttempts) return undefined;
  try {
    if (retry.when && !retry.when(error)) return undefined;
  } catch (thrown) {
    logger.warn(`retry.when of ${id} threw; its call is not made again`, { error: ensureError(thrown).message });
    return undefined;
  }
  const { delayMs = 1_000, backoff = 2 } = retry;
  return delayMs * backoff ** (attempt - 1);
}

/**
 * Waits for the next attempt; `false` when the work is broken off meanwhile. That nothing is on its way is put on record
 * first where it matters: whoever finds the call after a crash then knows that it did not happen.
 */
export async function waitForNextAttempt(
  visit: VisitRun,
  tool: AnyTool,
  call: string,
  failure: Failure,
): Promise<boolean> {
  const { driver } = visit;
  if (!tool.readOnly && !tool.idempotent) {
    driver.emit({ type: 'tool-call-retry', ...visit.place, call, reason: failure.reason });
    if (failure.pauseMs > 0) await driver.commit();
  }
  return failure.pauseMs > 0 ? pause(visit, failure.pauseMs) : !visit.ending;
}

/** Lets time pass; `false` when the work is broken off meanwhile. */
export async function pause(visit: VisitRun, ms: number): Promise<boolean> {
  try {
    await visit.run.runtime.clock.sleep(ms, brokenOff(visit));
  } catch {
    return false;
  }
  return !visit.ending;
}

/** Aborted when the work of a step is broken off: the run ends, or the block it stands in. */
export function brokenOff({ driver, abort }: VisitRun): AbortSignal {
  return abort ? AbortSignal.any([driver.signal, abort]) : driver.signal;
}
