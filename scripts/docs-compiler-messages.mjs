// What the compiler says about plans with wrong references, in docs/inputs-and-outputs.md: every file of
// examples/wrong-references is compiled against the source of the packages, and its code stands in the page with the
// message. `node scripts/docs-compiler-messages.mjs` writes it; with --check nothing is written and a difference fails,
// which scripts/check-docs.mjs does too. A file that compiles, or has more than one mistake, fails always.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { compilerOptions } from './lib/compiler-options.mjs';
import { root, walk } from './lib/workspace.mjs';

const dir = join(root, 'examples/wrong-references');
const page = join(root, 'docs/inputs-and-outputs.md');
/** What people get wrong most comes first; a file that is not named here comes last. */
const order = ['unknown-step', 'wrong-path', 'duplicate-name', 'function-parameters', 'later-step', 'unknown-input'];
const begin = '<!-- compiler: written by scripts/docs-compiler-messages.mjs -->';
const end = '<!-- /compiler -->';

/** What the compiler says about each file: `{ file, text, message }`. */
function compiled() {
  const place = (path) => [...order, basename(path, '.ts')].indexOf(basename(path, '.ts'));
  const files = walk(dir, (path) => path.endsWith('.ts')).sort((a, b) => place(a) - place(b));
  const program = ts.createProgram({ rootNames: files, options: compilerOptions() });
  return files.map((file) => {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    if (found.length !== 1) throw new Error(`${relative(root, file)}: ${found.length} errors, and there should be one`);
    return { file, text: source.text, message: worded(source, found[0]) };
  });
}

function worded(source, { start, code, messageText }) {
  const { line, character } = source.getLineAndCharacterOfPosition(start);
  const message = ts.flattenDiagnosticMessageText(messageText, '\n');
  return `${basename(source.fileName)}(${line + 1},${character + 1}): error TS${code}: ${message}`;
}

/** The comment a file begins with, and its code without that and the imports. */
function parts(text) {
  const [comment, ...lines] = text.trimEnd().split('\n');
  const code = lines.filter((line) => !line.startsWith('import ')).join('\n');
  return { title: comment.replace(/^\/\/ /, ''), code: code.trim() };
}

function withMessages(text) {
  const start = text.indexOf(begin);
  const stop = text.indexOf(end);
  if (start < 0 || stop < start) throw new Error(`docs/inputs-and-outputs.md has no ${begin} … ${end}`);
  const sections = compiled().map(({ file, text: source, message }) => {
    const { title, code } = parts(source);
    const link = `[${basename(file)}](../${relative(root, file)})`;
    return `**${title}** ${link}\n\n\`\`\`ts no-check it is wrong on purpose\n${code}\n\`\`\`\n\n\`\`\`text\n${message}\n\`\`\`\n`;
  });
  return `${text.slice(0, start)}${begin}\n\n${sections.join('\n')}\n${text.slice(stop)}`;
}

/** What is wrong with the page; nothing when it is up to date. */
export function compilerMessagesProblem() {
  const text = readFileSync(page, 'utf8');
  const hint = 'docs/inputs-and-outputs.md: not up to date, run node scripts/docs-compiler-messages.mjs';
  return withMessages(text) === text ? undefined : hint;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const problem = compilerMessagesProblem();
    if (problem) console.error(problem);
    process.exitCode = problem ? 1 : 0;
  } else writeFileSync(page, withMessages(readFileSync(page, 'utf8')));
}
