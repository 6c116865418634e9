import type { EndUser, EndUserField } from '../../core/end-user.ts';
import type { Commit } from '../../core/event.ts';
import { PlanRunUUID, type PlanUUID } from '../../core/ids.ts';
import type { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import type { NamedOutput } from '../house.ts';
import { frozenCopy, frozenHeader, frozenOutput, frozenPlan } from '../records.ts';
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
import { UnsettledCommits } from '../unsettled.ts';
import { type Watcher, Watchers } from '../watchers.ts';
import type { CloudHttp, Received } from './http.ts';
import type { SentClaim, Verdict } from './operations.ts';

/** Where the operations are. */
export const doorPath = '/api/v1/storage';

/** A store behind our server, through `storageDoor`. */
export class CloudStorage implements StorageBackend {
  readonly name: string;
  readonly shared = true;
  readonly #http: CloudHttp;
  readonly #watchers = new Watchers();
  readonly #unsettled = new UnsettledCommits();

  constructor(http: CloudHttp) {
    this.#http = http;
    this.name = `cloud:${http.host}`;
  }

  /** Does one operation; `given` is told whether an attempt before may have been carried out. */
  async #do<T>(operation: string, given: object | ((again: boolean) => object)): Promise<T> {
    const received = await this.#http.send(`${doorPath}/${operation}`, async (again) => ({
      method: 'POST',
      json: typeof given === 'function' ? given(again) : given,
    }));
    return this.#result(received);
  }

  #result<T>(received: Received): T {
    if (received.status !== 200) throw this.#http.refused(received);
    return (JSON.parse(received.text) as { readonly result?: T }).result as T;
  }

  async savePlan(plan: PlanRecord): Promise<void> {
    await this.#do('save-plan', { plan: frozenPlan(plan) });
  }

  getPlan(id: PlanUUID): Promise<PlanRecord | undefined> {
    return this.#do('get-plan', { id });
  }

  listPlans(filter: {
    readonly query?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<Page<PlanRecord>> {
    return this.#do('list-plans', filter);
  }

  async createRun(
    given: RunHeader,
    claim?: Claim,
  ): Promise<{ readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined }> {
    const header = frozenHeader(given);
    let maybeDone = false;
    const made = await this.#do<{ header: RunHeader; created: boolean; driver?: DriverRecord }>(
      'create-run',
      (again) => {
        maybeDone = again;
        return { header, ...(claim && { claim: sent(claim, []) }) };
      },
    );
    // Ids are made at random: the run that has this one was made by the attempt nobody heard of.
    const created = made.created || (maybeDone && made.header.id === header.id);
    return { header: made.header, created, driver: made.driver };
  }

  async loadRun(id: PlanRunUUID, after?: number): Promise<StoredRun | undefined> {
    const run = await this.#do<StoredRun | undefined>('load-run', { id, after });
    return run && { ...run, driver: run.driver };
  }

  async listRuns(query: RunQuery): Promise<Page<RunSummary>> {
    const page = await this.#do<Page<RunSummary>>('list-runs', { query });
    return { ...page, items: page.items.map((run) => ({ ...run, driver: run.driver })) };
  }

  listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    return this.#do('list-clarifications', { query });
  }

  countRuns(query: RunQuery): Promise<number> {
    return this.#do('count-runs', { query });
  }

  tallyRuns(): Promise<RunTally> {
    return this.#do('tally-runs', {});
  }

  async claimRun(id: PlanRunUUID, claim: Claim): Promise<{ readonly claimed: boolean; readonly driver: DriverRecord }> {
    const expiresAt = claim.now + claim.ttlMs;
    const verdicts: Verdict[] = [];
    let maybeDone = false;
    for (;;) {
      const { claimed, driver, unjudged } = await this.#do<{
        claimed: boolean;
        driver: DriverRecord;
        unjudged: boolean;
      }>('claim-run', (again) => {
        maybeDone ||= again;
        return { id, claim: sent(claim, verdicts) };
      });
      if (claimed) return { claimed, driver };
      // The attempt nobody heard of: every driver of a process has a name of its own.
      if (maybeDone && driver.owner === claim.owner && driver.expiresAt === expiresAt) return { claimed: true, driver };
      if (!unjudged) return { claimed, driver };
      // Only this process can tell whether a driver on its own machine lives.
      verdicts.push({ driver, alive: claim.isAlive(driver) ?? null });
    }
  }

  async heartbeat(
    drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[],
    expiresAt: number,
  ): Promise<void> {
    if (drivers.length > 0) await this.#do('heartbeat', { drivers, expiresAt });
  }

  async releaseRun(id: PlanRunUUID, epoch: number): Promise<void> {
    await this.#do('release-run', { id, epoch });
  }

  async append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, release = false): Promise<boolean> {
    if (!PlanRunUUID.is(id)) return false;
    // Copied now: the caller may go on with its objects while this waits.
    const given = { seq: commit.seq, at: commit.at, events: commit.events };
    const changed = status && frozenCopy(status, 'the status');
    const written = await this.#unsettled.settle(id, epoch, given, async (one, known) => {
      const received = await this.#http.send(`${doorPath}/append`, async (again) =>
        (known || again) && (await this.#holds(id, one))
          ? { status: 200, text: '{"result":true}' }
          : { method: 'POST', json: { id, epoch, commit: one, status: changed, release } },
      );
      return this.#result<boolean>(received);
    });
    if (written) this.#watchers.tell(id, 'commit');
    return written;
  }

  /** Whether this very commit stands in the journal. */
  async #holds(id: PlanRunUUID, { seq, at, events }: Commit): Promise<boolean> {
    const run = await this.loadRun(id, seq - 1);
    return run?.commits.some((one) => one.seq === seq && one.at === at && one.events === events) ?? false;
  }

  async putCommand(id: PlanRunUUID, given: Command): Promise<Command> {
    const { command, added } = await this.#do<{ command: Command; added: boolean }>('put-command', {
      id,
      command: given,
    });
    if (added) this.#watchers.tell(id, 'command');
    return command;
  }

  pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): Promise<{
    readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[];
    readonly mark: string;
  }> {
    return this.#do('poll-commands', { ids, after });
  }

  async saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): Promise<void> {
    await this.#do('save-output', { id, name, output: frozenOutput(output) });
  }

  getOutput(id: PlanRunUUID, name: string): Promise<LocalDataValue | undefined> {
    return this.#do('get-output', { id, name });
  }

  listOutputs(id: PlanRunUUID): Promise<readonly string[]> {
    return this.#do('list-outputs', { id });
  }

  saveEndUser(user: EndUser, only?: readonly EndUserField[]): Promise<EndUser> {
    return this.#do('save-end-user', { user, only });
  }

  getEndUser(externalId: string): Promise<EndUser | undefined> {
    return this.#do('get-end-user', { id: externalId });
  }

  listEndUsers(page: {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  }): Promise<Page<EndUser>> {
    return this.#do('list-end-users', page);
  }

  async importRun({ driver: _, ...run }: StoredRun, outputs: readonly NamedOutput[]): Promise<boolean> {
    let maybeDone = false;
    const added = await this.#do<boolean>('import-run', (again) => {
      maybeDone = again;
      return { run, outputs };
    });
    return added || (maybeDone && (await this.loadRun(run.header.id)) !== undefined);
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number): Promise<number> {
    return this.#do('remove-runs', { ids, before });
  }

  watch(listener: Watcher): () => void {
    return this.#watchers.add(listener);
  }

  close(): void {
    this.#watchers.clear();
    this.#http.close();
  }
}

function sent({ owner, now, ttlMs }: Claim, verdicts: readonly Verdict[]): SentClaim {
  return { owner, now, ttlMs, verdicts };
}
