// `npm test`: installs and builds when needed, runs the whole vitest suite once and ends with one line alone,
// `Tests: N passed, N failed, N skipped`, read from vitest's JSON report. A test file that could not be loaded counts as
// one failure, and a run without any test fails. Arguments go to vitest (`npm test -- ledger`, `npm test -- --coverage`).
// The suite runs in a process group of its own, so nothing that a test left behind outlives it.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './ensure-installed.mjs';
import { readJson, root } from './lib/workspace.mjs';

function runVitest(report) {
  const args = [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ];
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const signalGroup = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signalGroup(signal));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => {
      signalGroup('SIGKILL');
      done(code ?? 1);
    });
  });
}

function count(report) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = readJson(report);
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: numPassedTests,
    failed: numFailedTests + unloaded.length,
    skipped: numPendingTests + numTodoTests,
  };
}

const dir = mkdtempSync(join(tmpdir(), 'portia-test-'));
const report = join(dir, 'report.json');
let code = 1;
let counts = { passed: 0, failed: 0, skipped: 0 };
try {
  await ensureBuilt();
  code = await runVitest(report);
  if (existsSync(report)) counts = count(report);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
if (counts.passed + counts.failed === 0) process.stderr.write('No test ran.\n');
if (counts.passed + counts.failed === 0 || counts.failed > 0) code ||= 1;
console.log(`Tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = code;
