import { join } from 'node:path';
import type { Commit } from '../../core/event.ts';
import { hashText } from '../../core/hash.ts';
import { PlanRunUUID } from '../../core/ids.ts';
import { freezeJson, sameJson } from '../../core/json.ts';
import type { Plan } from '../../core/plan.ts';
import { planRunView } from '../../core/plan-run.ts';
import type { Program } from '../../core/program.ts';
import { initialState, type RunHeader } from '../../core/run-state.ts';
import { compile } from '../../plan/compile.ts';
import { planForReading } from '../../plan/plan-record.ts';
import {
  firstStatus,
  frozenCopy,
  frozenHeader,
  isAlive,
  isRemovable,
  planMissing,
  runNotFound,
  statusAfter,
} from '../records.ts';
import { type ClarificationQuery, clarificationsByReading, type ListedClarification } from '../open-clarifications.ts';
import { matchesQuery, readySince, tallyOf } from '../run-query.ts';
import type {
  Claim,
  Command,
  DriverRecord,
  Page,
  PlanStore,
  RunQuery,
  RunStatus,
  RunStore,
  RunSummary,
  RunTally,
  StoredRun,
} from '../storage-backend.ts';
import type { Watchers } from '../watchers.ts';
import { DrivenRun, quietly, stateOf } from './driven-run.ts';
import { type AnswerCommand, answersIn, fileChanged } from './edits.ts';
import { EpochWriter } from './epoch-writer.ts';
import type { Files } from './files.ts';
import { pageByTime } from './pages.ts';
import { journalOf, readPortiaRun } from './portia-run.ts';
import { type Edit, PortiaView } from './portia-view.ts';
import { driverLine, journalLines, RunFolder } from './run-folder.ts';
import { RunLister } from './run-lister.ts';

/** Where a run stands among those that are ready: by the time since when, and for those of one time by their creation. */
const readyPlace = (run: RunSummary): { readonly id: string; readonly createdAt: number } => ({
  id: `${String(run.header.createdAt).padStart(15, '0')}.${run.header.id}`,
  createdAt: readySince(run) ?? 0,
});

type Found = { readonly id: PlanRunUUID; readonly command: Command };

/** The runs on disk: a folder each, and a file each for Portia 0.9. */
export class DiskRuns implements RunStore {
  readonly #name: string;
  readonly #files: Files;
  readonly #plans: Pick<PlanStore, 'getPlan'>;
  readonly #watchers: Watchers;
  readonly #driven = new Map<PlanRunUUID, DrivenRun>();
  readonly #programs = new Map<string, Program>();
  readonly #lister: RunLister;
  readonly #runKeys: string;

