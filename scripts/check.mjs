// `npm run check`: everything CI asks for, in its order, one line per step; a step's output is shown when it fails, and
// the later steps still run, so one go shows all that is wrong. `check:static` leaves the tests out, `check:fast` is
// the minute: format, lint, types, sizes and the unit tests without those that kill real processes.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled } from './ensure-installed.mjs';
import { packages, root } from './lib/workspace.mjs';

const node = (script, ...args) => [process.execPath, join(root, script), ...args];
const tool = (name, ...args) => [join(root, 'node_modules/.bin', name), ...args];
const published = packages().filter(({ manifest }) => !manifest.private);

const quick = [
  ['format', tool('biome', 'format', '.')],
  ['lint', tool('biome', 'lint', '--error-on-warnings', '.')],
  ['types', node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json')],
  ['core', node('scripts/check-core.mjs')],
  ['size', node('scripts/check-size.mjs')],
];
const full = [
  ...quick,
  ['lock', node('scripts/lock.mjs')],
  ['knip', tool('knip')],
  ['build', node('scripts/build.mjs')],
  ...published.map(({ dir, manifest }) => [`publint ${manifest.name}`, tool('publint', '--strict', dir)]),
  ...published.map(({ dir, manifest }) => [
    `attw ${manifest.name}`,
    tool('attw', '--pack', dir, '--profile', 'esm-only'),
  ]),
  ['types for readers', node('scripts/check-types.mjs')],
  ['api', node('scripts/api-report.mjs', '--check')],
  ['docs', node('scripts/check-docs.mjs')],
];
const unit = ['tests', node('node_modules/vitest/vitest.mjs', 'run', '--exclude', 'packages/*/test/**')];
const all = ['tests', node('scripts/test.mjs', '--coverage')];
const sets = { fast: [...quick, unit], static: full, all: [...full, all] };

/** Resolves to `{ code, output }`; the tests are shown while they run, the rest only when it fails. */
function attempt(name, [command, ...args]) {
  const live = name === 'tests';
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', live ? 'inherit' : 'pipe', live ? 'inherit' : 'pipe'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => done({ code: 1, output: error.message }));
    child.on('close', (code) => done({ code: code ?? 1, output }));
  });
}

const steps = sets[process.argv[2] ?? 'all'];
if (!steps) throw new Error(`unknown set of checks: ${process.argv[2]}; use one of ${Object.keys(sets).join(', ')}`);
await ensureInstalled();
const failed = [];
for (const [name, command] of steps) {
  const begun = Date.now();
  const { code, output } = await attempt(name, command);
  if (code !== 0) failed.push(name);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  if (code !== 0 && output) console.log(output.trimEnd().replace(/^/gm, '     '));
}
if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
