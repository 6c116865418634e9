import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../src/core/json.ts';
import { hangs, object, type ScriptedAnswer, text, toolCall } from '../src/testing/script.ts';
import {
  type ScriptedModelServer,
  type ScriptedServerRequest,
  scriptedModelServer,
} from '../src/testing/scripted-model-server.ts';
import { type Ended, type Running, startCommand } from './lib/command-process.ts';
import { transpileInto } from './lib/transpiled.ts';

let built: string;
let main: string;
let cwd: string;
let server: ScriptedModelServer | undefined;

beforeAll(() => {
  built = mkdtempSync(join(tmpdir(), 'portia-cli-'));
  main = transpileInto(built);
}, 60_000);
afterAll(() => rmSync(built, { recursive: true, force: true }));
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'portia-cwd-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(cwd, { recursive: true, force: true });
});

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const models = server ? { OPENAI_BASE_URL: server.baseUrl, OPENAI_API_KEY: 'sk-only-for-tests' } : {};
  return startCommand([process.execPath, main, ...args], { cwd, env: { ...models, ...env } });
}
const cli = (...args: string[]): Promise<Ended> => start(args).ended;
const json = JSON.parse;

const draft = (...steps: JsonObject[]): JsonObject => ({
  steps: steps.map((step) => ({ inputs: [], condition: null, ...step })),
  error: null,
});
const reviewPlan = draft(
  { task: 'Read poem.txt', tool_id: 'file_reader_tool', output: '$poem' },
  { task: 'Review the poem', tool_id: 'llm_tool', output: '$review', inputs: [{ name: '$poem', description: '' }] },
);

/** A model server that plans this, calls the reader, and answers everything else in words. */
async function serve(
  plan: JsonObject,
  answer: (request: ScriptedServerRequest) => ScriptedAnswer = () => text('A tender poem.'),
): Promise<void> {
  server = await scriptedModelServer((request) => {
    if (request.schema?.name === 'plan') return object(plan);
    return request.tools ? toolCall('file_reader_tool', { filename: 'poem.txt' }) : answer(request);
  });
}

function twoPoems(): void {
  for (const [folder, poem] of [
    ['a', 'Roses are red'],
    ['b', 'Violets are blue'],
  ] as const) {
    mkdirSync(join(cwd, folder));
    writeFileSync(join(cwd, folder, 'poem.txt'), poem);
  }
}

/** A plan of a tool that fails the first time, and the module that has it. */
function flakyTool(): readonly string[] {
  writeFileSync(
    join(cwd, 'tools.mjs'),
    `import { existsSync, writeFileSync } from 'node:fs';
    import { tool, ToolHardError } from ${JSON.stringify(pathToFileURL(join(built, 'dist/index.js')).href)};
    export default [tool({ id: 'flaky', description: 'fails once', run() {
      if (existsSync('tried')) return 'up';
      writeFileSync('tried', '');
      throw new ToolHardError('down');
    } })];`,
  );
  return planFile({ task: 'Try', tool_id: 'flaky', output: '$up' }, '--tools', 'tools.mjs');
}

function planFile(step: JsonObject, ...more: string[]): readonly string[] {
  const plan = {
    plan_context: { query: 'try it', tool_ids: [] },
    steps: [step],
    plan_inputs: [{ name: '$n', description: null, value: 3 }],
  };
  writeFileSync(join(cwd, 'plan.json'), JSON.stringify(plan));
  return ['run', '--plan', 'plan.json', ...more];
}

