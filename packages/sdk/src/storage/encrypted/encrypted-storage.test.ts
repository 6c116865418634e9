import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../../test/lib/engine.ts';
import { freshSchema, startPostgres, type TestPostgres } from '../../../test/lib/postgres.ts';
import { EndUser } from '../../core/end-user.ts';
import { InputClarification } from '../../core/clarification.ts';
import { fromCommit, toCommit } from '../../core/event.ts';
import { LocalDataValue } from '../../core/output.ts';
import { newKey } from '../../secrets/cipher.ts';
import { crashingStorage } from '../../testing/crashing-storage.ts';
import {
  codeOf,
  firstCommit,
  now,
  sampleAnswer,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  storedRun,
  working,
} from '../../testing/storage-contract/samples.ts';
import { testStorageBackend } from '../../testing/storage-contract.ts';
import { ToolHardError } from '../../core/errors.ts';
import { tool } from '../../tool/tool.ts';
import { diskStorage } from '../disk/disk-storage.ts';
import { memoryStorage } from '../memory/memory-storage.ts';
import { postgresStorage } from '../postgres/index.ts';
import { sqliteStorage } from '../sqlite/index.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { exportLines } from '../transfer/export.ts';
import { encryptedStorage } from './encrypted-storage.ts';

const secretKey = Buffer.from(newKey()).toString('base64');
let server: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool.end();
  await server.stop();
});

