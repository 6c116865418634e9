import { PortiaError } from '../../core/errors.ts';
import type { PlanUUID } from '../../core/ids.ts';
import { isSealedText, planChange, planInOld } from '../plan-now.ts';
import type { Connection } from './connection.ts';
import { idBytes } from './rows.ts';

/**
 * The tables, by numbered steps; a step never changes once released. Bytes count: ids are 16-byte blobs, and rows refer
 * to each other by rowid; what is the same in most rows is NULL; an index is there only where a list would grow slow.
 */
const steps: readonly (string | ((connection: Connection) => void))[] = [
  `
  CREATE TABLE plan (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    query TEXT NOT NULL,
    document TEXT NOT NULL,
    beside TEXT,
    created_at INTEGER NOT NULL
  );
  CREATE INDEX plan_query ON plan (query);

  -- end_user: NULL for the default one. more: what else the header holds. state: its place in the list of states; below 4 a run is not finished.
  CREATE TABLE run (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    plan INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT,
    expires_at INTEGER,
    wake_at INTEGER,
    error TEXT,
    end_user TEXT,
    inputs TEXT,
    run_key TEXT,
    labels TEXT,
    more TEXT
  );
  CREATE UNIQUE INDEX run_run_key ON run (run_key) WHERE run_key IS NOT NULL;
  CREATE INDEX run_open ON run (n) WHERE state < 4;
  CREATE INDEX run_wake ON run (wake_at) WHERE wake_at IS NOT NULL;

  CREATE TABLE label (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (name, value, run)
  ) WITHOUT ROWID;

  -- key: run << 32 | seq, so that the rows of a run stand together, in order, without an index. at: milliseconds after
  -- the run was created.
  CREATE TABLE journal (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    events TEXT NOT NULL
  );

  CREATE TABLE command (
    n INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    identity TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (run, identity)
  );

  CREATE TABLE output (
    n INTEGER PRIMARY KEY,
    run BLOB NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (run, name)
  );

  CREATE TABLE end_user (
    n INTEGER PRIMARY KEY,
    external_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  );
  `,
  // Lists by state, plan, end user and error code; SQLite puts the rowid behind each, so a page comes in order.
  `
  DROP INDEX run_open;
  CREATE INDEX run_state ON run (state) WHERE state <> 4;
  CREATE INDEX run_plan ON run (plan);
  CREATE INDEX run_end_user ON run (end_user) WHERE end_user IS NOT NULL;
  CREATE INDEX run_code ON run (error ->> '$.code') WHERE error IS NOT NULL;
  `,
  // What waits for people, once under everything it can be found by: its audience, its end user, each label.
  `
  CREATE TABLE open_clarification (
    tag TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    run INTEGER NOT NULL,
    id TEXT NOT NULL,
    audience TEXT NOT NULL,
    PRIMARY KEY (tag, raised_at, run, id)
  ) WITHOUT ROWID;
  CREATE INDEX open_clarification_run ON open_clarification (run, id);
  `,
  // From when on a run can be driven on by itself, so that who looks for such runs reads no others.
  `
  ALTER TABLE run ADD COLUMN ready_at INTEGER GENERATED ALWAYS AS
    (max(coalesce(wake_at, CASE WHEN state IN (1, 3) THEN 0 END), coalesce(expires_at, 0))) VIRTUAL;
  DROP INDEX run_wake;
  CREATE INDEX run_ready ON run (ready_at) WHERE ready_at IS NOT NULL;
  CREATE INDEX run_owner ON run (owner) WHERE owner IS NOT NULL;
  `,
  // Runs from before there was a list of what waits: what waits in them is written down when the list is first asked for.
  `
  CREATE TABLE unlisted (run INTEGER PRIMARY KEY);
  INSERT INTO unlisted SELECT n FROM run WHERE state IN (1, 2, 3);
  `,
  // The plan a run goes by now, where that is another one than it was stored with: lists find it under that one.
  (connection) => {
    connection.exec(`
      ALTER TABLE run ADD COLUMN plan_now INTEGER;
      DROP INDEX run_plan;
      CREATE INDEX run_plan ON run (coalesce(plan_now, plan));
      INSERT OR IGNORE INTO unlisted SELECT DISTINCT key >> 32 FROM journal WHERE ${isSealedText('events')};
    `);
    const changes = `SELECT key >> 32 AS run, events FROM journal WHERE instr(events, '${planChange}') > 0 ORDER BY key`;
    for (const { run, events } of connection.all<{ run: number; events: string }>(changes))
      writePlanNow(connection, run, planInOld(events));
  },
];

/** What the plan is found by that a run goes by now, once the tables are up to date. */
export const planColumn = 'coalesce(run.plan_now, run.plan)';

/** Writes down the plan a run goes by now. */
export function writePlanNow(connection: Connection, run: number, planId: PlanUUID | undefined): void {
  const bytes = planId && idBytes(planId);
  if (bytes) connection.run('UPDATE run SET plan_now = (SELECT n FROM plan WHERE id = ?) WHERE n = ?', [bytes, run]);
}

/**
 * Brings the tables up to date; of several processes one does it.
 * @throws PortiaError `STORAGE_FAILED` when a newer release has been here.
 */
export function migrate(connection: Connection): void {
  if (version(connection) === steps.length) return;
  connection.transaction(() => {
    connection.exec('CREATE TABLE IF NOT EXISTS migration (step INTEGER PRIMARY KEY, at INTEGER NOT NULL)');
    const done = version(connection);
    if (done > steps.length) {
      throw new PortiaError({
        code: 'STORAGE_FAILED',
        message: `the SQLite database ${connection.path} is at version ${done}; this release knows versions up to ${steps.length}`,
        hint: 'use the release of portia-ts that wrote it, or a newer one',
      });
    }
    for (let step = done; step < steps.length; step += 1) {
      const work = steps[step] as (typeof steps)[number];
      if (typeof work === 'string') connection.exec(work);
      else work(connection);
      connection.run('INSERT INTO migration VALUES (?, ?)', [step + 1, Date.now()]);
    }
  });
}

function version(connection: Connection): number {
  const known = connection.get(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'`);
  if (!known) return 0;
  return connection.get<{ step: number | null }>('SELECT max(step) AS step FROM migration')?.step ?? 0;
}
