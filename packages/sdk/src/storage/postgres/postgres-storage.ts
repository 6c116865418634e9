import type { Commit } from '../../core/event.ts';
import { PlanRunUUID } from '../../core/ids.ts';
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
import { UnsettledCommits } from '../unsettled.ts';
import { type Watcher, Watchers } from '../watchers.ts';
import type { NamedOutput } from '../house.ts';
import type { Database, SqlValue } from './database.ts';
import { PostgresDocuments } from './documents.ts';
import { importRun, removeRuns } from './house.ts';
import { earlierRuns, listClarifications, writingOpen } from './clarifications.ts';
import { countRuns, listRuns, tallyRuns } from './list-runs.ts';
import { Listener, type PgListener } from './listener.ts';
import { driverOf } from '../sql-rows.ts';
import {
  digestOf,
  headerOf,
  headerValues,
  labelDigests,
  type RunRow,
  runColumns,
  statusValues,
  summaryOf,
  uuidOf,
} from './rows.ts';

type Driver = Pick<RunRow, 'epoch' | 'owner' | 'expires_at'>;

/** The runs in PostgreSQL, beside everything else. */
export class PostgresStorage extends PostgresDocuments implements StorageBackend {
  readonly name: string;
  readonly shared = true;
  readonly #watchers = new Watchers();
  readonly #unsettled = new UnsettledCommits();
  readonly #listener: Listener | undefined;
  readonly #end: () => Promise<void>;
  /** Whether all that waited before there was a list of it is in the list. */
  #listedEarlier = false;

  constructor(database: Database, connect: (() => PgListener) | undefined, end: () => Promise<void>) {
    super(database);
    this.name = `postgres:${database.name}`;
    this.#listener = connect && new Listener(database.name, connect, this.#watchers);
    this.#end = end;
  }

  async createRun(
    given: RunHeader,
    claim?: Claim,
  ): Promise<{ readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined }> {
    const header = frozenHeader(given);
    const driver = claim && { owner: claim.owner, epoch: 1, expiresAt: claim.now + claim.ttlMs };
    return this.database.patiently(async (again) => {
      if (await this.#insertRun(header, driver)) return { header, created: true, driver };
      const taken =
        (await this.#row('id', uuidOf(header.id))) ??
        (header.runKey === undefined ? undefined : await this.#row('run_key_digest', digestOf(header.runKey)));
      if (!taken) throw planMissing(header.planId, this.name);
      // Ids are made at random: the run that has this one was made by the attempt nobody heard of.
      const own = again && taken.id === uuidOf(header.id);
      return { header: headerOf(taken), created: own, driver: driverOf(taken) };
    });
  }

  async #insertRun(header: RunHeader, driver: DriverRecord | undefined): Promise<boolean> {
    const { schema } = this.database;
    const rows = await this.database.often(
      `WITH made AS (
         INSERT INTO ${schema}.run (id, plan, created_at, updated_at, state, wake_at, epoch, owner, expires_at,
           end_user, end_user_digest, inputs, run_key, run_key_digest, labels, more)
         SELECT $1, id, $3, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM ${schema}.plan WHERE id = $2
         ON CONFLICT DO NOTHING RETURNING n),
       labelled AS (INSERT INTO ${schema}.label (digest, run) SELECT DISTINCT digest, n FROM made CROSS JOIN unnest($15::uuid[]) digest)
       SELECT n FROM made`,
      [
        uuidOf(header.id),
        uuidOf(header.planId),
        header.createdAt,
        header.startAt ?? null,
        driver?.epoch ?? 0,
        driver?.owner ?? null,
        driver?.expiresAt ?? null,
        ...headerValues(header),
        labelDigests(header.labels),
      ],
    );
    return rows.length > 0;
  }

  async #row(column: 'id' | 'run_key_digest', value: string): Promise<RunRow | undefined> {
    const [row] = await this.database.once<RunRow>(
      `SELECT ${runColumns} FROM ${this.database.schema}.run WHERE ${column} = $1`,
      [value],
    );
    return row;
  }

  async loadRun(id: PlanRunUUID, after = 0): Promise<StoredRun | undefined> {
    if (!PlanRunUUID.is(id)) return undefined;
    const { schema } = this.database;
    // One statement sees one moment: journal, commands and status fit together.
    const [row] = await this.database.rows<RunRow & { readonly journal: string; readonly commands: string }>(
      `SELECT ${runColumns},
         (SELECT coalesce(json_agg(json_build_array(seq, at, events) ORDER BY seq), '[]')::text
          FROM ${schema}.journal WHERE journal.run = run.n AND seq >= coalesce(
            (SELECT max(seq) FROM ${schema}.journal AS seen WHERE seen.run = run.n AND seen.seq <= $2), 0)) AS journal,
         (SELECT '[' || coalesce(string_agg(body, ',' ORDER BY command.n), '') || ']'
          FROM ${schema}.command WHERE command.run = run.n) AS commands
       FROM ${schema}.run WHERE id = $1`,
      [uuidOf(id), after + 1],
    );
    if (!row) return undefined;
    const commits = JSON.parse(row.journal) as (readonly [seq: number, at: number, events: string])[];
    return {
      ...summaryOf(row),
      epoch: row.epoch,
      commits: commits.map(([seq, at, events]): Commit => ({ seq, at, events })),
      commands: JSON.parse(row.commands) as Command[],
    };
  }

  listRuns(query: RunQuery): Promise<Page<RunSummary>> {
    return listRuns(this.database, query);
  }

  async listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    await this.listEarlier((run) => run);
    return listClarifications(this.database, query);
  }

