// Kills real processes with SIGKILL between the end of a run and what hooks are told of it; a worker in another process
// tells them.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeProgram } from './lib/program.ts';

let folder: string;
let program: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-told-'));
  program = placeProgram('told-worker.mjs', join(folder, 'package'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a process was told until it ended, or was killed where it had stopped. */
async function life(path: string, stopAt: string, fails: boolean): Promise<readonly string[]> {
  const told: string[] = [];
  const worker = fork(program, [path, stopAt, fails ? 'fails' : 'works'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  worker.on('message', (message: { told?: string; reached?: string }) => {
    if (message.told !== undefined) told.push(message.told);
    if (message.reached !== undefined) worker.kill('SIGKILL');
  });
  const [code, signal] = await once(worker, 'exit');
  expect([code, signal]).toEqual(stopAt === 'work' ? [0, null] : [null, 'SIGKILL']);
  return told;
}

describe('a run whose process is killed when its end is on record', () => {
  const failed = ['IN_PROGRESS one', 'FAILED broken', 'end FAILED broken'];
  const complete = ['IN_PROGRESS one', 'IN_PROGRESS two', 'end COMPLETE two'];
  const stories = [
    { fails: false, stopAt: 'end', before: 2, after: 2 },
    { fails: false, stopAt: 'run', before: 3, after: 2 },
    { fails: true, stopAt: 'end', before: 1, after: 1 },
    { fails: true, stopAt: 'step', before: 2, after: 1 },
    { fails: true, stopAt: 'run', before: 3, after: 2 },
  ];
  for (const { fails, stopAt, before, after } of stories) {
    it(`is told to the hooks by the next worker, once: ${fails ? 'failed' : 'complete'}, killed at ${stopAt}`, {
      timeout: 60_000,
    }, async () => {
      const path = join(folder, `${fails}-${stopAt}.db`);
      const all = fails ? failed : complete;
      expect(await life(path, stopAt, fails)).toEqual(all.slice(0, before));
      expect(await life(path, 'work', fails)).toEqual(all.slice(after));
      expect(await life(path, 'work', fails)).toEqual([]);
    });
  }
});