describe('a run that has to ask which file is meant', () => {
  beforeEach(async () => {
    twoPoems();
    await serve(reviewPlan);
  });
  const query = 'Read the poem.txt file and write a review of it';

  it('stops with exit code 3, refuses a wrong choice, and goes on in another process once it is answered', {
    timeout: 60_000,
  }, async () => {
    const asked = await cli('run', query);
    expect(asked.code).toBe(3);
    expect(asked.stderr).toMatch(/1 {2}Read poem\.txt +file_reader_tool +read-only +– +\$poem/);
    const run = json(asked.stdout);
    expect(run).toMatchObject({
      state: 'NEED_CLARIFICATION',
      outputs: { clarifications: [{ options: ['a/poem.txt', 'b/poem.txt'] }] },
    });
    const clarification = run.outputs.clarifications[0].id;

    const listed = await cli('clarifications', 'list');
    expect(listed.stdout).toContain(`npx portia-ts clarifications answer ${run.id} ${clarification} a/poem.txt`);
    expect(listed.stdout).toContain('b/poem.txt');

    const before = (await cli('runs', 'show', run.id, '--events', '--json')).stdout;
    const wrong = await cli('clarifications', 'answer', run.id, clarification, 'c/poem.txt', '--json');
    expect(wrong.code).toBe(2);
    expect(wrong.stdout).toBe('');
    expect(json(wrong.stderr)).toMatchObject({
      error: { code: 'CLARIFICATION_RESPONSE_INVALID', hint: expect.stringContaining('a/poem.txt') },
    });
    expect((await cli('runs', 'show', run.id, '--events', '--json')).stdout).toBe(before);

    const answered = await cli('clarifications', 'answer', run.id, clarification, 'b/poem.txt', '--by', 'ann');
    expect(answered.code).toBe(0);
    expect(answered.stderr).toContain(`npx portia-ts resume ${run.id}`);
    const again = await cli('clarifications', 'answer', run.id, clarification, 'a/poem.txt');
    expect(again.code).toBe(4);
    expect(again.stderr).toContain('CLARIFICATION_ALREADY_RESOLVED');

    const done = await cli('resume', run.id);
    expect(done.code).toBe(0);
    expect(json(done.stdout)).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $poem: { value: 'Violets are blue' } }, final_output: { value: 'A tender poem.' } },
    });
    expect(done.stderr).toContain('✓ 1/2');
    const shown = json((await cli('runs', 'show', run.id, '--ledger', '--json')).stdout);
    expect(shown.clarifications).toMatchObject([{ resolvedBy: 'ann', resolvedAs: 'operator', via: 'cli' }]);
    expect(shown.toolCalls.map((call: { callId: string; status: string }) => [call.callId, call.status])).toEqual([
      ['0.0.1', 'NEED_CLARIFICATION'],
      ['0.0.2', 'SUCCESS'],
      ['1.0.1', 'SUCCESS'],
    ]);
  });

  it('goes on at once with --resume, and is driven by a worker otherwise', { timeout: 60_000 }, async () => {
    const first = json((await cli('run', query, '--json')).stdout);
    const second = json((await cli('run', query, '--json')).stdout);
    const answer = (run: typeof first, ...more: string[]): Promise<Ended> =>
      cli('clarifications', 'answer', run.id, run.outputs.clarifications[0].id, 'a/poem.txt', ...more);
    const resumed = await answer(first, '--resume');
    expect(resumed.code).toBe(0);
    expect(json(resumed.stdout).state).toBe('COMPLETE');
    expect((await answer(second)).code).toBe(0);
    const worked = await cli('work', '--until-idle', '--json');
    expect([worked.code, json(worked.stdout)]).toEqual([0, { complete: 1, failed: 0, waiting: 0, refused: 0 }]);
    const listed = json((await cli('runs', 'list', '--state', 'complete', '--json')).stdout);
    expect(listed.runs.map(({ id }: { id: string }) => id)).toEqual([second.id, first.id]);
  });

  it('can be cancelled, which ends its questions, and be tried again', { timeout: 60_000 }, async () => {
    const run = json((await cli('run', query, '--label', 'batch=1', '--json')).stdout);
    expect((await cli('runs', 'cancel', run.id, '--reason', 'not needed')).code).toBe(0);
    const shown = await cli('runs', 'show', run.id);
    expect(shown.stdout).toContain('RUN_CANCELLED: the run was cancelled: not needed');
    expect(shown.stdout).not.toContain('clarifications answer');
    expect((await cli('clarifications', 'list', '--json')).stdout).toContain('"clarifications": []');
    expect((await cli('runs', 'list', '--label', 'batch=1')).stdout).toContain(run.id);
    expect((await cli('runs', 'list', '--label', 'batch=2', '--json')).stdout).toContain('"runs": []');
    expect((await cli('runs', 'retry', run.id)).code).toBe(3);
  });
});

