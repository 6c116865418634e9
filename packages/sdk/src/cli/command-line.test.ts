import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../core/json.ts';
import { object, text, toolCall } from '../testing/script.ts';
import { type ScriptedModelServer, scriptedModelServer } from '../testing/scripted-model-server.ts';
import { version } from '../version.ts';
import { cli } from '../../test/lib/command-line.ts';

const home = process.cwd();
let cwd: string;
let server: ScriptedModelServer | undefined;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'portia-cli-'));
  process.chdir(cwd);
  for (const name of Object.keys(process.env))
    if (/^PORTIA_|_API_KEY$|_BASE_URL$|^DATABASE_URL$/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  process.chdir(home);
  vi.unstubAllEnvs();
  await server?.close();
  server = undefined;
  rmSync(cwd, { recursive: true, force: true });
});

const json = JSON.parse;

const draft = (...steps: JsonObject[]): JsonObject => ({
  steps: steps.map((step) => ({ inputs: [], condition: null, ...step })),
  error: null,
});

/** A model that plans to read a poem and to review it, and two poems it may mean. */
async function twoPoems(review: () => unknown = () => {}): Promise<void> {
  for (const folder of ['a', 'b']) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'poem.txt'), `The poem of ${folder}`);
  }
  const plan = draft(
    { task: 'Read poem.txt', tool_id: 'file_reader_tool', output: '$poem' },
    { task: 'Review it', tool_id: 'llm_tool', output: '$review', inputs: [{ name: '$poem', description: '' }] },
  );
  server = await scriptedModelServer(async (request) => {
    if (request.schema?.name === 'plan') return object(plan);
    if (request.tools) return toolCall('file_reader_tool', { filename: 'poem.txt' });
    await review();
    return text('Fine.');
  });
  vi.stubEnv('OPENAI_BASE_URL', server.baseUrl);
  vi.stubEnv('OPENAI_API_KEY', 'sk-only-for-tests');
}

function planFile(step: JsonObject): void {
  writeFileSync(
    'plan.json',
    JSON.stringify({ plan_context: { query: 'try it', tool_ids: [] }, steps: [step], plan_inputs: [] }),
  );
}

