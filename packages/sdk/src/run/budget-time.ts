import type { ModelRequest } from '../core/model.ts';
import type { Crossing } from './account.ts';
import type { Purse } from './budget.ts';

const longestTimerMs = 2_147_483_647;

/** So that the word of the budget comes before that of a call that ran out of time. */
const slackMs = 100;

/** What work that may not outlive a budget is given. */
export type TimeLimits = Pick<ModelRequest, 'signal' | 'deadline'>;

/**
 * Does work until the time of a budget is over, and then ends it with what `stop` throws, whether or not the work takes
 * notice. Where no budget limits the time, the work is just done. `now`: epoch milliseconds.
 */
export async function whileTimeLasts<T>(
  purse: Purse,
  now: () => number,
  signal: AbortSignal | undefined,
  stop: (crossing: Crossing, scope: 'run' | 'client') => never,
  work: (limits: TimeLimits) => Promise<T>,
): Promise<T> {
  const left = purse.timeLeft();
  if (left === undefined) return work(signal ? { signal } : {});
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const arm = (ms: number): void => {
    timer = setTimeout(check, Math.min(Math.max(1, Math.ceil(ms)), longestTimerMs));
  };
  const check = (): void => {
    // How much is left is asked again: a client's time goes by faster or slower, as its runs begin and end.
    const crossed = purse.timeOver();
    if (!crossed) return arm(purse.timeLeft() ?? longestTimerMs);
    try {
      stop(crossed.crossing, crossed.scope);
    } catch (error) {
      over.abort(error);
    }
  };
  arm(left);
  const until = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  const ended = new Promise<never>((_resolve, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason), { once: true });
  });
  // Nobody hears of it when the work was quicker.
  ended.catch(() => {});
  try {
    return await Promise.race([work({ signal: until, deadline: now() + left + slackMs }), ended]);
  } finally {
    clearTimeout(timer);
  }
}
