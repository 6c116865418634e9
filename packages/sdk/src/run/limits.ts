import type { Clock } from '../core/clock.ts';
import type { AnyTool } from '../core/tool.ts';

/** Lets so many through at once, in the order they came. */
export class Gate {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Resolves when there is a place; the way to give it back. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const next = this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}

/** A place in each of several gates, which is given back while its holder has nothing to do. */
export class Places {
  readonly #gates: readonly Gate[];
  readonly #held: (() => void)[] = [];
  #inside: Promise<void> | undefined;

  constructor(gates: readonly Gate[]) {
    this.#gates = gates;
  }

  enter(): Promise<void> {
    this.#inside ??= this.#take();
    return this.#inside;
  }

  async #take(): Promise<void> {
    for (const gate of this.#gates) this.#held.push(await gate.enter());
  }

  leave(): void {
    // On the way in: another call of the same step is about to be made.
    if (this.#held.length < this.#gates.length) return;
    this.#inside = undefined;
    for (const leave of this.#held.splice(0)) leave();
  }
}

/** What is waited for, or the reason of the signal at once; `late` hears of what nobody waits for any more. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  late: (value: T) => void = () => {},
): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    void work.then(late, () => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const minute = 60_000;

/** Lets so many through in any minute, in the order they came. */
class Pace {
  readonly #perMinute: number;
  readonly #clock: Clock;
  #passed: number[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  pass(signal: AbortSignal): Promise<void> {
    const mine = this.#last.then(() => this.#wait(signal));
    this.#last = mine.catch(() => undefined);
    return unlessAborted(mine, signal);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const now = this.#clock.now();
      this.#passed = this.#passed.filter((at) => at > now - minute);
      if (this.#passed.length < this.#perMinute) {
        this.#passed.push(now);
        return;
      }
      await this.#clock.sleep((this.#passed[0] as number) + minute - now, signal);
    }
  }
}

interface ToolLimit {
  readonly gate: Gate | undefined;
  readonly pace: Pace | undefined;
}

/** The limits of tools, kept by one client over all its runs. */
export class ToolLimits {
  readonly #clock: Clock;
  readonly #limits = new Map<string, ToolLimit>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a call of this tool may have to wait. */
  static limits({ maxConcurrency, perMinute }: AnyTool): boolean {
    return maxConcurrency !== undefined || perMinute !== undefined;
  }

  /** Resolves when the tool may be called; the way to say that the call has ended. Rejects when the signal is aborted. */
  async enter(tool: AnyTool, signal: AbortSignal): Promise<() => void> {
    const { gate, pace } = this.#limitOf(tool);
    const leave = gate ? await unlessAborted(gate.enter(), signal, (late) => late()) : () => {};
    try {
      await pace?.pass(signal);
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  #limitOf({ id, maxConcurrency, perMinute }: AnyTool): ToolLimit {
    let limit = this.#limits.get(id);
    if (!limit) {
      limit = {
        gate: maxConcurrency === undefined ? undefined : new Gate(maxConcurrency),
        pace: perMinute === undefined ? undefined : new Pace(perMinute, this.#clock),
      };
      this.#limits.set(id, limit);
    }
    return limit;
  }
}