describe('a run on the command line', () => {
  it('is planned, shown, driven, asked about, answered and resumed', async () => {
    await twoPoems();
    const asked = await cli('run', 'Review the poem', '--end-user-id', 'cust_1', '--label', 'team=web');
    expect(asked.code).toBe(3);
    expect(asked.err).toMatch(/1 {2}Read poem\.txt +file_reader_tool +read-only/);
    const run = json(asked.out);
    expect(run).toMatchObject({ state: 'NEED_CLARIFICATION', end_user_id: 'cust_1' });
    const [clarification] = run.outputs.clarifications;
    expect(asked.err).toContain(`npx portia-ts clarifications answer ${run.id} ${clarification.id} a/poem.txt`);

    const listed = await cli('clarifications', 'list', '--json');
    expect(json(listed.out).clarifications).toMatchObject([
      { planRunId: run.id, audience: 'endUser', clarification: { id: clarification.id } },
    ]);
    expect((await cli('clarifications', 'list', run.id)).out).toContain('b/poem.txt');

    const answer = (...more: string[]): ReturnType<typeof cli> =>
      cli('clarifications', 'answer', run.id, clarification.id, ...more);
    expect(await answer('c/poem.txt')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('choose one of "a/poem.txt"'),
    });
    expect(await answer('a/poem.txt', '--as', 'role:finance')).toMatchObject({
      code: 1,
      err: expect.stringContaining('--as role:NAME'),
    });
    expect(await answer('a/poem.txt', '--as', 'endUser', '--by', 'somebody else')).toMatchObject({ code: 1 });
    const taken = await answer('a/poem.txt', '--as', 'endUser', '--by', 'cust_1', '--json');
    expect(json(taken.out).state).toBe('READY_TO_RESUME');
    expect(await answer('b/poem.txt')).toMatchObject({
      code: 4,
      err: expect.stringContaining('CLARIFICATION_ALREADY_RESOLVED'),
    });
    expect(
      await cli('clarifications', 'answer', run.id, 'clar-3a6f0d8e-6f0c-4b39-8a0d-3b1c52d6d111', 'x'),
    ).toMatchObject({ code: 1 });

    const done = await cli('resume', run.id);
    expect([done.code, json(done.out).outputs.final_output.value]).toEqual([0, 'Fine.']);
    expect(done.err).toMatch(/✓ 2\/2 +\$review[\s\S]*✓ complete[\s\S]*Fine\./);
    expect(json((await cli('resume', run.id)).out)).toEqual(json(done.out));
    const shown = await cli('runs', 'show', run.id, '--ledger', '--events');
    expect(shown.out).toMatch(/COMPLETE {2}prun-.*\nReview the poem\n/);
    expect(shown.out).toContain('answered by cust_1 (endUser), cli: a/poem.txt');
    expect(shown.out).toMatch(/0\.0\.2 +file_reader_tool +done/);
    expect(shown.out).toContain('clarification-resolved');
    expect(shown.out).toContain('team=web');
    expect(json((await cli('runs', 'show', run.id, '--json')).out)).toMatchObject({
      planRun: { id: run.id },
      error: null,
    });
  });

  it('that is driven elsewhere is left there by resume, which says where to look', async () => {
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let isReviewing = false;
    await twoPoems(() => {
      isReviewing = true;
      return held;
    });
    const run = json((await cli('run', 'q')).out);
    await cli('clarifications', 'answer', run.id, run.outputs.clarifications[0].id, 'b/poem.txt');
    const worked = cli('work', '--until-idle');
    await vi.waitFor(() => expect(isReviewing).toBe(true), 5_000);
    const place = ['--storage', 'sqlite:.portia/portia.db'];
    const said = await cli('resume', run.id, ...place);
    expect([said.code, said.out]).toEqual([4, '']);
    expect(said.err).toContain(`run ${run.id} is being driven by another process, such as a worker, and goes on there`);
    expect(said.err).toContain(`npx portia-ts runs show ${run.id} ${place.join(' ')};`);
    expect(said.err).not.toContain('reused');
    const asJson = await cli('resume', run.id, '--json');
    expect(json(asJson.err)).toMatchObject({ error: { code: 'RUN_BUSY', hint: expect.stringContaining('runs show') } });
    goOn();
    expect(await worked).toMatchObject({ code: 0, err: expect.stringContaining('1 complete · 0 failed') });
  });

  it('can be answered and resumed at once, cancelled, tried again, and driven by a worker', async () => {
    await twoPoems();
    const [first, second, third] = [await cli('run', 'q'), await cli('run', 'q', '--json'), await cli('run', 'q')].map(
      ({ out }) => json(out),
    );
    const answer = (run: typeof first, ...more: string[]): ReturnType<typeof cli> =>
      cli('clarifications', 'answer', run.id, run.outputs.clarifications[0].id, 'b/poem.txt', ...more);
    expect(await answer(first, '--resume')).toMatchObject({ code: 0, out: expect.stringContaining('"COMPLETE"') });

    const cancelled = await cli('runs', 'cancel', second.id, '--reason', 'not needed', '--json');
    expect([cancelled.code, json(cancelled.out).state]).toEqual([0, 'FAILED']);
    expect(await cli('runs', 'cancel', first.id)).toMatchObject({
      code: 4,
      err: expect.stringContaining('COMPLETE already'),
    });
    expect((await cli('runs', 'show', second.id)).out).toContain('RUN_CANCELLED');
    expect(await cli('runs', 'retry', second.id)).toMatchObject({ code: 3 });
    expect(await cli('runs', 'retry', second.id, '--json')).toMatchObject({ code: 4, out: '' });

    const answered = await answer(third);
    expect(answered.err).toContain(`where a worker runs, it goes on by itself; else: npx portia-ts resume ${third.id}`);
    const worked = await cli('work', '--until-idle', '--concurrency', '2');
    expect(worked).toMatchObject({ code: 0, err: expect.stringContaining('1 complete · 0 failed') });
    expect(json((await cli('work', '--until-idle', '--json')).out)).toEqual({
      complete: 0,
      failed: 0,
      waiting: 0,
      refused: 0,
    });

    const table = await cli('runs', 'list');
    expect(table.out.split('\n').filter((line) => line.includes('prun-'))).toHaveLength(3);
    const page = await cli('runs', 'list', '--limit', '1', '--json');
    const { runs, cursor } = json(page.out);
    expect(runs).toMatchObject([{ id: third.id, state: 'COMPLETE', query: 'q', error: null }]);
    const rest = await cli(
      'runs',
      'list',
      '--cursor',
      cursor,
      '--state',
      'need-clarification',
      '--state',
      'COMPLETE',
      '--json',
    );
    expect(json(rest.out).runs.map(({ id }: { id: string }) => id)).toEqual([second.id, first.id]);
    expect((await cli('runs', 'list', '--label', 'no=such')).err).toContain('no runs here yet');
  });

  it('that fails says why, with a way on', async () => {
    planFile({ task: 'Read it', tool_id: 'nothing_tool', output: '$x' });
    expect(await cli('run', '--plan', 'plan.json')).toMatchObject({
      code: 2,
      err: expect.stringContaining('nothing_tool'),
    });
    writeFileSync(
      'tools.mjs',
      `export default [{ id: 'broken', name: 'Broken', description: 'x', readOnly: true, run() { throw new Error('down'); } }];`,
    );
    planFile({ task: 'Try', tool_id: 'broken', output: '$x' });
    const failed = await cli('run', '--plan', 'plan.json', '--tools', 'tools.mjs');
    expect(failed.code).toBe(1);
    expect(failed.err).toMatch(/✗ failed in step 1[\s\S]*down[\s\S]*runs retry prun-\S+ --tools tools\.mjs/);
    const { id } = json(failed.out);
    expect(await cli('runs', 'retry', id)).toMatchObject({
      code: 1,
      err: expect.stringContaining('--tools says which tools there are'),
    });
    const again = await cli('runs', 'retry', id, '--tools', 'tools.mjs', '--json');
    expect([again.code, json(again.out).state]).toEqual([1, 'FAILED']);
    expect(json(again.err).error.hint).toContain(`runs retry ${id}`);
    expect((await cli('runs', 'list')).out).toMatch(/FAILED +.* ago +try it \(\w+\)/);
  });

  it('of a stored plan is told apart from one in a file', async () => {
    await twoPoems();
    writeFileSync('poem.txt', 'Here');
    const planned = await cli('plan', 'Review the poem', '--json');
    const plan = json(planned.out);
    expect(planned.err).toBe('');
    expect((await cli('plan', 'Review the poem', '--cached')).out).toBe(planned.out);
    const ran = await cli('run', '--plan', plan.id, '--confirm', 'false');
    expect([ran.code, json(ran.out).plan_id]).toEqual([0, plan.id]);
    expect(await cli('run', '--plan', 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10')).toMatchObject({ code: 1 });
  });
});

describe('what is there', () => {
  it('is told by doctor, with keys by name only', async () => {
    vi.stubEnv('TAVILY_API_KEY', 'tvly-very-secret');
    const well = await cli('doctor', '--json');
    expect(well.code).toBe(0);
    const { ok, checks } = json(well.out);
    expect(ok).toBe(true);
    expect(checks).toContainEqual({ name: 'TAVILY_API_KEY', state: 'ok', says: 'set' });
    expect(checks).toContainEqual({ name: 'OPENAI_API_KEY', state: 'off', says: expect.stringContaining('not set') });
    expect(well.out + well.err).not.toContain('very-secret');
    writeFileSync('file', '');
    expect(await cli('doctor', '--storage', 'sqlite:file/x.db')).toMatchObject({
      code: 1,
      out: expect.stringContaining('✗ store'),
    });
    expect(await cli('doctor', '--storage', 'paper')).toMatchObject({
      code: 1,
      out: expect.stringContaining('✗ settings'),
    });
  });

  it('is looked at by doctor and keys list, which make none of what is not there', async () => {
    const none = {
      name: 'store',
      state: 'off',
      says: expect.stringContaining('none yet, the first run or plan makes'),
    };
    for (const storage of ['sqlite:a/x.db', 'disk:b']) {
      const { code, out } = await cli('doctor', '--json', '--storage', storage);
      expect([code, json(out).checks]).toEqual([0, expect.arrayContaining([expect.objectContaining(none)])]);
      expect(await cli('keys', 'list', '--storage', storage)).toMatchObject({
        code: 0,
        err: expect.stringContaining('no keys here yet: portia-ts keys create makes one'),
      });
      expect(await cli('keys', 'revoke', 'key_1', '--storage', storage)).toMatchObject({ code: 1 });
    }
    expect(readdirSync('.')).toEqual([]);
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'true');
    expect((await cli('doctor')).out).toMatch(/✗ store .*secretKey/);
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', undefined);
    await cli('keys', 'create');
    expect((await cli('keys', 'list')).out).toContain('made on the command line');
    await cli('runs', 'list');
    expect((await cli('doctor')).out).toContain('✓ store');
  });

  it('calls one tool by hand, asks before effects, and refuses arguments that do not fit', async () => {
    const sum = await cli('tools', 'test', 'calculator_tool', '--args', '{"math_question":"6 * 7"}');
    expect([sum.code, json(sum.out)]).toEqual([0, 42]);
    const file = ['tools', 'test', 'file_writer_tool', '--args', '{"filename":"a.txt","content":"{{ Input(\'x\') }}"}'];
    const unasked = await cli(...file);
    expect([unasked.code, existsSync('a.txt')]).toEqual([2, false]);
    expect(unasked.err).toContain('has effects');
    expect((await cli(...file, '--yes')).code).toBe(0);
    expect(readFileSync('a.txt', 'utf8')).toBe("{{ Input('x') }}");
    const wrong = await cli('tools', 'test', 'calculator_tool', '--args', '{"question":1}');
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('math_question: is missing');
    const failed = await cli('tools', 'test', 'calculator_tool', '--args', '{"math_question":"1 / 0"}', '--json');
    expect([failed.code, json(failed.err).error.code]).toEqual([1, 'TOOL_FAILED']);
    expect((await cli('tools', 'test', 'calculater_tool')).err).toContain('did you mean "calculator_tool"');
    // A bundled tool that stands in no registry here.
    const refused = await cli('tools', 'test', 'http_request_tool', '--args', '{"url":"http://127.0.0.1/"}', '--yes');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('127.0.0.1')]);
  });

  it('is told by tools list and version', async () => {
    const { tools } = json((await cli('tools', 'list', '--tools', 'example', '--json')).out);
    expect(tools).toHaveLength(6);
    expect(tools).toContainEqual(expect.objectContaining({ id: 'file_writer_tool', effect: 'effect' }));
    expect((await cli('tools', 'list')).out).not.toContain('search_tool');
    vi.stubEnv('TAVILY_API_KEY', 'k');
    vi.stubEnv('OPENWEATHERMAP_API_KEY', 'k');
    expect((await cli('list-tools')).out).toMatch(/search_tool +read-only[\s\S]*weather_tool +read-only/);
    expect((await cli('--version')).out).toBe(`${version}\n`);
    expect(json((await cli('version', '--json')).out)).toEqual({ version });
  });

  it('includes what .env of the working directory says, unless it is left out', async () => {
    writeFileSync('.env', 'PORTIA_STORAGE=disk:from-env\n');
    expect((await cli('doctor', '--no-env')).out).toContain('sqlite:.portia/portia.db');
    expect((await cli('doctor')).out).toContain('disk:from-env');
    expect((await cli('doctor', '--storage-dir', 'x')).out).toContain('disk:from-env');
    expect((await cli('doctor', '--storage', 'memory')).out).toContain('memory');
    expect(existsSync('from-env')).toBe(false);
  });
});

