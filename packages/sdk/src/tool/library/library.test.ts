import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { argsJsonSchemaOf } from '../tool.ts';
import { object, text } from '../../testing/script.ts';
import { scriptedModel } from '../../testing/scripted-model.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { testTool } from '../../testing/tool-contract.ts';
import { createLlmTool, llmTool } from './llm-tool.ts';
import { defaultToolRegistry, exampleToolRegistry, openSourceToolRegistry } from './registries.ts';

const invalid = [{}, { task: 1 }, { task: 'x', other: 1 }, { task: 'x', task_data: 1n }];
const context = ({ signal }: { readonly signal: AbortSignal }) =>
  toolContext({ signal, model: scriptedModel(() => text('done')) });
testTool(
  llmTool,
  { valid: [{ task: 'x' }, { task: 'x', task_data: { a: [1, null] } }], invalid, context },
  { describe, it, expect },
);

describe('llm_tool', () => {
  const sent = async (args: { task: string; task_data?: never }, tool = llmTool): Promise<string> => {
    const model = scriptedModel([' Rome \n']);
    expect(await tool.run(args, toolContext({ model }))).toBe('Rome');
    return model.requests[0]?.messages.map(({ content }) => content).join('\n') ?? '';
  };

  it('gives the model the task and the data, flattened', async () => {
    const told = await sent({ task: 'Name the capital', task_data: { country: 'Italy', more: { n: 1 } } as never });
    for (const part of ['Name the capital', 'country', 'Italy', 'more', '{"n":1}']) expect(told).toContain(part);
    expect(await sent({ task: 't', task_data: ['one', 2] as never })).toContain('one\n2');
    expect(await sent({ task: 't', task_data: 'plain data' as never })).toContain('plain data');
    expect(await sent({ task: 't' })).not.toContain('task_data');
  });

  it('can have a role and another id', async () => {
    const judge = createLlmTool({ id: 'judge', toolContext: 'You are a judge.' });
    expect(judge).toMatchObject({ id: 'judge', name: 'Judge', readOnly: true });
    expect(await sent({ task: 't' }, judge)).toContain('You are a judge.');
  });

  it('asks for an answer of a shape, and checks it', async () => {
    const typed = createLlmTool({ outputSchema: z.object({ city: z.string() }) });
    const model = scriptedModel([object({ city: 'Rome' }), object({ city: 1 }), object({ city: 2 })]);
    expect(await typed.run({ task: 't' }, toolContext({ model }))).toEqual({ city: 'Rome' });
    expect(model.requests[0]?.schema).toMatchObject({ name: 'llm_tool', jsonSchema: { required: ['city'] } });
    await expect(async () => typed.run({ task: 't' }, toolContext({ model }))).rejects.toMatchObject({
      code: 'MODEL_ANSWER_INVALID',
    });
  });

  it('refuses an empty answer', async () => {
    await expect(async () =>
      llmTool.run({ task: 't' }, toolContext({ model: scriptedModel([' ']) })),
    ).rejects.toMatchObject({ code: 'MODEL_ANSWER_INVALID' });
  });
});

describe('the registries', () => {
  it('have the ids and arguments of Portia', () => {
    const shown = [...exampleToolRegistry].map((tool) => [
      tool.id,
      tool.name,
      Object.keys(argsJsonSchemaOf(tool)['properties'] as object),
    ]);
    expect(shown).toEqual([
      ['calculator_tool', 'Calculator Tool', ['math_question']],
      ['weather_tool', 'Weather Tool', ['city']],
      ['search_tool', 'Search Tool', ['search_query']],
      ['llm_tool', 'LLM Tool', ['task', 'task_data']],
      ['file_reader_tool', 'File Reader Tool', ['filename']],
      ['file_writer_tool', 'File Writer Tool', ['filename', 'content']],
    ]);
    expect([...exampleToolRegistry].filter(({ readOnly }) => !readOnly).map(({ id }) => id)).toEqual([
      'file_writer_tool',
    ]);
    expect([...exampleToolRegistry].filter(({ shouldSummarize }) => shouldSummarize).map(({ id }) => id)).toEqual([
      'search_tool',
    ]);
  });

  it('have search and weather by default only where there is a key', () => {
    const always = ['calculator_tool', 'llm_tool', 'file_writer_tool', 'file_reader_tool', 'image_understanding_tool'];
    expect(defaultToolRegistry({ env: {} }).toolIds()).toEqual(always);
    expect(defaultToolRegistry({ env: { TAVILY_API_KEY: 'a', OPENWEATHERMAP_API_KEY: '' } }).toolIds()).toEqual([
      ...always,
      'search_tool',
      'map_tool',
      'extract_tool',
      'crawl_tool',
    ]);
    expect(defaultToolRegistry({ env: {}, tavilyApiKey: 'a', openWeatherMapApiKey: 'b' }).size).toBe(10);
  });

  it('have every bundled tool in the open-source one, whatever keys there are', () => {
    expect(openSourceToolRegistry().toolIds().sort()).toEqual(
      [
        ...['browser_tool', 'calculator_tool', 'check_sql', 'crawl_tool', 'extract_tool', 'file_reader_tool'],
        ...['file_writer_tool', 'get_table_schemas', 'http_request_tool', 'image_understanding_tool', 'list_tables'],
        ...['llm_tool', 'map_tool', 'pdf_reader_tool', 'run_sql', 'search_tool', 'weather_tool'],
      ].sort(),
    );
  });

  it('do nothing when they are imported: no environment is read, nothing is left running, zod is not loaded', () => {
    const script = `
      const env = [];
      // Node itself reads some, too, and other ones in each release.
      const isOurs = () => new Error().stack.split('\\n')[3]?.includes('file:');
      process.env = new Proxy(process.env, { get(target, key) { if (isOurs()) env.push(String(key)); return target[key]; } });
      const before = process.getActiveResourcesInfo().length;
      const { exampleToolRegistry, openSourceToolRegistry } = await import(process.argv[1]);
      console.log(JSON.stringify({ size: exampleToolRegistry.size, env, left: process.getActiveResourcesInfo().length - before }));
    `;
    const entry = new URL('./index.ts', import.meta.url).pathname;
    const flags = [
      '--import',
      `data:text/javascript,${encodeURIComponent(stripTypesHook)}`,
      '--input-type=module',
      '-e',
      script,
      entry,
    ];
    const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' });
    expect([stdout.trim(), stderr]).toEqual([JSON.stringify({ size: 6, env: [], left: 0 }), '']);
  });
});

/** Lets a bare Node import the TypeScript sources, and refuses zod. */
const stripTypesHook = `
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(\`
    import { readFileSync } from 'node:fs';
    import { createRequire } from 'node:module';
    const ts = createRequire('file://${process.cwd()}/')('typescript');
    export function resolve(specifier, context, next) {
      if (specifier === 'zod') throw new Error('zod was loaded');
      return next(specifier, context);
    }
    export function load(url, context, next) {
      if (!url.endsWith('.ts')) return next(url, context);
      const { outputText } = ts.transpileModule(readFileSync(new URL(url), 'utf8'), { compilerOptions: { module: 'ESNext', target: 'ES2022', verbatimModuleSyntax: true } });
      return { format: 'module', source: outputText, shortCircuit: true };
    }
  \`));
`;
