import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { PlanRunUUID } from '../../core/ids.ts';
import {
  codeOf,
  firstCommit,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  storedRun,
} from '../../testing/storage-contract/samples.ts';
import { testStorageBackend } from '../../testing/storage-contract.ts';
import type { RunQuery } from '../storage-backend.ts';
import { openConnection } from './connection.ts';
import { sqliteStorage } from './index.ts';
import { SqliteStorage } from './sqlite-storage.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'portia-sqlite-'));

testStorageBackend(
  {
    name: 'sqlite',
    persistent: true,
    async open() {
      const dir = folder();
      const path = join(dir, 'made', 'portia.db');
      return {
        storage: await sqliteStorage(path),
        reopen: () => sqliteStorage(path),
        close: () => rmSync(dir, { recursive: true, force: true }),
      };
    },
  },
  { describe, it, expect },
);

testStorageBackend(
  {
    name: 'sqlite in memory',
    open: async () => ({ storage: await sqliteStorage(':memory:', { durability: 'full' }), close: () => {} }),
  },
  { describe, it, expect },
);

describe('a page of the runs that are asked for', () => {
  const questions: readonly (readonly [string, RunQuery])[] = [
    ['a state', { states: ['FAILED'] }],
    ['a code', { codes: ['TOOL_FAILED'] }],
    ['a plan', { planId: samplePlan().id }],
    ['an end user', { endUserId: 'ada' }],
    ['a label', { labels: { batch: 'nightly' } }],
    ['a plan, a label and a state', { planId: samplePlan().id, labels: { batch: 'nightly' }, states: ['FAILED'] }],
    ['a time at which they are ready', { readyAt: 7 }],
  ];
  const pages = questions.flatMap(([what, query]) => [
    [what, query] as const,
    [`${what}, oldest first`, { ...query, order: 'oldest' }] as const,
    [`${what}, a later page`, { ...query, cursor: query.readyAt === undefined ? '7' : 'ready.0.0' }] as const,
  ]);
  it.each(pages)('by %s is read from an index, in its order', async (_what, query) => {
    const connection = await openConnection(':memory:', 'normal');
    const storage = new SqliteStorage(connection);
    const all = vi.spyOn(connection, 'all');
    await storage.listRuns(query);
    const [text, values] = all.mock.lastCall ?? [''];
    const steps = connection.all<{ readonly detail: string }>(`EXPLAIN QUERY PLAN ${text}`, values);
    expect(steps[0]?.detail).toMatch(/^SEARCH (run|label) USING (COVERING INDEX|INDEX|PRIMARY KEY)/);
    for (const { detail } of steps) expect(detail).not.toMatch(/^SCAN|TEMP B-TREE/);
    await storage.close();
  });
});

