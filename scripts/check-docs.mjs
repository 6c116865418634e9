// What the documentation shows has to compile, and what it links to has to exist. Every ```ts snippet of the READMEs
// and of docs/ is type-checked as a module of its own (top-level await is fine) against the source of the packages; a
// snippet keeps its line numbers, so an error names the line of the page. A snippet that begins with the name of a file,
// such as `// app/refunds/route.ts`, stands under that name, and others of its page import it: by its path, or as
// `@/<name>`, as Next.js has it. A fence opts out as ```ts no-check <reason>, and the reason is required. Relative links are checked in every *.md of the repository. The table of error codes and
// the catalogue of tools are those of the source, and the messages about wrong references are those of the compiler; the page on configuration
// names every option and environment variable there is, and the page on the command line every command.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { compilerMessagesProblem } from './docs-compiler-messages.mjs';
import { errorsPageProblem } from './docs-errors.mjs';
import { toolsPageProblem } from './docs-tools.mjs';
import { compilerOptions } from './lib/compiler-options.mjs';
import { isSource, packages, root, walk } from './lib/workspace.mjs';

const isPage = (path) => path.endsWith('.md') && !/\/(dist|coverage|\.git|\.changeset)\//.test(path);
const snippetDir = join(root, 'node_modules/.cache/docs-snippets');
const problems = [];

/** The fenced blocks of a page: `{ language, info, line, lines }`, `line` being the first of the code, from 1. */
function fences(text) {
  const found = [];
  let open;
  text.split('\n').forEach((line, index) => {
    const fence = line.match(/^(\s*)(`{3,}|~{3,})\s*(\S*)\s*(.*)$/);
    if (!open && fence) {
      open = {
        indent: fence[1].length,
        mark: fence[2],
        language: fence[3],
        info: fence[4],
        line: index + 2,
        lines: [],
      };
    } else if (open && fence?.[2].startsWith(open.mark) && fence[3] === '') {
      found.push(open);
      open = undefined;
    } else if (open) {
      open.lines.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)));
    }
  });
  return found;
}

/** Where a snippet stands: under the name it begins with, or under its line. */
function snippetPath(page, { language, line, lines }) {
  const dir = join(snippetDir, relative(root, page).replace(/[^\w]+/g, '-'));
  const [, name] = lines[0]?.match(/^\/\/ ([\w./[\]-]+\.tsx?)$/) ?? [];
  return join(dir, name ?? `line-${line}.${language === 'tsx' ? 'tsx' : 'ts'}`);
}

function writeSnippets(pages) {
  const files = new Map();
  rmSync(snippetDir, { recursive: true, force: true });
  for (const page of pages) {
    for (const fence of fences(readFileSync(page, 'utf8'))) {
      const { language, info, line, lines } = fence;
      if (!['ts', 'typescript', 'tsx'].includes(language)) continue;
      const optOut = info.match(/^no-check\b\s*(.*)$/);
      if (optOut && optOut[1] === '') problems.push(`${relative(root, page)}:${line - 1}: no-check needs a reason`);
      if (optOut) continue;
      const path = snippetPath(page, fence);
      if (files.has(path)) problems.push(`${relative(root, page)}:${line}: ${lines[0]} stands there twice`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `${'\n'.repeat(line - 1)}${lines.join('\n')}\nexport {}\n`);
      files.set(path, page);
    }
  }
  writeFileSync(join(snippetDir, 'package.json'), '{ "type": "module" }\n');
  return files;
}

function checkSnippets(pages) {
  const files = writeSnippets(pages);
  const options = compilerOptions();
  const ownPages = [...new Set([...files.values()].map((page) => dirname(snippetPath(page, { lines: [] }))))];
  options.paths['@/*'] = ownPages.map((dir) => join(dir, '*.ts'));
  const program = ts.createProgram({ rootNames: [...files.keys()], options });
  for (const file of files.keys()) {
    const source = program.getSourceFile(file);
    for (const error of [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]) {
      const { line } = source.getLineAndCharacterOfPosition(error.start ?? 0);
      const message = ts.flattenDiagnosticMessageText(error.messageText, '\n  ');
      problems.push(`${relative(root, files.get(file))}:${line + 1}: TS${error.code} ${message}`);
    }
  }
  return files.size;
}

/** Where a page points to, outside code: `[text](target)`, `[name]: target`, `href` and `src`. */
function linksOf(text) {
  const blank = (part) => part.replace(/[^\n]/g, ' ');
  const prose = text.replace(/^(\s*)(`{3,}|~{3,})[\s\S]*?^\s*\2/gm, blank).replace(/`[^`\n]*`/g, blank);
  const pattern = /\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s.*)?$|(?:href|src)="([^"]+)"/gm;
  return [...prose.matchAll(pattern)].map((match) => ({
    target: match[1] ?? match[2] ?? match[3],
    line: prose.slice(0, match.index).split('\n').length,
  }));
}

function checkLinks(pages) {
  let count = 0;
  for (const page of pages) {
    for (const { target, line } of linksOf(readFileSync(page, 'utf8'))) {
      if (/^([a-z][a-z0-9+.-]*:|#|\/\/)/i.test(target)) continue;
      count += 1;
      const path = decodeURIComponent(target.replace(/[#?].*$/, ''));
      const file = path.startsWith('/') ? join(root, path) : resolve(dirname(page), path);
      if (!existsSync(file)) problems.push(`${relative(root, page)}:${line}: ${target} does not exist`);
    }
  }
  return count;
}

/** Options and environment variables that docs/configuration.md does not name. */
function checkConfiguration() {
  const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
  const source = readFileSync(join(root, 'packages/sdk/src/config/config-options.ts'), 'utf8');
  const options = [...source.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name);
  const variables = [...source.matchAll(/`([A-Z][A-Z_]+_[A-Z_<>]+)`/g)].map(([, name]) => name);
  for (const name of [...options, ...variables]) {
    if (!page.includes(`\`${name}\``)) problems.push(`docs/configuration.md: ${name} is not there`);
  }
}

/** Commands that docs/cli.md does not name. */
function checkCommands() {
  const page = readFileSync(join(root, 'docs/cli.md'), 'utf8');
  for (const file of walk(join(root, 'packages/sdk/src/cli/commands'), isSource)) {
    const name = readFileSync(file, 'utf8').match(/^ {2}name: '([a-z ]+)'/m)?.[1];
    if (name && !page.includes(`\`${name}`)) problems.push(`docs/cli.md: the command ${name} is not there`);
  }
}

const readmes = [root, ...packages().map(({ dir }) => dir)].map((dir) => join(dir, 'README.md')).filter(existsSync);
const snippets = checkSnippets([...readmes, ...walk(join(root, 'docs'), isPage)]);
const links = checkLinks(walk(root, isPage));
for (const stale of [errorsPageProblem(), compilerMessagesProblem(), toolsPageProblem()])
  if (stale) problems.push(stale);
checkConfiguration();
checkCommands();
for (const problem of problems) console.error(problem);
console.log(`${snippets} snippets, ${links} relative links, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
