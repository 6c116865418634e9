import type { EndUser, EndUserField } from '../../core/end-user.ts';
import type { Commit } from '../../core/event.ts';
import type { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
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
import type { ClarificationQuery, ListedClarification } from '../open-clarifications.ts';
import type { NamedOutput } from '../house.ts';
import { pageLimit, pageOf } from '../run-query.ts';
import { type Watcher, Watchers } from '../watchers.ts';
import { DiskRuns } from './disk-runs.ts';
import { DiskOutputs, DiskPlans } from './documents.ts';
import { DiskEndUsers } from './end-users.ts';
import { Files } from './files.ts';
import { readTextCursor, textCursor } from './pages.ts';

/**
 * A store in a folder, in files that Portia 0.9 reads: `plan-<uuid>.json`, `prun-<uuid>.json`,
 * `prun-<uuid>/<output_name>.json` and `<external_id>.json`. What counts stands in `.journal` beside them. The file of a
 * run is written when it is created, when it pauses and when it ends, and at most once a second between. Answers that
 * somebody writes into it are taken over; any other change to it is refused (`RUN_FILE_CHANGED`) when the run is next
 * loaded. Runs and plans that Portia 0.9 wrote there are read, and can be resumed.
 *
 * @throws PortiaError `STORAGE_FAILED` when the folder cannot be made or written.
 */
export function diskStorage(root: string = '.portia'): StorageBackend {
  return new DiskStorage(root);
}

class DiskStorage implements StorageBackend {
  readonly name: string;
  readonly shared = true;
  readonly #plans: DiskPlans;
  readonly #runs: DiskRuns;
  readonly #outputs: DiskOutputs;
  readonly #endUsers: DiskEndUsers;
  readonly #watchers = new Watchers();

  constructor(root: string) {
    this.name = `disk:${root}`;
    const files = new Files(root);
    this.#plans = new DiskPlans(files);
    this.#runs = new DiskRuns(this.name, files, this.#plans, this.#watchers);
    this.#outputs = new DiskOutputs(files);
    this.#endUsers = new DiskEndUsers(files);
  }

  savePlan(plan: PlanRecord): void {
    this.#plans.savePlan(plan);
  }

  getPlan(id: PlanUUID): PlanRecord | undefined {
    return this.#plans.getPlan(id);
  }

  listPlans(filter: { readonly query?: string; readonly limit?: number; readonly cursor?: string }): Page<PlanRecord> {
    return this.#plans.listPlans(filter);
  }

  createRun(
    header: RunHeader,
    claim?: Claim,
  ): { readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined } {
    return this.#runs.createRun(header, claim);
  }

  loadRun(id: PlanRunUUID, after = 0): StoredRun | undefined {
    return this.#runs.loadRun(id, after);
  }

  listRuns(query: RunQuery): Page<RunSummary> {
    return this.#runs.listRuns(query);
  }

  listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    return this.#runs.listClarifications(query);
  }

  countRuns(query: RunQuery): number {
    return this.#runs.countRuns(query);
  }

  tallyRuns(): RunTally {
    return this.#runs.tallyRuns();
  }

  claimRun(id: PlanRunUUID, claim: Claim): { readonly claimed: boolean; readonly driver: DriverRecord } {
    return this.#runs.claimRun(id, claim);
  }

  heartbeat(drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[], expiresAt: number): void {
    this.#runs.heartbeat(drivers, expiresAt);
  }

  releaseRun(id: PlanRunUUID, epoch: number): void {
    this.#runs.releaseRun(id, epoch);
  }

  append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, release?: boolean): boolean {
    return this.#runs.append(id, epoch, commit, status, release);
  }

  putCommand(id: PlanRunUUID, command: Command): Command {
    return this.#runs.putCommand(id, command);
  }

  pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): { readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[]; readonly mark: string } {
    return this.#runs.pollCommands(ids, after);
  }

  saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): void {
    this.#outputs.saveOutput(id, name, output);
  }

  getOutput(id: PlanRunUUID, name: string): LocalDataValue | undefined {
    return this.#outputs.getOutput(id, name);
  }

  listOutputs(id: PlanRunUUID): readonly string[] {
    return this.#outputs.listOutputs(id);
  }

  unreadable(): { readonly plans: readonly PlanUUID[]; readonly runs: readonly PlanRunUUID[] } {
    return { plans: this.#plans.unreadable(), runs: this.#runs.unreadable() };
  }

  importRun(run: StoredRun, outputs: readonly NamedOutput[]): boolean {
    return this.#runs.importRun(run, () => {
      for (const { name, output } of outputs) this.#outputs.saveOutput(run.header.id, name, output);
    });
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number): number {
    return this.#runs.removeRuns(ids, before, (id) => this.#outputs.remove(id));
  }

  listEndUsers(page: { readonly limit?: number | undefined; readonly cursor?: string | undefined }): Page<EndUser> {
    const after = page.cursor === undefined ? undefined : readTextCursor(page.cursor);
    const limit = pageLimit(page.limit);
    const ids = this.#endUsers.ids().filter((id) => after === undefined || id > after);
    const items = ids.slice(0, limit).map((id) => this.#endUsers.getEndUser(id));
    return pageOf(
      items.filter((user) => user !== undefined),
      ids.length > limit ? textCursor(ids[limit - 1] as string) : undefined,
    );
  }

  saveEndUser(user: EndUser, only?: readonly EndUserField[]): EndUser {
    return this.#endUsers.saveEndUser(user, only);
  }

  getEndUser(externalId: string): EndUser | undefined {
    return this.#endUsers.getEndUser(externalId);
  }

  watch(listener: Watcher): () => void {
    return this.#watchers.add(listener);
  }

  close(): void {
    this.#runs.close();
    this.#watchers.clear();
  }
}
