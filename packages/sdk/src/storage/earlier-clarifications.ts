import type { PlanRunUUID } from '../core/ids.ts';
import type { OpenClarification } from './open-clarifications.ts';
import type { Awaitable, StoredRun } from './storage-backend.ts';

/** Runs of one look: so many are held in memory. */
export const mostEarlier = 200;

/** Where the journal of a run ended when it was read. */
export function lastSeqOf({ commits }: StoredRun): number {
  return commits.at(-1)?.seq ?? 0;
}

/** What a store has for runs from before it kept a list of what waits. */
export interface EarlierRuns {
  /** The next of them, in the order of their numbers, {@link mostEarlier} at most. */
  next(after: number): Awaitable<readonly { readonly n: number; readonly id: PlanRunUUID }[]>;
  load(id: PlanRunUUID): Awaitable<StoredRun | undefined>;
  /** Writes down what waits in a run, unless it has changed since it was read; gives whether it did. */
  write(run: StoredRun, open: readonly OpenClarification[]): Awaitable<boolean>;
}

/**
 * Writes down what waits in runs from before there was a list of it. Gives whether that is done: runs that change
 * meanwhile are looked at again. Those that cannot be read are left, and keep nobody from the others.
 */
export async function listEarlier(
  runs: EarlierRuns,
  read: (run: StoredRun) => Awaitable<readonly OpenClarification[]>,
): Promise<boolean> {
  let isDone = true;
  let after = 0;
  for (;;) {
    const found = await runs.next(after);
    for (const { n, id } of found) {
      after = n;
      const run = await runs.load(id);
      if (!run) continue;
      let open: readonly OpenClarification[];
      try {
        open = await read(run);
      } catch {
        continue;
      }
      if (!(await runs.write(run, open))) isDone = false;
    }
    if (found.length < mostEarlier) return isDone;
  }
}
