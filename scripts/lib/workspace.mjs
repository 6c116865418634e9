// What every script here needs to know about the repository: where its root is, which packages it has (dependencies
// first), which entry points they export and from which source file each is built, and how to run a tool of
// node_modules. Imports nothing outside Node, so it works before the first install.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The packages under packages/, each after those it depends on. */
export function packages() {
  const found = readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .filter((dir) => existsSync(join(dir, 'package.json')))
    .sort()
    .map((dir) => ({ dir, manifest: readJson(join(dir, 'package.json')) }));
  const sorted = [];
  const add = (item) => {
    if (sorted.includes(item)) return;
    const wanted = { ...item.manifest.dependencies, ...item.manifest.peerDependencies };
    for (const other of found) if (other !== item && other.manifest.name in wanted) add(other);
    sorted.push(item);
  };
  found.forEach(add);
  return sorted;
}

/** Every code entry point in the packages' `exports`: `{ specifier, name, dir, source, types }`, paths absolute. */
export function entryPoints() {
  return packages().flatMap(({ dir, manifest }) =>
    Object.entries(manifest.exports ?? {})
      .filter(([, target]) => target.types)
      .map(([subpath, target]) => ({
        specifier: manifest.name + subpath.slice(1),
        name: subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '-'),
        dir,
        source: join(dir, target.types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts')),
        types: join(dir, target.types),
      })),
  );
}

/** All files below `dir` (absolute paths, sorted) whose path `accept` takes. A missing folder has no files. */
export function walk(dir, accept = () => true) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((item) => {
      const path = join(dir, item.name);
      if (item.isDirectory()) return item.name === 'node_modules' ? [] : walk(path, accept);
      return accept(path) ? [path] : [];
    });
}

/** TypeScript that is shipped or supports what is shipped: no tests, no type tests. */
export const isSource = (path) => /\.tsx?$/.test(path) && !/\.(test|test-d|bench)\.tsx?$/.test(path);

/** Runs a command and resolves to its exit code; tools of node_modules are on its path, and it gets no stdin. */
export function run(command, args, options = {}) {
  const path = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      ...options,
      env: { ...process.env, PATH: path, ...options.env },
    });
    child.on('error', fail);
    child.on('close', (code) => done(code ?? 1));
  });
}
