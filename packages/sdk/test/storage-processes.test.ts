import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { fromCommit } from '../src/core/event.ts';
import { diskStorage } from '../src/storage/disk/disk-storage.ts';
import { postgresStorage } from '../src/storage/postgres/index.ts';
import { sqliteStorage } from '../src/storage/sqlite/index.ts';
import type { StorageBackend } from '../src/storage/storage-backend.ts';
import { sampleHeader, samplePlan } from '../src/testing/storage-contract/samples.ts';
import { freshSchema, startPostgres, type TestPostgres } from './lib/postgres.ts';

const run = promisify(execFile);
const lib = join(import.meta.dirname, 'lib');

interface Report {
  readonly created: boolean;
  readonly made: string;
  readonly response: unknown;
  readonly claims: number;
  readonly written: readonly string[];
}

const kinds = ['sqlite', 'disk', 'postgres'] as const;

let server: TestPostgres | undefined;
afterAll(() => server?.stop());

async function open(kind: (typeof kinds)[number], path: string): Promise<StorageBackend> {
  if (kind === 'sqlite') return sqliteStorage(path);
  return kind === 'postgres' ? postgresStorage(path) : diskStorage(path);
}

describe.each(kinds)('several processes on one %s store', (kind) => {
  it('take the run from each other, and what was said to be written is there, once and in order', {
    timeout: 120_000,
  }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'portia-processes-'));
    try {
      if (kind === 'postgres') server = await startPostgres();
      const path = server ? `${server.url}?schema=${freshSchema()}` : join(dir, 'store.db');
      const storage = await open(kind, path);
      const plan = samplePlan();
      await storage.savePlan(plan);
      const { header } = await storage.createRun(sampleHeader(plan.id));
      const names = ['a', 'b', 'c'];
      const reports = await Promise.all(
        names.map(async (name) => {
          const script = ['--import', join(lib, 'typescript-loader.mjs'), join(lib, 'storage-process.ts')];
          const { stdout } = await run(process.execPath, [...script, kind, path, name, plan.id, header.id, '25']);
          return JSON.parse(stdout) as Report;
        }),
      );

      const stored = await storage.loadRun(header.id);
      const events = (stored?.commits ?? []).flatMap(fromCommit);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      const values = events.map((event) =>
        event.type === 'step-end' && event.output && 'value' in event.output ? event.output.value : undefined,
      );
      expect([...values].sort()).toEqual(reports.flatMap(({ written }) => written).sort());
      const epochs = values.map((value) => Number(String(value).split('.')[1]));
      expect(epochs).toEqual([...epochs].sort((a, b) => a - b));

      const claims = reports.reduce((sum, report) => sum + report.claims, 0);
      expect(stored?.driver?.epoch).toBe(claims);
      expect(claims).toBeGreaterThanOrEqual(25);
      expect(reports.filter(({ created }) => created).length).toBe(1);
      expect(new Set(reports.map(({ made }) => made)).size).toBe(1);
      expect(new Set(reports.map(({ response }) => response)).size).toBe(1);
      expect(stored?.commands).toMatchObject([{ response: reports[0]?.response }]);
      const ada = await storage.getEndUser('ada');
      expect(Object.keys(ada?.additionalData ?? {}).length).toBe(75);
      await storage.close();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
