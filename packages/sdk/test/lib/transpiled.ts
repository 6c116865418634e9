import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const sdk = join(import.meta.dirname, '../..');

/**
 * Writes the sources as JavaScript into a folder, types stripped and nothing checked, so that real processes run what
 * is in the sources now and need no build. Gives the path of the command.
 */
export function transpileInto(dir: string): string {
  const sources = readdirSync(join(sdk, 'src'), { recursive: true, encoding: 'utf8' });
  for (const path of sources.filter((name) => name.endsWith('.ts') && !/\.(test|test-d)\.ts$/.test(name))) {
    const { outputText } = ts.transpileModule(readFileSync(join(sdk, 'src', path), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(dir, 'dist', path.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  writeFileSync(join(dir, 'package.json'), readFileSync(join(sdk, 'package.json')));
  symlinkSync(join(sdk, '../../node_modules'), join(dir, 'node_modules'));
  const main = join(dir, 'dist/cli/main.js');
  chmodSync(main, 0o755);
  return main;
}
