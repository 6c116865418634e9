import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../../test/lib/engine.ts';
import { type FetchServer, serveFetch } from '../../../test/lib/fetch-server.ts';
import { fromCommit, toCommit } from '../../core/event.ts';
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
import { tool } from '../../tool/tool.ts';
import { memoryStorage } from '../memory/memory-storage.ts';
import { sqliteStorage } from '../sqlite/index.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { storageDoor } from './door.ts';
import { cloudStorage } from './index.ts';

testStorageBackend(
  {
    name: 'cloud',
    persistent: true,
    open: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'portia-cloud-'));
      const inner = await sqliteStorage(join(folder, 'portia.db'));
      const server = await serveFetch(storageDoor(inner));
      const open = (): Promise<StorageBackend> => cloudStorage({ endpoint: server.url });
      return {
        storage: await open(),
        reopen: open,
        close: async () => {
          await server.close();
          await inner.close();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  },
  { describe, it, expect },
);

/** Serves a store; `fate` decides what becomes of each request. */
async function served(
  inner: StorageBackend,
  fate: (request: Request, door: (request: Request) => Promise<Response>) => Promise<Response | undefined>,
): Promise<FetchServer> {
  const door = storageDoor(inner);
  return serveFetch((request) => fate(request, door));
}

describe('a store behind a server', () => {
  it('drives runs, in one process and then in another', async () => {
    const inner = memoryStorage();
    const server = await served(inner, (request, door) => door(request));
    const go = tool({ id: 'go', description: 'goes', run: () => 'gone' });
    const first = clientOf({
      config: { storageClass: 'CLOUD', portiaApiEndpoint: server.url, storage: undefined },
      tools: [go],
    });
    const { id } = await first.createPlanRun(planOf({ toolId: 'go', output: '$a' }));
    await first.close();
    const second = clientOf({ storage: await cloudStorage({ endpoint: `${server.url}/` }), tools: [go] });
    expect((await second.resume({ planRunId: id })).state).toBe('COMPLETE');
    expect((await inner.loadRun(id))?.status.state).toBe('COMPLETE');
    await second.close();
    await server.close();
  });

  it('gives its key to that server only', async () => {
    const heard: (string | null)[] = [];
    const stranger = await serveFetch((request) => {
      heard.push(request.headers.get('authorization'));
      return Response.json({ storage: 1 });
    });
    let where = '';
    const keys = new Set<string | null>();
    const server = await served(memoryStorage(), async (request, door) => {
      keys.add(request.headers.get('authorization'));
      const { pathname } = new URL(request.url);
      if (pathname === '/api/v1/storage') return new Response(null, { status: 307, headers: { location: where } });
      return door(request);
    });
    where = `${stranger.url}/api/v1/storage`;
    await expect(cloudStorage({ endpoint: server.url, apiKey: 'pk-hunter2' })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.not.stringContaining('hunter2'),
    });
    expect(heard).toEqual([]);
    where = `${server.url}/moved/api/v1/storage`;
    const storage = await cloudStorage({ endpoint: server.url, apiKey: 'pk-hunter2' });
    await storage.listRuns({});
    expect([...keys]).toEqual(['Api-Key pk-hunter2']);
    await storage.close();
    await Promise.all([server.close(), stranger.close()]);
  });

  it('tries again while it is away, and says so when the patience is over', async () => {
    let refusals = 3;
    const server = await served(memoryStorage(), async (request, door) => {
      refusals -= 1;
      if (refusals === 2) return undefined;
      return refusals >= 0 ? Response.json({ code: 'STORAGE_FAILED', detail: 'busy' }, { status: 503 }) : door(request);
    });
    const storage = await cloudStorage({ endpoint: server.url });
    expect((await storage.listRuns({})).items).toEqual([]);
    expect(refusals).toBe(-2);
    await storage.close();
    expect(await codeOf(async () => storage.listRuns({}))).toBe('STORAGE_FAILED');
    await server.close();
    await expect(cloudStorage({ endpoint: server.url, patienceMs: 150 })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.each([
    [401, { detail: 'no' }, 'does not let this key in'],
    [500, 'oh', 'answered 500: "oh"'],
    [413, 'big', 'answered 413'],
    [200, { storage: 99 }, 'speaks version 99'],
    [404, {}, 'answered 404'],
  ])('is refused when it answers %i %j', async (status, body, words) => {
    const server = await serveFetch(() => Response.json(body, { status }));
    await expect(cloudStorage({ endpoint: server.url })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining(words),
    });
    await server.close();
  });
});

describe('an answer that never came', () => {
  /** A store whose server does the next write, and breaks the connection instead of answering. */
  async function deaf(
    patienceMs: number,
  ): Promise<{ storage: StorageBackend; lose: () => void; end: () => Promise<void> }> {
    let losing = false;
    const inner = await sqliteStorage(':memory:');
    const server = await served(inner, async (request, door) => {
      const lost = losing && !/load-run|get-/.test(request.url);
      const response = await door(request);
      if (!lost) return response;
      losing = false;
      return undefined;
    });
    const storage = await cloudStorage({ endpoint: server.url, patienceMs });
    const end = async (): Promise<void> => {
      await storage.close();
      await server.close();
      await inner.close();
    };
    return { storage, lose: () => (losing = true), end };
  }

  it('changes nothing: a run, a claim, a commit, the last commit, a command, an import are there once', async () => {
    const { storage, lose, end } = await deaf(5_000);
    const plan = samplePlan();
    await storage.savePlan(plan);
    const header = sampleHeader(plan.id, { runKey: 'order-17', labels: { a: 'b' } });
    lose();
    expect(await storage.createRun(header)).toMatchObject({ created: true, header });
    lose();
    const { claimed, driver } = await storage.claimRun(header.id, sampleClaim({ owner: 'me/1/a' }));
    expect([claimed, driver.epoch]).toEqual([true, 1]);
    lose();
    expect(await storage.append(header.id, 1, firstCommit, working)).toBe(true);
    const answer = sampleAnswer();
    lose();
    expect(await storage.putCommand(header.id, answer)).toEqual(answer);
    lose();
    expect(await storage.append(header.id, 1, stepCommit(2), { state: 'COMPLETE', updatedAt: 9 }, true)).toBe(true);
    const whole = {
      header,
      status: { state: 'COMPLETE' as const, updatedAt: 9 },
      driver: undefined,
      epoch: 1,
      commits: [firstCommit, stepCommit(2)],
      commands: [answer],
    };
    expect(await storage.loadRun(header.id)).toEqual(whole);
    const other = { ...whole, header: sampleHeader(plan.id) };
    lose();
    expect(await storage.importRun(other, [])).toBe(true);
    await end();
  });

  it('leaves a commit as it is when the driver writes it again together with what happened since', async () => {
    const { storage, lose, end } = await deaf(0);
    const { id } = await storedRun(storage);
    lose();
    expect(await codeOf(async () => storage.append(id, 1, firstCommit, working))).toBe('STORAGE_FAILED');
    const bodies = [firstCommit, stepCommit(2)].flatMap(fromCommit).map(({ v, seq, at, ...body }) => body as never);
    expect(await storage.append(id, 1, toCommit(1, now, bodies), working)).toBe(true);
    const commits = (await storage.loadRun(id))?.commits ?? [];
    expect(commits).toEqual([firstCommit, { ...stepCommit(2), at: now }]);
    await end();
  });
});

describe('the door', () => {
  const inner = memoryStorage();
  const door = storageDoor(inner);
  const ask = async (path: string, body?: unknown, method = 'POST'): Promise<Record<string, unknown>> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await door(
      new Request(`http://h/api/v1/storage${path}`, { method, ...(method === 'POST' && { body: text }) }),
    );
    expect(response.headers.get('content-type')).toMatch(/json/);
    return { http: response.status, ...((await response.json()) as object) };
  };

  it('says what it speaks', async () => {
    expect(await ask('', undefined, 'GET')).toEqual({ http: 200, storage: 1 });
    expect(await ask('/', undefined, 'GET')).toEqual({ http: 200, storage: 1 });
  });

  it('tells of mistakes in problem documents, and stores nothing of them', async () => {
    const plan = samplePlan();
    const header = sampleHeader(plan.id);
    await inner.savePlan(plan);
    const { id } = await storedRun(inner);
    const refusals = await Promise.all([
      ask('/drop-tables', {}),
      ask('/list-runs', undefined, 'GET'),
      ask('/list-runs', 'no json'),
      ask('/list-runs', { query: { states: ['DREAMING'] } }),
      ask('/list-runs', { query: { cursor: 'nonsense' } }),
      ask('/create-run', { header: { ...header, createdAt: 'now' } }),
      ask('/create-run', { header: { ...header, planId: 'plan-../x' } }),
      ask('/create-run', { header: sampleHeader(samplePlan().id) }),
      ask('/append', { id, epoch: 1, commit: { seq: 1, at: 1, events: '{}' } }),
      ask('/append', { id, epoch: 1, commit: { seq: 2 ** 40, at: 1, events: '[]' } }),
      ask('/save-end-user', { user: { externalId: '' } }),
      ask('/claim-run', { id: 'prun-x', claim: { owner: 'a', now: 1, ttlMs: 1, verdicts: [] } }),
      ask('/put-command', { id, command: { type: 'shout', key: 'a' } }),
    ]);
    expect(refusals.map(({ http, code }) => `${http} ${code}`)).toEqual([
      '404 USAGE',
      '405 USAGE',
      '400 CONFIG_INVALID',
      '400 CONFIG_INVALID',
      '400 CONFIG_INVALID',
      '400 CONFIG_INVALID',
      '400 CONFIG_INVALID',
      '404 PLAN_NOT_FOUND',
      '422 STORAGE_CORRUPT',
      '400 CONFIG_INVALID',
      '400 END_USER_INVALID',
      '404 PLAN_RUN_NOT_FOUND',
      '400 CONFIG_INVALID',
    ]);
    expect((await inner.listRuns({})).items.length).toBe(1);
    expect((await inner.loadRun(id))?.commits).toEqual([]);
  });
});
