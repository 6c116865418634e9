import type { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import { openInStored, type OpenClarification } from './open-clarifications.ts';
import { planIdOf } from './plan-now.ts';
import type { Awaitable, StoredRun } from './storage-backend.ts';

/** Runs of one look: so many are held in memory. */
export const mostEarlier = 200;

/** Where the journal of a run ended when it was read. */
export function lastSeqOf({ commits }: StoredRun): number {
  return commits.at(-1)?.seq ?? 0;
}

/** What is looked up in a run from before. */
export interface Earlier {
  readonly open: readonly OpenClarification[];
  /** The plan it goes by. */
  readonly planId: PlanUUID;
}

/** What a store has for runs from before it kept a list of what waits, or could not read their plan. */
export interface EarlierRuns {
  /** The next of them, in the order of their numbers, {@link mostEarlier} at most. */
  next(after: number): Awaitable<readonly { readonly n: number; readonly id: PlanRunUUID }[]>;
  load(id: PlanRunUUID): Awaitable<StoredRun | undefined>;
  /** Writes down what was found in a run, unless it has changed since it was read; gives whether it did. */
  write(run: StoredRun, found: Earlier): Awaitable<boolean>;
}

/**
 * Writes down what waits in runs from before there was a list of it, and which plan they go by. Gives whether that is
 * done: runs that change meanwhile are looked at again. Those that cannot be read are left, and keep nobody from the
 * others.
 */
export async function listEarlier(runs: EarlierRuns, read: (run: StoredRun) => Awaitable<StoredRun>): Promise<boolean> {
  let isDone = true;
  let after = 0;
  for (;;) {
    const page = await runs.next(after);
    for (const { n, id } of page) {
      after = n;
      const run = await runs.load(id);
      if (!run) continue;
      let found: Earlier;
      try {
        const readable = await read(run);
        found = { open: openInStored(readable), planId: planIdOf(readable) };
      } catch {
        continue;
      }
      if (!(await runs.write(run, found))) isDone = false;
    }
    if (page.length < mostEarlier) return isDone;
  }
}
