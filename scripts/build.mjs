// Builds every package with plain tsc, dependencies first. Nothing is emitted when a type is wrong, files of deleted
// sources are removed from dist afterwards (never the whole folder: somebody may be running from it), and the
// commands a package declares in `bin` are made executable and linked, which npm could not do before they existed.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isSource, packages, root, run, walk } from './lib/workspace.mjs';

const tsc = join(root, 'node_modules/typescript/bin/tsc');

/** Whether a file of dist comes from a source that is no longer there. */
const isOrphan = (dir) => (file) => {
  const source = join(dir, 'src', relative(join(dir, 'dist'), file).replace(/(\.d\.ts|\.js)$/, '.ts'));
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

for (const { dir, manifest } of packages()) {
  if (!existsSync(join(dir, 'tsconfig.build.json'))) continue;
  const code = await run(process.execPath, [tsc, '-p', join(dir, 'tsconfig.build.json'), '--noEmitOnError']);
  if (code !== 0) process.exit(code);
  for (const file of walk(join(dir, 'dist'), isOrphan(dir))) rmSync(file);
  for (const [name, target] of Object.entries(manifest.bin ?? {})) linkCommand(dir, name, target);
}
