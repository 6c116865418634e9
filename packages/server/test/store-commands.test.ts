// The command line beside a server: whatever a command looks after, it is the store that `serve` answers from.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { cli } from '../../sdk/test/lib/command-line.ts';
import { sqliteStorage } from '../../sdk/src/storage/sqlite/index.ts';
import {
  now,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
} from '../../sdk/src/testing/storage-contract/samples.ts';
import { startPostgres, type TestPostgres } from '../../sdk/test/lib/postgres.ts';
import { serve } from '../src/serve.ts';
import { asker } from './lib/asking.ts';

const home = process.cwd();
let postgres: TestPostgres;
let folder: string;
beforeAll(async () => {
  postgres = await startPostgres({ own: true });
});
afterAll(() => postgres.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-commands-'));
  process.chdir(folder);
  for (const name of Object.keys(process.env)) if (/^PORTIA_|^DATABASE_URL$/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(() => {
  process.chdir(home);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await cli(...args);
  expect([args, code, err]).toEqual([args, 0, err]);
  return out.trim();
}

const listed = async (...args: string[]): Promise<string[]> =>
  JSON.parse(await done('runs', 'list', '--json', ...args))
    .runs.map(({ id }: { id: string }) => id)
    .sort();

/** An export with finished runs of long ago; gives their ids. */
async function exportOf(name: string, runs: number): Promise<string[]> {
  const place = join(folder, `${name}-source.db`);
  const storage = await sqliteStorage(place);
  const plan = samplePlan();
  await storage.savePlan(plan);
  const ids: string[] = [];
  for (let count = 0; count < runs; count += 1) {
    const { header } = await storage.createRun(sampleHeader(plan.id, { endUserId: 'carl' }), sampleClaim());
    const status = { state: 'COMPLETE', updatedAt: now - 9e9 } as const;
    await storage.append(header.id, 1, stepCommit(1, 0, `of ${name}`), status, true);
    ids.push(header.id);
  }
  await storage.close();
  await done('storage', 'export', `${name}.jsonl`, '--storage', `sqlite:${place}`);
  return ids.sort();
}

async function seenByServer(key: string): Promise<string[]> {
  const server = await serve({ port: 0, logLevel: 'silent', concurrency: 0, folder, settings: serverStore() });
  const { body } = await asker(server.url)('GET', '/api/v1/runs', { as: key });
  await server.close();
  return body.items.map(({ id }: { id: string }) => id).sort();
}
const serverStore = () => ({ storageClass: process.env['DATABASE_URL'] ? 'POSTGRES' : 'SQLITE' });

describe.each(['sqlite', 'postgres'] as const)('on %s', (kind) => {
  beforeEach(() => {
    if (kind === 'postgres') vi.stubEnv('DATABASE_URL', postgres.url);
  });

  it('commands work on the store of the server, and on that of an organisation which is named', async () => {
    const ours = await exportOf('ours', 2);
    const theirs = await exportOf('theirs', 1);
    const ourKey = await done('keys', 'create', '--scope', 'admin');
    const theirKey = await done('keys', 'create', '--scope', 'admin', '--organisation', 'acme-2');
    await done('storage', 'import', 'ours.jsonl');
    await done('storage', 'import', 'theirs.jsonl', '--organisation', 'acme-2');
    expect(await seenByServer(ourKey)).toEqual(ours);
    expect(await seenByServer(theirKey)).toEqual(theirs);
    expect(await listed()).toEqual(ours);
    expect(await listed('--organisation', 'default')).toEqual(ours);
    expect(await listed('--organisation', 'acme-2')).toEqual(theirs);
    expect((await cli('doctor')).out).toContain(
      kind === 'postgres' ? 'postgres:127.0.0.1' : 'sqlite:.portia/portia.db',
    );

    const all = await cli('storage', 'export');
    expect(all).toMatchObject({ code: 0, out: readFileSync('ours.jsonl', 'utf8') });
    expect(all.err).toContain('1 further organisation of the server (acme-2)');
    const one = await cli('storage', 'export', '--organisation', 'acme-2');
    expect(one).toMatchObject({ code: 0, out: readFileSync('theirs.jsonl', 'utf8'), err: 'wrote 2 documents\n' });
    const prune = ['storage', 'prune', '--older-than', '1d', '--json'];
    expect(JSON.parse(await done(...prune, '--organisation', 'acme-2')).runs).toBe(1);
    expect(await listed()).toEqual(ours);
    expect(JSON.parse(await done(...prune)).runs).toBe(2);
    expect(existsSync('.portia')).toBe(kind === 'sqlite');
  });

  it('an organisation that is not there is a mistake that is named, and none is made', async () => {
    await done('keys', 'create', '--organisation', 'umbrella');
    for (const name of ['umbrela', '../x', 'portia']) {
      const { code, err } = await cli('runs', 'list', '--organisation', name);
      expect([code, err]).toEqual([2, expect.stringContaining('umbrella')]);
    }
    expect(existsSync('.portia/organisations')).toBe(false);
  });

  it('an end user of an organisation is erased; what is sealed is not exported without its key', async () => {
    await exportOf('sealed', 2);
    const of = ['--organisation', 'sealed'];
    await done('keys', 'create', ...of);
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'true');
    vi.stubEnv('PORTIA_SECRET_KEY', 'ab'.repeat(32));
    await done('storage', 'import', 'sealed.jsonl', ...of);
    expect((await cli('storage', 'export', ...of)).out).toBe(readFileSync('sealed.jsonl', 'utf8'));
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', undefined);
    const refused = await cli('storage', 'export', 'never.jsonl', ...of);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('PORTIA_ENCRYPT_RUNS') });
    expect(existsSync('never.jsonl')).toBe(false);
    vi.stubEnv('PORTIA_ENCRYPT_RUNS', 'true');
    expect(JSON.parse(await done('end-users', 'erase', 'carl', '--yes', '--json', ...of))).toEqual({ runs: 2 });
  });
});

