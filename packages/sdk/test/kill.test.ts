// Kills real processes with SIGKILL at every write of a plan with a step of every kind, and goes on in another process.
// Effects are counted by a server in this one.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeProgram } from './lib/program.ts';

type Store = 'sqlite' | 'disk';
interface Point {
  readonly write: number;
  readonly when: 'before' | 'after';
}
interface Report {
  readonly document: {
    readonly id: string;
    readonly outputs: { readonly clarifications: readonly { id: string; source: string }[] };
  };
  readonly error: unknown;
  readonly writes: number;
  readonly asked: readonly string[];
  /** Model answers: on record before, asked for by this process, on record at the end. */
  readonly answers: { readonly known: number; readonly asked: number; readonly stored: number };
  readonly calls: readonly string[];
}
type Message = { readonly ready?: true; readonly reached?: number; readonly done?: Report; readonly failed?: string };

/** What the world has seen: how often each tool had its effect, run by run. */
interface World {
  readonly url: string;
  readonly effects: string[];
}

const expectedEffects = ['asker', 'mailer', 'mailer', 'payer', 'refunder', 'stamper'];
const worlds = new Map<string, { effects: string[]; keys: Set<string> }>();
let server: Server;
let folder: string;
let program: string;
let stores = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portia-kill-'));
  program = placeProgram('kill-worker.mjs', join(folder, 'package'));
  server = createServer((request, response) => {
    const [, name = '', what, id = ''] = (request.url ?? '').split('/');
    const world = worlds.get(name);
    const key = String(request.headers['idempotency-key'] ?? decodeURIComponent(id));
    if (!world) return void response.writeHead(404).end();
    if (what === 'keys') return void response.writeHead(world.keys.has(key) ? 200 : 404).end();
    if (!(request.headers['once'] && world.keys.has(key))) world.effects.push(id);
    world.keys.add(key);
    response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  for (const child of idle.splice(0)) child.kill('SIGKILL');
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function newWorld(): World {
  const name = `w${worlds.size}`;
  const effects: string[] = [];
  worlds.set(name, { effects, keys: new Set() });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`, effects };
}

function newStore(kind: Store): string {
  stores += 1;
  return join(folder, `${stores}${kind === 'sqlite' ? '.db' : ''}`);
}

/** Workers that wait for a job: they are made before they are needed, and used again unless they are killed. */
const idle: ChildProcess[] = [];

function makeWorker(): ChildProcess {
  return fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function nextMessage(worker: ChildProcess): Promise<Message> {
  const died = once(worker, 'exit').then(([code, signal]) => {
    throw new Error(`a worker ended by itself (${String(code ?? signal)})`);
  });
  died.catch(() => undefined);
  const [message] = (await Promise.race([once(worker, 'message'), died])) as [Message];
  if (message.failed !== undefined) throw new Error(`a worker failed: ${message.failed}`);
  return message;
}

async function takeWorker(): Promise<ChildProcess> {
  const waiting = idle.pop();
  if (waiting) return waiting;
  const worker = makeWorker();
  await nextMessage(worker);
  return worker;
}

interface Job {
  readonly store: Store;
  readonly path: string;
  readonly world: string;
  readonly planted?: boolean;
  readonly react?: boolean;
}

/** Runs, or goes on with, a run in a process to its end. */
async function toEnd(job: Job): Promise<Report> {
  const worker = await takeWorker();
  worker.send(job);
  const { done } = await nextMessage(worker);
  idle.push(worker);
  if (!done) throw new Error('the worker did not come to an end');
  return done;
}

/** Runs in a process that is killed at a point; `false` when the run ended before it. */
async function untilKilled(job: Job, point: Point): Promise<boolean> {
  const worker = await takeWorker();
  worker.send({ ...job, point });
  const { reached } = await nextMessage(worker);
  if (reached === undefined) {
    idle.push(worker);
    return false;
  }
  const ended = once(worker, 'exit');
  worker.kill('SIGKILL');
  await ended;
  return true;
}

/** A run's document without what differs from run to run. */
function comparable({ document, error }: Report): unknown {
  const clarifications = document.outputs.clarifications
    .filter(({ source }) => source !== 'Effects ledger')
    .map((clarification, index) => ({ ...clarification, id: index }));
  const whole = JSON.stringify({ ...document, outputs: { ...document.outputs, clarifications }, error });
  return JSON.parse(whole.replaceAll(document.id, 'this run'));
}

interface Outcome {
  readonly where: string;
  readonly report: Report;
  readonly effects: readonly string[];
}

/** Kills at each of these points, two at a time, and goes on in another process. */
async function killAt(points: readonly Point[], make: () => Job & { readonly seen: World }): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const queue = [...points];
  const lane = async (): Promise<void> => {
    for (let point = queue.shift(); point; point = queue.shift()) {
      const { seen, ...job } = make();
      const where = `${job.store}, ${point.when} write ${point.write}`;
      expect(await untilKilled(job, point), where).toBe(true);
      outcomes.push({ where, report: await toEnd(job), effects: [...seen.effects].sort() });
    }
  };
  await Promise.all([lane(), lane()]);
  return outcomes;
}

function fresh(store: Store, more: Pick<Job, 'planted' | 'react'> = {}): Job & { readonly seen: World } {
  const seen = newWorld();
  return { store, path: newStore(store), world: seen.url, ...more, seen };
}

/**
 * Every so many writes, from both sides. What stands in the store after a write is what stands there before the next
 * one, so fewer points are needed after than before.
 */
function pointsOf(writes: number, each: number): Point[] {
  const numbers = Array.from({ length: writes }, (_, index) => index + 1);
  const every = (step: number, when: Point['when']): Point[] =>
    numbers.filter((write) => write % step === 0).map((write) => ({ write, when }));
  return [...every(each, 'before'), ...every(3 * each, 'after')];
}

describe('a run whose process is killed', () => {
  it.each([
    ['sqlite', 1],
    ['disk', 4],
  ] as const)(
    'ends in another one as if nothing had happened, with every effect once (%s, every %i. write)',
    { timeout: 120_000 },
    async (store, each) => {
      const calm = fresh(store);
      const whole = await toEnd(calm);
      expect(whole.error).toBeNull();
      expect([...calm.seen.effects].sort()).toEqual(expectedEffects);

      const outcomes = await killAt(pointsOf(whole.writes, each), () => fresh(store));
      for (const { where, report, effects } of outcomes) {
        expect(comparable(report), where).toEqual(comparable(whole));
        expect(effects, where).toEqual(expectedEffects);
      }
      expect(outcomes.length).toBeGreaterThan(each === 1 ? 40 : 10);
      // Somewhere on the way a call was out, of which only a person could tell.
      if (each === 1)
        expect(new Set(outcomes.flatMap(({ report }) => report.asked))).toEqual(
          new Set(['mailer', 'asker', 'refunder']),
        );
    },
  );

  it('in a ReAct step with six tool calls ends with these six, and asks for no answer that is on record', {
    timeout: 60_000,
  }, async () => {
    const react = () => fresh('sqlite', { react: true });
    const whole = await toEnd(react());
    expect(whole).toMatchObject({ error: null, answers: { asked: 5, stored: 5 } });
    const six = ['lookup', 'lookup', 'sender', 'sender', 'lookup', 'lookup'].map((id) => `${id} SUCCESS`);
    expect(whole.calls).toEqual(six);

    const outcomes = await killAt(pointsOf(whole.writes, 3), react);
    for (const { where, report, effects } of outcomes) {
      expect(comparable(report), where).toEqual(comparable(whole));
      expect([report.calls, effects], where).toEqual([six, ['sender', 'sender']]);
      const { known, asked, stored } = report.answers;
      expect([known + asked, stored], where).toEqual([5, 5]);
    }
    // Points with answers on record, and without.
    expect(new Set(outcomes.map(({ report }) => report.answers.known)).size).toBeGreaterThan(2);
  });

  it('is caught when a tool says wrongly that it may be repeated', { timeout: 60_000 }, async () => {
    const outcomes = await killAt(
      pointsOf(10, 1).filter(({ write, when }) => when === 'before' && write > 3),
      () => fresh('sqlite', { planted: true }),
    );
    const doubled = outcomes.filter(({ effects }) => effects.length > expectedEffects.length);
    expect(doubled.map(({ effects }) => effects)).toContainEqual([
      'asker',
      'mailer',
      'mailer',
      'mailer',
      'payer',
      'refunder',
      'stamper',
    ]);
    expect(doubled.flatMap(({ report }) => report.asked)).toEqual([]);
  });
});
