import type { EndUser } from '../core/end-user.ts';
import type { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import type { LocalDataValue } from '../core/output.ts';
import type { Awaitable, Page, StoredRun } from './storage-backend.ts';

/** A large output with its name. */
export interface NamedOutput {
  readonly name: string;
  readonly output: LocalDataValue;
}

/** What keeps a store in order: whole runs come from other stores, and old ones go. */
export interface HouseStore {
  /** The names of a run's large outputs, in no particular order. */
  listOutputs(id: PlanRunUUID): Awaitable<readonly string[]>;
  /** Ids of plans and runs that lists leave out because they cannot be read; only where that can happen. */
  unreadable?(): Awaitable<{ readonly plans: readonly PlanUUID[]; readonly runs: readonly PlanRunUUID[] }>;
  /** All end users, a page at a time, in an order of the store's own. */
  listEndUsers(page: {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  }): Awaitable<Page<EndUser>>;
  /**
   * Stores a run as it was elsewhere, with all that belongs to it, but without a driver: all of it or nothing. `false`:
   * its id or its run key is taken, and nothing was stored. @throws PortiaError `PLAN_NOT_FOUND`.
   */
  importRun(run: StoredRun, outputs: readonly NamedOutput[]): Awaitable<boolean>;
  /**
   * Removes those of these runs that are finished, were last changed before `before` (epoch milliseconds) and have no
   * driver that was alive since then; with journal, commands and large outputs, each run whole or not at all. Gives how
   * many it removed.
   */
  removeRuns(ids: readonly PlanRunUUID[], before: number): Awaitable<number>;
}
