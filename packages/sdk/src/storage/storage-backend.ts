import type { EndUser, EndUserField } from '../core/end-user.ts';
import type { Commit, RunError } from '../core/event.ts';
import type { ClarificationUUID, PlanRunUUID, PlanUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { LocalDataValue } from '../core/output.ts';
import type { PlanRunState, RunHeader } from '../core/run-state.ts';
import type { ClarificationQuery, ListedClarification, OpenClarification } from './open-clarifications.ts';
import type { HouseStore } from './house.ts';

/** A value now, or a promise of it: backends in this process answer at once, and nothing is lost by not waiting. */
export type Awaitable<T> = T | Promise<T>;

/** A plan as it is stored: its Portia 0.9 document, and what such a document cannot hold beside it. */
export interface PlanRecord {
  readonly id: PlanUUID;
  /** Hash of the document and of what stands beside it: the same id with another hash is `PLAN_CHANGED`. */
  readonly hash: string;
  readonly query: string;
  readonly document: JsonObject;
  readonly beside?: JsonObject | undefined;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** The one process that advances a run. */
export interface DriverRecord {
  /** `<host>/<process>/<random>`: whose process it is can be read from it. */
  readonly owner: string;
  readonly epoch: number;
  /** Epoch milliseconds; renewed by heartbeats. */
  readonly expiresAt: number;
}

/** What a list of runs shows, kept beside the journal so that listing folds nothing. */
export interface RunStatus {
  readonly state: PlanRunState;
  /** Epoch milliseconds. */
  readonly updatedAt: number;
  /**
   * When a run has to be looked at without an answer: a waiting one at its earliest expiry, a new one at its `startAt`,
   * one that has ended while hooks are still to be told of it. Epoch milliseconds.
   */
  readonly wakeAt?: number | undefined;
  readonly error?: RunError | undefined;
  /**
   * The plan the run goes by now, where it is another one than it was stored with: that of a query once it is made, or a
   * changed one that was accepted. Written with every change of it; absent: as before. Stores give it back.
   */
  readonly planId?: PlanUUID | undefined;
  /**
   * What waits for people, written with every change of it; absent: as before. Stores need not give it back: they list it
   * with {@link RunStore.listClarifications}.
   */
  readonly asks?: readonly OpenClarification[] | undefined;
}

/** One line of a list of runs. */
export interface RunSummary {
  readonly header: RunHeader;
  readonly status: RunStatus;
  readonly driver: DriverRecord | undefined;
}

/** Something said to a run from outside its driver; each key is taken once. */
export type Command =
  | {
      readonly type: 'answer';
      readonly key: ClarificationUUID;
      readonly at: number;
      readonly response: JsonValue;
      readonly resolvedBy: string | null;
      readonly as: string | null;
      readonly via: string;
    }
  /** `key` is `cancel.<n>`, n counting the retries before it, so that a run that was retried can be cancelled again. */
  | {
      readonly type: 'cancel';
      readonly key: string;
      readonly at: number;
      readonly by: string | null;
      readonly reason: string | null;
    }
  /** The receipt of a call whose driver lost its run while the tool was at work; `key` is the call id. */
  | { readonly type: 'receipt'; readonly key: string; readonly at: number; readonly outcome: JsonObject };

/** Everything stored of one run. */
export interface StoredRun extends RunSummary {
  /** Of the last driver, 0 before the first; absent where the store does not say. */
  readonly epoch?: number | undefined;
  /** In order of `seq`. */
  readonly commits: readonly Commit[];
  /** In the order they were given; those already in the journal may be among them. */
  readonly commands: readonly Command[];
}

/** Which runs to list. */
export interface RunQuery {
  readonly states?: readonly PlanRunState[] | undefined;
  /** Runs that go by this plan now, whichever they were stored with, and no others. */
  readonly planId?: PlanUUID | undefined;
  readonly endUserId?: string | undefined;
  /** All of these labels, with these values. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Error codes of failed runs. */
  readonly codes?: readonly string[] | undefined;
  /**
   * Only runs that could be driven on at this time, those first that could be first, whatever `order` says: runs with a
   * `wakeAt` that has passed, or without one in progress or ready to resume, and without a driver, or with one whose
   * heartbeat is over. Costs what it finds, however many runs wait. Epoch milliseconds.
   */
  readonly readyAt?: number | undefined;
  /** Only runs that have a driver whose `owner` begins with this. */
  readonly drivenFrom?: string | undefined;
  /** Only runs that were last changed before this time. Epoch milliseconds. */
  readonly updatedBefore?: number | undefined;
  /** `newest` (default) or `oldest` first, by creation. */
  readonly order?: 'newest' | 'oldest' | undefined;
  /** 1 to 1000; 50 unless given. */
  readonly limit?: number | undefined;
  /** From the page before. */
  readonly cursor?: string | undefined;
  /** How many of the list to leave out first, for pages that have numbers: 0 unless given. */
  readonly skip?: number | undefined;
}

/** One page of a list; `cursor` is absent on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string | undefined;
}

/** How many runs there are, of all that are stored. */
export interface RunTally {
  readonly states: Readonly<Record<PlanRunState, number>>;
  /** By error code: runs that have failed, and were not taken up again. Codes of no run are absent. */
  readonly codes: Readonly<Record<string, number>>;
}

/** What is asked for when a run is claimed. */
export interface Claim {
  readonly owner: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Milliseconds until the driver counts as dead without a heartbeat. */
  readonly ttlMs: number;
  /** Whether the driver that holds the run now is known to be dead, or alive, whatever its heartbeat says. */
  isAlive(driver: DriverRecord): boolean | undefined;
}

/** The plans. */
export interface PlanStore {
  /** Stores a plan once. @throws PortiaError `PLAN_CHANGED` when the id is taken by another hash. */
  savePlan(plan: PlanRecord): Awaitable<void>;
  getPlan(id: PlanUUID): Awaitable<PlanRecord | undefined>;
  /** Newest first; with `query`, only exact matches. */
  listPlans(filter: {
    readonly query?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Awaitable<Page<PlanRecord>>;
}

/** The runs: headers, journals, drivers and what is said from outside. */
export interface RunStore {
  /**
   * Stores a new run, claimed at once when `claim` is given. A `runKey` that is taken gives the run that has it, with
   * `created: false`. @throws PortiaError `PLAN_NOT_FOUND` when its plan is not stored.
   */
  createRun(
    header: RunHeader,
    claim?: Claim,
  ): Awaitable<{ readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined }>;
  /**
   * With `after`, `commits` begins with the commit that holds the event `after + 1`: what was seen up to there is left
   * out, so that following a long run costs what is new.
   */
  loadRun(id: PlanRunUUID, after?: number): Awaitable<StoredRun | undefined>;
  listRuns(query: RunQuery): Awaitable<Page<RunSummary>>;
  /** What waits for people across all runs, those that have waited longest first. */
  listClarifications(query: ClarificationQuery): Awaitable<Page<ListedClarification>>;
  /**
   * Of stores that may hold runs from before lists knew all of them: writes down what waits in these, and which plan they
   * go by. `read` makes a run readable, as it is stored here.
   */
  listEarlier?(read: (run: StoredRun) => Awaitable<StoredRun>): Promise<void>;
  /** How many runs such a list has in all, whatever its page. */
  countRuns(query: RunQuery): Awaitable<number>;
  /** How many runs there are of each state, and of each error code: counted where they are stored, none is read. */
  tallyRuns(): Awaitable<RunTally>;
  /**
   * Makes the caller the driver with the next epoch, unless another one is alive: `isAlive` decides where it knows,
   * else the heartbeat. Atomic: of two callers at once one wins.
   */
  claimRun(id: PlanRunUUID, claim: Claim): Awaitable<{ readonly claimed: boolean; readonly driver: DriverRecord }>;
  /** Renews the drivers' heartbeats; those that have been replaced are left alone. */
  heartbeat(
    drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[],
    expiresAt: number,
  ): Awaitable<void>;
  /** Gives the run up, if the epoch is still the current one. */
  releaseRun(id: PlanRunUUID, epoch: number): Awaitable<void>;
  /**
   * Adds a commit and, where it changed, the status; both or neither. With `release` it is the driver's last write,
   * and the run is given up with it.
   * `false`: the epoch is no longer the current one, and nothing was written.
   */
  append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, release?: boolean): Awaitable<boolean>;
  /** Stores a command once; when its type and key are taken, gives the one that stands there. */
  putCommand(id: PlanRunUUID, command: Command): Awaitable<Command>;
}

/** Large outputs. */
export interface OutputStore {
  saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): Awaitable<void>;
  getOutput(id: PlanRunUUID, name: string): Awaitable<LocalDataValue | undefined>;
}

/** End users. */
export interface EndUserStore {
  /**
   * Merges `additionalData` key by key and replaces the rest, or `only` these fields of it; gives what is stored
   * afterwards. Atomic. Where nothing is stored yet, all of it is.
   */
  saveEndUser(user: EndUser, only?: readonly EndUserField[]): Awaitable<EndUser>;
  getEndUser(externalId: string): Awaitable<EndUser | undefined>;
}

/**
 * The door to a store. What it must do is the contract suite in `portia-ts/testing` (`testStorageBackend`); every
 * backend passes it.
 */
export interface StorageBackend extends PlanStore, RunStore, OutputStore, EndUserStore, HouseStore {
  /** What it is, for people: `memory`, `sqlite:./portia.db`. */
  readonly name: string;
  /** Whether other processes see what is stored here. */
  readonly shared: boolean;
  /**
   * Calls back when a command arrives for, or a commit is added to, any run, as far as this process can see it
   * without asking; others are found by polling. Returns the way to stop.
   */
  watch(listener: (id: PlanRunUUID, what: 'command' | 'commit') => void): () => void;
  /** Commands given after `after` (a mark from an earlier call, or undefined for all) to these runs, and the next mark. */
  pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): Awaitable<{
    readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[];
    readonly mark: string;
  }>;
  close(): Awaitable<void>;
}
