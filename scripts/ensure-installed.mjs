// Makes a fresh clone usable: `npm ci` when node_modules is missing or does not hold what package-lock.json asks for,
// and a build when dist is missing or older than the source. `npm start`, `npm test` and `npx portia-ts` go through it,
// so each works on its own; called directly it installs, and with --build it also builds. Everything it says goes to
// stderr, because the stdout of `npm start -s` belongs to the program.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSource, packages, readJson, root, run, walk } from './lib/workspace.mjs';

const toStderr = { stdio: ['ignore', 2, 2] };

/** npm keeps its own record of what it put into node_modules; written last, so a broken install is seen too. */
function isInstalled() {
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = readJson(join(root, 'package-lock.json')).packages;
  const present = readJson(record).packages;
  return Object.entries(wanted).every(([path, item]) => {
    if (!path.includes('node_modules/') || item.optional || item.peer) return true;
    return present[path] !== undefined && present[path].version === item.version;
  });
}

export async function ensureInstalled() {
  if (isInstalled()) return;
  process.stderr.write('Installing dependencies (npm ci) ...\n');
  const args = ['ci', '--include=dev', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const code = npm ? await run(process.execPath, [npm, ...args], toStderr) : await run('npm', args, toStderr);
  if (code !== 0) throw new Error(`npm ci failed with exit code ${code}`);
}

/** Built: the first entry point exists and nothing the build reads, folders included, changed after it. */
function isBuilt({ dir, manifest }) {
  const target = Object.values(manifest.exports ?? {})[0]?.default;
  const built = target && join(dir, target);
  if (!built || !existsSync(built)) return false;
  const sources = walk(join(dir, 'src'), isSource);
  const inputs = [
    ...sources,
    ...['package.json', 'tsconfig.build.json', '../../tsconfig.base.json'].map((f) => join(dir, f)),
  ];
  const folders = new Set(sources.map((path) => join(path, '..')));
  const at = statSync(built).mtimeMs;
  return [...inputs, ...folders].every((path) => statSync(path).mtimeMs <= at);
}

export async function ensureBuilt() {
  await ensureInstalled();
  if (packages().every(isBuilt)) return;
  process.stderr.write('Building ...\n');
  const code = await run(process.execPath, [join(root, 'scripts/build.mjs')], toStderr);
  if (code !== 0) throw new Error('the build failed');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const ensure = process.argv.includes('--build') ? ensureBuilt : ensureInstalled;
  await ensure().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
