// Two processes and one run on SQLite or PostgreSQL: a child drives it with the package as it is shipped, and this process looks on, answers,
// cancels, takes over.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Portia } from '../src/client.ts';
import { InputClarification } from '../src/core/clarification.ts';
import type { PlanRunUUID } from '../src/core/ids.ts';
import type { JsonObject, JsonValue } from '../src/core/json.ts';
import { postgresStorage } from '../src/storage/postgres/index.ts';
import { sqliteStorage } from '../src/storage/sqlite/index.ts';
import type { StorageBackend } from '../src/storage/storage-backend.ts';
import { tool } from '../src/tool/tool.ts';
import { answerAndResume, clientOf, codeOf, questionOf } from './lib/engine.ts';
import { freshSchema, startPostgres, type TestPostgres } from './lib/postgres.ts';
import { placeProgram } from './lib/program.ts';

interface End {
  readonly state?: string;
  readonly error?: { readonly code: string } | null;
  readonly outputs?: { readonly final_output: { readonly value: unknown } | null };
  readonly code?: string;
}

/** A call that has reached the world and waits to be let go. */
interface Call {
  readonly pid: number;
  readonly key: string;
  release(value: string): void;
}

let folder: string;
let program: string;
let server: Server;
let database: TestPostgres;
let files = 0;
const calls: Call[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portia-two-'));
  program = placeProgram('drive-worker.mjs', join(folder, 'package'));
  database = await startPostgres();
  server = createServer((request, response: ServerResponse) => {
    const [, pid, key = ''] = (request.url ?? '').split('/');
    calls.push({ pid: Number(pid), key, release: (value) => void response.end(value) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await database.stop();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

let child: ChildProcess;
let ended: Promise<End>;
let storage: StorageBackend;
let portia: Portia;
let path: string;

const stores = ['SQLite', 'PostgreSQL'] as const;

function newStore(store: (typeof stores)[number]): void {
  files += 1;
  path = store === 'SQLite' ? join(folder, `${files}.db`) : `${database.url}?schema=${freshSchema()}`;
}

beforeEach(() => {
  calls.length = 0;
});
afterEach(async () => {
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await portia.close();
});

/** The same tool in this process: it answers at once, and says whether it was called. */
const ownCalls: string[] = [];
function ownTool(kind: string): ReturnType<typeof tool<JsonObject, JsonValue>> {
  return tool<JsonObject, JsonValue>({
    id: 'work',
    description: 'works',
    idempotent: kind === 'idempotent',
    run(_args, { idempotencyKey, clarifications }) {
      if (kind === 'asking' && clarifications.length === 0)
        return InputClarification({ userGuidance: 'Which?', argumentName: 'which' });
      ownCalls.push(idempotencyKey);
      return 'made here';
    },
  });
}

/** Begins the run in a child, and gives its id as soon as it is stored. */
async function begin(kind: 'plain' | 'idempotent' | 'asking'): Promise<PlanRunUUID> {
  ownCalls.length = 0;
  const world = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  child = fork(program, [path, world, kind], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  ended = once(child, 'message').then(([message]) => message as End);
  ended.catch(() => undefined);
  storage = await (path.startsWith('postgres') ? postgresStorage(path) : sqliteStorage(path));
  portia = clientOf({ tools: [ownTool(kind)], storage });
  let id: PlanRunUUID | undefined;
  await expect.poll(async () => (id = (await portia.storage.listRuns()).items[0]?.header.id)).toBeDefined();
  return id as PlanRunUUID;
}

async function reachesWorld(): Promise<Call> {
  await expect.poll(() => calls.length, { timeout: 5_000 }).toBe(1);
  return calls[0] as Call;
}

async function stateOf(id: PlanRunUUID): Promise<string> {
  return (await portia.storage.getPlanRun(id)).state;
}

describe.each(stores)('a run on %s that another process drives', { timeout: 30_000 }, (store) => {
  beforeEach(() => newStore(store));

  it('is not driven twice: who comes second hears RUN_BUSY, and may look on', async () => {
    const id = await begin('plain');
    const call = await reachesWorld();
    await expect(portia.resume({ planRunId: id })).rejects.toMatchObject({ code: 'RUN_BUSY', planRunId: id });
    expect(await codeOf(portia.retry({ planRunId: id }))).toBe('RUN_BUSY');
    expect(await stateOf(id)).toBe('IN_PROGRESS');
    const types: string[] = [];
    const following = (async () => {
      for await (const { type } of portia.events(id)) types.push(type);
    })();
    call.release('made there');
    expect(await ended).toMatchObject({ state: 'COMPLETE', outputs: { final_output: { value: 'made there' } } });
    await following;
    expect(types).toEqual(['run-start', 'tool-call-start', 'tool-call-end', 'step-end', 'run-end']);
    expect((await portia.resume({ planRunId: id })).state).toBe('COMPLETE');
    expect([calls.length, ownCalls.length]).toEqual([1, 0]);
  });

  it('takes up an answer that is given here', async () => {
    const id = await begin('asking');
    await expect.poll(async () => stateOf(id), { timeout: 5_000 }).toBe('NEED_CLARIFICATION');
    const waiting = await portia.storage.getPlanRun(id);
    await portia.resolveClarification({ planRunId: id, clarification: questionOf(waiting), response: 'this one' });
    (await reachesWorld()).release('made there');
    expect(await ended).toMatchObject({ state: 'COMPLETE' });
    expect(await portia.storage.getClarifications(id)).toMatchObject([
      { via: 'library', clarification: { response: 'this one' } },
    ]);
    expect(ownCalls).toEqual([]);
  });

  it('is cancelled from here, after the receipt of the call in flight', async () => {
    const id = await begin('plain');
    const call = await reachesWorld();
    const cancelling = portia.cancel({ planRunId: id, by: 'ada' });
    await sleep(700);
    call.release('made there');
    expect((await cancelling).error?.code).toBe('RUN_CANCELLED');
    expect(await ended).toMatchObject({ state: 'FAILED', error: { code: 'RUN_CANCELLED' } });
    expect(await portia.storage.getToolCalls(id)).toMatchObject([{ status: 'SUCCESS', output: 'made there' }]);
  });

  it('stays with a process that is stopped, whatever its heartbeat says', async () => {
    const id = await begin('plain');
    const call = await reachesWorld();
    child.kill('SIGSTOP');
    const driver = (await storage.loadRun(id))?.driver;
    await storage.heartbeat([{ id, epoch: driver?.epoch ?? 0 }], Date.now() - 60_000);
    expect(await codeOf(portia.resume({ planRunId: id }))).toBe('RUN_BUSY');
    expect(await portia.work({ untilIdle: true })).toEqual({ complete: 0, failed: 0, waiting: 0, refused: 0 });
    child.kill('SIGCONT');
    call.release('made there');
    expect(await ended).toMatchObject({ state: 'COMPLETE' });
    expect(ownCalls).toEqual([]);
  });

  it('is taken over at once from a process that was killed', async () => {
    const id = await begin('idempotent');
    const call = await reachesWorld();
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    const done = await portia.resume({ planRunId: id });
    expect(done.outputs.finalOutput).toEqual({ value: 'made here', summary: null });
    expect(ownCalls).toEqual([call.key]);
  });

  it('is taken over by a worker, too', async () => {
    const id = await begin('idempotent');
    await reachesWorld();
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    expect(await portia.work({ untilIdle: true })).toMatchObject({ complete: 1 });
    expect(await stateOf(id)).toBe('COMPLETE');
  });
});

describe.each(stores)('a driver that lost its run on %s', { timeout: 30_000 }, (store) => {
  beforeEach(() => newStore(store));

  /** As if the child were on another host and had not been heard of. */
  async function takeAway(id: PlanRunUUID): Promise<void> {
    const claim = await storage.claimRun(id, {
      owner: 'somebody/1.1/0/x',
      now: Date.now(),
      ttlMs: 1,
      isAlive: () => false,
    });
    expect(claim.claimed).toBe(true);
    await storage.releaseRun(id, claim.driver.epoch);
  }

  it('gives its receipt to the new one, who had to ask a person meanwhile', async () => {
    const id = await begin('plain');
    const call = await reachesWorld();
    await takeAway(id);
    const waiting = await portia.resume({ planRunId: id });
    expect(questionOf(waiting)).toMatchObject({ argumentName: 'unknown_call' });
    call.release('made there');
    expect(await ended).toMatchObject({ code: 'DRIVER_LOST' });
    expect(await stateOf(id)).toBe('READY_TO_RESUME');
    const done = await portia.resume({ planRunId: id });
    expect(done.outputs.finalOutput).toEqual({ value: 'made there', summary: null });
    expect(done.getOutstandingClarifications()).toEqual([]);
    expect(await portia.storage.getEvents(id)).toContainEqual(
      expect.objectContaining({ type: 'tool-call-end', late: true }),
    );
    expect([calls.length, ownCalls.length]).toEqual([1, 0]);
  });

  it('writes nothing more into the record, also when the new one has finished', async () => {
    const id = await begin('plain');
    const call = await reachesWorld();
    await takeAway(id);
    const done = await answerAndResume(portia, await portia.resume({ planRunId: id }), 'call again');
    expect(done.outputs.finalOutput).toEqual({ value: 'made here', summary: null });
    const events = await portia.storage.getEvents(id);
    call.release('made there');
    expect(await ended).toMatchObject({ code: 'DRIVER_LOST' });
    expect(await portia.storage.getEvents(id)).toEqual(events);
    expect((await portia.storage.getPlanRun(id)).toJSON()).toEqual(done.toJSON());
  });
});

describe('a driver on another host', () => {
  beforeEach(() => newStore('SQLite'));

  it.each([
    ['is left its run while its heartbeat is fresh', 0, 'RUN_BUSY'],
    ['is replaced when its heartbeat is old', -60_000, 'nothing was thrown'],
  ] as const)('%s', async (_what, age, outcome) => {
    const id = await begin('idempotent');
    (await reachesWorld()).release('made there');
    await ended;
    const { planId } = (await storage.loadRun(id))?.header ?? {};
    const run = await portia.createPlanRun(planId as never);
    await storage.claimRun(run.id, {
      owner: 'elsewhere/17.4711/0/x',
      now: Date.now() + age,
      ttlMs: 30_000,
      isAlive: () => undefined,
    });
    expect(await codeOf(portia.resume({ planRun: run }))).toBe(outcome);
    expect(await stateOf(run.id)).toBe(outcome === 'RUN_BUSY' ? 'NOT_STARTED' : 'COMPLETE');
  });
});
