// The table of error codes in docs/errors.md, made from `portiaErrorCodes` in the source: the words of a code stand in
// one place. `node scripts/docs-errors.mjs` writes it; with --check nothing is written and a difference fails, which
// scripts/check-docs.mjs does too.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { root } from './lib/workspace.mjs';

const source = join(root, 'packages/sdk/src/core/errors.ts');
const page = join(root, 'docs/errors.md');
const begin = '<!-- codes: written by scripts/docs-errors.mjs -->';
const end = '<!-- /codes -->';

/** `[code, meaning]` of every member of `portiaErrorCodes`, in its order. */
function codes() {
  const file = ts.createSourceFile(source, readFileSync(source, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isVariableDeclaration(node) && node.name.getText(file) === 'portiaErrorCodes') {
      const object = ts.isAsExpression(node.initializer) ? node.initializer.expression : node.initializer;
      for (const { name, initializer } of object.properties) found.push([name.getText(file), initializer.text]);
    } else ts.forEachChild(node, visit);
  };
  visit(file);
  if (found.length === 0) throw new Error(`no portiaErrorCodes in ${source}`);
  return found;
}

function withTable(text) {
  const start = text.indexOf(begin);
  const stop = text.indexOf(end);
  if (start < 0 || stop < start) throw new Error(`docs/errors.md has no ${begin} … ${end}`);
  const rows = codes().map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  const table = ['| code | meaning |', '|---|---|', ...rows].join('\n');
  return `${text.slice(0, start)}${begin}\n${table}\n${text.slice(stop)}`;
}

/** What is wrong with the page; nothing when it is up to date. */
export function errorsPageProblem() {
  const text = readFileSync(page, 'utf8');
  return withTable(text) === text ? undefined : 'docs/errors.md: not up to date, run node scripts/docs-errors.mjs';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const problem = errorsPageProblem();
    if (problem) console.error(problem);
    process.exitCode = problem ? 1 : 0;
  } else writeFileSync(page, withTable(readFileSync(page, 'utf8')));
}
