import { setMaxListeners } from 'node:events';
import { apply } from '../core/apply.ts';
import type { Clock } from '../core/clock.ts';
import { PortiaError } from '../core/errors.ts';
import {
  type CallOutcome,
  type Commit,
  type RunEvent,
  type RunEventBody,
  type RunNotice,
  type VisitId,
  eventVersion,
  toCommit,
} from '../core/event.ts';
import type { PlanUUID } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { isFinished, lookTime, type RunState } from '../core/run-state.ts';
import { openClarificationsOf, openMark } from '../storage/open-clarifications.ts';
import { planNow } from '../storage/plan-now.ts';
import { commandIdentity } from '../storage/records.ts';
import type { Command, DriverRecord, RunStatus, StorageBackend } from '../storage/storage-backend.ts';
import type { Purse } from './budget.ts';
import { type EventBus, isFollowed, isWatched } from './event-bus.ts';
import { startGrace } from './guard.ts';
import type { ModelGuard } from './model-hooks.ts';
import { resolutionsOf } from './resolutions.ts';

/** Never added to. */
const none: RunEventBody[] = [];

/** Events on their way into the record, and the status that is true with them. */
interface Batch {
  readonly commit: Commit;
  readonly bodies: readonly RunEventBody[];
  readonly status: RunStatus | undefined;
  /** See {@link openMark}. */
  readonly asked: string;
  readonly planId: PlanUUID;
}

/**
 * The one writer of a run. Events change the state at once and are written together at the next {@link commit};
 * what it writes is refused once another driver has taken over.
 */
export class Driver {
  readonly state: RunState;
  readonly record: DriverRecord;
  /** Set when somebody asked for the run to end. */
  cancelled: Extract<Command, { type: 'cancel' }> | undefined;
  /** Set when the host program asked to stop driving; the run stays resumable. */
  stopped = false;
  /** The hooks around its model calls. */
  guard: ModelGuard | undefined;
  /** What its calls are charged to. */
  readonly purse: Purse;
  readonly #storage: StorageBackend;
  readonly #clock: Clock;
  readonly #bus: EventBus;
  #pending: RunEventBody[] = none;
  #since = 0;
  /** What the store did not take: it is written again as it was, with its own time, before anything else. */
  #kept: Batch | undefined;
  #writing: Promise<void> | undefined;
  #status: RunStatus;
  /** What waits for people as it stands in the store. */
  #asked: string;
  /** The plan the run goes by as it stands in the store. */
  #planId: PlanUUID;
  #controller: AbortController | undefined;
  #whenEnding: Set<() => void> | undefined;
  #seen: Set<string> | undefined;
  /** Set when another driver has taken over. */
  lost = false;
  /** Set once it is on record that the run goes by another plan from now on. */
  replanned = false;
  /** Set once the run is given up with a commit: what is said from then on is for the next driver. */
  released = false;

  constructor(init: {
    readonly state: RunState;
    readonly record: DriverRecord;
    readonly status: RunStatus;
    readonly storage: StorageBackend;
    readonly clock: Clock;
    readonly bus: EventBus;
    readonly purse: Purse;
  }) {
    this.state = init.state;
    this.record = init.record;
    this.purse = init.purse;
    this.#status = init.status;
    this.#asked = openMark(init.state);
    this.#planId = planNow({ header: init.state.header, status: init.status });
    this.#storage = init.storage;
    this.#clock = init.clock;
    this.#bus = init.bus;
  }

  get id(): RunState['header']['id'] {
    return this.state.header.id;
  }

  /** Aborted when the run is cancelled or driving stops. Made only when somebody asks for it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      // Any number of calls may wait at once, for a limit or between attempts.
      setMaxListeners(0, this.#controller.signal);
      if (this.cancelled || this.stopped) this.#controller.abort(this.#stopReason());
    }
    return this.#controller.signal;
  }

  /** Calls back when the run is cancelled or driving stops. Returns the way to forget it. */
  whenEnding(listener: () => void): () => void {
    this.#whenEnding ??= new Set();
    this.#whenEnding.add(listener);
    return () => this.#whenEnding?.delete(listener);
  }

