import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clarification, resolved } from '../../core/clarification.ts';
import { ToolHardError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import type { AnyTool } from '../../core/tool.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { testTool } from '../../testing/tool-contract.ts';
import { createFileReaderTool, fileReaderTool } from './file-reader-tool.ts';
import { createFileWriterTool } from './file-writer-tool.ts';

let parent: string;
let root: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'portia-files-'));
  root = join(parent, 'root');
  mkdirSync(root);
  put('../outside.txt', 'outside');
  put('../root-twin/secret.txt', 'twin');
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

function put(name: string, content: string | Uint8Array): void {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

async function call(tool: AnyTool, args: unknown, clarifications: readonly Clarification[] = []): Promise<unknown> {
  return tool.run(args, toolContext({ clarifications }));
}

async function refusal(tool: AnyTool, args: unknown, clarifications?: readonly Clarification[]): Promise<string> {
  try {
    return `gave ${JSON.stringify(await call(tool, args, clarifications))}`;
  } catch (error) {
    if (error instanceof ToolHardError) return error.message;
    throw error;
  }
}

const escapes = [
  '../outside.txt',
  'a/../../outside.txt',
  '/etc/hostname.txt',
  '../root-twin/secret.txt',
  '..',
  'a\0.txt',
  ' ',
];

describe('file_reader_tool', () => {
  const reader = (): AnyTool => createFileReaderTool({ root, maxBytes: 4_000_000 });
  const read = (filename: string): Promise<unknown> => call(reader(), { filename });

  it('gives text files as they are', async () => {
    for (const name of ['a.txt', 'b.log', 'C.MD', 'deep/er/d.txt', '..dots.txt']) put(name, `text of ${name}\r\n é`);
    for (const name of [
      'a.txt',
      'b.log',
      'C.MD',
      'deep/er/d.txt',
      './deep/../a.txt',
      join(root, 'a.txt'),
      '..dots.txt',
    ]) {
      expect(await read(name)).toMatch(/^text of .*\r\n é$/);
    }
    put('bom.txt', '\uFEFFtext');
    expect(await read('bom.txt')).toBe('text');
    put('empty.txt', '');
    expect(await read('empty.txt')).toBe('');
  });

  it('lays JSON out anew without touching its values', async () => {
    const value = { a: [1, { b: 'x, {y}: "z" \\' }], e: [], o: {}, n: null, t: true };
    put('a.json', JSON.stringify(value));
    expect(await read('a.json')).toBe(JSON.stringify(value, null, 2));
    put('b.json', ' { "id" : 12345678901234567890 , "twice":1.0, "twice":2 } ');
    expect(await read('b.json')).toBe('{\n  "id": 12345678901234567890,\n  "twice": 1.0,\n  "twice": 2\n}');
    const long = JSON.stringify([`${'"\\'.repeat(400_000)}`]);
    put('long.json', long);
    expect(await read('long.json')).toBe(`[\n  ${long.slice(1, -1)}\n]`);
    const nested = '['.repeat(100_000) + ']'.repeat(100_000);
    put('nested.json', nested);
    expect(await read('nested.json')).toBe(nested);
    put('bad.json', '{"a": 1,}');
    expect(await refusal(reader(), { filename: 'bad.json' })).toBe('the file is not valid JSON');
  });

  it('shows CSV as a table', async () => {
    put('a.csv', 'name,note\r\nAnn,"one, ""two""\nthree"\n\nBob\nCid,a|b,extra\n,\n');
    expect(await read('a.csv')).toBe(
      [
        '| name | note |  |',
        '| --- | --- | --- |',
        '| Ann | one, "two" three |  |',
        '| Bob |  |  |',
        '| Cid | a\\|b | extra |',
        '|  |  |  |',
      ].join('\n'),
    );
    put('one.csv', 'only');
    expect(await read('one.csv')).toBe('| only |\n| --- |');
    put('none.csv', '');
    expect(await read('none.csv')).toBe('');
    put('long.csv', `"${'""x'.repeat(1_000_000)}"`);
    expect(String(await read('long.csv')).length).toBe(2_000_000 + '|  |\n| --- |'.length);
    put('bad.csv', 'a,"b');
    expect(await refusal(reader(), { filename: 'bad.csv' })).toBe(
      'the file is not valid CSV: a quotation mark is never closed',
    );
  });

  it.each(escapes)('refuses the name %j', async (filename) => {
    expect(await refusal(reader(), { filename })).toMatch(
      /is outside the folder|is not a file name|cannot be read: only/,
    );
  });

  it('follows links within the folder only', async () => {
    put('real.txt', 'real');
    symlinkSync(join(root, 'real.txt'), join(root, 'inside.txt'));
    symlinkSync(join(parent, 'outside.txt'), join(root, 'link.txt'));
    symlinkSync(parent, join(root, 'up'));
    expect(await read('inside.txt')).toBe('real');
    expect(await refusal(reader(), { filename: 'link.txt' })).toBe(
      '"link.txt" is outside the folder the file tools may use',
    );
    expect(await refusal(reader(), { filename: 'up/outside.txt' })).toBe(
      '"up/outside.txt" is outside the folder the file tools may use',
    );
    symlinkSync(join(root, 'loop.txt'), join(root, 'loop.txt'));
    expect(await refusal(reader(), { filename: 'loop.txt' })).toBe('"loop.txt" cannot be opened: ELOOP');
  });

  it('refuses other kinds, folders, sockets, large files and what is not UTF-8', async () => {
    put('a.exe', 'x');
    expect(await refusal(reader(), { filename: 'a.exe' })).toBe(
      '"a.exe" cannot be read: only .txt, .log, .md, .json, .csv, .xlsx are supported',
    );
    expect(await refusal(reader(), { filename: '.env' })).toContain('cannot be read: only');
    mkdirSync(join(root, 'folder.txt'));
    expect(await refusal(reader(), { filename: 'folder.txt' })).toBe('"folder.txt" is not a file');
    const socket = createServer().listen(join(root, 'socket.txt'));
    await once(socket, 'listening');
    expect(await refusal(reader(), { filename: 'socket.txt' })).toBe('"socket.txt" is not a file');
    socket.close();
    put('big.txt', 'x'.repeat(4_000_001));
    expect(await refusal(reader(), { filename: 'big.txt' })).toBe(
      '"big.txt" has 4000001 bytes; at most 4000000 are read',
    );
    put('latin.txt', Uint8Array.of(0x63, 0x61, 0x66, 0xe9));
    expect(await refusal(reader(), { filename: 'latin.txt' })).toBe('"latin.txt" is not UTF-8 text');
    expect(await refusal(createFileReaderTool({ root: join(parent, 'gone') }), { filename: 'a.txt' })).toBe(
      'the folder of the file tools cannot be opened: ENOENT',
    );
  });

  it('asks which of several files of that name is meant, and reads the chosen one', async () => {
    put('a/poem.txt', 'roses');
    put('b/c/poem.txt', 'violets');
    put('node_modules/x/poem.txt', 'no');
    put('.git/poem.txt', 'no');
    const asked = (await read('poem.txt')) as Clarification;
    expect(asked).toMatchObject({
      category: 'Multiple Choice',
      argumentName: 'filename',
      options: ['a/poem.txt', 'b/c/poem.txt'],
      source: 'file_reader_tool',
    });
    expect(asked.userGuidance).toContain('"poem.txt"');
    expect(await read('b/c/poem.txt')).toBe('violets');
    const answered = [resolved(asked, 'a/poem.txt')];
    expect(await call(reader(), { filename: 'poem.txt' }, answered)).toBe('roses');
    put('a/other.txt', '1');
    put('b/other.txt', '2');
    expect(await call(reader(), { filename: 'other.txt' }, answered)).toMatchObject({ category: 'Multiple Choice' });
    expect(await call(reader(), { filename: 'poem.txt' }, [asked])).toMatchObject({ category: 'Multiple Choice' });
  });

  it('asks before it reads the only file of that name, and takes no for an answer', async () => {
    put('docs/poem.txt', 'roses');
    const asked = (await read('poem.txt')) as Clarification;
    expect(asked).toMatchObject({
      category: 'User Verification',
      userGuidance: 'There is no file "poem.txt". Read "docs/poem.txt" instead?',
    });
    const args = { filename: 'poem.txt' };
    expect(await call(reader(), args, [resolved(asked, true)])).toBe('roses');
    expect(await refusal(reader(), args, [resolved(asked, false)])).toBe(
      'there is no file "poem.txt", and "docs/poem.txt" is not the one that is meant',
    );
    rmSync(join(root, 'docs'), { recursive: true });
    put('letters/poem.txt', 'violets');
    expect(await call(reader(), args, [resolved(asked, true)])).toMatchObject({ category: 'User Verification' });
  });

  it('finds no links and nothing outside, and says so', async () => {
    symlinkSync(parent, join(root, 'up'));
    expect(await refusal(reader(), { filename: 'outside.txt' })).toBe(
      'there is no file "outside.txt" here or in the folders below',
    );
    expect(await refusal(reader(), { filename: 'a/b/none.txt' })).toBe(
      'there is no file "a/b/none.txt" here or in the folders below',
    );
  });

  it('searches no further than its limits, and says so', async () => {
    put(`${'d/'.repeat(14)}deep.txt`, 'deep');
    expect(await refusal(reader(), { filename: 'deep.txt' })).toContain(
      'in the part of the folders below that was searched',
    );
    for (let n = 0; n < 60; n += 1) put(`many/${n}/same.txt`, '');
    expect(((await read('same.txt')) as { options: JsonValue[] }).options).toHaveLength(50);
  });

  it('stops searching when the call is aborted', async () => {
    await expect(async () =>
      reader().run({ filename: 'none.txt' }, toolContext({ signal: AbortSignal.abort(new Error('stop')) })),
    ).rejects.toThrow('stop');
  });
});

describe('file_writer_tool', () => {
  const writer = (): AnyTool => createFileWriterTool({ root, maxBytes: 100 });

  it('never writes outside, however fast a folder is exchanged for a link', async () => {
    const outside = mkdtempSync(join(parent, 'outside-'));
    mkdirSync(join(root, 'real'));
    symlinkSync(outside, join(root, 'link'));
    let racing = true;
    const race = (async () => {
      // Each turn of the folder lasts longer than the one before it, up to a whole write, so that some writes meet
      // every moment of an exchange and some meet none.
      for (let turn = 0; racing; turn += 1) {
        const pause = async () => {
          for (let tick = 0; tick <= turn % 40; tick += 1) await new Promise((resolve) => setImmediate(resolve));
        };
        renameSync(join(root, 'real'), join(root, 'held'));
        renameSync(join(root, 'link'), join(root, 'real'));
        await pause();
        renameSync(join(root, 'real'), join(root, 'link'));
        renameSync(join(root, 'held'), join(root, 'real'));
        await pause();
      }
    })();
    let written = 0;
    for (let round = 0; round < 300; round += 1) {
      const outcome = await refusal(writer(), { filename: `real/${round}.txt`, content: 'x' });
      if (outcome.startsWith('gave')) written += 1;
    }
    racing = false;
    await race;
    expect(readdirSync(outside)).toEqual([]);
    expect(await refusal(writer(), { filename: 'real/calm.txt', content: 'x' })).toMatch(/^gave/);
    written += 1;
    // What was said to be written is there, and no half of anything.
    expect(readdirSync(join(root, 'real'))).toHaveLength(written);
  });

  it('creates a file, or replaces one and keeps who may read it', async () => {
    expect(await call(writer(), { filename: 'new.txt', content: 'é1' })).toBe('Wrote 3 bytes to new.txt');
    chmodSync(join(root, 'new.txt'), 0o600);
    await call(writer(), { filename: join(root, 'new.txt'), content: 'é2' });
    expect(readFileSync(join(root, 'new.txt'), 'utf8')).toBe('é2');
    expect(statSync(join(root, 'new.txt')).mode & 0o777).toBe(0o600);
    expect(readdirSync(root)).toEqual(['new.txt']);
  });

  it.each(escapes.filter((name) => name !== '/etc/hostname.txt'))('refuses the name %j', async (filename) => {
    expect(await refusal(writer(), { filename, content: 'x' })).toMatch(/is outside the folder|is not a file name/);
    expect(readFileSync(join(parent, 'outside.txt'), 'utf8')).toBe('outside');
  });

  it('writes through no link, over no folder, and not where programs are kept', async () => {
    symlinkSync(join(parent, 'outside.txt'), join(root, 'link.txt'));
    symlinkSync(parent, join(root, 'up'));
    mkdirSync(join(root, 'folder'));
    mkdirSync(join(root, '.git', 'hooks'), { recursive: true });
    symlinkSync(join(root, '.git'), join(root, 'plain'));
    const tries = [
      'link.txt',
      'up/outside.txt',
      'folder',
      'none/a.txt',
      '.',
      '.git/hooks/pre-commit',
      'plain/hooks/pre-commit',
    ];
    const refusals = [];
    for (const filename of tries) refusals.push(await refusal(writer(), { filename, content: 'x' }));
    expect(refusals).toEqual([
      '"link.txt" is there already and is not a plain file',
      '"up/outside.txt" is outside the folder the file tools may use',
      '"folder" is there already and is not a plain file',
      'the folder of "none/a.txt" does not exist',
      expect.stringMatching(/is outside the folder|does not exist/),
      '".git/hooks/pre-commit" is in .git, where nothing is written',
      '"plain/hooks/pre-commit" is in .git, where nothing is written',
    ]);
    expect(readFileSync(join(parent, 'outside.txt'), 'utf8')).toBe('outside');
    expect(readdirSync(root).sort()).toEqual(['.git', 'folder', 'link.txt', 'plain', 'up']);
  });

  it('refuses content that is too long', async () => {
    expect(await refusal(writer(), { filename: 'a.txt', content: 'é'.repeat(51) })).toBe(
      'the content has 102 bytes; at most 100 are written',
    );
  });

  it('writes nothing once the call is aborted', async () => {
    const call = async (): Promise<unknown> =>
      writer().run({ filename: 'a.txt', content: 'x' }, toolContext({ signal: AbortSignal.abort() }));
    await expect(call).rejects.toThrow('the call was stopped before "a.txt" was written');
    expect(readdirSync(root)).toEqual([]);
  });

  it('has effects, and looks itself up only when told to', async () => {
    expect(writer()).not.toHaveProperty('reconcile');
    expect([writer().readOnly, writer().idempotent]).toEqual([undefined, undefined]);
    const looking = createFileWriterTool({ root, reconcile: true });
    const args = { filename: 'a.txt', content: 'x' };
    expect(await looking.reconcile?.(args, toolContext())).toBe('unknown');
    const receipt = await call(looking, args);
    expect(await looking.reconcile?.(args, toolContext())).toBe(receipt);
    put('a.txt', 'y');
    expect(await looking.reconcile?.(args, toolContext())).toBe('unknown');
  });
});

describe('in a folder', () => {
  const here = mkdtempSync(join(tmpdir(), 'portia-contract-'));
  writeFileSync(join(here, 'a.txt'), 'a');
  const cases = {
    valid: [{ filename: 'a.txt', content: 'b' }],
    invalid: [{}, { filename: 1, content: '' }, { content: '' }],
  };
  testTool(
    createFileReaderTool({ root: here }),
    { valid: [{ filename: 'a.txt' }, { filename: 'sub/a.txt' }], invalid: cases.invalid },
    { describe, it, expect },
  );
  testTool(createFileWriterTool({ root: here }), cases, { describe, it, expect });
  testTool(createFileWriterTool({ root: here, reconcile: true }), cases, { describe, it, expect });

  it('uses the current directory unless told otherwise', async () => {
    expect(existsSync('package.json')).toBe(true);
    expect(await call(fileReaderTool, { filename: 'package.json' })).toContain('"name": "portia-ts-workspace"');
    rmSync(here, { recursive: true });
  });
});
