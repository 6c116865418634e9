import { setImmediate as turn } from 'node:timers/promises';
import { PortiaError } from '../core/errors.ts';
import type { StorageBackend } from './storage-backend.ts';

/** Which runs go. One of `before` and `olderThanMs` is needed. */
export interface PruneOptions {
  /** Finished runs last changed before this time go. Epoch milliseconds. */
  readonly before?: number | undefined;
  /** The same, as an age in milliseconds. */
  readonly olderThanMs?: number | undefined;
  /** Which of the finished ones: `COMPLETE` and `FAILED` unless given. */
  readonly states?: readonly ('COMPLETE' | 'FAILED')[] | undefined;
  /** Only count what would go. */
  readonly dryRun?: boolean | undefined;
  /** Ends it early, between two batches: what went by then is counted, and the rest stays for another time. */
  readonly signal?: AbortSignal | undefined;
}

/** How many runs are looked up and removed at a time: other writers get their turn in between. */
const batch = 200;

/** Removes finished runs with journal, commands and large outputs; a run that is not finished is never touched. */
export async function pruneRuns(storage: StorageBackend, options: PruneOptions): Promise<{ readonly runs: number }> {
  const { states = ['COMPLETE', 'FAILED'], dryRun = false, signal } = options;
  const before = timeOf(options);
  const unfinished = states.find((state) => state !== 'COMPLETE' && state !== 'FAILED');
  if (unfinished !== undefined) throw invalid('states', `names ${unfinished}; only finished runs can go`);
  let runs = 0;
  let cursor: string | undefined;
  do {
    const page = await storage.listRuns({ states, updatedBefore: before, order: 'oldest', limit: batch, cursor });
    const ids = page.items.map(({ header }) => header.id);
    if (ids.length > 0) runs += dryRun ? ids.length : await storage.removeRuns(ids, before);
    cursor = page.cursor;
    // A store in this process answers at once: without this nothing else would happen here until the end.
    await turn();
  } while (cursor !== undefined && !signal?.aborted);
  return { runs };
}

function timeOf({ before, olderThanMs }: PruneOptions): number {
  if ((before === undefined) === (olderThanMs === undefined))
    throw invalid('before or olderThanMs', 'has to be given, and only one of them');
  const time = before ?? Date.now() - (olderThanMs as number);
  if (!Number.isFinite(time) || (olderThanMs ?? 0) < 0) throw invalid('before or olderThanMs', 'is not a time');
  return time;
}

function invalid(option: string, what: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${option} ${what}`,
    hint: 'storage.prune({ olderThanMs: 30 * 24 * 3_600_000 }) removes what is finished since a month',
  });
}
