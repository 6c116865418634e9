// Files stay short enough to read in one sitting: at most 500 lines a file and 80 lines a function in the source of the
// packages (tests apart). A limit holds only when every exception is named here with its reason; one that is no longer
// needed fails too. Ends with the median and the 90th percentile, the figures the house style watches.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { isSource, packages, root, walk } from './lib/workspace.mjs';

const limits = { file: 500, function: 80 };

/** `path` for a long file, `path functionName` for a long function: why it may be long. */
const exceptions = {
  'packages/server/src/client/api-types.ts': 'made from the OpenAPI document',
};

function functionName(node) {
  if (node.name) return node.name.getText();
  const parent = node.parent;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText();
  return ts.isConstructorDeclaration(node) ? 'constructor' : '(anonymous)';
}

function longFunctions(source) {
  const found = [];
  const line = (position) => source.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body) {
      const first = line(node.getStart(source));
      const lines = line(node.end) - first + 1;
      if (lines > limits.function) found.push({ name: functionName(node), line: first, lines });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const problems = [];
const sizes = [];
for (const file of packages().flatMap(({ dir }) => walk(join(dir, 'src'), isSource))) {
  const path = relative(root, file);
  const text = readFileSync(file, 'utf8');
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  sizes.push({ lines, bytes: Buffer.byteLength(text) });
  if (lines > limits.file) problems.push({ key: path, text: `${path}: ${lines} lines (at most ${limits.file})` });
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  for (const item of longFunctions(source)) {
    const where = `${path}:${item.line}: function ${item.name} has ${item.lines} lines (at most ${limits.function})`;
    problems.push({ key: `${path} ${item.name}`, text: where });
  }
}

const failures = problems.filter(({ key }) => !(key in exceptions)).map(({ text }) => text);
for (const key of Object.keys(exceptions)) {
  if (!problems.some((problem) => problem.key === key)) failures.push(`${key}: the exception is no longer needed`);
}

const at = (key, share) => sizes.map((size) => size[key]).sort((a, b) => a - b)[Math.floor((sizes.length - 1) * share)];
const figure = (share) => `${at('lines', share)} lines, ${(at('bytes', share) / 1000).toFixed(1)} kB`;
for (const failure of failures) console.error(failure);
const total = sizes.length === 0 ? 'no source files' : `median ${figure(0.5)}; p90 ${figure(0.9)}`;
console.log(`${sizes.length} files, ${Object.keys(exceptions).length} exceptions; ${total}`);
process.exitCode = failures.length > 0 ? 1 : 0;
