// Kills processes with SIGKILL while the plan of a query is being made, and while it is run; another one goes on.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { object } from '../src/testing/index.ts';
import { sqliteStorage } from '../src/storage/sqlite/index.ts';
import { type Running, startCommand } from './lib/command-process.ts';
import { serve } from './lib/model-servers.ts';
import { transpileScenarios } from './lib/scenario-processes.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-query-'));
  transpileScenarios(folder);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = [{ task: 'Look', inputs: [], tool_id: 'weather', output: '$weather' }];
const start = (...args: string[]): Running =>
  startCommand([process.execPath, join(folder, 'test/lib/query-process.js'), ...args], { cwd: folder });

async function killed({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
}

async function statesIn(path: string): Promise<string[]> {
  const storage = await sqliteStorage(path);
  const { items } = await storage.listRuns({});
  await storage.close();
  return items.map(({ status }) => status.state);
}

describe('a run of a query whose process is killed', { timeout: 60_000 }, () => {
  it('while it is being planned is planned by the next one, and is the same run', async () => {
    const path = join(folder, 'planning.db');
    let begun = (): void => undefined;
    const asked = new Promise<void>((resolve) => (begun = resolve));
    let release = (): void => undefined;
    const gone = new Promise<void>((resolve) => (release = resolve));
    let plannings = 0;
    const { baseUrl } = await serve(async () => {
      plannings += 1;
      if (plannings > 1) return object({ steps, error: null });
      begun();
      await gone;
      return object({ steps, error: null });
    });
    const first = start(path, baseUrl);
    await asked;
    await killed(first);
    release();
    // It begins with its plan, so there is nothing to repair.
    expect(await statesIn(path)).toEqual(['NOT_STARTED']);

    const second = await start(path, baseUrl).ended;
    expect(second.stderr).toBe('');
    expect(JSON.parse(second.stdout)).toMatchObject({ state: 'COMPLETE', weather: { value: 'sunny' } });
    expect(plannings).toBe(2);
    expect(await statesIn(path)).toEqual(['COMPLETE']);
  });

  it('after its plan was made goes on with that plan, which is not paid for again', async () => {
    const path = join(folder, 'planned.db');
    let plannings = 0;
    const { baseUrl } = await serve(() => {
      plannings += 1;
      return object({ steps, error: null });
    });
    const first = start(path, baseUrl, 'stay');
    await first.written(/called/);
    await killed(first);

    const second = await start(path, baseUrl).ended;
    expect(JSON.parse(second.stdout)).toMatchObject({ state: 'COMPLETE', weather: { value: 'sunny' } });
    expect(plannings).toBe(1);
    expect(await statesIn(path)).toEqual(['COMPLETE']);
  });
});
