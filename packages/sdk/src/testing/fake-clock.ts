import type { Clock } from '../core/clock.ts';

/** A clock that stands still until it is told. */
export interface FakeClock extends Clock {
  /** How many sleeps are under way. */
  readonly sleeping: number;
  /** Moves time on and ends, in order, the sleeps that are over by then, also those begun meanwhile. */
  advance(ms: number): Promise<void>;
}

/** A clock that stands still at `start` (epoch milliseconds). With `autoAdvance`, each sleep moves time on at once. */
export function fakeClock(start = 1_700_000_000_000, options: { readonly autoAdvance?: boolean } = {}): FakeClock {
  let now = start;
  const sleepers = new Set<{ readonly at: number; wake(): void }>();
  return {
    now: () => now,
    get sleeping() {
      return sleepers.size;
    },
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      if (options.autoAdvance) {
        now += ms;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const end = (settle: () => void): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', stop);
          settle();
        };
        const stop = (): void => end(() => reject(signal?.reason));
        const sleeper = { at: now + ms, wake: () => end(resolve) };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', stop, { once: true });
      });
    },
    async advance(ms) {
      const until = now + ms;
      for (;;) {
        await settled();
        const next = [...sleepers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        now = Math.max(now, next.at);
        next.wake();
      }
      now = until;
      await settled();
    },
  };
}

// Lets everything run that needs no time to pass.
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
