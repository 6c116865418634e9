import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { now, sampleClaim, sampleHeader, samplePlan, stepCommit } from '../testing/storage-contract/samples.ts';
import { sqliteStorage } from '../storage/sqlite/index.ts';
import { cli as anywhere, type Said } from '../../test/lib/command-line.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-cli-storage-'));
  for (const name of Object.keys(process.env)) if (/^PORTIA_|^DATABASE_URL$/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const cli = (...args: string[]): Promise<Said> => anywhere(...args, '--no-env');

/** A store with a finished and a waiting run of long ago. */
async function filled(): Promise<string> {
  const path = join(folder, 'filled.db');
  const storage = await sqliteStorage(path);
  const plan = samplePlan();
  await storage.savePlan(plan);
  for (const state of ['COMPLETE', 'NEED_CLARIFICATION'] as const) {
    const { header } = await storage.createRun(sampleHeader(plan.id), sampleClaim());
    await storage.append(header.id, 1, stepCommit(1, 0, 'a \u2028 b'), { state, updatedAt: now - 9e9 }, true);
  }
  await storage.close();
  return `sqlite:${path}`;
}

it('everything is carried from store to store, through a file too, and the same again', async () => {
  const from = await filled();
  const to = `disk:${join(folder, 'disk')}`;
  expect(await cli('storage', 'migrate', '--from', from, '--to', to)).toMatchObject({
    code: 0,
    err: 'plans: 1 taken\nend users: 0 taken\nruns: 2 taken\n',
  });
  const file = join(folder, 'export.jsonl');
  expect(await cli('storage', 'export', file, '--storage', to)).toMatchObject({ code: 0, err: 'wrote 3 documents\n' });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await cli('storage', 'export', '--storage', from)).out).toBe(readFileSync(file, 'utf8'));
  const again = await cli('storage', 'import', file, '--storage', from, '--json');
  expect(JSON.parse(again.out)).toMatchObject({ runs: { added: 0, present: 2 }, skipped: [] });
  writeFileSync(file, `${readFileSync(file, 'utf8')}{ broken\n`);
  expect(await cli('storage', 'import', file, '--storage', `sqlite:${folder}/new.db`)).toMatchObject({
    code: 1,
    err: expect.stringContaining('runs: 2 taken\nleft out line 6: STORAGE_CORRUPT: the line is not JSON'),
  });
  writeFileSync(file, '');
  expect(await cli('storage', 'import', file, '--storage', `sqlite:${folder}/empty.db`)).toMatchObject({
    code: 1,
    err: expect.stringContaining('left out the rest: STORAGE_CORRUPT: the export is not whole: it has no last line'),
  });
});

it('old runs are removed, and only those that are finished', async () => {
  const storage = await filled();
  const prune = (...args: string[]): ReturnType<typeof cli> => cli('storage', 'prune', ...args, '--storage', storage);
  expect((await prune('--older-than=1d', '--dry-run')).err).toBe('would remove 1 run\n');
  expect((await prune('--older-than=1d', '--state=failed')).err).toBe('removed 0 runs\n');
  expect(JSON.parse((await prune('--older-than=1d', '--json')).out)).toEqual({ runs: 1, dryRun: false });
  expect((await cli('runs', 'list', '--storage', storage)).out).toContain('NEED_CLARIFICATION');
});

it('an end user is erased where the store is encrypted, and only when that is meant', async () => {
  const storage = `sqlite:${folder}/secret.db`;
  vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'true');
  vi.stubEnv('PORTIA_SECRET_KEY', 'ab'.repeat(32));
  try {
    expect(await cli('storage', 'migrate', '--from', await filled(), '--to', storage)).toMatchObject({ code: 0 });
    const erase = (...args: string[]): ReturnType<typeof cli> =>
      cli('end-users', 'erase', 'portia:default_user', '--storage', storage, ...args);
    expect(await erase()).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
    expect(await erase('--yes')).toMatchObject({ code: 4, err: expect.stringContaining('not finished') });
    const { items } = JSON.parse(
      (await cli('runs', 'list', '--json', '--storage', storage)).out.replace('"runs"', '"items"'),
    );
    const waiting = items.find(({ state }: { state: string }) => state === 'NEED_CLARIFICATION') as { id: string };
    const done = items.find(({ state }: { state: string }) => state === 'COMPLETE') as { id: string };
    expect((await cli('runs', 'cancel', waiting.id, '--storage', storage)).code).toBe(0);
    expect(await erase('--yes')).toMatchObject({
      code: 0,
      err: expect.stringContaining('2 runs can no longer be read'),
    });
    expect((await cli('runs', 'show', done.id, '--storage', storage)).err).toContain('CONTENT_ERASED');
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'false');
    expect(await erase('--yes')).toMatchObject({ code: 2, err: expect.stringContaining('not encrypted') });
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'true');
    vi.stubEnv('PORTIA_SECRET_KEY', undefined);
    expect(await erase('--yes')).toMatchObject({ code: 2, err: expect.stringContaining('openssl') });
  } finally {
    vi.unstubAllEnvs();
  }
});

