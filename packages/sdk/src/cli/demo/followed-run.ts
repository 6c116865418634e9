import type { Portia } from '../../client.ts';
import type { RunEvent, RunNotice } from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import type { LiveView } from '../view/live-view.ts';

/** A run that another process drives: shown here, and waited for. */
export class FollowedRun {
  readonly #seen: (RunEvent | RunNotice)[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(portia: Portia, id: PlanRunUUID, view: LiveView, past: readonly RunEvent[]) {
    this.#done = this.#follow(portia, id, view, past.at(-1)?.seq ?? 0);
  }

  async #follow(portia: Portia, id: PlanRunUUID, view: LiveView, after: number): Promise<void> {
    try {
      for await (const event of portia.events(id, { after, signal: this.#stop.signal })) {
        view.take(event);
        this.#seen.push(event);
        for (const look of this.#waiting) look();
      }
    } finally {
      for (const look of this.#waiting) look();
    }
  }

  /** How many events were seen. */
  get count(): number {
    return this.#seen.length;
  }

  /** Waits until an event is on record and was shown here: one after the first `from`, or one of those. */
  async until(isIt: (event: RunEvent | RunNotice) => boolean, from = 0): Promise<void> {
    await Promise.race([
      this.#done,
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (!this.#seen.slice(from).some(isIt)) return;
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
        look();
      }),
    ]);
  }

  /** Waits for the end of the run. */
  end(): Promise<void> {
    return this.#done;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}
