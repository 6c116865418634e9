import type { RunBudget } from '../core/budget.ts';
import { PortiaError } from '../core/errors.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { BudgetBreak } from './budget.ts';
import type { EndUserInit } from './end-users.ts';
import type { PlanRunInputs } from './plan-run-inputs.ts';

/** One item of a batch. */
export interface BatchItem {
  /** Unique in the store; what makes the batch resumable: an item that has a run gets no second one. */
  readonly runKey: string;
  readonly planRunInputs?: PlanRunInputs | undefined;
  readonly endUser?: string | EndUserInit | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What its run may spend. */
  readonly budget?: RunBudget | undefined;
}

/** How a batch is run. */
export interface RunManyOptions {
  /** How many runs at once; 10 unless given. */
  readonly concurrency?: number | undefined;
  /** Stops the batch; give the same items again to go on. */
  readonly signal?: AbortSignal | undefined;
  /** Labels for every run; an item's own win. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What each run may spend; an item's own goes before it. */
  readonly budget?: RunBudget | undefined;
  /** Hears of every item as it ends. */
  readonly onItem?: ((item: BatchItem, outcome: BatchOutcome) => void) | undefined;
}

/** What became of an item: its run, or why it never became one or is not driven here. */
export type BatchOutcome = { readonly run: PlanRun } | { readonly error: Error };

/** How many items ended how. */
export interface BatchCounts {
  complete: number;
  failed: number;
  waiting: number;
  /** Stopped half-way, or driven by another process. */
  unfinished: number;
  /** Never became a run: inputs that do not fit, a key that belongs to another plan or end user. */
  refused: number;
  /** All items seen. */
  total: number;
}

/** Runs one item to its end, or as far as it goes; what {@link runMany} does with each. */
export type RunItem = (item: BatchItem, options: { readonly signal: AbortSignal | undefined }) => Promise<PlanRun>;

/** Runs a plan over many items, a bounded number at once, in memory that does not grow with their number. */
export async function runMany(
  items: Iterable<BatchItem> | AsyncIterable<BatchItem>,
  runItem: RunItem,
  options: RunManyOptions,
): Promise<BatchCounts> {
  const { concurrency = 10, signal, labels, budget, onItem } = options;
  if (!(concurrency >= 1)) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `concurrency of runMany is ${concurrency}`,
      hint: 'give how many runs at once, from 1',
    });
  }
  const counts: BatchCounts = { complete: 0, failed: 0, waiting: 0, unfinished: 0, refused: 0, total: 0 };
  const inFlight = new Set<Promise<void>>();
  // The last item of a key: one that comes with the same key is next, and finds its run.
  const latest = new Map<string, Promise<void>>();
  let broken: { readonly by: unknown } | undefined;
  try {
    for await (const item of items) {
      if (signal?.aborted || broken) break;
      counts.total += 1;
      const full: BatchItem = {
        ...item,
        ...(labels && { labels: { ...labels, ...item.labels } }),
        ...(budget && { budget: { ...budget, ...item.budget } }),
      };
      const run = (): Promise<void> => runOne(full, runItem, signal, counts, onItem);
      const ahead = latest.get(full.runKey);
      const running = (ahead ? ahead.then(() => (broken ? undefined : run())) : run())
        .catch((error: unknown) => {
          broken ??= { by: error };
        })
        .finally(() => {
          inFlight.delete(running);
          if (latest.get(full.runKey) === running) latest.delete(full.runKey);
        });
      inFlight.add(running);
      latest.set(full.runKey, running);
      if (inFlight.size >= concurrency) await Promise.race(inFlight);
    }
  } finally {
    // Also when the items break off: nothing runs on behind the back of whoever is told.
    await Promise.all(inFlight);
  }
  if (broken) throw broken.by;
  return counts;
}

async function runOne(
  item: BatchItem,
  runItem: RunItem,
  signal: AbortSignal | undefined,
  counts: BatchCounts,
  onItem: RunManyOptions['onItem'],
): Promise<void> {
  let outcome: BatchOutcome;
  try {
    checkKey(item);
    outcome = { run: await runItem(item, { signal }) };
  } catch (error) {
    // What concerns the store or the client concerns every item: the batch stops, and can be given again.
    if (!PortiaError.isInstance(error) || error.code.startsWith('STORAGE_') || error instanceof BudgetBreak)
      throw error;
    outcome = { error };
  }
  counts['run' in outcome ? kindOf(outcome.run) : kindOfRefusal(outcome.error)] += 1;
  onItem?.(item, outcome);
}

/** Without a key of its own an item would get another run each time the batch is given. */
function checkKey({ runKey }: BatchItem): void {
  if (typeof runKey === 'string' && runKey !== '') return;
  throw new PortiaError({
    code: 'INPUT_INVALID',
    message: `an item of the batch has ${runKey === undefined ? 'no runKey' : `the runKey ${JSON.stringify(runKey)}`}`,
    hint: 'give each item a text that is its own',
  });
}

function kindOf(run: PlanRun): 'complete' | 'failed' | 'waiting' | 'unfinished' {
  if (run.state === 'COMPLETE') return 'complete';
  if (run.state === 'FAILED') return 'failed';
  return run.state === 'NEED_CLARIFICATION' ? 'waiting' : 'unfinished';
}

function kindOfRefusal(error: Error): 'unfinished' | 'refused' {
  const isDriven = PortiaError.isInstance(error) && (error.code === 'RUN_BUSY' || error.code === 'DRIVER_LOST');
  return isDriven ? 'unfinished' : 'refused';
}