it('what is sealed is neither exported nor carried without its key, and nothing is written', async () => {
  const storage = `sqlite:${folder}/secret.db`;
  vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'true');
  vi.stubEnv('PORTIA_SECRET_KEY', 'ab'.repeat(32));
  try {
    await cli('storage', 'migrate', '--from', await filled(), '--to', storage);
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', undefined);
    const [file, to] = [join(folder, 'sealed.jsonl'), `${folder}/plain.db`];
    const refused = { code: 2, out: '', err: expect.stringMatching(/encrypted.*\n.*PORTIA_ENCRYPT_RUNS=true/) };
    expect(await cli('storage', 'export', '--storage', storage)).toEqual(refused);
    expect(await cli('storage', 'export', file, '--storage', storage)).toEqual(refused);
    expect(await cli('storage', 'migrate', '--from', storage, '--to', `sqlite:${to}`)).toEqual(refused);
    expect(existsSync(file)).toBe(false);
    expect(existsSync(to)).toBe(false);
  } finally {
    vi.unstubAllEnvs();
  }
});

const someRun = 'prun-00000000-0000-4000-8000-000000000000';
it.each([
  ['storage', 'migrate', '--to', 'memory', '--from'],
  ['storage', 'export', '--storage'],
  ['storage', 'prune', '--older-than=1d', '--storage'],
  ['end-users', 'erase', 'ada', '--yes', '--storage'],
  ['runs', 'list', '--storage'],
  ['runs', 'show', someRun, '--storage'],
  ['runs', 'cancel', someRun, '--storage'],
  ['resume', someRun, '--storage'],
  ['clarifications', 'list', '--storage'],
])('%s %s of a store that is not there says so, and makes none', async (...args) => {
  for (const place of [`sqlite:${folder}/nope.db`, `disk:${folder}/nope`]) {
    const { code, err } = await cli(...args, place);
    expect([code, err]).toEqual([2, expect.stringContaining(`there is no store at ${folder}/nope`)]);
  }
  expect(readdirSync(folder)).toEqual([]);
});

it('a store that was never made has no runs, and an export of it looks for a server without making one', async () => {
  const home = process.cwd();
  process.chdir(folder);
  try {
    expect(await cli('runs', 'list')).toMatchObject({ code: 0, err: 'no runs here yet\n' });
    expect(await cli('storage', 'export')).toMatchObject({ code: 0, err: 'wrote 0 documents\n' });
    expect(readdirSync('.portia').filter((name) => !name.startsWith('portia.db'))).toEqual([]);
  } finally {
    process.chdir(home);
  }
});

it.each([
  [['storage', 'prune', '--older-than=0d'], '0d'],
  [['serve', '--prune-after', '0h', '--port', '0'], '0h'],
  [['serve', '--public-url', 'nonsense', '--port', '0', '--storage', 'memory'], 'nonsense'],
  [['serve', '--public-url', 'ftp://portia.example.org', '--port', '0', '--storage', 'memory'], 'ftp:'],
  [['storage', 'prune'], '--older-than'],
  [['storage', 'prune', '--older-than=soon'], 'soon'],
  [['storage', 'prune', '--older-than=1d', '--state=IN_PROGRESS'], 'IN_PROGRESS'],
  [['storage', 'migrate', '--from', 'memory'], '--to'],
  [['storage', 'migrate', '--from', 'memory', '--to', 'memory'], 'same store'],
  [['storage', 'import', '/no/such/file', '--storage', 'memory'], '/no/such/file'],
  [['storage', 'export', '/no/such/folder/file', '--storage', 'memory'], 'cannot be written'],
])('%j is a mistake that is named', async (args, word) => {
  const { code, err } = await cli(...args);
  expect([code, err.includes(word)]).toEqual([2, true]);
});
