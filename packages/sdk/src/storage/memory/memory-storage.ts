import type { EndUser, EndUserField } from '../../core/end-user.ts';
import type { Commit } from '../../core/event.ts';
import type { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import {
  statusAfter,
  withoutAsks,
  commandIdentity,
  firstStatus,
  frozenCopy,
  frozenHeader,
  frozenOutput,
  frozenPlan,
  headerBytes,
  isAlive,
  isRemovable,
  mergedEndUser,
  planChanged,
  planMissing,
  runNotFound,
} from '../records.ts';
import { statusWithPlan } from '../plan-now.ts';
import type { NamedOutput } from '../house.ts';
import {
  type ClarificationQuery,
  type ListedClarification,
  type OpenClarification,
  openInStored,
  pageOfClarifications,
  type PlacedClarification,
} from '../open-clarifications.ts';
import { matchesQuery, pageOfList, pageOfNumbered, readySince, tallyOf } from '../run-query.ts';
import type {
  Claim,
  Command,
  DriverRecord,
  Page,
  PlanRecord,
  RunQuery,
  RunStatus,
  RunSummary,
  RunTally,
  StorageBackend,
  StoredRun,
} from '../storage-backend.ts';
import { type Watcher, Watchers } from '../watchers.ts';
import { ReadyList } from './ready-list.ts';

/** A store in this process's memory; every answer is given at once. */
export interface MemoryStorage extends StorageBackend {
  append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, release?: boolean): boolean;
  /** How many bytes the runs stored so far take, in a compact form: what a store that writes them down would write. */
  bytes(): number;
}

interface MemoryRun {
  /** Its place among all runs there ever were: cursors stay where they are when others go. */
  readonly number: number;
  readonly header: RunHeader;
  status: RunStatus;
  open: readonly OpenClarification[];
  /** Of the last driver; 0 before the first. */
  epoch: number;
  /** Undefined when nobody drives the run. */
  owner: string | undefined;
  expiresAt: number;
  /** `seq`, `at` and `events` of each commit, one after the other: nothing is allocated for a commit but its text. */
  readonly journal: (number | string)[];
  readonly commands: { readonly number: number; readonly command: Command }[];
}

/** A store that lives as long as the object: for tests, and for runs that need not outlive the process. */
export function memoryStorage(): MemoryStorage {
  return new InMemory();
}

class InMemory implements MemoryStorage {
  readonly name = 'memory';
  readonly shared = false;
  readonly #plans = new Map<PlanUUID, PlanRecord>();
  readonly #planList: PlanRecord[] = [];
  readonly #runs = new Map<PlanRunUUID, MemoryRun>();
  #runList: MemoryRun[] = [];
  readonly #ready = new ReadyList<MemoryRun>();
  #runCount = 0;
  readonly #runKeys = new Map<string, MemoryRun>();
  readonly #outputs = new Map<PlanRunUUID, Map<string, LocalDataValue>>();
  readonly #endUsers = new Map<string, EndUser>();
  readonly #watchers = new Watchers();
  #commands = 0;
  #journalBytes = 0;

  savePlan(plan: PlanRecord): void {
    const stored = this.#plans.get(plan.id);
    if (stored) {
      if (stored.hash !== plan.hash) throw planChanged(plan.id);
      return;
    }
    const record = frozenPlan(plan);
    this.#plans.set(record.id, record);
    this.#planList.push(record);
  }

  getPlan(id: PlanUUID): PlanRecord | undefined {
    return this.#plans.get(id);
  }

  listPlans(filter: { readonly query?: string; readonly limit?: number; readonly cursor?: string }): Page<PlanRecord> {
    const { query } = filter;
    return pageOfList(this.#planList, filter, (plan) =>
      query === undefined || plan.query === query ? plan : undefined,
    );
  }

  createRun(
    given: RunHeader,
    claim?: Claim,
  ): { readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined } {
    const taken =
      this.#runs.get(given.id) ?? (given.runKey === undefined ? undefined : this.#runKeys.get(given.runKey));
    if (taken) return { header: taken.header, created: false, driver: driverOf(taken) };
    const header = frozenHeader(given);
    if (!this.#plans.has(header.planId)) throw planMissing(header.planId, this.name);
    const run: MemoryRun = {
      number: this.#runCount,
      header,
      status: firstStatus(header),
      open: [],
      epoch: 0,
      owner: undefined,
      expiresAt: 0,
      journal: [],
      commands: [],
    };
    this.#add(run);
    return { header, created: true, driver: claim && this.#take(run, claim) };
  }

  #add(run: MemoryRun): void {
    const { id, runKey } = run.header;
    this.#runCount += 1;
    this.#runs.set(id, run);
    this.#runList.push(run);
    if (runKey !== undefined) this.#runKeys.set(runKey, run);
    this.#changed(run);
  }

  /** A run may be ready now, or be so no longer. */
  #changed(run: MemoryRun): void {
    this.#ready.set(run, readySince({ status: run.status, driver: driverOf(run) }));
  }

