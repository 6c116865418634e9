import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { EndUserInit } from './end-users.ts';
import type { PlanRunInputs } from './plan-run-inputs.ts';

/** One item of a batch. */
export interface BatchItem {
  /** Unique in the store; what makes the batch resumable: an item that has a run gets no second one. */
  readonly runKey: string;
  readonly planRunInputs?: PlanRunInputs | undefined;
  readonly endUser?: string | EndUserInit | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** How a batch is run. */
export interface RunManyOptions {
  /** How many runs at once; 10 unless given. */
  readonly concurrency?: number | undefined;
  /** Stops the batch; give the same items again to go on. */
  readonly signal?: AbortSignal | undefined;
  /** Labels for every run; an item's own win. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Hears of every item as it ends. */
  readonly onItem?: ((item: BatchItem, outcome: BatchOutcome) => void) | undefined;
}

/** What became of an item: its run, or why it never became one. */
export type BatchOutcome = { readonly run: PlanRun } | { readonly error: Error };

/** How many items ended how. */
export interface BatchCounts {
  complete: number;
  failed: number;
  waiting: number;
  /** Stopped half-way, or driven by another process. */
  unfinished: number;
  /** Never became a run: inputs that do not fit, a key that belongs to another plan. */
  refused: number;
  /** All items seen. */
  total: number;
}

/** Runs one item to its end, or as far as it goes; what {@link runMany} does with each. */
export type RunItem = (item: BatchItem, options: { readonly signal: AbortSignal | undefined }) => Promise<PlanRun | { readonly busy: PlanRunUUID }>;

/** Runs a plan over many items, a bounded number at once, in memory that does not grow with their number. */
export async function runMany(items: Iterable<BatchItem> | AsyncIterable<BatchItem>, runItem: RunItem, options: RunManyOptions): Promise<BatchCounts> {
  const { concurrency = 10, signal, labels, onItem } = options;
  const counts: BatchCounts = { complete: 0, failed: 0, waiting: 0, unfinished: 0, refused: 0, total: 0 };
  const inFlight = new Set<Promise<void>>();
  for await (const item of items) {
    if (signal?.aborted) break;
    counts.total += 1;
    const full: BatchItem = labels ? { ...item, labels: { ...labels, ...item.labels } } : item;
    const running = runOne(full, runItem, signal, counts, onItem).finally(() => inFlight.delete(running));
    inFlight.add(running);
    if (inFlight.size >= concurrency) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  return counts;
}

async function runOne(
  item: BatchItem,
  runItem: RunItem,
  signal: AbortSignal | undefined,
  counts: BatchCounts,
  onItem: RunManyOptions['onItem'],
): Promise<void> {
  try {
    const run = await runItem(item, { signal });
    if ('busy' in run) {
      counts.unfinished += 1;
      return;
    }
    counts[kindOf(run)] += 1;
    onItem?.(item, { run });
  } catch (error) {
    // What concerns the store concerns every item: the batch stops, and can be given again.
    if (!PortiaError.isInstance(error) || error.code.startsWith('STORAGE_')) throw error;
    counts.refused += 1;
    onItem?.(item, { error });
  }
}

function kindOf(run: PlanRun): 'complete' | 'failed' | 'waiting' | 'unfinished' {
  if (run.state === 'COMPLETE') return 'complete';
  if (run.state === 'FAILED') return 'failed';
  return run.state === 'NEED_CLARIFICATION' ? 'waiting' : 'unfinished';
}
