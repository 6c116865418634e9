import type { Awaitable } from '../storage/storage-backend.ts';
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
export interface GuardOptions<T, R> {
  readonly timeoutMs: number;
  /** When it began, by `performance.now()`. */
  readonly started: number;
  readonly onTimeout: () => void;
  /** Hears of what the work gives after it was given up. */
  readonly late: (value: T) => void;
  /** Makes of it what whoever waits wants to have: at once, because it is done for every call. */
  readonly read: (outcome: Guarded<T>) => Awaitable<R>;
}

/** Waits for work, but not for ever. */
export function guard<T, R>(driver: Driver, work: PromiseLike<T>, options: GuardOptions<T, R>): Promise<R> {
  return new Promise((resolve, reject) => {
    const flight = new Flight<T, R>(driver, options, resolve, reject);
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

/** What is waited for, whatever it gives. */
interface InFlight {
  readonly driver: Driver;
  place: number;
  startGrace(): void;
  checkTime(now: number): void;
}

/** Without gaps: each knows its place, so that one goes without the others being looked at. */
const flights: InFlight[] = [];
let ticking: NodeJS.Timeout | undefined;

function tick(): void {
  const now = performance.now();
  for (const flight of [...flights]) flight.checkTime(now);
  if (flights.length > 0) return;
  clearInterval(ticking);
  ticking = undefined;
}

class Flight<T, R> implements InFlight {
  readonly driver: Driver;
  readonly #options: GuardOptions<T, R>;
  readonly #resolve: (read: Awaitable<R>) => void;
  readonly #reject: (error: unknown) => void;
  place: number = flights.length;
  #open = true;
  #timer: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(
    driver: Driver,
    options: GuardOptions<T, R>,
    resolve: (read: Awaitable<R>) => void,
    reject: (error: unknown) => void,
  ) {
    this.driver = driver;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
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
    try {
      this.#resolve(this.#options.read(outcome));
    } catch (error) {
      this.#reject(error);
    }
  }

  #land(): void {
    const last = flights.pop();
    if (last === undefined || last === this) return;
    flights[this.place] = last;
    last.place = this.place;
  }

  startGrace(): void {
    this.#grace ??= setTimeout(() => this.end({ kind: 'abandoned' }), graceMs);
  }

  checkTime(now: number): void {
    if (!this.#timer && now - this.#options.started >= this.#options.timeoutMs) this.#timeOut();
  }

  #timeOut(): void {
    this.#options.onTimeout();
    this.end({ kind: 'timeout', ms: this.#options.timeoutMs });
  }
}
