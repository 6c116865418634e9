import type { EndUser } from '../../core/end-user.ts';
import { PortiaError } from '../../core/errors.ts';
import type { Commit } from '../../core/event.ts';
import { PlanRunUUID, type PlanUUID } from '../../core/ids.ts';
import type { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import type { PortiaRun } from '../disk/portia-run.ts';
import { memoryStorage, type MemoryStorage } from '../memory/memory-storage.ts';
import { planChanged, planMissing, runNotFound } from '../records.ts';
import { PlanRunState } from '../../core/run-state.ts';
import { badCursor, matchesQuery, noRuns, pageLimit, pageOf, pageSkip, tallyOf } from '../run-query.ts';
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
import { type ClarificationQuery, clarificationsByReading, type ListedClarification } from '../open-clarifications.ts';
import { type Watcher, Watchers } from '../watchers.ts';
import type { CloudHttp } from './http.ts';
import { PortiaApi } from './portia-api.ts';
import { outputNames, sentRun, withJournal } from './portia-documents.ts';

/** A run that is driven here: its journal, which a Portia cloud has no place for. */
interface Own {
  readonly journal: MemoryStorage;
  readonly plan: PlanRecord;
}

/**
 * A Portia cloud of 0.9 (`/api/v0`). It keeps plans, end users, large outputs and runs as documents: whole ones, written
 * when a run is made, pauses or ends. It keeps no journal, no driver, no labels and no commands: those live here as long
 * as the process. A run that another process began is read from its document, and goes on after its last finished step.
 */
export class PortiaCloud implements StorageBackend {
  readonly name: string;
  readonly shared = true;
  readonly #http: CloudHttp;
  readonly #api: PortiaApi;
  readonly #own = new Map<PlanRunUUID, Own>();
  readonly #plans = memoryStorage();
  readonly #runKeys = new Map<string, PlanRunUUID>();
  readonly #watchers = new Watchers();

  constructor(http: CloudHttp) {
    this.#http = http;
    this.#api = new PortiaApi(http);
    this.name = `cloud:${http.host} (Portia 0.9)`;
  }

  async savePlan(plan: PlanRecord): Promise<void> {
    const known = await this.getPlan(plan.id);
    if (known && known.hash !== plan.hash && !sameDocument(known, plan)) throw planChanged(plan.id);
    if (!known) await this.#api.putPlan(plan);
    if (!this.#plans.getPlan(plan.id)) this.#plans.savePlan(plan);
  }

  async getPlan(id: PlanUUID): Promise<PlanRecord | undefined> {
    return (await this.#plans.getPlan(id)) ?? this.#api.getPlan(id);
  }

  async listPlans(filter: { readonly query?: string; readonly limit?: number }): Promise<Page<PlanRecord>> {
    const limit = pageLimit(filter.limit);
    if (filter.query !== undefined) return { items: await this.#api.findPlans(filter.query, limit) };
    // It lists no plans: those of its runs are all that can be found.
    const plans = new Map<PlanUUID, PlanRecord>();
    for await (const { header } of this.#allRuns()) {
      if (plans.has(header.planId)) continue;
      const plan = await this.getPlan(header.planId).catch(() => undefined);
      if (plan) plans.set(plan.id, plan);
    }
    return { items: [...plans.values()] };
  }

  async *#allRuns(): AsyncGenerator<PortiaRun> {
    for (let page = 1, pages = 1; page <= pages; page += 1) {
      const found = await this.#api.listRuns(page, undefined, () => {});
      pages = found.pages;
      yield* found.runs;
    }
  }

  async createRun(
    header: RunHeader,
    claim?: Claim,
  ): Promise<{ readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined }> {
    const taken = header.runKey === undefined ? undefined : this.#runKeys.get(header.runKey);
    const own = taken && this.#own.get(taken);
    if (own) return own.journal.createRun(header);
    const plan = await this.getPlan(header.planId);
    if (!plan) throw planMissing(header.planId, this.name);
    const journal = memoryStorage();
    journal.savePlan(plan);
    const made = await journal.createRun(header, claim);
    await this.#api.putRun(header.id, sentRun(made.header, plan, []));
    this.#own.set(header.id, { journal, plan });
    if (header.runKey !== undefined) this.#runKeys.set(header.runKey, header.id);
    return made;
  }

  async loadRun(id: PlanRunUUID, after = 0): Promise<StoredRun | undefined> {
    const own = await this.#ownRun(id);
    const run = (own?.driver && own) || (await this.#remoteRun(id)) || own;
    return run && { ...run, commits: commitsFrom(run.commits, after) };
  }

  async #ownRun(id: PlanRunUUID): Promise<StoredRun | undefined> {
    return this.#own.get(id)?.journal.loadRun(id);
  }

  /** As its document says. What was done here since it was last written would be missing there: then it is ours. */
  async #remoteRun(id: PlanRunUUID): Promise<StoredRun | undefined> {
    if (this.#own.has(id) || !PlanRunUUID.is(id)) return undefined;
    const run = await this.#api.getRun(id);
    if (!run) return undefined;
    const plan = await this.getPlan(run.header.planId);
    if (!plan) throw planMissing(run.header.planId, this.name);
    return withJournal(run, plan);
  }

  /** The journal of a run; one that another process made is taken up now. */
  async #taken(id: PlanRunUUID): Promise<Own> {
    const known = this.#own.get(id);
    if (known) return known;
    const run = await this.#remoteRun(id);
    const plan = run && (await this.getPlan(run.header.planId));
    if (!run || !plan) throw runNotFound(id, this.name);
    const journal = memoryStorage();
    journal.savePlan(plan);
    await journal.importRun(run, []);
    const own = { journal, plan };
    this.#own.set(id, own);
    return own;
  }

  listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    return clarificationsByReading(this, query);
  }

  async listRuns({ skip, ...query }: RunQuery): Promise<Page<RunSummary>> {
    let { cursor } = query;
    for (let left = pageSkip(skip); left > 0; ) {
      const before = await this.listRuns({ ...query, cursor, limit: left });
      if (before.cursor === undefined) return pageOf([], undefined);
      left -= before.items.length;
      cursor = before.cursor;
    }
    return this.#listRuns({ ...query, cursor });
  }

  async countRuns(query: RunQuery): Promise<number> {
    const { states, limit, cursor, order, skip, ...filters } = query;
    const isState = (states?.length ?? 0) <= 1 && Object.values(filters).every((filter) => filter === undefined);
    if (isState) return (await this.#api.listRuns(1, states?.[0], () => {})).count;
    let count = 0;
    for await (const run of this.#allRuns()) if (matchesQuery(query, await this.#summary(run))) count += 1;
    return count;
  }

  async tallyRuns(): Promise<RunTally> {
    const states = noRuns();
    for (const state of Object.values(PlanRunState)) states[state] = await this.countRuns({ states: [state] });
    const failed: RunSummary[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.listRuns({ states: ['FAILED'], cursor });
      failed.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return { states, codes: tallyOf(failed).codes };
  }

  async #listRuns(query: RunQuery): Promise<Page<RunSummary>> {
    const limit = pageLimit(query.limit);
    const [page, offset] = placeOf(query.cursor);
    const [state, ...others] = query.states ?? [];
    const found = await this.#api.listRuns(page, others.length === 0 ? state : undefined, () => {});
    const items = found.runs.slice(offset, offset + limit).map((run) => this.#summary(run));
    const next =
      offset + limit < found.runs.length
        ? `${page}.${offset + limit}`
        : page < found.pages
          ? `${page + 1}.0`
          : undefined;
    return pageOf(
      (await Promise.all(items)).filter((run) => matchesQuery(query, run)),
      next,
    );
  }

  async #summary({ header, status }: PortiaRun): Promise<RunSummary> {
    const own = await this.#ownRun(header.id);
    return own ? { header: own.header, status: own.status, driver: own.driver } : { header, status, driver: undefined };
  }

  async unreadable(): Promise<{ readonly plans: readonly PlanUUID[]; readonly runs: readonly PlanRunUUID[] }> {
    const runs: string[] = [];
    for (let page = 1, pages = 1; page <= pages; page += 1) {
      pages = (await this.#api.listRuns(page, undefined, (id) => runs.push(id))).pages;
    }
    return { plans: [], runs: runs.filter((id) => PlanRunUUID.is(id)) as PlanRunUUID[] };
  }

  async claimRun(id: PlanRunUUID, claim: Claim): Promise<{ readonly claimed: boolean; readonly driver: DriverRecord }> {
    return (await this.#taken(id)).journal.claimRun(id, claim);
  }

  heartbeat(drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[], expiresAt: number): void {
    for (const driver of drivers) void this.#own.get(driver.id)?.journal.heartbeat([driver], expiresAt);
  }

  releaseRun(id: PlanRunUUID, epoch: number): void {
    void this.#own.get(id)?.journal.releaseRun(id, epoch);
  }

  async append(
    id: PlanRunUUID,
    epoch: number,
    commit: Commit,
    status?: RunStatus,
    release?: boolean,
  ): Promise<boolean> {
    const own = this.#own.get(id);
    const run = await this.#ownRun(id);
    if (!own || !run || run.driver?.epoch !== epoch) return false;
    // First there, then here: what could not be written there is written again, as any commit is.
    if (status || release) await this.#api.putRun(id, sentRun(run.header, own.plan, [...run.commits, commit]));
    const written = own.journal.append(id, epoch, commit, status, release);
    if (written) this.#watchers.tell(id, 'commit');
    return written;
  }

  async putCommand(id: PlanRunUUID, command: Command): Promise<Command> {
    const { journal } = await this.#taken(id);
    const stop = journal.watch((run, what) => this.#watchers.tell(run, what));
    try {
      return await journal.putCommand(id, command);
    } finally {
      stop();
    }
  }

  async pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): Promise<{
    readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[];
    readonly mark: string;
  }> {
    const marks = JSON.parse(after ?? '{}') as Record<string, string>;
    const commands: { readonly id: PlanRunUUID; readonly command: Command }[] = [];
    for (const id of ids) {
      const found = await this.#own.get(id)?.journal.pollCommands([id], marks[id]);
      if (!found) continue;
      commands.push(...found.commands);
      marks[id] = found.mark;
    }
    return { commands, mark: JSON.stringify(marks) };
  }

  saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): Promise<void> {
    return this.#api.putOutput(id, name, output);
  }

  async getOutput(id: PlanRunUUID, name: string): Promise<LocalDataValue | undefined> {
    return PlanRunUUID.is(id) ? this.#api.getOutput(id, name) : undefined;
  }

  async listOutputs(id: PlanRunUUID): Promise<readonly string[]> {
    const run = PlanRunUUID.is(id) ? await this.#api.getRun(id) : undefined;
    return run ? outputNames(run) : [];
  }

  saveEndUser(user: EndUser): Promise<EndUser> {
    return this.#api.putEndUser(user);
  }

  getEndUser(externalId: string): Promise<EndUser | undefined> {
    return this.#api.getEndUser(externalId);
  }

  /** It lists none: those of its runs are all that can be found. */
  async listEndUsers(): Promise<Page<EndUser>> {
    const ids = new Set<string>();
    for await (const { header } of this.#allRuns()) ids.add(header.endUserId);
    const users: EndUser[] = [];
    for (const id of ids) {
      const user = await this.getEndUser(id);
      if (user) users.push(user);
    }
    return { items: users };
  }

  async importRun(): Promise<boolean> {
    throw cannot(this.name, 'keeps no journals: runs cannot be carried into it');
  }

  async removeRuns(): Promise<number> {
    throw cannot(this.name, 'removes nothing');
  }

  watch(listener: Watcher): () => void {
    return this.#watchers.add(listener);
  }

  close(): void {
    this.#watchers.clear();
    this.#http.close();
  }
}

/** The commits from the one that holds the event `after + 1` on. */
function commitsFrom(commits: readonly Commit[], after: number): readonly Commit[] {
  const first = commits.findLastIndex(({ seq }) => seq <= after + 1);
  return first > 0 ? commits.slice(first) : commits;
}

function placeOf(cursor: string | undefined): readonly [page: number, offset: number] {
  if (cursor === undefined) return [1, 0];
  const [, page, offset] = /^(\d{1,9})\.(\d{1,9})$/.exec(cursor) ?? [];
  if (page === undefined) throw badCursor(cursor);
  return [Number(page), Number(offset)];
}

function sameDocument(a: PlanRecord, b: PlanRecord): boolean {
  return a.query === b.query && JSON.stringify(a.document['steps']) === JSON.stringify(b.document['steps']);
}

function cannot(name: string, what: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${name} ${what}`,
    hint: 'keep runs in SQLite, PostgreSQL or a server of yours (portia-ts serve)',
  });
}
