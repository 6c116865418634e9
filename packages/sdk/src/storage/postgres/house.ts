import { PlanRunUUID } from '../../core/ids.ts';
import type { NamedOutput } from '../house.ts';
import { openInStored } from '../open-clarifications.ts';
import { statusWithPlan } from '../plan-now.ts';
import { commandIdentity, frozenCopy, frozenHeader, frozenOutput, planMissing } from '../records.ts';
import type { StoredRun } from '../storage-backend.ts';
import { storedText } from '../stored-text.ts';
import { writingOpen } from './clarifications.ts';
import type { Database } from './database.ts';
import { digestOf, headerValues, labelDigests, statusValues, uuidOf } from './rows.ts';

/** Stores a run as it was elsewhere; `false` when its id or run key is taken. One statement. */
export async function importRun(database: Database, run: StoredRun, outputs: readonly NamedOutput[]): Promise<boolean> {
  const { schema } = database;
  const header = frozenHeader(run.header);
  const status = frozenCopy(statusWithPlan(run), 'the status');
  const values = [
    uuidOf(header.id),
    uuidOf(header.planId),
    header.createdAt,
    run.epoch ?? 0,
    ...statusValues(status),
    ...headerValues(header),
    labelDigests(header.labels),
    JSON.stringify(run.commits.map(({ seq, at, events }) => [seq, at, events])),
    JSON.stringify(run.commands.map((command) => [digestOf(commandIdentity(command)), JSON.stringify(command)])),
    JSON.stringify(
      outputs.map(({ name, output }) => [digestOf(name), storedText(name), JSON.stringify(frozenOutput(output))]),
    ),
    `${schema}:commands`,
    status.planId === undefined ? null : uuidOf(status.planId),
  ];
  const open = openInStored(run);
  const asked =
    open.length === 0
      ? ''
      : writingOpen(schema, open, (value) => `$${values.push(value as never)}`, {
          held: 'made',
          fresh: { endUser: '$11', labels: '$17' },
        });
  return database.patiently(async (again) => {
    const made = await database.once(
      `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended($21, 0))),
       made AS (
         INSERT INTO ${schema}.run (id, plan, created_at, epoch, state, updated_at, wake_at, error, code,
           end_user, end_user_digest, inputs, run_key, run_key_digest, labels, more, plan_now)
         SELECT $1, id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $22::uuid FROM turn CROSS JOIN ${schema}.plan
         WHERE id = $2 ON CONFLICT DO NOTHING RETURNING n, id),
       labels AS (INSERT INTO ${schema}.label (digest, run) SELECT DISTINCT digest, n FROM made CROSS JOIN unnest($17::uuid[]) digest),
       journal AS (INSERT INTO ${schema}.journal (run, seq, at, events)
         SELECT n, (item ->> 0)::integer, (item ->> 1)::bigint, item ->> 2 FROM made CROSS JOIN json_array_elements($18::json) item),
       commands AS (INSERT INTO ${schema}.command (run, identity, body)
         SELECT n, (item ->> 0)::uuid, item ->> 1 FROM made
         CROSS JOIN json_array_elements($19::json) WITH ORDINALITY list (item, place) ORDER BY place),
       outputs AS (INSERT INTO ${schema}.output (run, digest, name, body)
         SELECT id, (item ->> 0)::uuid, item ->> 1, item ->> 2 FROM made CROSS JOIN json_array_elements($20::json) item
         ON CONFLICT (run, digest) DO UPDATE SET body = excluded.body)${asked}
       SELECT n FROM made`,
      values,
    );
    if (made.length > 0) return true;
    const plan = await database.once(`SELECT 1 FROM ${schema}.plan WHERE id = $1`, [uuidOf(header.planId)]);
    if (plan.length === 0) throw planMissing(header.planId, `postgres:${database.name}`);
    // After an attempt nobody heard of, the run that has this id is this one.
    const own = again ? await database.once(`SELECT 1 FROM ${schema}.run WHERE id = $1`, [uuidOf(header.id)]) : [];
    return own.length > 0;
  });
}

/** Removes runs that are finished; gives how many. One statement, so that a run goes whole. */
export async function removeRuns(database: Database, ids: readonly PlanRunUUID[], before: number): Promise<number> {
  const { schema } = database;
  const [gone] = await database.rows<{ count: number }>(
    `WITH gone AS (
       DELETE FROM ${schema}.run WHERE id = ANY ($1::uuid[]) AND state >= 4 AND updated_at < $2
         AND (owner IS NULL OR expires_at < $2) RETURNING n, id),
     journal AS (DELETE FROM ${schema}.journal USING gone WHERE journal.run = gone.n),
     commands AS (DELETE FROM ${schema}.command USING gone WHERE command.run = gone.n),
     labels AS (DELETE FROM ${schema}.label USING gone WHERE label.run = gone.n),
     asked AS (DELETE FROM ${schema}.open_clarification USING gone WHERE open_clarification.run = gone.n),
     unlisted AS (DELETE FROM ${schema}.unlisted USING gone WHERE unlisted.run = gone.n),
     outputs AS (DELETE FROM ${schema}.output USING gone WHERE output.run = gone.id)
     SELECT count(*) AS count FROM gone`,
    [ids.filter((id) => PlanRunUUID.is(id)).map(uuidOf), before],
  );
  return gone?.count ?? 0;
}