  async listEarlier(read: Parameters<typeof listEarlier>[1]): Promise<void> {
    if (this.#listedEarlier) return;
    this.#listedEarlier = await listEarlier(
      earlierRuns(this.database, (id) => this.loadRun(id)),
      read,
    );
  }

  countRuns(query: RunQuery): Promise<number> {
    return countRuns(this.database, query);
  }

  tallyRuns(): Promise<RunTally> {
    return tallyRuns(this.database);
  }

  async claimRun(id: PlanRunUUID, claim: Claim): Promise<{ readonly claimed: boolean; readonly driver: DriverRecord }> {
    const expiresAt = claim.now + claim.ttlMs;
    return this.database.patiently(async (again) => {
      for (;;) {
        const found = await this.#driver(id);
        if (!found) throw runNotFound(id, this.name);
        const driver = driverOf(found);
        // The attempt nobody heard of: every driver of a process has a name of its own.
        if (again && driver?.owner === claim.owner && driver.expiresAt === expiresAt) return { claimed: true, driver };
        if (driver && isAlive(driver, claim)) return { claimed: false, driver };
        // Only if all that the decision was made on still stands, a heartbeat included.
        const taken = await this.database.often(
          `UPDATE ${this.database.schema}.run SET epoch = epoch + 1, owner = $2, expires_at = $3
           WHERE id = $1 AND epoch = $4 AND owner IS NOT DISTINCT FROM $5 AND expires_at IS NOT DISTINCT FROM $6
           RETURNING epoch`,
          [uuidOf(id), claim.owner, expiresAt, found.epoch, found.owner, found.expires_at],
        );
        if (taken.length === 0) continue;
        return { claimed: true, driver: { owner: claim.owner, epoch: found.epoch + 1, expiresAt } };
      }
    });
  }

  importRun(run: StoredRun, outputs: readonly NamedOutput[]): Promise<boolean> {
    return importRun(this.database, run, outputs);
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number): Promise<number> {
    return removeRuns(this.database, ids, before);
  }

