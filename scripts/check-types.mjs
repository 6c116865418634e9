// The built declarations compile for a reader without the types of Node and without `skipLibCheck`: with ECMAScript and
// the few globals of the web in lib/web-globals.d.ts. Entry points that lead to packages whose own declarations need
// Node's types are compiled with those. Only our files are judged, not those of other packages.
import { join, relative } from 'node:path';
import ts from 'typescript';
import { ensureBuilt } from './ensure-installed.mjs';
import { entryPoints, root } from './lib/workspace.mjs';

/** Of use only beside a package that brings Node's types: `pg`, those of MCP, Hono's server. */
const besideNode = ['portia-ts/postgres', 'portia-ts/mcp', 'portia-ts-server'];

/** What is wrong in our own declarations among those that these files lead to. */
function problemsOf(rootNames, types) {
  const options = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    types,
    strict: true,
    noEmit: true,
  };
  const program = ts.createProgram({ rootNames, options });
  const own = program.getSourceFiles().filter(({ fileName }) => !fileName.includes('/node_modules/'));
  const found = own.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ]);
  return [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(), ...found].map(describe);
}

function describe({ file, start, messageText }) {
  const text = ts.flattenDiagnosticMessageText(messageText, '\n  ');
  if (!file) return text;
  return `${relative(root, file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${text}`;
}

await ensureBuilt();
const typesOf = (wanted) => entryPoints().flatMap(({ specifier, types }) => (wanted(specifier) ? [types] : []));
const bare = typesOf((specifier) => !besideNode.includes(specifier));
const problems = [
  ...problemsOf([...bare, join(root, 'scripts/lib/web-globals.d.ts')], []),
  ...problemsOf(
    typesOf((specifier) => besideNode.includes(specifier)),
    ['node'],
  ),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error('This is what a reader sees who has no types of Node, or says no skipLibCheck.');
  process.exitCode = 1;
}
