// Several processes that work on the runs of one PostgreSQL database, which is restarted underneath them while one of them is killed.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Portia } from '../src/client.ts';
import { postgresStorage } from '../src/storage/postgres/index.ts';
import { tool } from '../src/tool/tool.ts';
import { clientOf, planOf } from './lib/engine.ts';
import { freshSchema, startPostgres, type TestPostgres } from './lib/postgres.ts';
import { placeProgram } from './lib/program.ts';

interface Message {
  readonly ready?: true;
  readonly report?: { readonly complete: number; readonly failed: number; readonly waiting: number };
  readonly failed?: string;
}

let database: TestPostgres;
let folder: string;
let program: string;
let server: Server;
/** How often each call had its effect, by idempotency key. */
const paid = new Map<string, number>();

beforeAll(async () => {
  database = await startPostgres({ own: true });
  folder = mkdtempSync(join(tmpdir(), 'portia-postgres-processes-'));
  program = placeProgram('postgres-worker.mjs', join(folder, 'package'));
  server = createServer((request, response) => {
    const [, what, key = ''] = (request.url ?? '').split('/');
    if (what === 'paid') return void response.writeHead(paid.has(key) ? 200 : 404).end(`paid ${key}`);
    paid.set(key, (paid.get(key) ?? 0) + 1);
    // A call takes its time, so that there is always one in flight when something goes away.
    setTimeout(() => response.end(`paid ${key}`), 15);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await database.stop();
  rmSync(folder, { recursive: true, force: true });
});

const workers: ChildProcess[] = [];
async function worker(url: string): Promise<ChildProcess> {
  const world = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = fork(program, [url, world], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  workers.push(child);
  await once(child, 'message');
  return child;
}
afterAll(() => {
  for (const child of workers) child.kill('SIGKILL');
});

async function toEnd(child: ChildProcess): Promise<NonNullable<Message['report']>> {
  const message = once(child, 'message').then(([message]) => message as Message);
  child.send('go');
  const { report, failed } = await message;
  if (!report) throw new Error(failed);
  return report;
}

/** A client that starts runs of three payments each, and looks at them. */
async function client(url: string): Promise<Portia> {
  const pay = tool({ id: 'pay', description: 'pays', reconcile: () => 'not-happened', run: () => 'never called here' });
  return clientOf({ storage: await postgresStorage(url), tools: [pay] });
}

const plan = planOf({ toolId: 'pay', output: '$a' }, { toolId: 'pay', output: '$b' }, { toolId: 'pay', output: '$c' });

async function start(portia: Portia, count: number): Promise<void> {
  for (let run = 0; run < count; run += 1) await portia.start(plan, { runKey: `order-${run}` });
}

describe('several processes on one PostgreSQL database', { timeout: 60_000 }, () => {
  it('share the runs: each is driven by one of them, and no call is made twice', async () => {
    const url = `${database.url}?schema=${freshSchema()}`;
    const portia = await client(url);
    const children = [await worker(url), await worker(url)];
    paid.clear();
    await start(portia, 50);
    const reports = await Promise.all(children.map(toEnd));
    expect(reports.map(({ failed, waiting }) => failed + waiting)).toEqual([0, 0]);
    const { items } = await portia.storage.listRuns({ states: ['COMPLETE'], limit: 100 });
    expect(items.length).toBe(50);
    for (const { header } of items) {
      const events = await portia.storage.getEvents(header.id);
      expect(events.filter(({ type }) => type === 'run-start').length).toBe(1);
    }
    expect([paid.size, Math.max(...paid.values())]).toEqual([150, 1]);
    await portia.close();
  });

  it('end all runs, and make no call twice, when the database is restarted and one of them is killed', async () => {
    const url = `${database.url}?schema=${freshSchema()}`;
    const portia = await client(url);
    const [first, second] = [await worker(url), await worker(url)];
    paid.clear();
    await start(portia, 50);
    const exit = once(first, 'exit');
    first.send('go');
    const working = toEnd(second);
    working.catch(() => undefined);
    await expect.poll(() => paid.size, { timeout: 10_000 }).toBeGreaterThan(20);
    await database.restart();
    await sleep(150);
    first.kill('SIGKILL');
    await database.restart();
    await exit;
    await working;
    await toEnd(await worker(url));
    const states = (await portia.storage.listRuns({ limit: 100 })).items.map(({ status }) => status.state);
    expect(states).toEqual(Array.from({ length: 50 }, () => 'COMPLETE'));
    expect([paid.size, Math.max(...paid.values())]).toEqual([150, 1]);
    await portia.close();
  });
});
