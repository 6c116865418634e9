import type { Commit } from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { listEarlier } from '../earlier-clarifications.ts';
import type { ClarificationQuery, ListedClarification } from '../open-clarifications.ts';
import { commandIdentity, frozenHeader, isAlive, planMissing, runNotFound } from '../records.ts';
import type {
  Claim,
  Command,
  DriverRecord,
  Page,
  RunQuery,
  RunStatus,
  RunSummary,
  RunTally,
  StorageBackend,
  StoredRun,
} from '../storage-backend.ts';
import { stateNumber } from '../state-numbers.ts';
import { storedText } from '../stored-text.ts';
import { type Watcher, Watchers } from '../watchers.ts';
import type { NamedOutput } from '../house.ts';
import type { Connection, Statement } from './connection.ts';
import { SqliteDocuments } from './documents.ts';
import { importRun, removeRuns } from './house.ts';
import { earlierRuns, listClarifications, writeOpen } from './clarifications.ts';
import { countRuns, listRuns, tallyRuns } from './list-runs.ts';
import { writePlanNow } from './schema.ts';
import { driverOf } from '../sql-rows.ts';
import {
  headerOf,
  headerValues,
  idBytes,
  labelsOf,
  type RunRow,
  runRowOf,
  runColumns,
  runIdOf,
  summaryOf,
} from './rows.ts';

const insertRun = `
  INSERT INTO run (id, plan, created_at, updated_at, state, wake_at, epoch, owner, expires_at, end_user, inputs, run_key, labels, more)
  SELECT ?, n, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM plan WHERE id = ? ON CONFLICT DO NOTHING`;
const insertLabel = 'INSERT INTO label (name, value, run) VALUES (?, ?, ?)';
const insertCommit = `
  INSERT INTO journal (key, at, events)
  SELECT n << 32 | ?2, ?3 - created_at, ?4 FROM run WHERE n = ?1 AND epoch = ?5 AND owner IS NOT NULL`;
const updateStatus = 'UPDATE run SET state = ?, updated_at = ?, wake_at = ?, error = ? WHERE n = ?';
const lastStatus =
  'UPDATE run SET state = ?, updated_at = ?, wake_at = ?, error = ?, owner = NULL, expires_at = NULL WHERE n = ?';
const release = 'UPDATE run SET owner = NULL, expires_at = NULL WHERE n = ? AND epoch = ?';
// Lists as JSON in one row: a row costs several times what it takes to read one value more.
const selectRun = (first: string): string => `
  SELECT
    (SELECT json_group_array(json_array(key & 4294967295, at, events)) FROM
      (SELECT * FROM journal WHERE key BETWEEN ${first} AND run.n << 32 | 4294967295 ORDER BY key)),
    (SELECT json_group_array(json(body)) FROM (SELECT body FROM command WHERE command.run = run.n ORDER BY command.n)),
    ${runColumns}
  FROM run CROSS JOIN plan ON plan.n = run.plan WHERE run.id = ?`;
const selectWhole = selectRun('run.n << 32');
// From the last commit that begins at or before this event on.
const selectAfter = selectRun(
  'coalesce((SELECT max(key) FROM journal WHERE key BETWEEN run.n << 32 AND run.n << 32 | ?), run.n << 32)',
);
const selectCommands = `
  SELECT json_group_array(json(body)), (SELECT max(n) FROM command) FROM (SELECT body FROM command WHERE run = ? ORDER BY n)`;
const claimFree = `
  UPDATE run SET epoch = epoch + 1, owner = ?, expires_at = ? WHERE n = ? AND owner IS NULL RETURNING epoch`;
const selectDriver = 'SELECT epoch, owner, expires_at FROM run WHERE n = ?';

/** How many rowids of runs are kept at hand. */
const knownNumbers = 10_000;

/** The runs in SQLite, beside everything else. */
export class SqliteStorage extends SqliteDocuments implements StorageBackend {
  readonly name: string;
  readonly shared = true;
  /** The rowids of the runs met last; a run keeps its own for ever. */
  readonly #numbers = new Map<PlanRunUUID, number>();
  readonly #watchers = new Watchers();
  readonly #insertCommit: Statement;
  /** Whether all that waited before there was a list of it is in the list. */
  #listedEarlier = false;
  #open = true;

  constructor(connection: Connection) {
    super(connection);
    this.name = `sqlite:${connection.path}`;
    this.#insertCommit = connection.statement(insertCommit);
  }

  createRun(
    given: RunHeader,
    claim?: Claim,
  ): { readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined } {
    const header = frozenHeader(given);
    const driver = claim && { owner: claim.owner, epoch: 1, expiresAt: claim.now + claim.ttlMs };
    const labels = labelsOf(header);
    const number =
      labels.length === 0
        ? this.#insertRun(header, driver)
        : this.connection.transaction(() => {
            const run = this.#insertRun(header, driver);
            if (run === undefined) return undefined;
            for (const [name, value] of labels)
              this.connection.run(insertLabel, [storedText(name), storedText(value), run]);
            return run;
          });
    if (number !== undefined) {
      this.#know(header.id, number);
      return { header, created: true, driver };
    }
    const taken =
      this.#row('run.id = ?', idBytes(header.id)) ??
      this.#row('run.run_key = ?', header.runKey && storedText(header.runKey));
    if (taken) return { header: headerOf(taken), created: false, driver: driverOf(taken) };
    throw planMissing(header.planId, this.name);
  }

