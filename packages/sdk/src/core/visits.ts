import type { VisitId } from './event.ts';
import type { CallState, StoredAnswer } from './run-state.ts';

/** The n-th time the run is in a step, while it is in flight. */
export interface Visit {
  readonly step: number;
  readonly visit: VisitId;
  readonly startedAt: number;
  /** When a sleeping step wakes. Epoch milliseconds. */
  until: number | undefined;
  /** Whether it was asked and settled that the step runs. */
  begun: boolean;
  /** By their number within the visit, less one. A retry keeps what succeeded, so an id may name an earlier visit. */
  calls: (CallState | undefined)[];
  /** The call that ended last. */
  lastCall: CallState | undefined;
  /** Stored answers of models, by their number within the visit: `m1`, or `2.m1` for one asked inside the second call. */
  answers: Map<string, StoredAnswer> | undefined;
}

/** A visit as one word. */
export function visitKey(step: number, visit: VisitId): string {
  return `${step}.${visit}`;
}

/**
 * The visits of steps that are in flight. Mostly there is one, which comes and goes with every step of a run: it has a
 * place of its own, so that no table is kept for it.
 */
export class Visits implements Iterable<Visit> {
  #one: Visit | undefined;
  #others: Map<string, Visit> | undefined;

  get size(): number {
    return (this.#one ? 1 : 0) + (this.#others?.size ?? 0);
  }

  get(step: number, visit: VisitId): Visit | undefined {
    const one = this.#one;
    if (one && one.step === step && one.visit === visit) return one;
    return this.#others?.size ? this.#others.get(visitKey(step, visit)) : undefined;
  }

  /** Adds one that is not there. */
  add(visit: Visit): void {
    if (!this.#one) {
      this.#one = visit;
      return;
    }
    this.#others ??= new Map();
    this.#others.set(visitKey(visit.step, visit.visit), visit);
  }

  remove(step: number, visit: VisitId): void {
    const one = this.#one;
    if (one && one.step === step && one.visit === visit) this.#one = undefined;
    else if (this.#others?.size) this.#others.delete(visitKey(step, visit));
  }

  *[Symbol.iterator](): Generator<Visit> {
    if (this.#one) yield this.#one;
    if (this.#others) yield* this.#others.values();
  }
}
