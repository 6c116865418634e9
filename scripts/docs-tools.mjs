// The catalogue of bundled tools in docs/tool-catalogue.md, made from the tools themselves: what a model reads of a tool
// stands in one place. `node scripts/docs-tools.mjs` writes it; with --check nothing is written and a difference fails,
// which scripts/check-docs.mjs does too. A process of its own reads the tools from their sources.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { root } from './lib/workspace.mjs';

const page = join(root, 'docs/tool-catalogue.md');
const begin = '<!-- tools: written by scripts/docs-tools.mjs -->';
const end = '<!-- /tools -->';

function tools() {
  const source = (path) => pathToFileURL(join(root, 'packages/sdk', path)).href;
  const script = `
    const { openSourceToolRegistry } = await import(${JSON.stringify(source('src/tool/library/registries.ts'))});
    const { argsJsonSchemaOf } = await import(${JSON.stringify(source('src/tool/tool.ts'))});
    const told = [...openSourceToolRegistry({ root: '.' })].map((tool) => ({
      id: tool.id, name: tool.name, description: tool.description, args: argsJsonSchemaOf(tool),
      output: tool.outputDescription, readOnly: tool.readOnly === true, idempotent: tool.idempotent === true,
      timeoutMs: tool.timeoutMs ?? 60_000,
    }));
    process.stdout.write(JSON.stringify(told));`;
  const flags = ['--import', source('test/lib/typescript-loader.mjs'), '--input-type=module', '-e', script];
  const { stdout, stderr, status } = spawnSync(process.execPath, flags, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the bundled tools cannot be read: ${stderr}`);
  return JSON.parse(stdout).sort((a, b) => (a.id < b.id ? -1 : 1));
}

const cell = (text) => String(text).replaceAll('|', '\\|').replace(/\s+/g, ' ');

function typeOf(schema) {
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if (schema.type === 'array') return `list of ${schema.items?.type ?? 'any'}`;
  const limits = schema.minimum === undefined ? '' : ` ${schema.minimum} to ${schema.maximum}`;
  return `${schema.type ?? 'any JSON'}${limits}`;
}

function section({ id, name, description, args, output, readOnly, idempotent, timeoutMs }) {
  const rows = Object.entries(args.properties).map(([arg, schema]) => {
    const needed = args.required.includes(arg)
      ? 'yes'
      : schema.default === undefined
        ? 'no'
        : JSON.stringify(schema.default);
    return `| \`${arg}\` | ${cell(typeOf(schema))} | ${cell(needed)} | ${cell(schema.description ?? '')} |`;
  });
  const effect = readOnly ? 'read-only' : idempotent ? 'idempotent' : 'has effects';
  const table =
    rows.length > 0 ? ['', '| argument | type | needed, or default | what it is |', '|---|---|---|---|', ...rows] : [];
  const gives = output ? ` Gives ${output[0]}: ${output[1]}.` : '';
  return [
    `## \`${id}\``,
    '',
    `**${name}.** ${description}`,
    '',
    `Calls are ${effect.replace('has effects', 'with effects')}; time limit ${timeoutMs / 1000} s.${gives}`,
    ...table,
  ].join('\n');
}

function withTools(text) {
  const start = text.indexOf(begin);
  const stop = text.indexOf(end);
  if (start < 0 || stop < start) throw new Error(`docs/tool-catalogue.md has no ${begin} … ${end}`);
  return `${text.slice(0, start)}${begin}\n\n${tools().map(section).join('\n\n')}\n\n${text.slice(stop)}`;
}

/** What is wrong with the page; nothing when it is up to date. */
export function toolsPageProblem() {
  const text = readFileSync(page, 'utf8');
  return withTools(text) === text
    ? undefined
    : 'docs/tool-catalogue.md: not up to date, run node scripts/docs-tools.mjs';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const problem = toolsPageProblem();
    if (problem) console.error(problem);
    process.exitCode = problem ? 1 : 0;
  } else writeFileSync(page, withTools(readFileSync(page, 'utf8')));
}
