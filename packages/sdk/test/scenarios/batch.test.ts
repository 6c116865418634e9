import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchCounts } from '../../src/run/run-many.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import type { RunSummary, StorageBackend } from '../../src/storage/storage-backend.ts';
import { startCommand } from '../lib/command-process.ts';
import { transpileScenarios } from '../lib/scenario-processes.ts';

const size = 5_000;
/** Items 7, 107, 207 and so on fail at first. */
const failing = size / 100;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-batch-'));
  transpileScenarios(folder);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function everyRun(storage: StorageBackend): Promise<RunSummary[]> {
  const all: RunSummary[] = [];
  let cursor: string | undefined;
  do {
    const page = await storage.listRuns({
      labels: { batch: 'nightly' },
      limit: 1000,
      ...(cursor !== undefined && { cursor }),
    });
    all.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

it('a batch of 5,000 that is killed half-way and started again gives every item exactly one run', {
  timeout: 120_000,
}, async () => {
  const path = join(folder, 'store.db');
  const start = (side: 'bad' | 'good'): ReturnType<typeof startCommand> =>
    startCommand(
      [process.execPath, '--expose-gc', join(folder, 'test/lib/batch-process.js'), path, side, String(size)],
      { cwd: folder },
    );
  const first = start('bad');
  await first.written(/done 2500/);
  first.child.kill('SIGKILL');
  expect((await first.ended).signal).toBe('SIGKILL');
  const storage = await sqliteStorage(path);
  const half = await everyRun(storage);
  expect(half.length).toBeGreaterThanOrEqual(2_500);
  expect(half.length).toBeLessThan(size);
  const finished = new Map(
    half.filter(({ status }) => status.state === 'COMPLETE').map((run) => [run.header.runKey, run]),
  );

  const second = await start('bad').ended;
  expect(second.stderr).toBe('');
  const { counts, memory } = JSON.parse(second.stdout.trim().split('\n').at(-1) ?? '') as {
    counts: BatchCounts;
    memory: number[];
  };
  expect(counts).toEqual({
    complete: size - failing,
    failed: failing,
    waiting: 0,
    unfinished: 0,
    refused: 0,
    total: size,
  });
  const runs = await everyRun(storage);
  expect(runs).toHaveLength(size);
  expect(new Set(runs.map(({ header }) => header.runKey)).size).toBe(size);
  // What was finished before the kill is the same run, untouched.
  const kept = runs.filter(({ header }) => finished.has(header.runKey));
  expect(kept).toHaveLength(finished.size);
  for (const run of kept) expect(run).toEqual(finished.get(run.header.runKey));

  // A thousand bytes kept of every run would be more than this.
  const quarter = Math.floor(memory.length / 4);
  expect(memory).toHaveLength(size / 250);
  const growth = median(memory.slice(-quarter)) - median(memory.slice(0, quarter));
  expect(growth).toBeLessThan(3_000_000);

  const third = await start('good').ended;
  expect(third.stderr).toBe('');
  expect(JSON.parse(third.stdout)).toEqual({ retried: failing });
  const states = (await everyRun(storage)).map(({ status }) => status.state);
  expect(states).toHaveLength(size);
  expect(new Set(states)).toEqual(new Set(['COMPLETE']));
  await storage.close();
});