  #take(run: MemoryRun, claim: Claim): DriverRecord {
    const driver = take(run, claim);
    this.#changed(run);
    return driver;
  }

  importRun(given: StoredRun, outputs: readonly NamedOutput[]): boolean {
    const { header: givenHeader, epoch = 0, commits, commands } = given;
    const header = frozenHeader(givenHeader);
    if (!this.#plans.has(header.planId)) throw planMissing(header.planId, this.name);
    if (this.#runs.has(header.id) || (header.runKey !== undefined && this.#runKeys.has(header.runKey))) return false;
    const journal = commits.flatMap(({ seq, at, events }) => [seq, at, events]);
    this.#add({
      number: this.#runCount,
      header,
      status: withoutAsks(statusWithPlan(given)),
      open: openInStored(given),
      epoch,
      owner: undefined,
      expiresAt: 0,
      journal,
      commands: commands.map((command, index) => ({
        number: this.#commands + index + 1,
        command: frozenCopy(command, 'the command'),
      })),
    });
    this.#commands += commands.length;
    for (const { events } of commits) this.#journalBytes += events.length + 16;
    for (const { name, output } of outputs) this.saveOutput(header.id, name, output);
    return true;
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number): number {
    const gone = new Set<MemoryRun>();
    for (const id of ids) {
      const run = this.#runs.get(id);
      if (!run || !isRemovable(summaryOf(run), before)) continue;
      gone.add(run);
      this.#ready.set(run, undefined);
      this.#runs.delete(id);
      this.#outputs.delete(id);
      if (run.header.runKey !== undefined) this.#runKeys.delete(run.header.runKey);
      for (let at = 2; at < run.journal.length; at += 3) {
        this.#journalBytes -= (run.journal[at] as string).length + 16;
      }
    }
    if (gone.size > 0) this.#runList = this.#runList.filter((run) => !gone.has(run));
    return gone.size;
  }

  loadRun(id: PlanRunUUID, after = 0): StoredRun | undefined {
    const run = this.#runs.get(id);
    if (!run) return undefined;
    const { journal } = run;
    const commits: Commit[] = [];
    let first = after > 0 ? journal.length - 3 : 0;
    while (first > 0 && (journal[first] as number) > after + 1) first -= 3;
    for (let at = Math.max(first, 0); at < journal.length; at += 3) {
      commits.push({ seq: journal[at] as number, at: journal[at + 1] as number, events: journal[at + 2] as string });
    }
    return { ...summaryOf(run), epoch: run.epoch, commits, commands: run.commands.map(({ command }) => command) };
  }

  listRuns(query: RunQuery): Page<RunSummary> {
    const pick = (run: MemoryRun): RunSummary | undefined => {
      const summary = summaryOf(run);
      return matchesQuery(query, summary) ? summary : undefined;
    };
    return query.readyAt === undefined
      ? pageOfNumbered(this.#runList, query, pick)
      : this.#ready.page(query.readyAt, query, pick);
  }

  listClarifications(query: ClarificationQuery): Page<ListedClarification> {
    return pageOfClarifications(this.#open(), query);
  }

  *#open(): Generator<PlacedClarification> {
    for (const run of this.#runList)
      for (const clarification of run.open)
        yield { place: [clarification.raisedAt, run.number, clarification.id], run, clarification };
  }

  countRuns(query: RunQuery): number {
    let count = 0;
    for (const run of this.#runList) if (matchesQuery(query, summaryOf(run))) count += 1;
    return count;
  }

  tallyRuns(): RunTally {
    return tallyOf(this.#runList);
  }

  claimRun(id: PlanRunUUID, claim: Claim): { readonly claimed: boolean; readonly driver: DriverRecord } {
    const run = this.#found(id);
    const driver = driverOf(run);
    if (driver && isAlive(driver, claim)) return { claimed: false, driver };
    return { claimed: true, driver: this.#take(run, claim) };
  }

  heartbeat(drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[], expiresAt: number): void {
    for (const { id, epoch } of drivers) {
      const run = this.#runs.get(id);
      if (run?.epoch !== epoch) continue;
      run.expiresAt = expiresAt;
      this.#changed(run);
    }
  }

  releaseRun(id: PlanRunUUID, epoch: number): void {
    const run = this.#runs.get(id);
    if (run?.epoch !== epoch) return;
    run.owner = undefined;
    this.#changed(run);
  }

  append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, release = false): boolean {
    const run = this.#runs.get(id);
    if (run === undefined || run.epoch !== epoch || run.owner === undefined) return false;
    run.journal.push(commit.seq, commit.at, commit.events);
    if (status !== undefined) run.status = statusAfter(run.status, status);
    if (status?.asks) run.open = status.asks;
    if (release) run.owner = undefined;
    if (release || status !== undefined) this.#changed(run);
    this.#journalBytes += commit.events.length + 16;
    this.#watchers.tell(id, 'commit');
    return true;
  }

  putCommand(id: PlanRunUUID, given: Command): Command {
    const { commands } = this.#found(id);
    const identity = commandIdentity(given);
    const taken = commands.find(({ command }) => commandIdentity(command) === identity);
    if (taken) return taken.command;
    const command = frozenCopy(given, 'the command');
    this.#commands += 1;
    commands.push({ number: this.#commands, command });
    this.#watchers.tell(id, 'command');
    return command;
  }

  pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): { readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[]; readonly mark: string } {
    const mark = String(this.#commands);
    if (after === mark) return { commands: [], mark };
    const since = Number(after ?? 0);
    const found: { readonly id: PlanRunUUID; readonly number: number; readonly command: Command }[] = [];
    for (const id of ids) {
      for (const { number, command } of this.#runs.get(id)?.commands ?? []) {
        if (number > since) found.push({ id, number, command });
      }
    }
    found.sort((a, b) => a.number - b.number);
    return { commands: found.map(({ id, command }) => ({ id, command })), mark };
  }

  saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): void {
    let outputs = this.#outputs.get(id);
    if (!outputs) {
      outputs = new Map();
      this.#outputs.set(id, outputs);
    }
    outputs.set(name, frozenOutput(output));
  }

  getOutput(id: PlanRunUUID, name: string): LocalDataValue | undefined {
    return this.#outputs.get(id)?.get(name);
  }

  listOutputs(id: PlanRunUUID): readonly string[] {
    return [...(this.#outputs.get(id)?.keys() ?? [])];
  }

  listEndUsers(page: { readonly limit?: number | undefined; readonly cursor?: string | undefined }): Page<EndUser> {
    return pageOfList([...this.#endUsers.values()], { ...page, order: 'oldest' }, (user) => user);
  }

  saveEndUser(user: EndUser, only?: readonly EndUserField[]): EndUser {
    const merged = mergedEndUser(this.#endUsers.get(user.externalId), user, only);
    this.#endUsers.set(merged.externalId, merged);
    return merged;
  }

  getEndUser(externalId: string): EndUser | undefined {
    return this.#endUsers.get(externalId);
  }

  watch(listener: Watcher): () => void {
    return this.#watchers.add(listener);
  }

  close(): void {
    this.#watchers.clear();
  }

  bytes(): number {
    let bytes = this.#journalBytes;
    for (const { header, commands } of this.#runList) {
      bytes += headerBytes(header);
      for (const { command } of commands) bytes += JSON.stringify(command).length;
    }
    return bytes;
  }

  #found(id: PlanRunUUID): MemoryRun {
    const run = this.#runs.get(id);
    if (!run) throw runNotFound(id, this.name);
    return run;
  }
}

function take(run: MemoryRun, claim: Claim): DriverRecord {
  run.epoch += 1;
  run.owner = claim.owner;
  run.expiresAt = claim.now + claim.ttlMs;
  return { owner: run.owner, epoch: run.epoch, expiresAt: run.expiresAt };
}

function driverOf({ owner, epoch, expiresAt }: MemoryRun): DriverRecord | undefined {
  return owner === undefined ? undefined : { owner, epoch, expiresAt };
}

function summaryOf(run: MemoryRun): RunSummary {
  return { header: run.header, status: run.status, driver: driverOf(run) };
}