describe('ctrl-C', () => {
  it('stops driving and leaves a run that can be resumed', { timeout: 60_000 }, async () => {
    mkdirSync(join(cwd, 'a'));
    writeFileSync(join(cwd, 'poem.txt'), 'Roses are red');
    let isDown = true;
    await serve(reviewPlan, () => (isDown ? hangs() : text('Fine.')));
    const running = start(['run', 'Review the poem']);
    await running.written(/· 2\/2/);
    running.child.kill('SIGINT');
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    const run = json(stopped.stdout);
    expect(run.state).toBe('IN_PROGRESS');
    expect(stopped.stderr).toContain(`npx portia-ts resume ${run.id}`);
    isDown = false;
    const done = await cli('resume', run.id);
    expect([done.code, json(done.stdout).outputs.final_output.value]).toEqual([0, 'Fine.']);
    expect(done.stderr).toContain('reused from the ledger: 1 finished step, 1 tool call and 1 model answer');
  });

  it('before there is a run says so', { timeout: 30_000 }, async () => {
    server = await scriptedModelServer(() => hangs());
    const running = start(['plan', 'anything', '--json']);
    await expect.poll(() => server?.requests.length, { timeout: 15_000 }).toBe(1);
    running.child.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.code).toBe(130);
    expect(json(ended.stderr)).toMatchObject({ error: { code: 'INTERRUPTED' } });
  });

  it('keeps others off while the run is driven', { timeout: 60_000 }, async () => {
    writeFileSync(join(cwd, 'poem.txt'), 'Roses are red');
    await serve(reviewPlan, () => hangs());
    const running = start(['run', 'Review the poem', '--run-key', 'k']);
    await running.written(/· 2\/2/);
    const [run] = json((await cli('runs', 'list', '--json')).stdout).runs;
    const busy = await cli('resume', run.id, '--json');
    expect([busy.code, json(busy.stderr).error.code]).toEqual([4, 'RUN_BUSY']);
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
  });
});

