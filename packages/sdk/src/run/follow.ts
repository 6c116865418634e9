import type { RunEvent, RunNotice } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { isFinished } from '../core/run-state.ts';
import { eventsOf, notFound } from './drive.ts';
import type { Runtime } from './runtime.ts';

/** Milliseconds between looks at a store that other processes write to. */
const pollMs = 250;

/** Where to begin and when to stop following. */
export interface FollowOptions {
  /** The last `seq` that was seen; events after it follow. 0, the default, begins at the beginning. */
  readonly after?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What happened to a run and what happens to it, in order and without gaps, from any process; with notices in between
 * where the run is driven in this one. Ends when the run does. Leaving the loop changes nothing about the run.
 * @throws PortiaError `PLAN_RUN_NOT_FOUND`.
 */
export async function* follow(
  runtime: Runtime,
  id: PlanRunUUID,
  options: FollowOptions = {},
): AsyncGenerator<RunEvent | RunNotice, void, undefined> {
  const { signal } = options;
  let seen = options.after ?? 0;
  const waiting = new Mailbox();
  const forget = [
    runtime.bus.listen((_id, heard) => waiting.put(heard), id),
    runtime.storage.watch((changed) => changed === id && waiting.ring()),
  ];
  const wake = (): void => waiting.ring();
  signal?.addEventListener('abort', wake);
  try {
    for (;;) {
      const stored = await runtime.storage.loadRun(id, seen);
      if (!stored) throw notFound(id);
      for (const event of eventsOf(stored)) {
        if (event.seq <= seen) continue;
        seen = event.seq;
        yield event;
        if (signal?.aborted) return;
      }
      // Hooks may be told after the end: which events are left says nothing of whether the run is over.
      if (isFinished(stored.status)) return;
      for (;;) {
        if (signal?.aborted) return;
        const heard = await waiting.take(pollMs);
        if (heard === undefined) break;
        if (heard.seq === undefined) yield heard;
        else if (heard.seq === seen + 1) {
          seen = heard.seq;
          yield heard;
          if (heard.type === 'run-end') return;
        } else if (heard.seq > seen) break;
      }
    }
  } finally {
    for (const stop of forget) stop();
    signal?.removeEventListener('abort', wake);
  }
}

/** Keeps what was heard until it is asked for. */
class Mailbox {
  readonly #heard: (RunEvent | RunNotice)[] = [];
  #wake: (() => void) | undefined;

  put(heard: RunEvent | RunNotice): void {
    this.#heard.push(heard);
    this.ring();
  }

  ring(): void {
    this.#wake?.();
  }

  /** The next thing heard; `undefined` when nothing came within the time, or something was said without words. */
  async take(ms: number): Promise<RunEvent | RunNotice | undefined> {
    if (this.#heard.length > 0) return this.#heard.shift();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
    return this.#heard.shift();
  }
}
