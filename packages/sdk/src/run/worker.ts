import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { isFinished, isUntold, type PlanRunState } from '../core/run-state.ts';
import { readySince } from '../storage/run-query.ts';
import type { RunQuery, RunSummary } from '../storage/storage-backend.ts';
import { BudgetBreak } from './budget.ts';
import { drive } from './drive.ts';
import { isAlive, ownersHere } from './driver-host.ts';
import type { PlanShelf } from './plan-shelf.ts';
import { advance } from './runner.ts';
import type { Runtime } from './runtime.ts';

/** How a worker works. */
export interface WorkOptions {
  /** How many runs it drives at once; 10 unless given. */
  readonly concurrency?: number | undefined;
  /** Stops the worker: nothing new is begun, runs in flight stop and stay resumable. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds between looks at the store when there is nothing to do; 1,000 unless given. */
  readonly pollMs?: number | undefined;
  /** Return when nothing is ready, instead of waiting for more. */
  readonly untilIdle?: boolean | undefined;
}

/** What became of the runs that a worker drove: each counts once, as the worker last left it. */
export interface WorkCounts {
  complete: number;
  failed: number;
  /** Left waiting for a person. */
  waiting: number;
  /** Could not be driven now: an unknown tool, a plan that is missing. They stay as they are. */
  refused: number;
}

const pageSize = 100;
/** Milliseconds between looks for runs whose driver on this host died, while there are others to drive. */
const neighboursMs = 1_000;
/** Milliseconds between something being said to a run and a look at what is ready now. */
const settleMs = 20;
/** Milliseconds until a run is tried again that the store did not let be driven. */
const retryMs = 1_000;

/**
 * Drives the runs of a store that are ready: started ones, answered ones, those whose driver died, and waiting ones
 * whose time has come. @throws PortiaError `BUDGET_EXCEEDED` when the budget of the client is used up: the runs stay.
 */
export async function work(runtime: Runtime, plans: PlanShelf, options: WorkOptions = {}): Promise<WorkCounts> {
  const { concurrency = 10, signal, pollMs = 1_000, untilIdle = false } = options;
  const report = new Report();
  const finder = new Finder(runtime);
  const inFlight = new Map<PlanRunUUID, Promise<void>>();
  const refused = new Set<PlanRunUUID>();
  const bell = new Bell(runtime);
  // Set from callbacks: TypeScript would take it for never set.
  let broken = undefined as { readonly by: unknown } | undefined;
  try {
    while (!signal?.aborted && !broken) {
      const busy = (id: PlanRunUUID): boolean => inFlight.has(id) || refused.has(id);
      const ready = await look(runtime, () => finder.find(busy, concurrency - inFlight.size, inFlight.size), untilIdle);
      for (const { header } of ready) {
        const driven = driveOne(runtime, plans, header.id, report, refused, signal)
          .catch((error: unknown) => {
            broken ??= { by: error };
          })
          .finally(() => {
            inFlight.delete(header.id);
            bell.ring();
          });
        inFlight.set(header.id, driven);
      }
      if (ready.length > 0 && inFlight.size < concurrency) continue;
      if (untilIdle && inFlight.size === 0) break;
      await bell.wait(pollMs, signal);
    }
  } finally {
    await Promise.all(inFlight.values());
    bell.close();
  }
  if (broken) throw broken.by;
  return report.counts;
}

/** How many runs that are not complete are remembered, so that they are not counted again: the last so many. */
const remembered = 100_000;

/** Counts runs by what became of them last. A complete run comes never again; the others may. */
class Report {
  readonly counts: WorkCounts = { complete: 0, failed: 0, waiting: 0, refused: 0 };
  readonly #open = new Map<PlanRunUUID, keyof WorkCounts>();

