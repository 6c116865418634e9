import type { PlanRunUUID } from '../core/ids.ts';

/** Called when a command arrives for, or a commit is added to, a run. */
export type Watcher = (id: PlanRunUUID, what: 'command' | 'commit') => void;

/** Who wants to hear of commands and commits in this process. */
export class Watchers {
  readonly #listeners = new Set<Watcher>();

  add(listener: Watcher): () => void {
    const own: Watcher = (id, what) => listener(id, what);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Tells everyone. What a listener throws is a warning: what it was told of has been stored already. */
  tell(id: PlanRunUUID, what: 'command' | 'commit'): void {
    if (this.#listeners.size === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(id, what);
      } catch (thrown) {
        process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
