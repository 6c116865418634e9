import { comesBefore, type Thread } from '../core/thread.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** A strand that stands at a hook which decides whether and how it goes on. */
interface Standing {
  readonly thread: Thread;
  readonly ask: (done: () => void) => void;
}

// Kept at hand: tests may put a clock of their own in the place of the global one.
const soon = globalThis.setImmediate;

/**
 * Hooks before steps and tool calls are asked one after the other, however many strands of a run are at work: of those
 * that stand at one, the first in the order of the plan comes next.
 */
export class HookTurns {
  /** In the order of the plan; those of one strand as they came. */
  readonly #standing: Standing[] = [];
  #asking = false;
  #choosing = false;

  /** Resolves when it is this strand's turn; the way to end it. */
  take(thread: Thread): Promise<() => void> {
    return new Promise((ask) => {
      this.#standing.splice(this.#placeOf(thread), 0, { thread, ask });
      this.#next();
    });
  }

  #placeOf(thread: Thread): number {
    let [low, high] = [0, this.#standing.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesBefore(thread, (this.#standing[middle] as Standing).thread)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #next(): void {
    const last = this.#standing.at(-1);
    if (this.#asking || this.#choosing || !last) return;
    if (!last.thread.parent) return this.#choose();
    // Strands that began together, and the one that was asked just now, shall all have come to where they stand.
    this.#choosing = true;
    soon(() => {
      this.#choosing = false;
      this.#choose();
    });
  }

  #choose(): void {
    const first = this.#standing.shift();
    if (!first) return;
    this.#asking = true;
    first.ask(() => {
      this.#asking = false;
      this.#next();
    });
  }
}

/**
 * Asks a hook when it is the turn of the visit's strand; `waiting` when the run, or the block, is over by then. Meanwhile
 * the step takes no place among those at work.
 */
export async function askInTurn<T>(
  visit: VisitRun,
  over: () => boolean,
  ask: () => T | Promise<T>,
): Promise<T | Waiting> {
  const { places } = visit;
  places?.leave();
  const done = await visit.run.turns.take(visit.thread);
  try {
    return over() ? waiting : await ask();
  } finally {
    done();
    // What is over needs no place to say so, and does not wait for one.
    if (!over()) await places?.enter();
  }
}