  /** `undefined`: the run goes on later, by itself. */
  count(id: PlanRunUUID, became: keyof WorkCounts | undefined): void {
    const before = this.#open.get(id);
    if (before) this.counts[before] -= 1;
    this.#open.delete(id);
    if (became === undefined) return;
    this.counts[became] += 1;
    if (became === 'complete') return;
    this.#open.set(id, became);
    const [oldest] = this.#open.keys();
    if (oldest !== undefined && this.#open.size > remembered) this.#open.delete(oldest);
  }
}

/** What is ready. A worker that is to stay outlives a store that is away for a while. */
async function look(
  runtime: Runtime,
  find: () => Promise<readonly RunSummary[]>,
  untilIdle: boolean,
): Promise<readonly RunSummary[]> {
  try {
    return await find();
  } catch (error) {
    if (untilIdle || !isPassing(error)) throw error;
    runtime.logger.warn('the store does not say what is ready; it is asked again', { error: error.message });
    return [];
  }
}

/** Whether it may be otherwise in a moment. */
function isPassing(error: unknown): error is PortiaError {
  return PortiaError.isInstance(error) && error.code === 'STORAGE_FAILED';
}

/** Finds what is ready, and asks the store for little else. */
class Finder {
  readonly #runtime: Runtime;
  #lookedAround = Number.NEGATIVE_INFINITY;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Up to so many runs that are ready and not at hand here; `inFlight`: how many are. */
  async find(busy: (id: PlanRunUUID) => boolean, limit: number, inFlight: number): Promise<readonly RunSummary[]> {
    if (limit <= 0) return [];
    const { clock } = this.#runtime;
    const at = clock.now();
    const free = (run: RunSummary): boolean => !busy(run.header.id) && !isDriven(this.#runtime, run);
    const ready = await this.#list({ readyAt: at, limit: Math.min(limit, pageSize) }, limit, free);
    if (ready.length > 0) return ready;
    // The store goes by heartbeats; of a driver on this host it is known at once that its process died.
    if (inFlight > 0 && performance.now() - this.#lookedAround < neighboursMs) return [];
    this.#lookedAround = performance.now();
    return this.#list({ drivenFrom: ownersHere(), limit: pageSize }, limit, (run) => {
      const since = readySince({ status: run.status, driver: undefined });
      return since !== undefined && since <= at && free(run);
    });
  }

  async #list(query: RunQuery, limit: number, wanted: (run: RunSummary) => boolean): Promise<readonly RunSummary[]> {
    const found: RunSummary[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#runtime.storage.listRuns({ ...query, cursor });
      found.push(...page.items.filter((run) => wanted(run) && mayDrive(this.#runtime, run)));
      cursor = page.cursor;
    } while (cursor !== undefined && found.length < limit);
    return found.slice(0, limit);
  }
}

/** Whether there is something to do here: of a run that has ended only hooks are told. */
function mayDrive({ hooks }: Runtime, { status }: RunSummary): boolean {
  return !isFinished(status) || hooks.afterPlanRun !== undefined || hooks.afterStepExecution !== undefined;
}

function isDriven(runtime: Runtime, { driver }: RunSummary): boolean {
  return driver !== undefined && (isAlive(driver) ?? driver.expiresAt > runtime.clock.now());
}

async function driveOne(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  report: Report,
  refused: Set<PlanRunUUID>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    const state = await drive(runtime, plans, id, advance, { signal, again: advance });
    // Its hooks are those of another client.
    if (isFinished(state) && isUntold(state)) refused.add(id);
    report.count(id, becameOf(state.state));
  } catch (error) {
    if (PortiaError.isInstance(error) && (error.code === 'RUN_BUSY' || error.code === 'DRIVER_LOST')) return;
    // No run can go on here any more: the worker ends, and its runs are left to others.
    if (error instanceof BudgetBreak) throw error;
    refused.add(id);
    if (isPassing(error)) setTimeout(() => refused.delete(id), retryMs).unref();
    report.count(id, 'refused');
    runtime.logger.error('a run could not be driven; it stays as it is', {
      planRunId: id,
      error: error instanceof Error ? error.message : String(error),
      ...(PortiaError.isInstance(error) && { code: error.code }),
    });
  }
}

function becameOf(state: PlanRunState): keyof WorkCounts | undefined {
  if (state === 'COMPLETE') return 'complete';
  if (state === 'FAILED') return 'failed';
  return state === 'NEED_CLARIFICATION' ? 'waiting' : undefined;
}

/** Wakes a worker when something may have become ready. */
class Bell {
  readonly #unwatch: () => void;
  #rung = false;
  #soon: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;

  constructor(runtime: Runtime) {
    const unwatch = runtime.storage.watch((_id, what) => what === 'command' && this.#ringSoon());
    const wake = (): void => this.ring();
    runtime.bus.workers.add(wake);
    this.#unwatch = () => {
      unwatch();
      runtime.bus.workers.delete(wake);
    };
  }

  /** What was said is on record a moment later, and only then makes a run ready. */
  #ringSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.ring();
    }, settleMs);
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#rung && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal?.addEventListener('abort', this.#wake, { once: true });
      });
      if (this.#wake) signal?.removeEventListener('abort', this.#wake);
    }
    this.#rung = false;
    this.#wake = undefined;
  }

  close(): void {
    clearTimeout(this.#soon);
    this.#unwatch();
  }
}
