// Keeps package-lock.json usable everywhere. It must say what to install, never where to get it: everyone installs from
// the registry their own npm is set up with. And it must list the native parts of every platform: npm leaves out those
// that the registry it was made with does not carry, and `npm ci` then refuses the file. Fails when either is wrong;
// with --write (`npm run lock:update`, after adding a dependency) it puts both right.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, root } from './lib/workspace.mjs';

const file = join(root, 'package-lock.json');
const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x'];

/** Where a native package runs, read from its name, as in `binding-linux-x64-musl`. */
function platform(name) {
  const words = name.split(/[-/]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (!os || !cpu) return undefined;
  const libc = { gnu: 'glibc', musl: 'musl' }[words.at(-1)];
  return { os: [os], cpu: [cpu], ...(libc && os === 'linux' ? { libc: [libc] } : {}) };
}

/** Entries for native packages that the lock asks for but does not hold, keyed by their place in it. */
function absent(entries) {
  const names = new Set(Object.keys(entries).map((path) => path.split('node_modules/').at(-1)));
  return Object.entries(entries).flatMap(([path, item]) =>
    Object.entries(item.optionalDependencies ?? {})
      .filter(([name]) => !names.has(name))
      .map(([name, version]) => {
        const where = platform(name);
        if (!where || !/^\d/.test(version)) throw new Error(`${path} needs ${name}@${version}: add it by hand`);
        const inherited = Object.fromEntries(['dev', 'devOptional', 'peer'].map((key) => [key, item[key]]));
        const entry = { ...where, ...inherited, optional: true };
        const inOrder = Object.fromEntries(Object.entries(entry).sort(([a], [b]) => a.localeCompare(b, 'en')));
        return [`node_modules/${name}`, { version, ...inOrder }];
      }),
  );
}

const lock = readJson(file);
const addressed = Object.entries(lock.packages).filter(([, item]) => !item.link && item.resolved);
const missing = absent(lock.packages);

if (process.argv.includes('--write')) {
  for (const [, item] of addressed) delete item.resolved;
  const sorted = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) }).sort(([a], [b]) =>
    a.localeCompare(b, 'en'),
  );
  lock.packages = Object.fromEntries(sorted);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${addressed.length} addresses removed, ${missing.length} platform packages added`);
} else if (addressed.length + missing.length > 0) {
  for (const [path] of addressed.slice(0, 5)) console.error(`package-lock.json: ${path} has a "resolved" address`);
  for (const [path] of missing.slice(0, 5)) console.error(`package-lock.json: ${path} is wanted but not listed`);
  console.error('Run: npm run lock:update');
  process.exitCode = 1;
}
