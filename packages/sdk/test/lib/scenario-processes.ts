// Starts processes that work on a scenario: one round, and then they end, by themselves or by SIGKILL in the middle.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { transpileInto } from './transpiled.ts';

const tests = join(import.meta.dirname, '..');

/** Writes the sources and what scenarios are made of into a folder as JavaScript, once for any number of processes. */
export function transpileScenarios(dir: string): void {
  transpileInto(dir);
  for (const folder of ['lib', 'scenarios']) {
    mkdirSync(join(dir, 'test', folder), { recursive: true });
    for (const name of readdirSync(join(tests, folder)).filter(
      (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
    )) {
      const { outputText } = ts.transpileModule(readFileSync(join(tests, folder, name), 'utf8'), {
        compilerOptions: {
          module: ts.ModuleKind.ESNext,
          target: ts.ScriptTarget.ES2023,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      });
      writeFileSync(
        join(dir, 'test', folder, name.replace(/\.ts$/, '.js')),
        outputText.replaceAll('../../src/', '../../dist/'),
      );
    }
  }
}

/**
 * One round in a process of its own: begins the run of the store, or answers what it asks and goes on. Gives the state
 * it left the run in; `killed` when it killed itself before its n-th write. `dir`: where the scenarios were written.
 */
export function inProcess(
  dir: string,
  scenario: 'gold' | 'refund',
  path: string,
  url: string,
  killBefore = 0,
): Promise<string> {
  const args = [join(dir, 'test/lib/scenario-process.js'), scenario, path, url, String(killBefore)];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve('killed');
      else if (error) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(stdout.trim());
    });
  });
}
