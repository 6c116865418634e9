import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { freshSchema, startPostgres, type TestPostgres } from '../../test/lib/postgres.ts';
import { Config, encryptedStorage, Input, PlanBuilderV2, Portia, type PlanRunUUID, type PlanUUID } from '../index.ts';
import { listEarlier, mostEarlier } from './earlier-clarifications.ts';
import { postgresStorage } from './postgres/index.ts';
import { sqliteStorage } from './sqlite/index.ts';
import type { StorageBackend } from './storage-backend.ts';

/** A store, and what takes it back to the tables of before there was a list of what waits. */
interface Kept {
  open(): Promise<StorageBackend>;
  takeBack(): Promise<void>;
}

let folder: string;
let server: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portia-earlier-'));
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool.end();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function inSqlite(name: string): Kept {
  const path = join(folder, `${name}.db`);
  return {
    open: () => sqliteStorage(path),
    async takeBack() {
      const { default: Database } = await import('libsql');
      const database = new Database(path);
      database.exec(
        `DROP INDEX run_plan; ALTER TABLE run DROP COLUMN plan_now; CREATE INDEX run_plan ON run (plan);
         DROP TABLE open_clarification; DROP TABLE unlisted; DROP INDEX run_ready; DROP INDEX run_owner;
         ALTER TABLE run DROP COLUMN ready_at; CREATE INDEX run_wake ON run (wake_at) WHERE wake_at IS NOT NULL;
         DELETE FROM migration WHERE step > 2`,
      );
      database.close();
    },
  };
}

function inPostgres(): Kept {
  const schema = freshSchema();
  return {
    open: () => postgresStorage({ pool, schema }),
    async takeBack() {
      await pool.query(
        `ALTER TABLE ${schema}.run DROP COLUMN plan_now; CREATE INDEX run_plan ON ${schema}.run (plan, n);
         DROP TABLE ${schema}.open_clarification, ${schema}.unlisted; DROP INDEX ${schema}.run_ready, ${schema}.run_owner;
         CREATE INDEX run_wake ON ${schema}.run (wake_at) WHERE wake_at IS NOT NULL;
         DELETE FROM ${schema}.migration WHERE step > 1`,
      );
    },
  };
}

const secretKey = Buffer.alloc(32, 7).toString('base64');
const sealed = (kept: Kept): Kept => ({
  ...kept,
  open: async () => encryptedStorage(await kept.open(), { secretKey }),
});

const plan = new PlanBuilderV2('pay')
  .input({ name: 'n', schema: z.number() })
  .userVerify({ stepName: 'ask', message: 'Pay?' })
  .functionStep({ stepName: 'pay', readOnly: true, args: { n: Input('n') }, function: ({ n }) => n })
  .build();
const changed = new PlanBuilderV2('pay')
  .input({ name: 'n', schema: z.number() })
  .userVerify({ stepName: 'ask', message: 'Pay?' })
  .functionStep({ stepName: 'pay', readOnly: true, args: { n: Input('n') }, function: ({ n }) => n, version: '2' })
  .build();
const clientOf = (storage: StorageBackend, plans = [plan]): Portia =>
  new Portia({ config: new Config({ storage, models: {} }), plans });

async function waiting(portia: Portia, n: number): Promise<PlanRunUUID> {
  const run = await portia.runPlan(plan, { planRunInputs: { n }, labels: { n: String(n) }, endUser: `user ${n}` });
  expect(run.state).toBe('NEED_CLARIFICATION');
  return run.id;
}

describe.each([
  ['SQLite', () => inSqlite('plain')],
  ['SQLite, encrypted', () => sealed(inSqlite('sealed'))],
  ['PostgreSQL', () => inPostgres()],
  ['PostgreSQL, encrypted', () => sealed(inPostgres())],
] as const)('what waited in %s before there was a list of it', (_, make) => {
  it('is found by everything it can be found by, and is gone once it is answered', async () => {
    const kept = make();
    const before = clientOf(await kept.open());
    const [first, second, third] = [await waiting(before, 1), await waiting(before, 2), await waiting(before, 3)];
    await before.close();
    await kept.takeBack();

    const portia = clientOf(await kept.open());
    const found = async (query: Parameters<typeof portia.storage.listClarifications>[0]): Promise<string[]> =>
      (await portia.storage.listClarifications(query)).items.map(({ planRunId }) => planRunId);
    const [question] = (await portia.storage.getPlanRun(second)).outputs.clarifications;
    if (!question) throw new Error('nothing was asked');
    // Taken up, answered and ended before anybody looked at the list.
    await portia.resolveClarification({ planRunId: second, clarificationId: question.id, response: true });
    expect((await portia.resume({ planRunId: second })).state).toBe('COMPLETE');
    expect(await found({})).toEqual([first, third]);
    expect(await found({ labels: { n: '3' } })).toEqual([third]);
    expect(await found({ endUserId: 'user 1' })).toEqual([first]);
    expect(await found({ audiences: ['operator'] })).toEqual([]);
    expect(await found({ audiences: ['endUser'] })).toEqual([first, third]);

    await portia.cancel({ planRunId: first });
    expect(await found({})).toEqual([third]);
    await portia.close();
  });
});

describe.each([
  ['SQLite', () => inSqlite('plan')],
  ['SQLite, encrypted', () => sealed(inSqlite('sealed plan'))],
  ['PostgreSQL', () => inPostgres()],
  ['PostgreSQL, encrypted', () => sealed(inPostgres())],
] as const)('a run in %s that got another plan before stores wrote that down', (_, make) => {
  it('is found under the plan it goes by now, ended ones included', async () => {
    const kept = make();
    const before = clientOf(await kept.open());
    const ids = [await waiting(before, 1), await waiting(before, 2), await waiting(before, 3)] as const;
    await before.close();
    const between = clientOf(await kept.open(), [changed]);
    for (const id of ids.slice(1)) await between.resume({ planRunId: id, acceptPlanChange: true });
    const [question] = (await between.storage.getPlanRun(ids[2])).getOutstandingClarifications();
    await between.resolveClarification({ planRunId: ids[2], clarificationId: question?.id as never, response: true });
    expect((await between.resume({ planRunId: ids[2] })).state).toBe('COMPLETE');
    await between.close();
    await kept.takeBack();

    const portia = clientOf(await kept.open(), [plan, changed]);
    const under = async (planId: PlanUUID): Promise<string[]> =>
      (await portia.storage.listRuns({ planId, order: 'oldest' })).items.map(({ header }) => header.id);
    expect(changed.id).not.toBe(plan.id);
    expect(await under(changed.id)).toEqual([ids[1], ids[2]]);
    expect(await under(plan.id)).toEqual([ids[0]]);
    await portia.close();
  });
});

it('what cannot be read, or changes meanwhile, keeps nobody from the others, however many there are', async () => {
  const written: number[] = [];
  const all = Array.from({ length: mostEarlier + 5 }, (_, at) => ({ n: at + 1, id: `prun-${at + 1}` as PlanRunUUID }));
  const isDone = await listEarlier(
    {
      next: (after) => all.filter(({ n }) => n > after).slice(0, mostEarlier),
      load: (id) => ({ header: { id }, commits: [], commands: [] }) as never,
      write: ({ header }) => written.push(Number(header.id.slice(5))) > 0 && header.id !== 'prun-9',
    },
    ({ header }) => {
      if (header.id === 'prun-3') throw new Error('sealed with another key');
      return { header, commits: [], status: { state: 'IN_PROGRESS' } } as never;
    },
  );
  expect(isDone).toBe(false);
  expect(written).toEqual(all.map(({ n }) => n).filter((n) => n !== 3));
});
