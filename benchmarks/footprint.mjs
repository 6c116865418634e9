// W6: what it costs to have the package: milliseconds to import it in a new process, megabytes and packages that
// `npm i portia-ts` brings. Optional peers are not counted: nobody gets them unasked.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** Milliseconds until the package is imported in a new process. */
export function importTime(specifier = 'portia-ts') {
  const code = `const begun = performance.now(); await import('${specifier}'); console.log(performance.now() - begun); process.exit(0)`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: here,
    encoding: 'utf8',
  });
  if (!(Number(stdout) > 0)) throw new Error(`${specifier} cannot be imported: ${stderr}`);
  return Number(stdout);
}

function sizeOf(path) {
  const found = statSync(path);
  if (!found.isDirectory()) return found.size;
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/** Megabytes on disk of the package and of all it depends on, and how many packages that is. */
export function installed(name = 'portia-ts') {
  const folders = new Map();
  const add = (dependency, from) => {
    const folder = folderOf(dependency, from);
    if (folders.has(folder)) return;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const published = dependency === name && manifest.files ? [...manifest.files, 'package.json'] : undefined;
    folders.set(
      folder,
      published
        ? published.filter(exists(folder)).reduce((sum, file) => sum + sizeOf(join(folder, file)), 0)
        : sizeOf(folder),
    );
    for (const next of Object.keys(manifest.dependencies ?? {})) add(next, folder);
  };
  add(name, here);
  const bytes = [...folders.values()].reduce((sum, size) => sum + size, 0);
  return { installed_mb: bytes / 1024 / 1024, packages: folders.size };
}

const exists = (folder) => (file) => statSync(join(folder, file), { throwIfNoEntry: false }) !== undefined;

function folderOf(name, from) {
  for (const path of createRequire(join(from, 'x.js')).resolve.paths(name) ?? []) {
    const folder = join(path, name);
    if (statSync(join(folder, 'package.json'), { throwIfNoEntry: false })) return realpathSync(folder);
  }
  throw new Error(`${name} is not installed`);
}
