import { PortiaError } from '../../core/errors.ts';
import { isSealedText, planChange, planInOld } from '../plan-now.ts';
import type { Ask, Database } from './database.ts';

/** Which runs can be driven on by themselves, now or later: begun and answered ones, and those with a time to wake. */
export const mayBeReady: string = '(wake_at IS NOT NULL OR state IN (1, 3))';
/** From when on they can; part of an index, and so of the schema. */
export const readyAt: string = 'GREATEST(COALESCE(wake_at, 0), COALESCE(expires_at, 0))';

/**
 * The tables, by numbered steps; a step never changes once released. `$s` is the schema. JSON is kept as text: what is
 * stored is given back to the letter. Names of any length and content are found by a digest of 128 bits.
 */
const steps: readonly (string | ((ask: Ask, schema: string) => Promise<void>))[] = [
  `
  CREATE TABLE $s.plan (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    hash text NOT NULL,
    query text NOT NULL,
    query_digest uuid NOT NULL,
    document text NOT NULL,
    beside text,
    created_at bigint NOT NULL
  );
  CREATE INDEX plan_query ON $s.plan (query_digest, n);

  -- end_user, end_user_digest: NULL for the default one. more: what else the header holds. state: its place in the list
  -- of states; below 4 a run is not finished. code: of the error.
  CREATE TABLE $s.run (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    plan uuid NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    state smallint NOT NULL,
    epoch integer NOT NULL,
    owner text,
    expires_at bigint,
    wake_at bigint,
    error text,
    code text,
    end_user text,
    end_user_digest uuid,
    inputs text,
    run_key text,
    run_key_digest uuid,
    labels text,
    more text
  ) WITH (fillfactor = 80);
  CREATE UNIQUE INDEX run_run_key ON $s.run (run_key_digest) WHERE run_key_digest IS NOT NULL;
  CREATE INDEX run_state ON $s.run (state, n);
  CREATE INDEX run_plan ON $s.run (plan, n);
  CREATE INDEX run_end_user ON $s.run (end_user_digest, n);
  CREATE INDEX run_wake ON $s.run (wake_at) WHERE wake_at IS NOT NULL;
  CREATE INDEX run_code ON $s.run (code, n) WHERE code IS NOT NULL;

  CREATE TABLE $s.label (
    digest uuid NOT NULL,
    run bigint NOT NULL,
    PRIMARY KEY (digest, run)
  );
  CREATE INDEX label_run ON $s.label (run);

  CREATE TABLE $s.journal (
    run bigint NOT NULL,
    seq integer NOT NULL,
    at bigint NOT NULL,
    events text NOT NULL,
    PRIMARY KEY (run, seq)
  );

  CREATE TABLE $s.command (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL,
    identity uuid NOT NULL,
    body text NOT NULL,
    UNIQUE (run, identity)
  );

  CREATE TABLE $s.output (
    run uuid NOT NULL,
    digest uuid NOT NULL,
    name text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (run, digest)
  );

  CREATE TABLE $s.end_user (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest uuid NOT NULL UNIQUE,
    external_id text NOT NULL,
    body text NOT NULL
  );
  `,
  // What waits for people, once under everything it can be found by: its audience, its end user, each label.
  `
  CREATE TABLE $s.open_clarification (
    tag uuid NOT NULL,
    raised_at bigint NOT NULL,
    run bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    audience text NOT NULL,
    PRIMARY KEY (tag, raised_at, run, id)
  );
  CREATE INDEX open_clarification_run ON $s.open_clarification (run);
  `,
  // From when on a run can be driven on by itself, so that who looks for such runs reads no others.
  `
  DROP INDEX $s.run_wake;
  CREATE INDEX run_ready ON $s.run ((${readyAt}), n) WHERE ${mayBeReady};
  CREATE INDEX run_owner ON $s.run (owner COLLATE "C") WHERE owner IS NOT NULL;
  `,
  // Runs from before there was a list of what waits: what waits in them is written down when the list is first asked for.
  `
  CREATE TABLE $s.unlisted (run bigint PRIMARY KEY);
  INSERT INTO $s.unlisted SELECT n FROM $s.run WHERE state IN (1, 2, 3);
  `,
  // The plan a run goes by now, where that is another one than it was stored with: lists find it under that one.
  `
  ALTER TABLE $s.run ADD COLUMN plan_now uuid;
  DROP INDEX $s.run_plan;
  CREATE INDEX run_plan ON $s.run ((COALESCE(plan_now, plan)), n);
  INSERT INTO $s.unlisted SELECT DISTINCT run FROM $s.journal WHERE ${isSealedText('events')} ON CONFLICT DO NOTHING;
  `,
  async (ask, schema) => {
    const changes = await ask<{ run: number; events: string }>(
      `SELECT run, events FROM ${schema}.journal WHERE strpos(events, '${planChange}') > 0 ORDER BY run, seq`,
    );
    for (const { run, events } of changes) {
      const planId = planInOld(events);
      if (planId !== undefined)
        await ask(`UPDATE ${schema}.run SET plan_now = $1 WHERE n = $2`, [planId.slice(5), run]);
    }
  },
];

/**
 * Brings the tables up to date; of several processes that start at once one does it, and the others wait.
 * @throws PortiaError `STORAGE_FAILED` when a newer release has been here.
 */
export async function migrate(database: Database, schema: string): Promise<void> {
  if ((await version(database, (text, values) => database.rows(text, values))) === steps.length) return;
  await database.transaction(async (ask) => {
    await ask('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`portia-ts:migrate:${schema}`]);
    await makeSchema(ask, database, schema);
    const done = await version(database, ask);
    for (let step = done; step < steps.length; step += 1) {
      if (step === 0)
        await ask(`CREATE TABLE ${database.schema}.migration (step integer PRIMARY KEY, at bigint NOT NULL)`);
      const work = steps[step] as (typeof steps)[number];
      if (typeof work === 'string') await statements(ask, work, database.schema);
      else await work(ask, database.schema);
      await ask(`INSERT INTO ${database.schema}.migration VALUES ($1, $2)`, [step + 1, Date.now()]);
    }
  });
}

/** Makes the schema when it is missing, within a transaction: runs and secrets may be opened in it at once. */
export async function makeSchema(ask: Ask, database: Database, schema: string): Promise<void> {
  await ask('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`portia-ts:schema:${schema}`]);
  // To make a schema that exists needs a right that its user need not have.
  const known = await ask('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  if (known.length === 0) await ask(`CREATE SCHEMA ${database.schema}`);
}

async function statements(ask: Ask, text: string, schema: string): Promise<void> {
  // With parameters given, PostgreSQL takes one statement at a time.
  for (const statement of text.replaceAll('$s', schema).split(/;\s*\n/)) {
    if (statement.trim() !== '') await ask(statement);
  }
}

async function version(database: Database, ask: Ask): Promise<number> {
  const [table] = await ask<{ found: string | null }>('SELECT to_regclass($1)::text AS found', [
    `${database.schema}.migration`,
  ]);
  if (!table?.found) return 0;
  const [row] = await ask<{ step: number | null }>(`SELECT max(step) AS step FROM ${database.schema}.migration`);
  const done = row?.step ?? 0;
  if (done > steps.length) {
    throw new PortiaError({
      code: 'STORAGE_FAILED',
      message: `the PostgreSQL database ${database.name} is at version ${done}; this release knows versions up to ${steps.length}`,
      hint: 'use the release of portia-ts that wrote it, or a newer one',
    });
  }
  return done;
}
