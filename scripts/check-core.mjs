// core/ is rules without IO: it imports only itself and zod, and reads no clock, no randomness, no environment and no
// network; times and ids are handed to it. Checked here rather than by the linter because what leaves core depends on
// where in core a file stands. Exceptions are named, file by file, with what they may use.
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { isSource, root, walk } from './lib/workspace.mjs';

const core = join(root, 'packages/sdk/src/core');
const allowedPackages = ['zod'];

/** Relative to core/: the extra modules and globals that file may use, and why. */
const exceptions = {
  // SHA-256 is arithmetic, not IO, and Node has it built in.
  'hash.ts': ['node:crypto'],
  // A fresh id has to come from somewhere; nothing that is folded asks for one.
  'ids.ts': ['globalThis'],
};

const impure = new Set([
  ...['process', 'console', 'fetch', 'crypto', 'performance', 'WebSocket', 'globalThis'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Math.random', 'Date.now'],
]);

/** The module a node imports from, in any of the ways to import. */
function importedModule(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier?.text;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return node.arguments[0]?.text;
  if (ts.isImportTypeNode(node)) return node.argument.literal?.text;
  if (ts.isExternalModuleReference(node)) return node.expression.text;
  return undefined;
}

/** The impure thing a node uses by name: `fetch(…)`, `process.env`, `Date.now`, `new Date()`, `Date()`. */
function impureUse(node) {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const names = [node.expression.text, `${node.expression.text}.${node.name.text}`];
    return names.find((name) => impure.has(name));
  }
  if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && ts.isIdentifier(node.expression)) {
    const name = node.expression.text;
    if (impure.has(name)) return name;
    if (name === 'Date' && (ts.isCallExpression(node) || !node.arguments?.length)) return 'the clock (Date)';
  }
  return undefined;
}

function mayImport(specifier, file) {
  if (!specifier.startsWith('.'))
    return allowedPackages.some((name) => specifier === name || specifier.startsWith(`${name}/`));
  return !relative(core, resolve(dirname(file), specifier)).startsWith('..');
}

function problemsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const allowed = exceptions[relative(core, file)] ?? [];
  const imports = [];
  const uses = [];
  const declared = new Set();
  const visit = (node) => {
    const specifier = importedModule(node);
    if (specifier !== undefined && !mayImport(specifier, file)) imports.push({ node, name: specifier });
    const use = impureUse(node);
    if (use !== undefined) uses.push({ node, name: use });
    const names = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isFunctionDeclaration(node);
    if ((names || ts.isImportSpecifier(node)) && node.name) declared.add(node.name.getText(source));
    ts.forEachChild(node, visit);
  };
  visit(source);
  const say =
    (verb) =>
    ({ node, name }) => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      return `${relative(root, file)}:${line + 1}: core ${verb} ${name}`;
    };
  return [
    ...imports.filter(({ name }) => !allowed.includes(name)).map(say('imports')),
    ...uses.filter(({ name }) => !allowed.includes(name) && !declared.has(name)).map(say('uses')),
  ];
}

const files = walk(core, isSource);
const problems = files.flatMap(problemsOf);
for (const problem of problems) console.error(problem);
console.log(`${files.length} files in core, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