async function withFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = folder();
  try {
    await test(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function raw(path: string, work: (exec: (sql: string) => void) => void): Promise<void> {
  const { default: Database } = await import('libsql');
  const database = new Database(path);
  work((sql) => void database.exec(sql));
  database.close();
}

describe('a SQLite file', () => {
  it('is refused when a newer release wrote it, and left as it was', () =>
    withFolder(async (dir) => {
      const path = join(dir, 'portia.db');
      await (await sqliteStorage(path)).close();
      await raw(path, (exec) => exec('INSERT INTO migration VALUES (99, 0)'));
      const refused = await sqliteStorage(path).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining('version 99') as unknown,
      });
    }));

  it('finds what is ready, and what a host drives, by an index', () =>
    withFolder(async (dir) => {
      const path = join(dir, 'portia.db');
      const storage = await sqliteStorage(path);
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, { state: 'IN_PROGRESS', updatedAt: 1 }, true);
      // A statement that names an index works only with it: without it, SQLite refuses to prepare it.
      expect((await storage.listRuns({ readyAt: 5, cursor: 'ready.0.0' })).items.length).toBe(1);
      await raw(path, (exec) => exec('DROP INDEX run_ready'));
      expect(await codeOf(async () => storage.listRuns({ readyAt: 5 }))).toBe('STORAGE_FAILED');
      expect((await storage.listRuns({ drivenFrom: 'host' })).items.length).toBe(0);
      await raw(path, (exec) => exec('DROP INDEX run_owner'));
      expect(await codeOf(async () => storage.listRuns({ drivenFrom: 'host' }))).toBe('STORAGE_FAILED');
      await storage.close();
    }));

  it('is reported as damaged when it is something else', () =>
    withFolder(async (dir) => {
      const path = join(dir, 'portia.db');
      writeFileSync(path, 'this is no database, only text that is long enough to be looked at '.repeat(50));
      expect(await codeOf(() => sqliteStorage(path))).toBe('STORAGE_CORRUPT');
    }));

  it('says what to do when it cannot be opened or was closed', () =>
    withFolder(async (dir) => {
      expect(await codeOf(() => sqliteStorage(dir))).toBe('STORAGE_FAILED');
      const storage = await sqliteStorage(join(dir, 'portia.db'));
      const { id } = await storedRun(storage);
      await storage.close();
      await storage.close();
      expect(await codeOf(() => storage.append(id, 1, firstCommit))).toBe('STORAGE_FAILED');
      expect(await codeOf(() => storage.loadRun(id))).toBe('STORAGE_FAILED');
    }));

  it('is for its owner alone to read when it is made here, its log too; one that is there keeps its rights', () =>
    withFolder(async (dir) => {
      const rights = (name: string) => statSync(join(dir, name)).mode & 0o777;
      const storage = await sqliteStorage(join(dir, 'portia.db'));
      await storedRun(storage);
      expect(['portia.db', 'portia.db-wal', 'portia.db-shm'].map(rights)).toEqual([0o600, 0o600, 0o600]);
      await storage.close();
      chmodSync(join(dir, 'portia.db'), 0o640);
      await (await sqliteStorage(join(dir, 'portia.db'))).close();
      expect(rights('portia.db')).toBe(0o640);
    }));

  it('holds everything in the one file once it is closed', () =>
    withFolder(async (dir) => {
      const path = join(dir, 'portia.db');
      const storage = await sqliteStorage(path);
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit);
      await storage.close();
      rmSync(`${path}-wal`, { force: true });
      rmSync(`${path}-shm`, { force: true });
      const again = await sqliteStorage(path);
      expect((await again.loadRun(id))?.commits).toEqual([firstCommit]);
      await again.close();
    }));

  it('says which package to install when the driver is missing', async () => {
    vi.doMock('libsql', () => {
      throw new Error('Cannot find package libsql');
    });
    const missing = await sqliteStorage(':memory:').catch((error: unknown) => error);
    vi.doUnmock('libsql');
    expect(missing).toMatchObject({ code: 'PACKAGE_MISSING', hint: 'npm i libsql' });
  });

  it('can be opened by many at once while it is still being made', () =>
    withFolder(async (dir) => {
      const path = join(dir, 'portia.db');
      const opened = await Promise.all(Array.from({ length: 6 }, () => sqliteStorage(path)));
      const plan = samplePlan();
      for (const storage of opened) await storage.savePlan(plan);
      expect((await opened[0]?.listPlans({}))?.items.length).toBe(1);
      for (const storage of opened) await storage.close();
    }));

  it('keeps the commit out when the status that goes with it cannot be written', () =>
    withFolder(async (dir) => {
      const path = join(dir, 'portia.db');
      const storage = await sqliteStorage(path);
      const { id } = await storedRun(storage);
      await raw(path, (exec) =>
        exec(`CREATE TRIGGER refuse BEFORE UPDATE OF state ON run BEGIN SELECT RAISE(ABORT, 'refused'); END`),
      );
      const status = { state: 'COMPLETE' as const, updatedAt: 1 };
      expect(await codeOf(() => storage.append(id, 1, firstCommit, status))).toBe('STORAGE_FAILED');
      expect((await storage.loadRun(id))?.commits).toEqual([]);
      expect(await storage.append(id, 1, firstCommit)).toBe(true);
      await storage.close();
    }));

  it('takes at most 120 bytes for a step and 400 for a run that waits', () =>
    withFolder(async (dir) => {
      const { statSync } = await import('node:fs');
      const path = join(dir, 'portia.db');
      const measure = async (runs: number, steps: number): Promise<number> => {
        const storage = await sqliteStorage(path);
        const plan = samplePlan();
        await storage.savePlan(plan);
        for (let run = 0; run < runs; run += 1) {
          const id = PlanRunUUID.random();
          await storage.createRun(sampleHeader(plan.id, { id }), sampleClaim());
          for (let seq = 1; seq <= steps; seq += 1) await storage.append(id, 1, stepCommit(seq));
          await storage.releaseRun(id, 1);
        }
        await storage.close();
        return statSync(path).size;
      };
      const empty = await measure(0, 0);
      const short = await measure(400, 3);
      expect((short - empty) / 400).toBeLessThan(400);
      const long = await measure(4, 1000);
      expect((long - short) / 4000).toBeLessThan(120);
    }));
});
