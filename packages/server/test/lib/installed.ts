import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../../../..');

/**
 * Puts both packages into the `node_modules` of a folder, as `npm i` would: their sources with types stripped, so that
 * real processes run what is in the sources now. Gives the path of the command.
 */
export function installInto(folder: string): string {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.') && !name.startsWith('portia-ts'))
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  transpile(join(root, 'packages/sdk'), join(modules, 'portia-ts'));
  transpile(join(root, 'packages/server'), join(modules, 'portia-ts-server'));
  return join(modules, 'portia-ts/dist/cli/main.js');
}

function transpile(from: string, to: string): void {
  const sources = readdirSync(join(from, 'src'), { recursive: true, encoding: 'utf8' });
  for (const path of sources.filter((name) => name.endsWith('.ts') && !/\.(test|test-d)\.ts$/.test(name))) {
    const { outputText } = ts.transpileModule(readFileSync(join(from, 'src', path), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(to, 'dist', path.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  writeFileSync(join(to, 'package.json'), readFileSync(join(from, 'package.json')));
}