  #insertRun(header: RunHeader, driver: DriverRecord | undefined): number | undefined {
    const { changes, lastInsertRowid } = this.connection.run(insertRun, [
      idBytes(header.id) as Uint8Array,
      header.createdAt,
      header.createdAt,
      header.startAt ?? null,
      driver?.epoch ?? 0,
      driver?.owner ?? null,
      driver?.expiresAt ?? null,
      ...headerValues(header),
      idBytes(header.planId) as Uint8Array,
    ]);
    return changes > 0 ? Number(lastInsertRowid) : undefined;
  }

  loadRun(id: PlanRunUUID, after = 0): StoredRun | undefined {
    const bytes = idBytes(id);
    const found =
      bytes &&
      (after > 0
        ? this.connection.values(selectAfter, [after + 1, bytes])
        : this.connection.values(selectWhole, [bytes]));
    if (!found) return undefined;
    const [journal, commands, ...values] = found;
    const row = runRowOf(values);
    this.#know(id, row.n);
    const commits = JSON.parse(journal as string) as (readonly [seq: number, after: number, events: string])[];
    return {
      ...summaryOf(row),
      epoch: row.epoch,
      commits: commits.map(([seq, after, events]): Commit => ({ seq, at: row.created_at + after, events })),
      commands: JSON.parse(commands as string) as Command[],
    };
  }

  #row(condition: 'run.id = ?' | 'run.run_key = ?', value: Uint8Array | string | undefined): RunRow | undefined {
    if (value === undefined) return undefined;
    return this.connection.get<RunRow>(
      `SELECT ${runColumns} FROM run CROSS JOIN plan ON plan.n = run.plan WHERE ${condition}`,
      [value],
    );
  }

  listRuns(query: RunQuery): Page<RunSummary> {
    return listRuns(this.connection, query);
  }

  async listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    await this.listEarlier((run) => run);
    return listClarifications(this.connection, query);
  }

  async listEarlier(read: Parameters<typeof listEarlier>[1]): Promise<void> {
    if (this.#listedEarlier) return;
    this.#listedEarlier = await listEarlier(
      earlierRuns(this.connection, (id) => this.loadRun(id)),
      read,
    );
  }

  countRuns(query: RunQuery): number {
    return countRuns(this.connection, query);
  }

  tallyRuns(): RunTally {
    return tallyRuns(this.connection);
  }

  importRun(run: StoredRun, outputs: readonly NamedOutput[]): boolean {
    const number = importRun(this.connection, run, outputs);
    if (number === undefined) throw planMissing(run.header.planId, this.name);
    return number !== 'taken';
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number): number {
    for (const id of ids) this.#numbers.delete(id);
    return removeRuns(this.connection, ids, before);
  }

  claimRun(id: PlanRunUUID, claim: Claim): { readonly claimed: boolean; readonly driver: DriverRecord } {
    const number = this.#number(id);
    if (number === undefined) throw runNotFound(id, this.name);
    const expiresAt = claim.now + claim.ttlMs;
    const free = this.connection.values(claimFree, [claim.owner, expiresAt, number]);
    if (free) return { claimed: true, driver: { owner: claim.owner, epoch: free[0] as number, expiresAt } };
    for (;;) {
      const row = this.connection.get<Pick<RunRow, 'epoch' | 'owner' | 'expires_at'>>(selectDriver, [number]);
      if (!row) throw runNotFound(id, this.name);
      const driver = driverOf(row);
      if (driver && isAlive(driver, claim)) return { claimed: false, driver };
      // Only if all that the decision was made on still stands, a heartbeat included.
      const { changes } = this.connection.run(
        `UPDATE run SET epoch = epoch + 1, owner = ?, expires_at = ? WHERE n = ? AND epoch = ? AND owner IS ? AND expires_at IS ?`,
        [claim.owner, expiresAt, number, row.epoch, row.owner, row.expires_at],
      );
      if (changes === 0) continue;
      return { claimed: true, driver: { owner: claim.owner, epoch: row.epoch + 1, expiresAt } };
    }
  }

  heartbeat(drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[], expiresAt: number): void {
    if (drivers.length === 0) return;
    this.connection.transaction(() => {
      for (const { id, epoch } of drivers) {
        const number = this.#number(id);
        if (number === undefined) continue;
        this.connection.run('UPDATE run SET expires_at = ? WHERE n = ? AND epoch = ? AND owner IS NOT NULL', [
          expiresAt,
          number,
          epoch,
        ]);
      }
    });
  }

  releaseRun(id: PlanRunUUID, epoch: number): void {
    const number = this.#number(id);
    if (number === undefined) return;
    this.connection.run(release, [number, epoch]);
  }

  append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, last = false): boolean {
    const number = this.#number(id);
    if (number === undefined) return false;
    const written =
      status === undefined && !last
        ? this.#append(number, epoch, commit)
        : this.connection.transaction(() => {
            if (!this.#append(number, epoch, commit)) return false;
            if (status === undefined) this.connection.run(release, [number, epoch]);
            else this.#updateStatus(number, status, last);
            return true;
          });
    if (written) this.#watchers.tell(id, 'commit');
    return written;
  }

  #updateStatus(number: number, status: RunStatus, last: boolean): void {
    this.connection.run(last ? lastStatus : updateStatus, [
      stateNumber(status.state),
      status.updatedAt,
      status.wakeAt ?? null,
      status.error === undefined ? null : JSON.stringify(status.error),
      number,
    ]);
    if (status.planId !== undefined) writePlanNow(this.connection, number, status.planId);
    if (status.asks) writeOpen(this.connection, number, status.asks);
  }

  #append(number: number, epoch: number, commit: Commit): boolean {
    // A statement outlives the connection that made it, so closing has to be told apart here.
    if (!this.#open) throw this.connection.failed(new Error('it was closed'));
    try {
      return this.#insertCommit.run([number, commit.seq, commit.at, commit.events, epoch]).changes === 1;
    } catch (error) {
      throw this.connection.failed(error);
    }
  }

  putCommand(id: PlanRunUUID, command: Command): Command {
    const number = this.#number(id);
    if (number === undefined) throw runNotFound(id, this.name);
    const identity = commandIdentity(command);
    const body = JSON.stringify(command);
    // The number may be of a run that another process has removed.
    const { changes } = this.connection.run(
      'INSERT INTO command (run, identity, body) SELECT n, ?, ? FROM run WHERE n = ? ON CONFLICT DO NOTHING',
      [identity, body, number],
    );
    if (changes > 0) {
      this.#watchers.tell(id, 'command');
      return JSON.parse(body) as Command;
    }
    const taken = this.connection.get<{ body: string }>('SELECT body FROM command WHERE run = ? AND identity = ?', [
      number,
      identity,
    ]);
    if (!taken) throw runNotFound(id, this.name);
    return JSON.parse(taken.body) as Command;
  }

  pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): { readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[]; readonly mark: string } {
    const [id, ...others] = ids;
    if (after === undefined && id !== undefined && others.length === 0) return this.#allCommandsOf(id);
    const since = Number(after ?? 0);
    const newest = this.connection.get<{ n: number | null }>('SELECT max(n) AS n FROM command')?.n ?? 0;
    if (newest <= since) return { commands: [], mark: String(since) };
    const wanted = new Set(ids);
    const rows = after === undefined ? this.#commandsOf(ids, newest) : this.#commandsSince(since, newest);
    const commands = rows.map(({ id, body }) => ({ id: runIdOf(id), command: JSON.parse(body) as Command }));
    return { commands: commands.filter(({ id }) => wanted.has(id)), mark: String(newest) };
  }

  #allCommandsOf(id: PlanRunUUID): ReturnType<SqliteStorage['pollCommands']> {
    const [bodies, newest] = this.connection.values(selectCommands, [this.#number(id) ?? null]) as readonly [
      string,
      number | null,
    ];
    const commands = (JSON.parse(bodies) as Command[]).map((command) => ({ id, command }));
    return { commands, mark: String(newest ?? 0) };
  }

  #commandsSince(since: number, newest: number): readonly { readonly id: Uint8Array; readonly body: string }[] {
    return this.connection.all(
      `SELECT run.id, command.body FROM command CROSS JOIN run ON run.n = command.run
       WHERE command.n > ? AND command.n <= ? ORDER BY command.n`,
      [since, newest],
    );
  }

  /** All commands of some runs: the table may hold years of other runs' commands. */
  #commandsOf(
    ids: readonly PlanRunUUID[],
    newest: number,
  ): readonly { readonly id: Uint8Array; readonly body: string }[] {
    const found: { readonly n: number; readonly id: Uint8Array; readonly body: string }[] = [];
    for (const id of ids) {
      found.push(
        ...this.connection.all<(typeof found)[number]>(
          `SELECT command.n, run.id, command.body FROM run JOIN command ON command.run = run.n WHERE run.id = ? AND command.n <= ?`,
          [idBytes(id) ?? null, newest],
        ),
      );
    }
    return found.sort((a, b) => a.n - b.n);
  }

  #number(id: PlanRunUUID): number | undefined {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const bytes = idBytes(id);
    const found = bytes && this.connection.get<{ n: number }>('SELECT n FROM run WHERE id = ?', [bytes])?.n;
    if (found !== undefined) this.#know(id, found);
    return found;
  }

  #know(id: PlanRunUUID, number: number): void {
    this.#numbers.set(id, number);
    if (this.#numbers.size <= knownNumbers) return;
    const [oldest] = this.#numbers.keys();
    if (oldest !== undefined) this.#numbers.delete(oldest);
  }

  watch(listener: Watcher): () => void {
    return this.#watchers.add(listener);
  }

  close(): void {
    this.#open = false;
    this.#watchers.clear();
    this.#numbers.clear();
    this.connection.close();
  }
}
