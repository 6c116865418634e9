import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, startCommand } from './lib/command-process.ts';

const scripts = join(import.meta.dirname, '../../../scripts');
let clone: string;

// A clone whose packages are one that is not there; what stands in for npm fails when it is told to.
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'portia-clone-'));
  cpSync(scripts, join(clone, 'scripts'), { recursive: true });
  mkdirSync(join(clone, 'packages'));
  const lock = { packages: { 'node_modules/a': { version: '1.0.0' } } };
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(
    join(clone, 'npm.mjs'),
    "console.log('added 1 package'); process.exit(Number(process.env.FAILS ?? 0));",
  );
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

const node = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  startCommand([process.execPath, ...args], {
    cwd: clone,
    env: { npm_execpath: join(clone, 'npm.mjs'), ...env },
  }).ended;

describe('a fresh clone', () => {
  it('says that it installs, and leaves stdout to the program', async () => {
    expect(await node(['scripts/ensure-installed.mjs'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'Installing the packages, once: about a minute ...\n',
    });
    const failed = await node(['scripts/ensure-installed.mjs'], { FAILS: '7' });
    expect(failed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('exit code 7') });
  });

  it('shows on a terminal that it is alive, and how long it took', async () => {
    const script = `
      import { tellWhile } from './scripts/lib/tell-while.mjs';
      const stream = { isTTY: true, write: (text) => process.stdout.write(text) };
      await tellWhile('Building', () => new Promise((done) => setTimeout(done, 700)), { stream, everyMs: 50 });`;
    const { stdout } = await node(['--input-type=module', '-e', script]);
    expect(stdout).toMatch(/^Building \.{2,} \d+ s\n$/);
  });
});
