// Builds every package, dependencies first: tsc checks the types and writes the declarations, then the code of each
// package is bundled, one file for each entry point and shared parts beside them. A program that imports us reads a few
// files in place of hundreds, which more than halves the time of the import. Nothing is emitted when a type is wrong,
// files of deleted sources are removed from dist afterwards (never the whole folder: somebody may be running from it),
// and the commands a package declares in `bin` are made executable and linked, which npm could not do before they existed.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { isSource, packages, root, run, walk } from './lib/workspace.mjs';

const tsc = join(root, 'node_modules/typescript/bin/tsc');

/** The files a package is entered by, from its `exports` and `bin`: name in dist, without extension, to source file. */
function entriesOf({ dir, manifest }) {
  const targets = [
    ...Object.values(manifest.exports ?? {}).flatMap((target) => target.default ?? []),
    ...Object.values(manifest.bin ?? {}),
  ];
  const names = targets.map((target) => target.replace(/^\.\/dist\/(.*)\.js$/, '$1'));
  return Object.fromEntries([...new Set(names)].map((name) => [name, join(dir, 'src', `${name}.ts`)]));
}

/** Bundles a package and resolves to the paths of the files it wrote. What is not its own stays an import. */
async function bundle(item) {
  const { dir } = item;
  const build = await rolldown({
    input: entriesOf(item),
    external: /^[^./]/,
    platform: 'node',
    treeshake: false,
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await build.write({
    dir: join(dir, 'dist'),
    format: 'esm',
    chunkFileNames: 'chunks/[name].js',
    minifyInternalExports: false,
  });
  return output.map(({ fileName }) => join(dir, 'dist', fileName));
}

/** Whether a file of dist is one that nothing writes any more. */
const isOrphan = (dir, written) => (file) => {
  if (file.endsWith('.js')) return !written.includes(file);
  const source = join(dir, 'src', relative(join(dir, 'dist'), file).replace(/\.d\.ts$/, '.ts'));
  if (!source.endsWith('.ts')) return false;
  return !isSource(source) || !(existsSync(source) || existsSync(`${source}x`));
};

function linkCommand(dir, name, target) {
  const file = join(dir, target);
  if (!existsSync(file)) return;
  chmodSync(file, 0o755);
  const bin = join(root, 'node_modules/.bin');
  mkdirSync(bin, { recursive: true });
  if (!existsSync(join(bin, name))) {
    rmSync(join(bin, name), { force: true });
    symlinkSync(relative(bin, file), join(bin, name));
  }
}

for (const item of packages()) {
  const { dir, manifest } = item;
  if (!existsSync(join(dir, 'tsconfig.build.json'))) continue;
  const options = ['--noEmitOnError', '--emitDeclarationOnly'];
  const code = await run(process.execPath, [tsc, '-p', join(dir, 'tsconfig.build.json'), ...options]);
  if (code !== 0) process.exit(code);
  const written = await bundle(item);
  for (const file of walk(join(dir, 'dist'), isOrphan(dir, written))) rmSync(file);
  for (const [name, target] of Object.entries(manifest.bin ?? {})) linkCommand(dir, name, target);
}