testStorageBackend(
  {
    name: 'encrypted memory',
    open: async () => ({ storage: encryptedStorage(memoryStorage(), { secretKey }), close: () => {} }),
  },
  { describe, it, expect },
);
testStorageBackend(
  {
    name: 'encrypted sqlite',
    persistent: true,
    open: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'portia-encrypted-'));
      const open = async (): Promise<StorageBackend> =>
        encryptedStorage(await sqliteStorage(join(folder, 'a.db')), { secretKey });
      return {
        storage: await open(),
        reopen: open,
        close: () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  },
  { describe, it, expect },
);
testStorageBackend(
  {
    name: 'encrypted postgres',
    persistent: true,
    open: async () => {
      const schema = freshSchema();
      const open = async (): Promise<StorageBackend> =>
        encryptedStorage(await postgresStorage({ pool, schema }), { secretKey });
      return {
        storage: await open(),
        reopen: open,
        close: async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`)),
      };
    },
  },
  { describe, it, expect },
);

const secret = 'hunter2';
/** Runs whose every part holds the secret: one that asked and was answered, one that failed. */
async function secretRuns(storage: StorageBackend): Promise<readonly string[]> {
  const ask = tool({
    id: 'ask',
    description: 'asks',
    run: (_args, { clarifications }) => {
      if (clarifications.length === 0) return InputClarification({ userGuidance: `${secret}?`, argumentName: 'which' });
      return `${secret} `.repeat(2_000);
    },
  });
  const fail = tool({
    id: 'fail',
    description: 'fails',
    run: () => {
      throw new ToolHardError(`no ${secret} here`);
    },
  });
  const portia = clientOf({ storage: crashingStorage(storage), tools: [ask, fail] });
  const endUser = EndUser({ externalId: 'ada', name: secret, email: `${secret}@b.c`, additionalData: { pet: secret } });
  const plan = planOf({ toolId: 'ask', output: '$a' });
  const first = await portia.runPlan(plan, { endUser, labels: { team: 'web' } });
  const [clarification] = first.getOutstandingClarifications();
  await portia.resolveClarification({ planRun: first, clarification: clarification as never, response: secret });
  await portia.resume({ planRunId: first.id });
  const second = await portia.runPlan(planOf({ toolId: 'fail', output: '$a' }), { endUser: 'ada' });
  expect([(await portia.storage.getPlanRun(first.id)).state, second.error?.code]).toEqual(['COMPLETE', 'TOOL_FAILED']);
  const other = await portia.runPlan(plan, { endUser: 'bob' });
  await portia.cancel({ planRunId: other.id, by: 'ops', reason: `because of ${secret}` });
  await portia.close();
  return [first.id, second.id, other.id];
}

async function linesOf(storage: StorageBackend): Promise<string> {
  let text = '';
  for await (const line of exportLines(storage)) text += `${line}\n`;
  return text;
}

/** All that a store holds, as it is written down. */
async function allIn(storage: StorageBackend): Promise<string> {
  const { items } = await storage.listRuns({});
  const runs = items.map(async ({ header: { id } }) => [
    await storage.loadRun(id),
    await Promise.all([...(await storage.listOutputs(id))].map((name) => storage.getOutput(id, name))),
  ]);
  const rest = [await storage.listPlans({}), await storage.listEndUsers({}), await storage.listClarifications({})];
  return JSON.stringify([rest, items, await Promise.all(runs)]);
}

describe('an encrypted store', () => {
  it('holds nothing of the contents in the clear, and gives all of it back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-encrypted-'));
    const path = join(folder, 'a.db');
    const storage = encryptedStorage(await sqliteStorage(path), { secretKey });
    const [first, second] = await secretRuns(storage);
    expect(await linesOf(storage)).toContain(secret);
    expect(
      (await storage.listRuns({ states: ['FAILED'], endUserId: 'ada' })).items[0]?.status.error?.message,
    ).toContain(secret);
    expect((await storage.listRuns({ labels: { team: 'web' } })).items[0]?.header.id).toBe(first);
    expect((await storage.listRuns({ codes: ['TOOL_FAILED'] })).items[0]?.header.id).toBe(second);
    await storage.close();
    const raw = readFileSync(path).toString('latin1');
    expect(raw).toContain('ask');
    expect(raw).not.toContain(secret);
    const wrong = encryptedStorage(await sqliteStorage(path), { secretKey: Buffer.from(newKey()).toString('hex') });
    expect(await codeOf(() => wrong.loadRun(first as never))).toBe('CONFIG_INVALID');
    await wrong.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('reads what was stored before it was encrypted', async () => {
    const inner = memoryStorage();
    const { id } = await storedRun(inner, { inputs: { $a: LocalDataValue('plain') } });
    inner.append(id, 1, firstCommit, working);
    inner.saveOutput(id, '$b', LocalDataValue('plain'));
    const before = inner.loadRun(id);
    const storage = encryptedStorage(inner, { secretKey });
    expect(await storage.loadRun(id)).toEqual(before);
    expect((await storage.getOutput(id, '$b'))?.value).toBe('plain');
    await storage.append(id, 1, stepCommit(2));
    expect((await storage.loadRun(id))?.commits).toEqual([firstCommit, stepCommit(2)]);
  });

  it('notices what was changed, or moved to another place', async () => {
    const inner = memoryStorage();
    const storage = encryptedStorage(inner, { secretKey });
    const { id } = await storedRun(storage);
    await storage.append(id, 1, firstCommit);
    const [sealed] = (await inner.loadRun(id))?.commits ?? [];
    inner.append(id, 1, { seq: 2, at: now, events: sealed?.events as string });
    await expect(storage.loadRun(id)).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
      message: expect.stringContaining('event 2 of'),
    });
  });

  it('gives two processes that meet somebody at once keys that both can use', async () => {
    const inner = memoryStorage();
    const handles = Array.from({ length: 4 }, () => encryptedStorage(inner, { secretKey }));
    const plan = samplePlan();
    inner.savePlan(plan);
    const headers = handles.map(() => sampleHeader(plan.id, { endUserId: 'ada', inputs: { $a: LocalDataValue(1) } }));
    await Promise.all(handles.map((handle, index) => handle.createRun(headers[index] as never, sampleClaim())));
    for (const handle of handles) {
      for (const header of headers) expect((await handle.loadRun(header.id))?.header).toEqual(header);
    }
  });

  it('settles a commit whose end nobody heard of before it seals more', async () => {
    const inner = memoryStorage();
    let lose = false;
    const deaf = new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const holds = name === 'append' ? await inner.loadRun(args[0] as never) : undefined;
          const [, , commit] = args as [never, never, { seq: number; events: string }];
          if (holds?.commits.some(({ seq, events }) => seq === commit.seq && events === commit.events)) return true;
          const done = await (value as (...given: unknown[]) => unknown).apply(target, args);
          if (name !== 'append' || !lose) return done;
          lose = false;
          throw new Error('lost');
        };
      },
    }) as unknown as StorageBackend;
    const storage = encryptedStorage(deaf, { secretKey });
    const { id } = await storedRun(storage);
    lose = true;
    await expect(storage.append(id, 1, firstCommit)).rejects.toThrow('lost');
    const bodies = [firstCommit, stepCommit(2)].flatMap(fromCommit).map(({ v, seq, at, ...body }) => body as never);
    expect(await storage.append(id, 1, toCommit(1, now, bodies))).toBe(true);
    expect((await storage.loadRun(id))?.commits).toEqual([firstCommit, { ...stepCommit(2), at: now }]);
  });

  it('is refused where others read the files, and without a key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-encrypted-'));
    const disk = diskStorage(folder);
    expect(await codeOf(async () => encryptedStorage(disk, { secretKey }))).toBe('CONFIG_INVALID');
    expect(await codeOf(async () => encryptedStorage(memoryStorage(), { secretKey: 'x' }))).toBe('CONFIG_INVALID');
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('an end user who is erased', () => {
  it('leaves runs that say so, in every process, and nothing of another one is touched', async () => {
    const inner = memoryStorage();
    const storage = encryptedStorage(inner, { secretKey });
    const [first, second, other] = (await secretRuns(storage)) as never[];
    const theirs = await storage.loadRun(other as never);
    expect(await storage.eraseEndUser('ada')).toEqual({ runs: 2 });
    expect(await storage.eraseEndUser('ada')).toEqual({ runs: 2 });
    for (const handle of [storage, encryptedStorage(inner, { secretKey })]) {
      for (const id of [first, second]) {
        await expect(handle.loadRun(id as never)).rejects.toMatchObject({ code: 'CONTENT_ERASED' });
      }
      expect(await codeOf(() => handle.getOutput(first as never, '$a'))).toBe('CONTENT_ERASED');
      const { items } = await handle.listRuns({ endUserId: 'ada' });
      expect(items.map(({ status }) => [status.state, status.error?.code, status.error?.message])).toEqual([
        ['FAILED', 'TOOL_FAILED', '(erased)'],
        ['COMPLETE', undefined, undefined],
      ]);
      expect(await handle.getEndUser('ada')).toEqual(EndUser({ externalId: 'ada', additionalData: { pet: null } }));
      expect(await handle.loadRun(other as never)).toEqual(theirs);
    }
    expect(await codeOf(() => linesOf(inner))).toBe('CONFIG_INVALID');
    expect(await allIn(inner)).not.toContain(secret);
    const portia = clientOf({ storage, tools: [tool({ id: 'ask', description: 'asks', run: () => 'a' })] });
    expect(await codeOf(() => portia.storage.getPlanRun(first as never))).toBe('CONTENT_ERASED');
    expect((await portia.runPlan(planOf({ toolId: 'ask', output: '$a' }), { endUser: 'ada' })).state).toBe('COMPLETE');
    await portia.close();
  });

  it('has no run that is not finished', async () => {
    const storage = encryptedStorage(memoryStorage(), { secretKey });
    const { id } = await storedRun(storage, { endUserId: 'ada' });
    await storage.putCommand(id, sampleAnswer());
    await expect(storage.eraseEndUser('ada')).rejects.toMatchObject({
      code: 'RUN_STATE_INVALID',
      message: expect.stringContaining(id),
    });
    expect((await storage.loadRun(id))?.commands.length).toBe(1);
  });
});