  async #driver(id: PlanRunUUID): Promise<Driver | undefined> {
    if (!PlanRunUUID.is(id)) return undefined;
    const [row] = await this.database.often<Driver>(
      `SELECT epoch, owner, expires_at FROM ${this.database.schema}.run WHERE id = $1`,
      [uuidOf(id)],
    );
    return row;
  }

  async heartbeat(
    drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[],
    expiresAt: number,
  ): Promise<void> {
    if (drivers.length === 0) return;
    await this.database.rows(
      `UPDATE ${this.database.schema}.run SET expires_at = $1
       FROM unnest($2::uuid[], $3::integer[]) AS driver (id, epoch)
       WHERE run.id = driver.id AND run.epoch = driver.epoch AND run.owner IS NOT NULL`,
      [expiresAt, drivers.map(({ id }) => uuidOf(id)), drivers.map(({ epoch }) => epoch)],
    );
  }

  async releaseRun(id: PlanRunUUID, epoch: number): Promise<void> {
    if (!PlanRunUUID.is(id)) return;
    await this.database.rows(
      `UPDATE ${this.database.schema}.run SET owner = NULL, expires_at = NULL WHERE id = $1 AND epoch = $2`,
      [uuidOf(id), epoch],
    );
  }

  async append(id: PlanRunUUID, epoch: number, commit: Commit, status?: RunStatus, last = false): Promise<boolean> {
    if (!PlanRunUUID.is(id)) return false;
    // Copied now: the caller may go on with its objects while this waits.
    const given = { seq: commit.seq, at: commit.at, events: commit.events };
    const changes = status && {
      values: statusValues(status),
      planId: status.planId,
      asks: status.asks?.map((ask) => ({ ...ask })),
    };
    const written = await this.#unsettled.settle(id, epoch, given, (one, known) =>
      this.database.patiently(async (again) => {
        if ((known || again) && (await this.#holds(id, one))) return true;
        return this.#append(id, epoch, one, changes, last);
      }),
    );
    if (written) this.#watchers.tell(id, 'commit');
    return written;
  }

  /**
   * The row of the run is locked by the statement that writes the commit: a claim waits for its end, and the new driver
   * then sees it; where the claim was first, the epoch no longer fits, and nothing is written.
   */
  async #append(
    id: PlanRunUUID,
    epoch: number,
    commit: Commit,
    changes: ({ readonly values: readonly SqlValue[] } & Pick<RunStatus, 'asks' | 'planId'>) | undefined,
    last: boolean,
  ): Promise<boolean> {
    const { schema } = this.database;
    const held = 'WHERE id = $1 AND epoch = $2 AND owner IS NOT NULL';
    const given: SqlValue[] = [uuidOf(id), epoch, commit.seq, commit.at, commit.events, ...(changes?.values ?? [])];
    const set = [
      ...(changes ? ['state = $6, updated_at = $7, wake_at = $8, error = $9, code = $10'] : []),
      ...(changes?.planId ? [`plan_now = $${given.push(uuidOf(changes.planId))}`] : []),
      ...(last ? ['owner = NULL, expires_at = NULL'] : []),
    ];
    const holding =
      set.length > 0
        ? `UPDATE ${schema}.run SET ${set.join(', ')} ${held} RETURNING n`
        : `SELECT n FROM ${schema}.run ${held} FOR NO KEY UPDATE`;
    const asked = changes?.asks
      ? writingOpen(schema, changes.asks, (value) => `$${given.push(value)}`, { held: 'held' })
      : '';
    const told = changes ? this.#notice('commit', id, given) : '';
    const rows = await this.database.often(
      `WITH held AS (${holding}),
       written AS (INSERT INTO ${schema}.journal (run, seq, at, events) SELECT n, $3, $4, $5 FROM held RETURNING run)${asked}
       SELECT run${told} FROM written`,
      given,
    );
    return rows.length > 0;
  }

  /** Whether this very commit stands in the journal. */
  async #holds(id: PlanRunUUID, { seq, at, events }: Commit): Promise<boolean> {
    const { schema } = this.database;
    const rows = await this.database.once(
      `SELECT 1 FROM ${schema}.journal JOIN ${schema}.run ON run.n = journal.run
       WHERE run.id = $1 AND seq = $2 AND at = $3 AND events = $4`,
      [uuidOf(id), seq, at, events],
    );
    return rows.length > 0;
  }

  /** Tells other processes: one more thing to select, and its values. */
  #notice(what: 'command' | 'commit', id: PlanRunUUID, values: SqlValue[]): string {
    if (!this.#listener) return '';
    const { channel, self } = this.#listener;
    return `, pg_notify($${values.push(channel)}, $${values.push(`${self} ${what} ${id}`)})`;
  }

  async putCommand(id: PlanRunUUID, command: Command): Promise<Command> {
    if (!PlanRunUUID.is(id)) throw runNotFound(id, this.name);
    const { schema } = this.database;
    const identity = digestOf(commandIdentity(command));
    const body = JSON.stringify(command);
    const values: SqlValue[] = [uuidOf(id), identity, body, `${schema}:commands`];
    const told = this.#notice('command', id, values);
    // One after the other, so that commands become visible in the order of their numbers: whoever polls from a number
    // on misses none.
    const made = await this.database.rows(
      `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended($4, 0))),
       made AS (INSERT INTO ${schema}.command (run, identity, body)
         SELECT n, $2, $3 FROM turn CROSS JOIN ${schema}.run WHERE id = $1 ON CONFLICT DO NOTHING RETURNING n)
       SELECT n${told} FROM made`,
      values,
    );
    if (made.length > 0) {
      this.#watchers.tell(id, 'command');
      return JSON.parse(body) as Command;
    }
    const [taken] = await this.database.rows<{ body: string }>(
      `SELECT body FROM ${schema}.command JOIN ${schema}.run ON run.n = command.run WHERE run.id = $1 AND identity = $2`,
      [uuidOf(id), identity],
    );
    if (!taken) throw runNotFound(id, this.name);
    return JSON.parse(taken.body) as Command;
  }

  async pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): Promise<{
    readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[];
    readonly mark: string;
  }> {
    const { schema } = this.database;
    const since = Number(after ?? 0);
    const ask = `SELECT coalesce((SELECT max(n) FROM ${schema}.command), 0) AS newest,
         (SELECT coalesce(json_agg(json_build_array(run.id, command.body) ORDER BY command.n), '[]')::text
          FROM ${schema}.command JOIN ${schema}.run ON run.n = command.run
          WHERE command.n > $1 AND run.id = ANY ($2::uuid[])) AS found`;
    const [found] = await this.database.patiently(() =>
      this.database.often<{ newest: number; found: string }>(ask, [
        since,
        ids.filter((id) => PlanRunUUID.is(id)).map(uuidOf),
      ]),
    );
    const rows = JSON.parse(found?.found ?? '[]') as (readonly [id: string, body: string])[];
    return {
      commands: rows.map(([id, body]) => ({ id: `prun-${id}`, command: JSON.parse(body) as Command })),
      mark: String(Math.max(found?.newest ?? 0, since)),
    };
  }

  watch(listener: Watcher): () => void {
    this.#listener?.start();
    return this.#watchers.add(listener);
  }

  async close(): Promise<void> {
    this.database.close();
    this.#watchers.clear();
    await this.#listener?.close();
    await this.#end();
  }
}