it('an organisation is carried from a server on SQLite to one on PostgreSQL', async () => {
  const theirs = await exportOf('theirs', 3);
  await done('keys', 'create', '--organisation', 'moving');
  await done('storage', 'import', 'theirs.jsonl', '--organisation', 'moving');
  const move = ['storage', 'migrate', '--from', 'sqlite:.portia/portia.db', '--to', postgres.url];
  const early = await cli(...move, '--organisation', 'moving');
  expect(early).toMatchObject({ code: 2, err: expect.stringContaining('has no organisation "moving"') });
  await done('keys', 'create', '--organisation', 'moving', '--storage', postgres.url);
  await done(...move, '--organisation', 'moving');
  expect(await listed('--organisation', 'moving', '--storage', postgres.url)).toEqual(theirs);
  // A server that has never run with its own store has nothing to carry yet.
  expect((await cli(...move)).err).toContain('there is no store at');
});

it('a folder or a file that is named on the command line goes before DATABASE_URL, and so does PORTIA_STORAGE', async () => {
  vi.stubEnv('DATABASE_URL', postgres.url);
  const storeOf = async (...args: string[]): Promise<string> => {
    const { checks } = JSON.parse((await cli('doctor', '--json', ...args)).out);
    const { says } = checks.find(({ name }: { name: string }) => name === 'store' || name === 'settings');
    return says.replace(': none yet, the first run or plan makes it', '');
  };
  expect(await storeOf()).toContain('postgres:');
  expect(await storeOf('--storage', 'sqlite:here.db')).toBe('sqlite:here.db');
  expect(await storeOf('--storage-dir', 'there')).toBe(`sqlite:${join('there', 'portia.db')}`);
  vi.stubEnv('PORTIA_STORAGE', 'disk:files');
  expect(await storeOf()).toBe('disk:files');
  vi.stubEnv('PORTIA_STORAGE', undefined);
  vi.stubEnv('DATABASE_URL', 'file:./dev.db');
  expect(await storeOf()).toContain('DATABASE_URL');
  expect(await cli('runs', 'list')).toMatchObject({ code: 2, err: expect.stringContaining('--storage') });
});
