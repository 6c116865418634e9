// How the code of a reader is compiled: with the options of this repository, the packages found in their sources.
import { join } from 'node:path';
import ts from 'typescript';
import { entryPoints, root } from './workspace.mjs';

/** Options for `ts.createProgram`. A reader's code is not a library: its exports need no written types. */
export function compilerOptions() {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const paths = Object.fromEntries(entryPoints().map(({ specifier, source }) => [specifier, [source]]));
  return { ...options, noEmit: true, declaration: false, isolatedDeclarations: false, paths };
}
