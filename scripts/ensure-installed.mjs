// Makes a fresh clone usable: `npm ci` when node_modules is missing or does not hold what package-lock.json asks for,
// and a build when dist is missing or older than the source. `npm start`, `npm test` and `npx portia-ts` go through it,
// so each works on its own; called directly it installs, and with --build it also builds. Everything it says goes to
// stderr, because the stdout of `npm start -s` belongs to the program.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tellWhile } from './lib/tell-while.mjs';
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
  // Its progress bar would be drawn over what is said here; what it says of success is said here, too.
  const args = ['ci', '--include=dev', '--loglevel=error', '--progress=false'];
  const npm = process.env.npm_execpath;
  const [command, given] = npm ? [process.execPath, [npm, ...args]] : ['npm', args];
  const quiet = { stdio: ['ignore', 'ignore', 2] };
  const code = await tellWhile('Installing the packages, once: about a minute', () => run(command, given, quiet));
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
  const build = [join(root, 'scripts/build.mjs')];
  const code = await tellWhile('Building', () => run(process.execPath, build, toStderr));
  if (code !== 0) throw new Error('the build failed');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const ensure = process.argv.includes('--build') ? ensureBuilt : ensureInstalled;
  await ensure().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
