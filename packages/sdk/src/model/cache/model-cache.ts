/**
 * The door to a cache of model answers: texts by key, for a limited time. What it holds is lost without harm; a lookup
 * or a write that fails costs a model call and nothing else.
 */
export interface ModelCache {
  /** For people: `memory`, `sqlite:<file>`, `redis`. */
  readonly name: string;
  /** The answer under this key; `undefined` when there is none, or its time is over. */
  get(key: string): string | undefined | Promise<string | undefined>;
  /** Keeps an answer, in place of one that is there. */
  set(key: string, answer: string): void | Promise<void>;
  /**
   * Removes all answers whose keys begin with this: those of one end user. Without it they stay until their time is over.
   */
  forget?(prefix: string): void | Promise<void>;
  /** Lets go of what it holds open. */
  close(): void | Promise<void>;
}

/** How long answers are kept unless it is said: a day, in milliseconds. */
export const defaultCacheTtlMs = 86_400_000;
