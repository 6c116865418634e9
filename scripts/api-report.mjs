// The public face, written down: one file per entry point, packages/<package>/api/<entry>.api.md, with every exported
// name and its declaration, sorted by name, without comments and private members. It is read from the built
// declarations. `npm run api:update` writes the files; with --check nothing is written and a difference fails.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { ensureBuilt } from './ensure-installed.mjs';
import { entryPoints, root, walk } from './lib/workspace.mjs';

const printer = ts.createPrinter({ removeComments: true });
const hidden = new Set([ts.SyntaxKind.ExportKeyword, ts.SyntaxKind.DeclareKeyword, ts.SyntaxKind.DefaultKeyword]);

function isPrivate(member) {
  const modifiers = ts.canHaveModifiers(member) ? (ts.getModifiers(member) ?? []) : [];
  if (modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.PrivateKeyword)) return true;
  return member.name !== undefined && ts.isPrivateIdentifier(member.name);
}

/** A declaration as text: no comments, no private members, no `export declare`. */
function print(declaration) {
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const result = ts.transform(statement, [
    (context) => (node) => {
      const visit = (child) => {
        if (ts.isClassElement(child) && isPrivate(child)) return undefined;
        if (child.parent === statement && hidden.has(child.kind)) return undefined;
        return ts.visitEachChild(child, visit, context);
      };
      return ts.visitEachChild(node, visit, context);
    },
  ]);
  const text = printer.printNode(ts.EmitHint.Unspecified, result.transformed[0], statement.getSourceFile());
  result.dispose();
  return text.replace(/^ +/gm, (indent) => ' '.repeat(indent.length / 2));
}

function describe(symbol, checker) {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const declarations = target.declarations ?? [];
  const foreign = declarations[0]?.getSourceFile().fileName.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
  if (foreign) return `${symbol.name} // from ${foreign}`;
  if (declarations.some(ts.isSourceFile)) {
    const names = checker.getExportsOfModule(target).map((item) => item.name);
    return `namespace ${symbol.name} { ${names.sort().join(', ')} }`;
  }
  const texts = [...new Set(declarations.map(print))].sort();
  if (target.name !== symbol.name) texts.unshift(`// ${symbol.name} is:`);
  return texts.join('\n');
}

function reports() {
  const entries = entryPoints();
  const program = ts.createProgram({
    rootNames: entries.map((entry) => entry.types),
    options: { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, skipLibCheck: true, types: ['node'] },
  });
  const checker = program.getTypeChecker();
  return entries.map((entry) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry.types) ?? missing(entry));
    const symbols = module ? checker.getExportsOfModule(module) : [];
    const sorted = symbols.sort((a, b) => (a.name < b.name ? -1 : 1));
    const body = sorted.map((symbol) => describe(symbol, checker)).join('\n\n');
    const head = `# ${entry.specifier}\n\nGenerated from the declarations by \`npm run api:update\`; a change here is a change of the public API.\n`;
    return { path: join(entry.dir, 'api', `${entry.name}.api.md`), text: `${head}\n\`\`\`ts\n${body}\n\`\`\`\n` };
  });
}

function missing(entry) {
  throw new Error(`${entry.specifier} is in "exports", but ${relative(root, entry.source)} was not built`);
}

/** The lines that only one side has: enough to see what changed. */
function difference(before, after) {
  const only = (a, b, sign) =>
    a.split('\n').flatMap((line) => (b.split('\n').includes(line) ? [] : [`${sign} ${line}`]));
  return [...only(before, after, '-'), ...only(after, before, '+')].slice(0, 40);
}

function apply({ path, text }, check) {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (before === text) return true;
  const name = relative(root, path);
  if (check) {
    console.error(`${name} is not up to date:`);
    for (const line of difference(before, text)) console.error(`  ${line}`);
    return false;
  }
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  console.log(`wrote ${name}`);
  return true;
}

async function main() {
  const check = process.argv.includes('--check');
  await ensureBuilt();
  const wanted = reports();
  const left = [...new Set(entryPoints().map(({ dir }) => join(dir, 'api')))]
    .flatMap((dir) => walk(dir, (path) => path.endsWith('.api.md')))
    .filter((path) => !wanted.some((report) => report.path === path));
  for (const path of left) {
    if (check) console.error(`${relative(root, path)} belongs to no entry point`);
    else rmSync(path);
  }
  const same = wanted.map((report) => apply(report, check)).every(Boolean);
  if (check && (!same || left.length > 0))
    throw new Error('If this is meant: npm run api:update, and commit the result.');
  console.log(`${wanted.length} entry points`);
}

await main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