describe('what a run costs', () => {
  it('is estimated for a stored plan, limited by a budget, and shown afterwards', async () => {
    await twoPoems();
    const planned = json((await cli('plan', 'Review the poem', '--json')).out);
    const estimate = json((await cli('estimate', planned.id, '--json')).out);
    expect(estimate).toMatchObject({ basis: 'shape', planning: { modelCalls: 1 }, modelCalls: { low: 2 } });
    expect((await cli('estimate', planned.id)).out).toMatch(/from the shape of the plan[\s\S]*model calls +2 /);
    const both = json((await cli('plan', 'Review the poem', '--cached', '--estimate', '--json')).out);
    expect([both.plan.id, both.estimate]).toEqual([planned.id, estimate]);
    const shownBoth = await cli('plan', 'Review the poem', '--cached', '--estimate');
    expect([json(shownBoth.out).id, shownBoth.err]).toEqual([
      planned.id,
      expect.stringMatching(/from the shape of the plan[\s\S]*model calls +2 [\s\S]*run it:/),
    ]);
    const stopped = await cli('run', '--plan', planned.id, '--yes', '--json', '--budget', 'maxModelCalls=0');
    const { planRun, error } = json((await cli('runs', 'show', json(stopped.out).id, '--json')).out);
    expect(error).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    expect((await cli('runs', 'retry', planRun.id, '--json', '--budget', 'maxModelCalls=-1')).code).not.toBe(0);
    const shown = await cli('runs', 'show', planRun.id);
    expect(shown.out).toMatch(/model calls of +calls +in +cached +out +took +cost[\s\S]*planning +1 /);
  });
});

