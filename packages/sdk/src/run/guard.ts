import type { Driver } from './driver.ts';

/** How work that was waited for ended. */
export type Guarded<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'timeout' }
  /** The run ends, and the work gave no receipt within the grace time. */
  | { readonly kind: 'abandoned' };

/** Milliseconds that a call in flight has to give its receipt once the run is cancelled or driving stops. */
export const graceMs = 5_000;

/** Waits for work, but not for ever. `late` hears of what the work gives after it was given up. */
export function guard<T>(
  driver: Driver,
  work: PromiseLike<T>,
  options: { readonly timeoutMs: number; readonly onTimeout: () => void; readonly late: (value: T) => void },
): Promise<Guarded<T>> {
  return new Promise((resolve) => {
    let open = true;
    let grace: NodeJS.Timeout | undefined;
    const end = (outcome: Guarded<T>): void => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      clearTimeout(grace);
      forget();
      resolve(outcome);
    };
    const timer = setTimeout(() => {
      options.onTimeout();
      end({ kind: 'timeout' });
    }, options.timeoutMs);
    const startGrace = (): void => {
      grace ??= setTimeout(() => end({ kind: 'abandoned' }), graceMs);
    };
    const forget = driver.whenEnding(startGrace);
    if (driver.ending) startGrace();
    work.then(
      (value) => (open ? end({ kind: 'value', value }) : options.late(value)),
      (error: unknown) => end({ kind: 'error', error }),
    );
  });
}
