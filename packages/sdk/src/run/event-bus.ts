import type { RunEvent, RunNotice } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';

/** What a watcher of a run is told. */
export type RunSignal = RunEvent | RunNotice;

/** Hears of what happens to one run, or to all that are driven in this process. */
export type RunListener = (id: PlanRunUUID, signal: RunSignal) => void;

/** Carries events of runs driven in this process to whoever listens. Costs nothing while nobody does. */
export class EventBus {
  readonly all: Set<RunListener> = new Set();
  readonly byRun: Map<PlanRunUUID, Set<RunListener>> = new Map();
  /** Workers of this process. */
  readonly workers: Set<() => void> = new Set();

  /** Tells the workers of this process that a run is ready, which they would find out only by looking. */
  ring(): void {
    for (const wake of this.workers) wake();
  }

  publish(id: PlanRunUUID, signal: RunSignal): void {
    for (const listener of this.all) tell(listener, id, signal);
    for (const listener of this.byRun.get(id) ?? []) tell(listener, id, signal);
  }

  /** Listens to one run, or to all. Returns the way to stop. */
  listen(listener: RunListener, id?: PlanRunUUID): () => void {
    if (id === undefined) {
      this.all.add(listener);
      return () => this.all.delete(listener);
    }
    const listeners = this.byRun.get(id) ?? new Set();
    listeners.add(listener);
    this.byRun.set(id, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.byRun.delete(id);
    };
  }
}

/** What a listener throws is a warning: what it was told of has happened. */
function tell(listener: RunListener, id: PlanRunUUID, signal: RunSignal): void {
  try {
    listener(id, signal);
  } catch (thrown) {
    process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
  }
}

/** Whether anybody would hear of this run. */
export function isWatched(bus: EventBus, id: PlanRunUUID): boolean {
  return bus.all.size > 0 || bus.byRun.has(id);
}

/** Whether anybody listens to this run in particular; those that hear of all runs, such as logs, do not count. */
export function isFollowed(bus: EventBus, id: PlanRunUUID): boolean {
  return bus.byRun.has(id);
}