  constructor(name: string, files: Files, plans: Pick<PlanStore, 'getPlan'>, watchers: Watchers) {
    this.#name = name;
    this.#files = files;
    this.#plans = plans;
    this.#watchers = watchers;
    this.#lister = new RunLister(files);
    this.#runKeys = join(files.journal, 'run-keys');
    files.makeFolder(this.#runKeys);
  }

  createRun(
    given: RunHeader,
    claim?: Claim,
  ): { readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined } {
    const header = frozenHeader(given);
    const program = this.#program(header);
    if (this.#summary(header.id)) return this.#taken(header.id);
    if (header.runKey !== undefined) {
      const path = this.#keyPath(header.runKey);
      if (!this.#files.create(path, JSON.stringify(header))) {
        const other = this.#files.readJson(path) as RunHeader;
        // Whoever took the key may have died before the run was made; then it is made now.
        new RunFolder(this.#files, other.id).create(other, {});
        return this.#taken(other.id);
      }
    }
    const driver = claim && { owner: claim.owner, epoch: 1, expiresAt: claim.now + claim.ttlMs };
    const folder = new RunFolder(this.#files, header.id);
    if (!folder.create(header, { driver })) return this.#taken(header.id);
    if (driver) this.#drive(folder, header, firstStatus(header), driver, Buffer.byteLength(driverLine(driver))).show();
    else
      quietly(() =>
        new PortiaView(this.#files, header.id).write(planRunView(initialState(header, program())).toJSON(), 0),
      );
    return { header, created: true, driver };
  }

  importRun(given: StoredRun, saveOutputs: () => void): boolean {
    const header = frozenHeader(given.header);
    const program = this.#program(header);
    if (this.#summary(header.id)) return false;
    const keyPath = header.runKey === undefined ? undefined : this.#keyPath(header.runKey);
    if (keyPath !== undefined && this.#files.stat(keyPath)) {
      if ((this.#files.readJson(keyPath) as RunHeader).id !== header.id) return false;
    }
    const folder = new RunFolder(this.#files, header.id);
    saveOutputs();
    if (!folder.import({ ...given, header })) return false;
    if (keyPath !== undefined) this.#files.create(keyPath, JSON.stringify(header));
    quietly(() => {
      const state = stateOf(header, program(), given.commits);
      new PortiaView(this.#files, header.id).write(planRunView(state).toJSON(), state.seq);
    });
    return true;
  }

  #keyPath(runKey: string): string {
    return join(this.#runKeys, `${hashText(runKey)}.json`);
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number, removeOutputs: (id: PlanRunUUID) => void): number {
    let removed = 0;
    for (const id of ids) {
      const summary = PlanRunUUID.is(id) ? this.#summary(id) : undefined;
      if (!summary || !isRemovable(summary, before) || !this.#close(id)) continue;
      // Last goes what makes it a run: one whose removal broke off is removed the next time.
      this.#files.remove(join(this.#files.root, `${id}.json`));
      removeOutputs(id);
      const { runKey } = summary.header;
      if (runKey !== undefined) this.#files.remove(this.#keyPath(runKey));
      new RunFolder(this.#files, id).remove();
      removed += 1;
    }
    return removed;
  }

  /** Takes the run for good, so that nobody begins to drive it meanwhile; `false` when somebody was quicker. */
  #close(id: PlanRunUUID): boolean {
    this.#driven.get(id)?.close();
    this.#driven.delete(id);
    const folder = new RunFolder(this.#files, id);
    const header = folder.header();
    if (!header) return true;
    const { epoch } = folder.readStatus(header);
    return folder.begin({ owner: 'removed', epoch: epoch + 1, expiresAt: 0 });
  }

  #taken(id: PlanRunUUID): {
    readonly header: RunHeader;
    readonly created: false;
    readonly driver: DriverRecord | undefined;
  } {
    const { header, driver } = this.#summary(id) as RunSummary;
    return { header, created: false, driver };
  }

  #summary(id: PlanRunUUID): RunSummary | undefined {
    const folder = new RunFolder(this.#files, id);
    const header = folder.header();
    if (!header) return readPortiaRun(this.#files, id) && this.#lister.summary(id);
    const { status, driver } = folder.readStatus(header);
    return { header, status, driver };
  }

  loadRun(id: PlanRunUUID, after: number): StoredRun | undefined {
    if (!PlanRunUUID.is(id)) return undefined;
    const folder = new RunFolder(this.#files, id);
    const header = folder.header();
    if (!header) return this.#loadPortiaRun(id);
    this.#takeOver(folder, header, this.#driven.get(id)?.view ?? new PortiaView(this.#files, id));
    const { commits, status, driver, epoch } = folder.read(header, after);
    return { header, status, driver, epoch, commits, commands: folder.commands() };
  }

  #loadPortiaRun(id: PlanRunUUID): StoredRun | undefined {
    const run = readPortiaRun(this.#files, id);
    if (!run) return undefined;
    return { header: run.header, driver: undefined, epoch: 0, ...journalOf(run, this.#plan(run.header)), commands: [] };
  }

  listRuns(query: RunQuery): Page<RunSummary> {
    const runs = this.#lister.list((id) => this.#driven.get(id)).filter((run) => matchesQuery(query, run));
    const page =
      query.readyAt === undefined
        ? pageByTime(runs, query, ({ header }) => header)
        : pageByTime(runs, { ...query, order: 'oldest' }, readyPlace);
    return { ...page, items: page.items.map((run) => freezeJson(frozenCopy(run, 'the run'))) };
  }

  listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    return clarificationsByReading(
      { listRuns: (runs) => this.listRuns(runs), loadRun: (id) => this.loadRun(id, 0) },
      query,
    );
  }

  countRuns(query: RunQuery): number {
    return this.#lister.list((id) => this.#driven.get(id)).filter((run) => matchesQuery(query, run)).length;
  }

  tallyRuns(): RunTally {
    return tallyOf(this.#lister.list((id) => this.#driven.get(id)));
  }

  unreadable(): readonly PlanRunUUID[] {
    return this.#lister.unreadable();
  }

  claimRun(id: PlanRunUUID, claim: Claim): { readonly claimed: boolean; readonly driver: DriverRecord } {
    const { folder, header } = this.#folder(id);
    this.#takeOver(folder, header, new PortiaView(this.#files, id));
    for (;;) {
      const { driver: current, epoch, status } = folder.readStatus(header);
      if (current && isAlive(current, claim)) return { claimed: false, driver: current };
      const driver = { owner: claim.owner, epoch: epoch + 1, expiresAt: claim.now + claim.ttlMs };
      if (!folder.begin(driver)) continue;
      this.#drive(folder, header, status, driver, Buffer.byteLength(driverLine(driver)));
      return { claimed: true, driver };
    }
  }

  #drive(folder: RunFolder, header: RunHeader, status: RunStatus, driver: DriverRecord, length: number): DrivenRun {
    this.#driven.get(header.id)?.close();
    const run = new DrivenRun({
      header,
      status,
      driver,
      folder,
      writer: new EpochWriter(this.#files, folder, driver.epoch, length),
      view: new PortiaView(this.#files, header.id),
      program: this.#program(header),
      takeOver: ({ view }) => this.#takeOver(folder, header, view),
    });
    this.#driven.set(header.id, run);
    return run;
  }

  /** The run, if this epoch of it is the current one; also when another handle has claimed it. */
  #drivenAt(id: PlanRunUUID, epoch: number): DrivenRun | undefined {
    const known = this.#driven.get(id);
    if (known?.epoch === epoch) return known;
    const folder = new RunFolder(this.#files, id);
    const header = PlanRunUUID.is(id) ? folder.header() : undefined;
    if (!header || epoch < 1 || !folder.hasEpoch(epoch) || folder.hasEpoch(epoch + 1)) return undefined;
    const { driver, status, length } = folder.readStatus(header);
    return driver?.epoch === epoch ? this.#drive(folder, header, status, driver, length) : undefined;
  }

  heartbeat(drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[], expiresAt: number): void {
    for (const { id, epoch } of drivers) this.#drivenAt(id, epoch)?.beat(expiresAt);
  }

  releaseRun(id: PlanRunUUID, epoch: number): void {
    const run = this.#drivenAt(id, epoch);
    if (!run) return;
    run.release();
    this.#driven.delete(id);
  }

  append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, release = false): boolean {
    const run = this.#drivenAt(id, epoch);
    const written = run?.append(commit, status && statusAfter(run.status, status)) ?? false;
    if (written && release) this.releaseRun(id, epoch);
    if (written) this.#watchers.tell(id, 'commit');
    return written;
  }

  putCommand(id: PlanRunUUID, given: Command): Command {
    const { command, added } = this.#folder(id).folder.put(given);
    if (added) this.#watchers.tell(id, 'command');
    return command;
  }

  /** The mark says how many commands of which run were given; runs without any are left out. */
  pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): { readonly commands: readonly Found[]; readonly mark: string } {
    const counts = new Map(Object.entries(JSON.parse(after ?? '{}') as Record<string, number>));
    const commands: Found[] = [];
    for (const id of ids) {
      if (!PlanRunUUID.is(id)) continue;
      this.#lookForAnswers(id);
      const folder = new RunFolder(this.#files, id);
      const known = counts.get(id) ?? 0;
      if (!folder.hasCommand(known + 1)) continue;
      const found = folder.commands(known);
      counts.set(id, known + found.length);
      for (const command of found) commands.push({ id, command });
    }
    return { commands, mark: JSON.stringify(Object.fromEntries(counts)) };
  }

  /** Answers may come through the file of a run while it is driven. */
  #lookForAnswers(id: PlanRunUUID): void {
    const run = this.#driven.get(id);
    if (run?.view.isNews() && run.view.edited()) run.show();
  }

  /** The folder of a run; one that Portia 0.9 began gets its own now. */
  #folder(id: PlanRunUUID): { readonly folder: RunFolder; readonly header: RunHeader } {
    const folder = new RunFolder(this.#files, id);
    const known = PlanRunUUID.is(id) ? (folder.header() ?? this.#adopt(folder)) : undefined;
    if (!known) throw runNotFound(id, this.#name);
    return { folder, header: known };
  }

  #adopt(folder: RunFolder): RunHeader | undefined {
    const run = readPortiaRun(this.#files, folder.id);
    if (!run) return undefined;
    const { commits, status } = journalOf(run, this.#plan(run.header));
    folder.create(run.header, { before: commits.map((commit) => journalLines(commit, status)).join('') });
    const seq = stateOf(run.header, compile(this.#plan(run.header)), commits).seq;
    new PortiaView(this.#files, folder.id).accept(run.text, seq);
    return folder.header();
  }

  /** Takes over answers that somebody else wrote into the file of a run. @throws PortiaError `RUN_FILE_CHANGED`. */
  #takeOver(folder: RunFolder, header: RunHeader, view: PortiaView): void {
    const edit = view.edited();
    if (!edit) return;
    const { answers, seq } = this.#answersIn(edit, folder, header, view);
    for (const answer of answers) {
      const { command, added } = folder.put(answer);
      if (added) this.#watchers.tell(header.id, 'command');
      else if (command.type === 'answer' && !sameJson(command.response, answer.response)) {
        throw fileChanged(header, view.path, `clarification ${answer.key} was answered before, and differently`);
      }
    }
    view.accept(edit.text, seq);
  }

  #answersIn(
    edit: Edit,
    folder: RunFolder,
    header: RunHeader,
    view: PortiaView,
  ): { readonly answers: readonly AnswerCommand[]; readonly seq: number } {
    const { commits } = folder.read(header);
    const program = this.#program(header)();
    let refused: unknown;
    for (const seq of edit.seqs) {
      try {
        return { answers: answersIn(stateOf(header, program, commits, seq), edit.text, view.path, edit.at), seq };
      } catch (error) {
        refused ??= error;
      }
    }
    throw refused ?? fileChanged(header, view.path, 'it was not there before');
  }

  #plan(header: RunHeader): Plan {
    const record = this.#plans.getPlan(header.planId);
    if (!record || record instanceof Promise) throw planMissing(header.planId, this.#name);
    return planForReading(record);
  }

  #program(header: RunHeader): () => Program {
    const known = this.#programs.get(header.planId);
    if (known) return () => known;
    if (!this.#plans.getPlan(header.planId)) throw planMissing(header.planId, this.#name);
    return () => {
      const program = compile(this.#plan(header));
      if (this.#programs.size >= 100) this.#programs.clear();
      this.#programs.set(header.planId, program);
      return program;
    };
  }

  close(): void {
    for (const run of this.#driven.values()) run.close();
    this.#driven.clear();
  }
}