  #end(): void {
    this.#controller?.abort(this.#stopReason());
    for (const listener of this.#whenEnding ?? []) listener();
    this.#whenEnding = undefined;
    startGrace(this);
  }

  /** Whether nothing new may begin. */
  get ending(): boolean {
    return this.stopped || this.cancelled !== undefined;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Makes something true. It is on record after the next {@link commit}. */
  emit(body: RunEventBody): void {
    // All events of one commit carry one time, so that folding the stored ones gives this very state.
    const first = this.#pending.length === 0;
    if (first) this.#since = this.#clock.now();
    apply(this.state, body, this.#since);
    // Lists made whole take no more room than they need: most commits hold one event or two.
    if (first) this.#pending = [body];
    else if (this.#pending.length === 1) this.#pending = [this.#pending[0] as RunEventBody, body];
    else this.#pending.push(body);
  }

  /** Whether anybody would hear of a notice. */
  get watched(): boolean {
    return isWatched(this.#bus, this.id);
  }

  /** Whether somebody follows this very run, and would read words as they come. */
  get followed(): boolean {
    return isFollowed(this.#bus, this.id);
  }

  /** Shows something that is not worth storing to whoever watches. */
  notice(make: (at: number) => RunNotice): void {
    if (this.watched) this.#bus.publish(this.id, make(this.#clock.now()));
  }

  /** How many events wait to be written. */
  get commitSize(): number {
    return this.#pending.length;
  }

  /** Whether there are events that are not on record yet. */
  get dirty(): boolean {
    return this.#pending.length > 0 || this.#kept !== undefined;
  }

  /** When the oldest event not yet written became true. Epoch milliseconds; 0 when all is written. */
  get pendingSince(): number {
    return this.#kept?.commit.at ?? (this.#pending.length > 0 ? this.#since : 0);
  }

  /**
   * Writes all events since the last commit, in one piece. `release`: it is the last one, and gives the run up.
   * @throws PortiaError `DRIVER_LOST` when another driver has taken over; receipts are handed to it.
   */
  commit(release = false): void | Promise<void> {
    if (this.#writing) return this.#writing.then(() => this.commit(release));
    const kept = this.#kept;
    if (kept) {
      this.#kept = undefined;
      if (this.#pending.length === 0) return this.#write(kept, release);
      const written = this.#write(kept, false);
      return written ? written.then(() => this.commit(release)) : this.commit(release);
    }
    if (this.#pending.length === 0) {
      if (this.lost) throw this.#lostError();
      return;
    }
    const bodies = this.#pending;
    this.#pending = none;
    const commit = toCommit(this.state.seq + 1, this.#since, bodies);
    const { planId } = this.state;
    const asked = openMark(this.state);
    return this.#write({ commit, bodies, status: this.#changedStatus(asked), asked, planId }, release);
  }

  #write(batch: Batch, release: boolean): void | Promise<void> {
    this.released = release;
    let written: boolean | Promise<boolean>;
    try {
      written = this.#storage.append(this.id, this.record.epoch, batch.commit, batch.status, release);
    } catch (error) {
      return this.#keep(batch, error);
    }
    if (!(written instanceof Promise)) return this.#written(written, batch);
    this.#writing = written
      .catch((error: unknown) => this.#keep(batch, error))
      .then((ok) => this.#written(ok, batch))
      .finally(() => {
        this.#writing = undefined;
      });
    return this.#writing;
  }

  #keep(batch: Batch, error: unknown): never {
    this.#kept = batch;
    this.released = false;
    throw error;
  }

  #written(ok: boolean, { commit, bodies, status, asked, planId }: Batch): void | Promise<void> {
    if (!ok) return this.#handOver([...bodies, ...this.#pending]);
    this.state.seq += bodies.length;
    if (status) this.#status = status;
    this.#asked = asked;
    this.#planId = planId;
    if (!this.watched) return;
    for (const [index, body] of bodies.entries()) {
      this.#bus.publish(this.id, { ...body, v: eventVersion, seq: commit.seq + index, at: commit.at } as RunEvent);
    }
  }

  /** The run has another driver now. What this one did is not lost: its receipts are given to the new one. */
  async #handOver(bodies: readonly RunEventBody[]): Promise<void> {
    this.lost = true;
    this.stop();
    for (const body of bodies) {
      if (body.type !== 'tool-call-end' || body.tool !== undefined) continue;
      const outcome = body.outcome as unknown as JsonObject;
      await this.#storage.putCommand(this.id, { type: 'receipt', key: body.call, at: this.#clock.now(), outcome });
    }
    throw this.#lostError();
  }

  #lostError(): PortiaError {
    return new PortiaError({
      code: 'DRIVER_LOST',
      message: `another driver has taken over run ${this.id}`,
      hint: 'nothing is lost: follow the run with events(), or read it with storage.getPlanRun()',
      planRunId: this.id,
    });
  }

  #changedStatus(asked: string): RunStatus | undefined {
    const { state } = this;
    const wakeAt = lookTime(state);
    const asks = asked === this.#asked ? undefined : openClarificationsOf(state);
    const planId = state.planId === this.#planId ? undefined : state.planId;
    if (!asks && !planId && state.state === this.#status.state && wakeAt === this.#status.wakeAt) return undefined;
    const { updatedAt, error } = state;
    return { state: state.state, updatedAt, wakeAt, error, ...(planId && { planId }), ...(asks && { asks }) };
  }

  /** Whether a command has been delivered. */
  knows(command: Command): boolean {
    return this.#seen?.has(commandIdentity(command)) ?? false;
  }

  /** Takes what was said from outside: answers and late receipts at once, a cancel at the next boundary. */
  deliver(command: Command): void {
    if (this.released || this.lost || this.knows(command)) return;
    this.#seen ??= new Set();
    this.#seen.add(commandIdentity(command));
    const { state } = this;
    if (command.type === 'cancel') {
      // One meant for an attempt that is over touches neither its end nor the next attempt.
      if (command.key !== `cancel.${state.retries}` || isFinished(state)) return;
      this.cancelled = command;
      this.#end();
    } else if (command.type === 'answer') {
      const record = state.clarifications.find(({ clarification }) => clarification.id === command.key);
      if (!record || record.clarification.resolved) return;
      for (const resolution of resolutionsOf(state, record, command)) {
        this.emit({ type: 'clarification-resolved', ...resolution });
      }
    } else {
      this.#takeReceipt(command.key, command.outcome as unknown as CallOutcome);
    }
  }

  #takeReceipt(call: string, outcome: CallOutcome): void {
    for (const visit of this.state.visits) {
      const open = visit.calls.find((known) => known?.call === call);
      if (!open || open.status === 'ended') continue;
      const { step } = visit;
      this.emit({ type: 'tool-call-end', step, ...visitField(visit.visit), call, outcome, late: true });
      for (const kind of ['unknown', 'unknown-result']) {
        for (const { clarification } of this.state.questions.get(`${kind}:${call}`) ?? []) {
          if (clarification.resolved) continue;
          const response = kind === 'unknown' ? 'use a given result' : 'the receipt of the call arrived';
          const { id } = clarification;
          this.emit({
            type: 'clarification-resolved',
            id,
            response,
            resolvedBy: 'Effects ledger',
            as: null,
            via: 'library',
          });
        }
      }
    }
  }

  /** Stop advancing the run; it can be resumed at once by anybody. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.#end();
  }

  #stopReason(): PortiaError {
    return this.cancelled
      ? new PortiaError({ code: 'RUN_CANCELLED', message: `run ${this.id} was cancelled`, planRunId: this.id })
      : new PortiaError({
          code: 'INTERRUPTED',
          message: `run ${this.id} is no longer driven here`,
          planRunId: this.id,
        });
  }
}

/** `visit` as events hold it: left out for the first. */
export function visitField(visit: VisitId): { visit?: VisitId } {
  return visit === 0 ? {} : { visit };
}