describe('plans', () => {
  it('are planned without being run, and run later by their id', { timeout: 60_000 }, async () => {
    writeFileSync(join(cwd, 'poem.txt'), 'Roses are red');
    await serve(reviewPlan);
    const planned = await cli('plan', 'Review the poem');
    const plan = json(planned.stdout);
    expect(plan).toMatchObject({
      plan_context: { query: 'Review the poem' },
      steps: [{ output: '$poem' }, { output: '$review' }],
    });
    expect(planned.stderr).toContain(`npx portia-ts run --plan ${plan.id}`);
    expect((await cli('runs', 'list')).stderr).toContain('no runs here yet');
    const ran = await cli('run', '--plan', plan.id);
    expect([ran.code, json(ran.stdout).plan_id]).toEqual([0, plan.id]);
  });

  it('come from files too, with tools of a module; what failed can be tried again', { timeout: 60_000 }, async () => {
    const command = [...flakyTool(), '--input', 'n=7', '--end-user-id', 'cust_1', '--run-key', 'one'];
    const failed = await cli(...command);
    expect(failed.code).toBe(1);
    const run = json(failed.stdout);
    expect(run).toMatchObject({ state: 'FAILED', end_user_id: 'cust_1', plan_run_inputs: { $n: { value: 7 } } });
    expect(failed.stderr).toMatch(
      /failed in step 1[\s\S]*TOOL_FAILED: down[\s\S]*runs retry prun-\S+ --tools tools\.mjs/,
    );
    const wrongTools = await cli('runs', 'retry', run.id, '--json');
    expect([wrongTools.code, json(wrongTools.stderr).error.code]).toEqual([1, 'TOOL_NOT_FOUND']);
    const done = await cli('runs', 'retry', run.id, '--tools', 'tools.mjs');
    expect([done.code, json(done.stdout).outputs.final_output.value]).toEqual([0, 'up']);
    const jsonFailure = await cli('run', '--plan', 'nowhere.json', '--json');
    expect([jsonFailure.code, json(jsonFailure.stderr).error.code]).toEqual([2, 'USAGE']);
  });

  it('that fail are one JSON error on stderr and the run on stdout with --json', { timeout: 30_000 }, async () => {
    const failed = await cli(...flakyTool(), '--json');
    expect(failed.code).toBe(1);
    expect(json(failed.stdout).state).toBe('FAILED');
    expect(json(failed.stderr)).toEqual({
      error: { code: 'TOOL_FAILED', message: 'down', hint: expect.stringContaining('runs retry') },
    });
  });

  it('give the same run for the same run key', { timeout: 30_000 }, async () => {
    flakyTool();
    const plan = json(readFileSync(join(cwd, 'plan.json'), 'utf8'));
    writeFileSync(join(cwd, 'plan.json'), JSON.stringify({ id: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10', ...plan }));
    writeFileSync(join(cwd, 'tried'), '');
    const command = ['run', '--plan', 'plan.json', '--tools', 'tools.mjs', '--run-key', 'one'];
    const [first, second] = [await cli(...command), await cli(...command)];
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(json(second.stdout)).toEqual(json(first.stdout));
  });
});

describe('the store', () => {
  it('is on disk where that is asked for, and .env of the working directory says where', {
    timeout: 30_000,
  }, async () => {
    writeFileSync(join(cwd, '.env'), 'PORTIA_STORAGE=disk:from-env\n');
    writeFileSync(join(cwd, 'tried'), '');
    expect((await cli(...flakyTool())).code).toBe(0);
    expect(existsSync(join(cwd, 'from-env'))).toBe(true);
    expect((await cli(...flakyTool(), '--no-env')).code).toBe(0);
    expect(existsSync(join(cwd, '.portia/portia.db'))).toBe(true);
    expect((await cli(...flakyTool(), '--storage', 'sqlite:x/y.db')).code).toBe(0);
    expect(existsSync(join(cwd, 'x/y.db'))).toBe(true);
  });

  it('in memory is said to end with the process', { timeout: 30_000 }, async () => {
    twoPoems();
    await serve(reviewPlan);
    const asked = await cli('run', 'Review it', '--storage', 'memory');
    expect(asked.code).toBe(3);
    expect(asked.stderr).toContain('kept in memory only');
  });
});

describe('a command line', () => {
  it('that is not understood ends with exit code 2, on stderr only', { timeout: 20_000 }, async () => {
    const wrong = await cli('runs', 'lst', '--json');
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    expect(json(wrong.stderr)).toMatchObject({ error: { code: 'USAGE', hint: expect.stringContaining('runs list') } });
  });

  it('has no colour in files, and an end that is cut off is no error', { timeout: 20_000 }, async () => {
    expect((await cli('help')).stdout).not.toContain('\u001b');
    expect((await start(['help'], { FORCE_COLOR: '1' }).ended).stdout).toContain('\u001b[');
    const piped = await startCommand(['sh', '-c', `'${process.execPath}' '${main}' help | head -1`], { cwd }).ended;
    expect([piped.code, piped.stderr]).toEqual([0, '']);
  });
});

describe('the demo', () => {
  it('survives the kill of its worker, and prints one run as JSON', { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await cli('demo', '--fast');
    expect(stderr).toMatch(/a scripted model and recorded search results stand in/);
    expect(code).toBe(0);
    const run = json(stdout);
    expect(run).toMatchObject({ state: 'COMPLETE', outputs: { final_output: { value: { file: 'answer.md' } } } });
    expect(run.outputs.final_output.value.answer).toMatch(/Amazon.*\+44\.4 %.*\+35\.5 %/);
    expect(run.outputs.step_outputs.$growth.value.map((n: number) => n.toFixed(1))).toEqual(['44.4', '35.5']);
    expect(readFileSync(join(cwd, '.portia/demo/answer.md'), 'utf8')).toContain("Amazon's stock price grew faster");
    expect(stderr).toMatch(/worker \d+ was killed \(SIGKILL\) inside call 4\.0\.1 of file_writer_tool/);
    expect(stderr).toMatch(/reused from the ledger: 4 finished steps, 5 tool calls and 7 model answers/);
    expect(stderr).toContain('answering "call again"');
    const show = /npx portia-ts (runs show .*)/.exec(stderr)?.[1]?.split(' ') ?? [];
    const shown = await cli(...show, '--json');
    expect(json(shown.stdout).toolCalls.at(-1)).toMatchObject({ callId: '4.0.1', status: 'SUCCESS', attempts: 2 });
  });

  it('kills nothing with --no-crash, and answers only its own question without a key', {
    timeout: 60_000,
  }, async () => {
    const calm = await cli('demo', 'which stock price grew faster in 2024: Amazon or Google', '--fast', '--no-crash');
    expect(calm.code).toBe(0);
    expect(json(calm.stdout).outputs.clarifications).toEqual([]);
    expect(calm.stderr).not.toContain('SIGKILL');
    const other = await cli('demo', 'Will it rain?', '--json');
    expect([other.code, other.stdout]).toEqual([2, '']);
    expect(json(other.stderr).error).toMatchObject({
      code: 'MODEL_KEY_MISSING',
      hint: expect.stringContaining('OPENAI_API_KEY'),
    });
  });

  it('leaves a run that goes on with --resume, and no process behind, when it is stopped', {
    timeout: 60_000,
  }, async () => {
    const running = start(['demo', '--no-crash']);
    await running.written(/✓ 1\/5/);
    running.child.kill('SIGINT');
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    const worker = Number(/worker (\d+) drives/.exec(stopped.stderr)?.[1]);
    expect(worker).toBeGreaterThan(1);
    expect(() => process.kill(worker, 0)).toThrow('ESRCH');
    const { id } = json(stopped.stdout);
    expect(stopped.stderr).toContain(`demo --resume ${id}`);
    const done = await cli('demo', '--fast', '--resume', id);
    expect([done.code, json(done.stdout).id, json(done.stdout).state]).toEqual([0, id, 'COMPLETE']);
  });

  it('asks a real model for any question when there is a key', { timeout: 60_000 }, async () => {
    const plan = draft({ task: 'Answer and write it down', tool_id: 'file_writer_tool', output: '$file' });
    server = await scriptedModelServer((request) => {
      if (request.schema?.name === 'plan') return object(plan);
      if (request.schema) return object({ result: { answer: 'No.', file: 'answer.md' }, summary: 'No.' });
      return toolCall('file_writer_tool', { filename: 'answer.md', content: 'No.' });
    });
    const { code, stdout, stderr } = await cli('demo', 'Will it rain?', '--fast');
    expect(stderr).toContain('SIGKILL');
    expect([code, json(stdout).outputs.final_output.value]).toEqual([0, { answer: 'No.', file: 'answer.md' }]);
    expect(JSON.stringify(server.requests[0]?.messages)).toContain('Will it rain?');
  });
});

// Gives a command a terminal; only the one of Linux takes these options.
const script = ((): string | undefined => {
  try {
    const found = execFileSync('sh', ['-c', 'command -v script && script --version'], { encoding: 'utf8' });
    return found.includes('util-linux') ? found.split('\n')[0] : undefined;
  } catch {
    return undefined;
  }
})();

describe.skipIf(script === undefined)('in a terminal', () => {
  it('the plan is shown before it is run, and questions are asked there', { timeout: 60_000 }, async () => {
    twoPoems();
    await serve(reviewPlan);
    const command = `'${process.execPath}' '${main}' run 'Review the poem' > run.json`;
    const env = { OPENAI_BASE_URL: String(server?.baseUrl), OPENAI_API_KEY: 'sk-only-for-tests', TERM: 'xterm' };
    const running = startCommand([String(script), '-qfec', command, '/dev/null'], { cwd, env, input: 'open' });
    await running.written(/Run this plan\? \[y\/N\]/);
    running.child.stdin?.write('y\r');
    await running.written(/2\) b\/poem\.txt[\s\S]*Please choose a value:/);
    running.child.stdin?.write('9\r');
    await running.written(/Please answer with a number from 1 to 2/);
    running.child.stdin?.write('2\r');
    const ended = await running.ended;
    expect(ended.code).toBe(0);
    expect(json(readFileSync(join(cwd, 'run.json'), 'utf8'))).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $poem: { value: 'Violets are blue' } } },
    });
  });
});

