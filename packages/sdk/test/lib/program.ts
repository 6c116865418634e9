import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { transpileInto } from './transpiled.ts';

/**
 * Puts a program of `test/fixtures` into a folder beside a copy of the package, which it imports by its name as users
 * do. Nothing that is built meanwhile changes what runs. Gives the path of the program.
 */
export function placeProgram(name: string, dir: string): string {
  transpileInto(dir);
  const program = join(dir, name);
  copyFileSync(join(import.meta.dirname, '../fixtures', name), program);
  return program;
}