describe('a command line that is not understood', () => {
  const clarification = ['prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01', 'clar-3a6f0d8e-6f0c-4b39-8a0d-3b1c52d6d111', 'x'];
  it.each([
    [['rum', 'x'], 'did you mean run?'],
    [['nothing-like-it'], 'see npx portia-ts help'],
    [['runs', 'lst'], 'did you mean runs list?'],
    [['run', 'x', '--storge', 'memory'], 'did you mean --storage?'],
    [['run', 'two', 'words'], 'put the query in quotes'],
    [['run'], 'either a QUERY or --plan'],
    [['run', 'x', '--plan', 'y'], 'either a QUERY or --plan'],
    [['run', '--plan', 'nowhere.json'], 'nowhere.json cannot be read'],
    [['run', 'x', '--tool-id', 'calculator_tol'], 'did you mean calculator_tool?'],
    [['run', 'x', '--tool-id', 'search_tool'], 'search_tool has no key here'],
    [['run', 'x', '--tools', 'nowhere.mjs'], '--tools nowhere.mjs'],
    [['run', 'x', '--storage', 'paper:x'], 'CONFIG_INVALID'],
    [['run', 'x', '--model', 'gpt'], 'MODEL_UNKNOWN'],
    [
      ['run', 'x'],
      'set OPENAI_API_KEY, or the key of another provider, in the environment or in .env; npx portia-ts demo',
    ],
    [
      ['run', 'x', '--model', 'groq/a'],
      'set GROQ_API_KEY in the environment, or groqApiKey in the Config; npx portia-ts demo',
    ],
    [['resume'], 'resume needs RUN_ID'],
    [['resume', 'prun-1'], 'ID_INVALID'],
    [['runs', 'list', '--state', 'WAITING'], 'there is no state "WAITING"'],
    [['version', 'x'], 'version does not know what to do with "x"'],
    [['clarifications', 'answer', ...clarification, '--as', 'boss'], '--as boss'],
    [['demo', 'Will it rain?'], 'knows only its own question'],
  ])('ends with exit code 2 and what was meant: %j', async (args, told) => {
    const { code, out, err } = await cli(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(told);
    const asJson = await cli(...args, '--json');
    expect([asJson.code, asJson.out]).toEqual([2, '']);
    expect(json(asJson.err)).toEqual({
      error: expect.objectContaining({ code: expect.any(String), message: expect.any(String) }),
    });
  });

  it('is answered with help', async () => {
    const [nothing, asked] = [await cli(), await cli('help')];
    expect([nothing.code, nothing.out, nothing.err]).toEqual([2, '', asked.out]);
    expect(asked.out).not.toContain('demo-worker');
    expect((await cli('runs')).err).toContain('runs retry RUN_ID');
    expect((await cli('help', 'runs')).out).toContain('runs retry RUN_ID');
    expect((await cli('help', 'runs', 'show')).out).toContain('--ledger');
    expect((await cli('runs', 'show', '--help')).out).toContain('--ledger');
    expect(await cli('help', 'rnus')).toMatchObject({ code: 2 });
  });

  it('of a command is explained with all it takes', async () => {
    const { out } = await cli('run', '--help');
    for (const option of ['plan', 'input', 'label', 'run-key', 'yes', 'tools', 'model', 'storage', 'json'])
      expect(out).toContain(`--${option}`);
  });
});

describe('an unforeseen failure', () => {
  it('is an error with a code, and no stack unless that is asked for', async () => {
    writeFileSync('fault.mjs', `export default { *[Symbol.iterator]() { throw new RangeError('odd'); } };`);
    const failed = await cli('tools', 'list', '--tools', 'fault.mjs', '--json');
    expect([failed.code, json(failed.err).error.code]).toEqual([1, 'INTERNAL']);
    vi.stubEnv('PORTIA_DEBUG', '1');
    expect((await cli('tools', 'list', '--tools', 'fault.mjs')).err).toContain('fault.mjs');
  });
});

it('an optional MCP server that cannot be used is left out, and people are told; any other fails the command', async () => {
  const gone = { command: process.execPath, args: ['-e', 'process.exit(1)'] };
  const told = 'the MCP server "gone" cannot be used';
  const list = (optional: boolean): ReturnType<typeof cli> => {
    writeFileSync('mcp.json', JSON.stringify({ mcpServers: { gone: { ...gone, optional } } }));
    return cli('tools', 'list', '--mcp-config', 'mcp.json');
  };
  const listed = await list(true);
  expect([listed.code, listed.out]).toEqual([0, expect.stringContaining('calculator_tool')]);
  expect(listed.err).toContain(`left out: ${told}`);
  const checks = json((await cli('doctor', '--json', '--mcp-config', 'mcp.json')).out).checks;
  expect(checks).toContainEqual({ name: 'tools', state: 'off', says: expect.stringContaining(told) });
  const failed = await list(false);
  expect([failed.code, failed.out]).toEqual([1, '']);
  expect(failed.err).toContain('mark it optional: true');
  const looked = json((await cli('doctor', '--json', '--mcp-config', 'mcp.json')).out).checks;
  expect(looked).toContainEqual({ name: 'tools', state: 'problem', says: expect.stringContaining(told) });
  expect(looked.map(({ name }: { name: string }) => name)).toContain('store');
});
