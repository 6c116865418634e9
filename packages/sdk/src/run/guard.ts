import type { Driver } from './driver.ts';

/** How work that was waited for ended. */
export type Guarded<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  /** After so many milliseconds. */
  | { readonly kind: 'timeout'; readonly ms: number }
  /** The run ends, and the work gave no receipt within the grace time. */
  | { readonly kind: 'abandoned' };

/** Milliseconds that a call in flight has to give its receipt once the run is cancelled or driving stops. */
export const graceMs = 5_000;

/** Time-outs from this length on, in milliseconds, share one timer and may come a tick late; shorter ones have their own. */
const longTimeoutMs = 2_000;
const tickMs = 100;

/** What is said about work that is waited for. */
export interface GuardOptions<T> {
  readonly timeoutMs: number;
  readonly onTimeout: () => void;
  /** Hears of what the work gives after it was given up. */
  readonly late: (value: T) => void;
}

/** Waits for work, but not for ever. */
export function guard<T>(driver: Driver, work: PromiseLike<T>, options: GuardOptions<T>): Promise<Guarded<T>> {
  return new Promise((resolve) => {
    const flight = new Flight<T>(driver, options, resolve);
    work.then(
      (value) => flight.succeed(value),
      (error: unknown) => flight.end({ kind: 'error', error }),
    );
  });
}

/** The run is to end: its calls in flight have a moment to give their receipts. */
export function startGrace(driver: Driver): void {
  for (const flight of flights) if (flight.driver === driver) flight.startGrace();
}

/** Without gaps: each knows its place, so that one goes without the others being looked at. */
const flights: Flight<never>[] = [];
let ticking: NodeJS.Timeout | undefined;

function tick(): void {
  const now = performance.now();
  for (const flight of [...flights]) flight.checkTime(now);
  if (flights.length > 0) return;
  clearInterval(ticking);
  ticking = undefined;
}

class Flight<T> {
  readonly driver: Driver;
  readonly #options: GuardOptions<T>;
  readonly #resolve: (outcome: Guarded<T>) => void;
  readonly #begun: number = performance.now();
  #place: number = flights.length;
  #open = true;
  #timer: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(driver: Driver, options: GuardOptions<T>, resolve: (outcome: Guarded<T>) => void) {
    this.driver = driver;
    this.#options = options;
    this.#resolve = resolve;
    if (options.timeoutMs < longTimeoutMs) this.#timer = setTimeout(() => this.#timeOut(), options.timeoutMs);
    flights.push(this);
    // The pool's timer keeps the process alive while a run is driven; this one need not.
    ticking ??= setInterval(tick, tickMs).unref();
    if (driver.ending) this.startGrace();
  }

  succeed(value: T): void {
    if (this.#open) this.end({ kind: 'value', value });
    else this.#options.late(value);
  }

  end(outcome: Guarded<T>): void {
    if (!this.#open) return;
    this.#open = false;
    this.#land();
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#grace) clearTimeout(this.#grace);
    this.#resolve(outcome);
  }

  #land(): void {
    const last = flights.pop();
    if (last === undefined || last === this) return;
    flights[this.#place] = last;
    last.#place = this.#place;
  }

  startGrace(): void {
    this.#grace ??= setTimeout(() => this.end({ kind: 'abandoned' }), graceMs);
  }

  checkTime(now: number): void {
    if (!this.#timer && now - this.#begun >= this.#options.timeoutMs) this.#timeOut();
  }

  #timeOut(): void {
    this.#options.onTimeout();
    this.end({ kind: 'timeout', ms: this.#options.timeoutMs });
  }
}