describe('tools of a module in TypeScript', () => {
  const library = (): string => JSON.stringify(pathToFileURL(join(built, 'dist/index.js')).href);

  it('are taken as those of JavaScript, in a registry or a list', { timeout: 60_000 }, async () => {
    const now = `import { tool, ToolRegistry } from ${library()};
      const id: string = 'now';
      const now = tool({ id, description: 'The time.', readOnly: true, run: (): string => 'noon' });\n`;
    writeFileSync(join(cwd, 'list.ts'), `${now}export default [now];`);
    writeFileSync(join(cwd, 'registry.mts'), `${now}export default new ToolRegistry([now]);`);
    for (const file of ['list.ts', 'registry.mts']) {
      const listed = await cli('tools', 'list', '--tools', file, '--json');
      expect([listed.code, listed.stderr]).toEqual([0, '']);
      expect(json(listed.stdout).tools).toContainEqual(expect.objectContaining({ id: 'now' }));
    }
  });

  it('that cannot be made say why, and what to do about it', { timeout: 60_000 }, async () => {
    writeFileSync(join(cwd, 'tools.ts'), `throw new Error('out of order' as string);`);
    const thrown = await cli('tools', 'list', '--tools', 'tools.ts');
    expect([thrown.code, thrown.stderr]).toEqual([2, expect.stringContaining('--tools tools.ts: out of order')]);
    const wrong = `import { tool } from ${library()};\nexport default [tool({ id: '' as string })];`;
    writeFileSync(join(cwd, 'tools.ts'), wrong);
    const refused = await cli('tools', 'list', '--tools', 'tools.ts', '--json');
    expect(json(refused.stderr).error).toMatchObject({ code: 'USAGE', hint: expect.stringContaining('give it an id') });
  });
});

