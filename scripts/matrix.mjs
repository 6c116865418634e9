// `npm run matrix`: the unit tests on every Node line we promise, one line of result per version. Node itself comes from
// the npm package `node`, into a temporary folder that is removed afterwards. Not part of CI: it downloads three Nodes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './ensure-installed.mjs';
import { readJson, root } from './lib/workspace.mjs';

const versions = ['20.20.2', '22.23.3', '24.21.0'];

function tryOn(version, dir) {
  const quiet = { encoding: 'utf8', cwd: root, stdio: ['ignore', 'pipe', 'pipe'] };
  const install = spawnSync(
    'npm',
    ['install', '--prefix', dir, '--no-save', '--loglevel=error', `node@${version}`],
    quiet,
  );
  if (install.status !== 0) return { ok: false, text: 'could not be installed', details: install.stderr };
  const report = join(dir, 'report.json');
  const args = [
    'run',
    '--exclude',
    'packages/*/test/**',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const tests = spawnSync(join(dir, 'node_modules/node/bin/node'), [vitest, ...args], quiet);
  const details = `${tests.stdout}${tests.stderr}`;
  try {
    const { numPassedTests, numFailedTests } = readJson(report);
    return { ok: tests.status === 0, text: `${numPassedTests} passed, ${numFailedTests} failed`, details };
  } catch {
    return { ok: false, text: 'did not report', details };
  }
}

await ensureBuilt();
for (const version of versions) {
  const dir = mkdtempSync(join(tmpdir(), 'portia-matrix-'));
  const { ok, text, details } = tryOn(version, dir);
  rmSync(dir, { recursive: true, force: true });
  console.log(`${ok ? 'ok  ' : 'FAIL'} node ${version}: ${text}`);
  if (!ok) console.error(details);
  if (!ok) process.exitCode = 1;
}
