import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../../../test/lib/command-line.ts';
import { freshSchema, startPostgres, type TestPostgres } from '../../../test/lib/postgres.ts';
import { fromCommit, toCommit } from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import {
  codeOf,
  firstCommit,
  now,
  sampleAnswer,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  storedRun,
  working,
} from '../../testing/storage-contract/samples.ts';
import { testStorageBackend } from '../../testing/storage-contract.ts';
import type { RunQuery, StorageBackend } from '../storage-backend.ts';
import type { PgPool, PgQuery } from './database.ts';
import { type PostgresOptions, postgresStorage } from './index.ts';

let server: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  server = await startPostgres({ own: true });
  pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});

testStorageBackend(
  {
    name: 'postgres',
    persistent: true,
    open: async () => {
      const schema = freshSchema();
      const open = (): Promise<StorageBackend> => postgresStorage({ pool, schema });
      return {
        storage: await open(),
        reopen: open,
        close: async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`)),
      };
    },
  },
  { describe, it, expect },
);

/** A store in a schema of its own. */
async function opened(options: PostgresOptions = {}): Promise<StorageBackend & { readonly schema: string }> {
  const schema = options.schema ?? freshSchema();
  const storage = await postgresStorage({ url: server.url, ...options, schema });
  return Object.assign(storage, { schema });
}

describe('postgres storage', () => {
  it('is made once by many that open it at once', async () => {
    const schema = freshSchema();
    const handles = await Promise.all(Array.from({ length: 8 }, () => postgresStorage({ pool, schema })));
    const { rows } = await pool.query<{ step: number }>(`SELECT step FROM ${schema}.migration ORDER BY step`);
    expect(rows.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    const { id } = await storedRun(handles[0] as StorageBackend);
    expect((await handles[7]?.loadRun(id))?.header.id).toBe(id);
  });

  it('keeps the schemas of a shared pool apart, and leaves the pool open', async () => {
    const [acme, other] = [freshSchema(), freshSchema()];
    const first = await postgresStorage({ pool, schema: acme });
    const second = await postgresStorage({ pool, schema: other });
    const { id } = await storedRun(first, { runKey: 'order-17' });
    expect(await second.loadRun(id)).toBe(undefined);
    expect((await second.listRuns({})).items).toEqual([]);
    await storedRun(second, { runKey: 'order-17' });
    await first.close();
    expect(await codeOf(async () => first.loadRun(id))).toBe('STORAGE_FAILED');
    expect((await second.listRuns({})).items.length).toBe(1);
  });

  it('finds what is ready, and what a host drives, in an index, among many runs that wait', async () => {
    const schema = freshSchema();
    const asked: PgQuery[] = [];
    const query: PgPool['query'] = (one) => {
      asked.push(one);
      return pool.query(one);
    };
    const storage = await postgresStorage({
      schema,
      pool: { query, connect: () => pool.connect(), end: async () => {} },
    });
    const { id, driver } = await storedRun(storage);
    await pool.query(
      `INSERT INTO ${schema}.run (id, plan, created_at, updated_at, state, epoch, wake_at)
       SELECT gen_random_uuid(), plan, 0, 0, 3, 1, 9000000000000000 FROM ${schema}.run, generate_series(1, 5000);
       ANALYZE ${schema}.run`,
    );
    await storage.append(id, 1, firstCommit, working);
    const later = driver.expiresAt;
    const questions: readonly (readonly [RunQuery, string])[] = [
      [{ readyAt: later, limit: 10 }, 'run_ready'],
      [{ readyAt: later, limit: 10, cursor: 'ready.0.0' }, 'run_ready'],
      [{ drivenFrom: 'host/', limit: 10 }, 'run_owner'],
    ];
    for (const [question, index] of questions) {
      asked.length = 0;
      const { items } = await storage.listRuns(question);
      expect(items.map(({ header }) => header.id)).toEqual([id]);
      const { text, values } = asked.at(-1) as PgQuery;
      const { rows } = await pool.query({ text: `EXPLAIN ANALYZE ${text}`, values: [...(values ?? [])] });
      const plan = rows.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n');
      expect(plan).toContain(index);
      expect(plan).not.toMatch(/Seq Scan on run|Rows Removed by Filter: \d{3,}/);
    }
    await storage.close();
  });

  it('is looked at by doctor and made by none of that', async () => {
    const schema = freshSchema();
    const url = `${server.url}?schema=${schema}`;
    const store = async (): Promise<unknown> => {
      const { checks } = JSON.parse((await cli('doctor', '--json', '--no-env', '--storage', url)).out);
      return checks.find(({ name }: { name: string }) => name === 'store');
    };
    expect(await store()).toMatchObject({ state: 'off', says: expect.stringContaining('none yet') });
    const { rows } = await pool.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    expect(rows).toEqual([]);
    await (await postgresStorage(url)).close();
    expect(await store()).toMatchObject({ state: 'ok' });
  });

  it('takes the schema from the address, too, and works for a user who may make none', async () => {
    const schema = freshSchema();
    await pool.query(`CREATE ROLE plain LOGIN PASSWORD 'p%40ss'; CREATE SCHEMA ${schema} AUTHORIZATION plain`);
    const url = new URL(server.url);
    url.username = 'plain';
    url.password = encodeURIComponent('p%40ss');
    const storage = await postgresStorage(`${url.href}?schema=${schema}`);
    await storedRun(storage);
    expect(storage.name).toBe(`postgres:${url.host}/postgres, schema ${schema}`);
    await storage.close();
    expect(await codeOf(() => postgresStorage({ url: url.href, schema: freshSchema() }))).toBe('STORAGE_FAILED');
  });

  it('refuses what a newer release wrote', async () => {
    const storage = await opened();
    await storage.close();
    await pool.query(`INSERT INTO ${storage.schema}.migration VALUES (999, 0)`);
    await expect(postgresStorage({ pool, schema: storage.schema })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('999'),
    });
  });

  it('says what is wrong with an address, and never shows the password', async () => {
    const wrong = new URL(server.url);
    wrong.password = 'hunter2';
    const refusals = await Promise.all(
      [
        { url: wrong.href },
        { url: 'postgres://ada:hunter2@127.0.0.1:1/x', patienceMs: 0 },
        { url: `${server.url}-no-such-database?application_name=hunter2` },
        { url: 'mysql://ada:hunter2@localhost/x' },
        { url: server.url, schema: 'a"; DROP' },
      ].map((options) => postgresStorage(options).catch((error: unknown) => error)),
    );
    expect(refusals).toMatchObject([
      { code: 'STORAGE_FAILED', hint: expect.stringContaining('password') },
      { code: 'STORAGE_FAILED', hint: expect.stringContaining('server runs') },
      { code: 'STORAGE_FAILED', hint: expect.stringContaining('create the database') },
      { code: 'CONFIG_INVALID', hint: expect.stringContaining('postgres://') },
      { code: 'CONFIG_INVALID' },
    ]);
    expect(inspect(refusals, { depth: 20, showHidden: true })).not.toContain('hunter2');
  });

  it('tells other handles at once of commands and of changes of the state, and itself once', async () => {
    const storage = await opened();
    const other = await opened({ schema: storage.schema });
    const heard: string[] = [];
    const own: string[] = [];
    other.watch((id, what) => heard.push(`${what} ${id}`));
    storage.watch((id, what) => own.push(`${what} ${id}`));
    const { id } = await storedRun(storage);
    await storage.append(id, 1, firstCommit);
    // Until the ear is open nothing is heard; what is said again and again then is.
    for (let seq = 2; heard.length === 0 && seq < 200; seq += 1) {
      await storage.append(id, 1, stepCommit(seq), { ...working, updatedAt: seq });
      await sleep(25);
    }
    heard.length = own.length = 0;
    await storage.putCommand(id, sampleAnswer());
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual([`command ${id}`]);
    expect(own).toEqual([`command ${id}`]);
    await storage.close();
    await other.close();
  });
});

describe('postgres storage while the database goes away and comes back', { timeout: 60_000 }, () => {
  it('goes on where it was: every commit is there, once and in order', async () => {
    const storage = await opened();
    const { id } = await storedRun(storage);
    let stop = false;
    const writing = (async (): Promise<number> => {
      let seq = 1;
      for (; !stop; seq += 1) {
        const status = seq % 5 === 0 ? { ...working, updatedAt: seq } : undefined;
        expect(await storage.append(id, 1, stepCommit(seq), status)).toBe(true);
      }
      return seq - 1;
    })();
    for (let restarts = 0; restarts < 3; restarts += 1) {
      await sleep(60);
      await server.restart();
    }
    await sleep(60);
    stop = true;
    const written = await writing;
    const commits = (await storage.loadRun(id))?.commits ?? [];
    expect(commits).toEqual(Array.from({ length: written }, (_, index) => stepCommit(index + 1)));
    await storage.close();
  });

  it('hears other processes again after it', async () => {
    const storage = await opened();
    const other = await opened({ schema: storage.schema });
    const heard = new Set<string>();
    other.watch((id) => heard.add(id));
    await server.restart();
    const { id } = await storedRun(storage);
    for (let key = 0; !heard.has(id) && key < 400; key += 1) {
      await storage.putCommand(id, { type: 'cancel', key: `cancel.${key}`, at: now, by: null, reason: null });
      await sleep(25);
    }
    expect(heard.has(id)).toBe(true);
    await storage.close();
    await other.close();
  });

  it('says that it failed when the patience is over, and what to do', async () => {
    const storage = await opened({ pool: unsure(() => 'before'), patienceMs: 200, schema: freshSchema() }).catch(
      (error: unknown) => error,
    );
    expect(storage).toMatchObject({ code: 'STORAGE_FAILED', hint: expect.stringContaining('tried again') });
  });
});

/** A pool that loses the connection, before or after what it was asked is done. */
function unsure(fate: (text: string) => 'before' | 'after' | undefined): PgPool {
  const lost = (): Error => new Error('Connection terminated unexpectedly');
  const query: PgPool['query'] = async (asked) => {
    const when = fate(asked.text);
    if (when === 'before') throw lost();
    const result = await pool.query(asked);
    if (when === 'after') throw lost();
    return result;
  };
  return { query, connect: () => pool.connect(), end: async () => {} };
}

describe('what nobody heard the end of', () => {
  /** A store that loses the answer to the next write. */
  async function deaf(patienceMs: number): Promise<{ storage: StorageBackend; lose: () => void }> {
    let losing = false;
    const storage = await postgresStorage({
      schema: freshSchema(),
      patienceMs,
      pool: unsure((text) => {
        if (!losing || !/INSERT|UPDATE/.test(text)) return undefined;
        losing = false;
        return 'after';
      }),
    });
    return { storage, lose: () => (losing = true) };
  }

  it('is done once: a run, a claim, a commit, the last commit, a command', async () => {
    const { storage, lose } = await deaf(5_000);
    const plan = samplePlan();
    lose();
    await storage.savePlan(plan);
    const header = sampleHeader(plan.id, { runKey: 'order-17', labels: { a: 'b' } });
    lose();
    const made = await storage.createRun(header);
    expect([made.created, made.header]).toEqual([true, header]);
    lose();
    const { claimed, driver } = await storage.claimRun(header.id, sampleClaim({ owner: 'me/1/a' }));
    expect([claimed, driver.epoch]).toEqual([true, 1]);
    lose();
    expect(await storage.append(header.id, 1, firstCommit, working)).toBe(true);
    const answer = sampleAnswer();
    lose();
    expect(await storage.putCommand(header.id, answer)).toEqual(answer);
    lose();
    expect(await storage.append(header.id, 1, stepCommit(2), { state: 'COMPLETE', updatedAt: 9 }, true)).toBe(true);
    expect(await storage.loadRun(header.id)).toEqual({
      header,
      status: { state: 'COMPLETE', updatedAt: 9 },
      driver: undefined,
      epoch: 1,
      commits: [firstCommit, stepCommit(2)],
      commands: [answer],
    });
  });

  it('stays as it was when the driver writes it again together with what happened since', async () => {
    const { storage, lose } = await deaf(0);
    const { id } = await storedRun(storage);
    lose();
    expect(await codeOf(async () => storage.append(id, 1, firstCommit, working))).toBe('STORAGE_FAILED');
    const bodies = [firstCommit, stepCommit(2)].flatMap(fromCommit).map(({ v, seq, at, ...body }) => body as never);
    expect(await storage.append(id, 1, toCommit(1, now, bodies), working)).toBe(true);
    expect(await storage.append(id, 1, stepCommit(3))).toBe(true);
    const commits = (await storage.loadRun(id))?.commits ?? [];
    expect(commits).toEqual([firstCommit, { ...stepCommit(2), at: now }, stepCommit(3)]);
  });

  it('is refused when another driver came in between', async () => {
    const { storage, lose } = await deaf(0);
    const { id } = await storedRun(storage);
    await storage.append(id, 1, firstCommit, working);
    lose();
    expect(await codeOf(async () => storage.append(id, 1, stepCommit(2)))).toBe('STORAGE_FAILED');
    await storage.claimRun(id, sampleClaim({ isAlive: () => false }));
    const seen = (await storage.loadRun(id as PlanRunUUID))?.commits;
    expect(seen).toEqual([firstCommit, stepCommit(2)]);
    expect(await storage.append(id, 1, stepCommit(3))).toBe(false);
  });
});