describe('mcp', () => {
  it.each(['plans.mjs', 'plans.ts'])(
    'serves the plans of %s to a host, and takes the tools of MCP servers',
    async (name) => {
      const { Client } = await import('@modelcontextprotocol/client');
      const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio');
      const { everything } = await import('./lib/mcp-servers.ts');
      const { command, args } = everything();
      writeFileSync(join(cwd, 'mcp.json'), JSON.stringify({ mcpServers: { everything: { command, args } } }));
      const plan = `import { PlanBuilderV2, StepOutput } from ${JSON.stringify(pathToFileURL(join(built, 'dist/index.js')).href)};
      const sum${name.endsWith('.ts') ? ': string' : ''} = 'sum';
      export default { sum: new PlanBuilderV2('Sum')
        .userInput({ stepName: 'a', message: 'Which number?', options: [2, 4] })
        .invokeToolStep({ stepName: sum, tool: 'mcp:everything:get_sum', args: { a: StepOutput('a'), b: 3 } })
        .build() };`;
      writeFileSync(join(cwd, name), plan);
      const client = new Client({ name: 'host', version: '1' }, { capabilities: { elicitation: {} } });
      client.setRequestHandler('elicitation/create', ({ params }) => {
        expect(params.message).toContain('Which number?');
        return { action: 'accept', content: { answer: '4' } };
      });
      const options = ['--plans', name, '--mcp-config', 'mcp.json', '--storage', 'memory', '--no-env'];
      await client.connect(
        new StdioClientTransport({ command: process.execPath, args: [main, 'mcp', ...options], cwd }),
      );
      try {
        const { structuredContent } = await client.callTool({ name: 'run_sum', arguments: {} });
        expect(structuredContent).toMatchObject({ state: 'COMPLETE', output: expect.stringContaining('7') });
      } finally {
        await client.close();
      }
    },
    60_000,
  );
});
