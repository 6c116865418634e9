import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, codeOf, planOf, planWith, questionOf } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import type { RunEvent, RunNotice } from '../core/event.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { type LogFields, type Logger, silentLogger } from '../observe/logger.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { sqliteStorage } from '../storage/sqlite/index.ts';
import { crashingStorage } from '../testing/crashing-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { fails, text, toolCall } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import type { BatchOutcome } from './run-many.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-start-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });
const plan = planOf({ toolId: 'one', output: '$a' });
const asker = tool<JsonObject, JsonValue>({
  id: 'asker',
  description: 'asks',
  run: (_args, { clarifications }) => clarifications.find(({ resolved }) => resolved)?.response ?? InputClarification({ userGuidance: '?', argumentName: 'a' }),
});

describe('run inputs', () => {
  const words = planWith([{ name: '$who' }, { name: '$how', value: 'politely' }], { output: '$a', inputs: ['$who', '$how'] });
  const inputsOf = async (planRunInputs: unknown, of = words): Promise<unknown> => {
    const portia = clientOf();
    const run = await portia.createPlanRun(of, { planRunInputs: planRunInputs as never });
    return Object.fromEntries(Object.entries(run.planRunInputs).map(([name, { value }]) => [name, value]));
  };

  it('are taken by name or as a list, over the defaults of the plan', async () => {
    expect(await inputsOf({ $who: 'ada' })).toEqual({ $who: 'ada', $how: 'politely' });
    expect(await inputsOf([{ name: '$how', value: 1 }, { name: '$who', value: [2] }])).toEqual({ $who: [2], $how: 1 });
  });

  it('may be null, which counts as given', async () => {
    expect(await inputsOf({ $who: null, $how: null })).toEqual({ $who: null, $how: null });
  });

  it.each([[undefined], [{}], [[]], [null]])('that are missing are named, and nothing is stored: %j', async (given) => {
    const portia = clientOf();
    const missing = planWith([{ name: '$b' }, { name: '$a' }, { name: '$c', value: 1 }], { output: '$x' });
    const refused = portia.runPlan(missing, { planRunInputs: given as never });
    await expect(refused).rejects.toMatchObject({ code: 'INPUT_MISSING', message: 'Missing required plan input values: $b, $a', details: { missing: ['$b', '$a'] } });
    expect((await portia.storage.listRuns()).items).toEqual([]);
  });

  it.each([['text'], [7], [[{ value: 1 }]], [[{ name: '$who' }]], [new Map()]])('in a form that cannot be read are refused: %s', async (given) => {
    expect(await codeOf(inputsOf(given))).toBe('INPUT_INVALID');
  });

  it('that JSON cannot hold are refused with their path', async () => {
    await expect(inputsOf({ $who: { at: [new Map()] } })).rejects.toMatchObject({ code: 'OUTPUT_NOT_JSON', message: expect.stringContaining('$who.at[0]') });
  });

  it('that nobody declared are left out, with a warning', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message: string, _fields?: LogFields) => void warnings.push(message) };
    const portia = clientOf({ logger });
    const run = await portia.createPlanRun(words, { planRunInputs: { $who: 'ada', $what: 1, toString: 2 } });
    await portia.createPlanRun(planOf(), { planRunInputs: { $what: 1 } });
    expect(Object.keys(run.planRunInputs)).toEqual(['$who', '$how']);
    expect(warnings).toEqual([
      'Ignoring unknown plan input: $what',
      'Ignoring unknown plan input: toString',
      'Inputs are not required for this plan but plan inputs were provided',
    ]);
  });

  it('win over step outputs of the same name', async () => {
    const model = scriptedModel([text('said')]);
    const portia = clientOf({ tools: [one], model });
    const clash = planWith([{ name: '$a' }], { toolId: 'one', output: '$a' }, { output: '$b', inputs: ['$a'] });
    await portia.runPlan(clash, { planRunInputs: { $a: 'given' } });
    expect(JSON.stringify(model.requests[0])).toContain('given');
  });

  it('of a plan are not changed by running it', async () => {
    const portia = clientOf({ model: scriptedModel(() => text('said')) });
    await portia.runPlan(words, { planRunInputs: { $who: 'secret' } });
    expect(JSON.stringify(await portia.storage.getPlan(words.id))).not.toContain('secret');
  });
});

describe('a run key', () => {
  it('given twice gives the same run, whose plan goes on', async () => {
    const portia = clientOf({ tools: [asker, one] });
    const asking = planOf({ toolId: 'asker', output: '$a' });
    const first = await portia.runPlan(asking, { runKey: 'order-17' });
    const second = await portia.runPlan(asking, { runKey: 'order-17' });
    expect([second.id, second.state]).toEqual([first.id, 'NEED_CLARIFICATION']);
    await portia.resolveClarification({ planRun: first, clarification: questionOf(first), response: 1 });
    expect(await portia.runPlan(asking, { runKey: 'order-17' })).toMatchObject({ id: first.id, state: 'COMPLETE' });
    expect(await portia.runPlan(asking, { runKey: 'order-17' })).toMatchObject({ id: first.id, state: 'COMPLETE' });
    expect((await portia.storage.listRuns()).items).toHaveLength(1);
  });

  it('belongs to one plan', async () => {
    const portia = clientOf({ tools: [one] });
    await portia.runPlan(plan, { runKey: 'order-17' });
    for (const again of [portia.runPlan(planOf({ toolId: 'one', output: '$b' }), { runKey: 'order-17' }), portia.start(planOf(), { runKey: 'order-17' })]) {
      expect(await codeOf(again)).toBe('RUN_KEY_CONFLICT');
    }
  });

  it('and labels stand in the execution context, and runs are found by them', async () => {
    const portia = clientOf({ tools: [one] });
    const run = await portia.runPlan(plan, { runKey: 'k', labels: { batch: 'nightly', region: 'EU' } });
    await portia.runPlan(plan, { labels: { batch: 'daily' } });
    expect(run.executionContext).toMatchObject({ runKey: 'k', labels: { batch: 'nightly', region: 'EU' } });
    expect((await portia.storage.listRuns({ labels: { batch: 'nightly' } })).items.map(({ header }) => header.id)).toEqual([run.id]);
  });
});

describe('a plan', () => {
  it('that is stored already is run as it was stored, by its id', async () => {
    const storage = memoryStorage();
    await clientOf({ storage }).storage.savePlan(plan);
    expect((await clientOf({ tools: [one], storage }).runPlan(plan.id)).state).toBe('COMPLETE');
    expect(await codeOf(clientOf({ storage }).runPlan(planOf().id))).toBe('PLAN_NOT_FOUND');
  });
});

describe('workers', () => {
  it('begin what was started, not what was only created, and not before its time', async () => {
    const clock = fakeClock();
    const portia = clientOf({ tools: [one], clock });
    const created = await portia.createPlanRun(plan);
    const { planRunId: now } = await portia.start(plan);
    const { planRunId: later } = await portia.start(plan, { startAt: clock.now() + 1_000 });
    expect(await portia.work({ untilIdle: true })).toEqual({ complete: 1, failed: 0, waiting: 0, refused: 0 });
    const states = async (): Promise<string[]> => Promise.all([created.id, now, later].map(async (id) => (await portia.storage.getPlanRun(id)).state));
    expect(await states()).toEqual(['NOT_STARTED', 'COMPLETE', 'NOT_STARTED']);
    await clock.advance(1_000);
    await portia.work({ untilIdle: true });
    expect(await states()).toEqual(['NOT_STARTED', 'COMPLETE', 'COMPLETE']);
  });

  it('go on with runs once they are answered, by themselves', async () => {
    const portia = clientOf({ tools: [asker] });
    const { planRunId } = await portia.start(planOf({ toolId: 'asker', output: '$a' }));
    const controller = new AbortController();
    const working = portia.work({ signal: controller.signal, pollMs: 60_000 });
    await expect.poll(async () => (await portia.storage.getPlanRun(planRunId)).state).toBe('NEED_CLARIFICATION');
    const waiting = await portia.storage.getPlanRun(planRunId);
    await portia.resolveClarification({ planRunId, clarification: questionOf(waiting), response: 'x' });
    await expect.poll(async () => (await portia.storage.getPlanRun(planRunId)).state).toBe('COMPLETE');
    controller.abort();
    expect(await working).toMatchObject({ complete: 1, waiting: 1 });
  });

  it('on one SQLite file share the runs: none is driven twice', async () => {
    const path = join(folder, 'shared.db');
    const calls: string[] = [];
    const effect = tool({
      id: 'one',
      description: 'x',
      async run(_args, { planRunId }) {
        calls.push(planRunId);
        await sleep(1);
        return 1;
      },
    });
    const clients = await Promise.all([1, 2, 3].map(async () => clientOf({ tools: [effect], storage: await sqliteStorage(path) })));
    const [first] = clients;
    if (!first) throw new Error('no client');
    const ids = new Set<string>();
    for (let n = 0; n < 60; n += 1) ids.add((await first.start(plan, { runKey: `run ${n}` })).planRunId);
    const counts = await Promise.all(clients.map((portia) => portia.work({ untilIdle: true, concurrency: 4, pollMs: 20 })));
    expect(counts.reduce((sum, { complete }) => sum + complete, 0)).toBe(60);
    expect(calls).toHaveLength(60);
    expect(new Set(calls)).toEqual(ids);
    for (const portia of clients) await portia.close();
  });

  it('leave alone what they cannot drive, and say so once', async () => {
    const errors: string[] = [];
    const storage = memoryStorage();
    await clientOf({ tools: [one], storage }).start(plan);
    const logger: Logger = { ...silentLogger, error: (message: string, fields?: LogFields) => void errors.push(`${message} ${String(fields?.['code'])}`) };
    const elsewhere = clientOf({ storage, logger });
    expect(await elsewhere.work({ untilIdle: true })).toEqual({ complete: 0, failed: 0, waiting: 0, refused: 1 });
    expect(errors).toEqual([expect.stringContaining('TOOL_NOT_FOUND')]);
    expect(await clientOf({ tools: [one], storage }).work({ untilIdle: true })).toMatchObject({ complete: 1 });
  });

  it('stop when told, and what they had at hand can be resumed', async () => {
    const controller = new AbortController();
    let calls = 0;
    const slow = tool({
      id: 'one',
      description: 'x',
      readOnly: true,
      async run() {
        calls += 1;
        if (calls === 1) controller.abort();
        await sleep(10);
        return 1;
      },
    });
    const portia = clientOf({ tools: [slow] });
    const { planRunId } = await portia.start(planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b', inputs: ['$a'] }));
    await portia.work({ signal: controller.signal });
    expect((await portia.resume({ planRunId })).state).toBe('COMPLETE');
  });

  it('take over what a dead process left behind', async () => {
    const effects: string[] = [];
    const effect = tool({ id: 'one', description: 'x', idempotent: true, run: (_args, { callId }) => effects.push(callId) });
    const two = planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b' });
    for (const write of [5, 6, 7, 8, 9]) {
      const storage = memoryStorage();
      const doomed = crashingStorage(storage, { write, when: 'after' });
      const portia = clientOf({ tools: [effect], storage: doomed });
      const { planRunId } = await portia.start(two);
      await portia.work({ untilIdle: true }).catch(() => undefined);
      expect(doomed.crashed).toBe(true);
      await clientOf({ tools: [effect], storage }).work({ untilIdle: true });
      expect((await clientOf({ tools: [effect], storage }).storage.getPlanRun(planRunId)).state).toBe('COMPLETE');
    }
    expect(new Set(effects)).toEqual(new Set(['0.0.1', '1.0.1']));
  });
});

describe('following a run', () => {
  const seqs = (signals: readonly (RunEvent | RunNotice)[]): number[] => signals.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
  const collect = async (signals: AsyncIterable<RunEvent | RunNotice>): Promise<(RunEvent | RunNotice)[]> => {
    const all: (RunEvent | RunNotice)[] = [];
    for await (const signal of signals) all.push(signal);
    return all;
  };

  it('gives what happened and what happens, without gaps, and ends with the run', async () => {
    const portia = clientOf({ tools: [asker, one] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }, { toolId: 'one', output: '$b' }));
    const following = collect(portia.events(waiting.id));
    const done = await answerAndResume(portia, waiting, 1);
    const signals = await following;
    const stored = await portia.storage.getEvents(done.id);
    expect(seqs(signals)).toEqual(stored.map(({ seq }) => seq));
    expect(signals.filter(({ seq }) => seq !== undefined)).toEqual(stored);
    expect(signals.at(-1)?.type).toBe('run-end');
    expect(signals.some(({ seq, type }) => seq === undefined && type === 'tool-call-start')).toBe(true);
  });

  it('can be taken up where it was left, by another client and while it goes on', async () => {
    const path = join(folder, 'events.db');
    const slow = tool({ id: 'one', description: 'x', readOnly: true, run: async () => sleep(5, 1) });
    const steps = Array.from({ length: 12 }, (_, index) => ({ toolId: 'one', output: `$${index}`, ...(index % 3 === 0 && { condition: 'yes' }) }));
    const introspection = scriptedModel(() => ({ kind: 'answer', text: '', toolCalls: [], object: { outcome: 'CONTINUE', reason: 'yes' }, options: {} }));
    const portia = clientOf({ tools: [slow], storage: await sqliteStorage(path), models: { introspection } });
    const watcher = clientOf({ tools: [slow], storage: await sqliteStorage(path) });
    const run = await portia.createPlanRun(planOf(...steps));
    const running = portia.resume({ planRun: run });
    const seen: number[] = [];
    let after = 0;
    for (let part = 0; part < 50; part += 1) {
      let count = 0;
      let ended = false;
      for await (const signal of (part % 2 === 0 ? portia : watcher).events(run.id, { after })) {
        if (signal.seq === undefined) continue;
        seen.push(signal.seq);
        after = signal.seq;
        ended = signal.type === 'run-end';
        count += 1;
        if (count === 3) break;
      }
      if (ended) break;
    }
    await running;
    const stored = await portia.storage.getEvents(run.id);
    expect(seen).toEqual(stored.map(({ seq }) => seq));
    await portia.close();
    await watcher.close();
  });

  it('of a finished run ends at once, after what was asked for', async () => {
    const portia = clientOf({ tools: [one] });
    const done = await portia.runPlan(plan);
    const stored = await portia.storage.getEvents(done.id);
    expect(seqs(await collect(portia.events(done.id)))).toEqual(stored.map(({ seq }) => seq));
    expect(await collect(portia.events(done.id, { after: stored.length }))).toEqual([]);
    expect(await codeOf(collect(portia.events('prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01')))).toBe('PLAN_RUN_NOT_FOUND');
  });

  it('goes on through a retry', async () => {
    let down = true;
    const portia = clientOf({ model: scriptedModel(() => (down ? fails('overloaded') : text('up'))) });
    const failed = await portia.runPlan(planOf({ output: '$a' }));
    down = false;
    const done = await portia.retry({ planRun: failed });
    const types = (await collect(portia.events(done.id))).map(({ type }) => type);
    expect(types.filter((type) => type === 'run-end' || type === 'run-retry')).toEqual(['run-end', 'run-retry', 'run-end']);
  });

  it('stops with its signal, and leaving it changes nothing about the run', async () => {
    const portia = clientOf({ tools: [asker] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }));
    const controller = new AbortController();
    const following = collect(portia.events(waiting.id, { signal: controller.signal }));
    await sleep(20);
    controller.abort();
    expect(seqs(await following)).toEqual((await portia.storage.getEvents(waiting.id)).map(({ seq }) => seq));
    expect((await portia.storage.getPlanRun(waiting.id)).toJSON()).toEqual(waiting.toJSON());
  });

  it('by somebody who throws harms no run', async () => {
    const warned: string[] = [];
    const listener = (warning: Error): void => void warned.push(warning.message);
    process.on('warning', listener);
    const logger: Logger = { ...silentLogger, info: () => { throw new Error('the log is full'); }, debug: () => { throw new Error('the log is full'); } };
    const portia = clientOf({ tools: [one], logger });
    const run = await portia.runPlan(plan);
    await sleep(5);
    process.off('warning', listener);
    expect(new Set(warned)).toEqual(new Set(['the log is full']));
    expect(run.state).toBe('COMPLETE');
    expect((await portia.storage.getPlanRun(run.id)).state).toBe('COMPLETE');
  });
});

describe('a batch', () => {
  const double = tool({ id: 'double', description: 'doubles', readOnly: true, argsSchema: z.object({ n: z.number() }), run: ({ n }) => 2 * n });
  const batchPlan = planWith([{ name: '$n' }], { toolId: 'double', output: '$a', inputs: ['$n'], task: 'double it' });
  const execution = scriptedModel(() => toolCall('double', { n: '{{$n}}' }));
  const items = (count: number): { runKey: string; planRunInputs: { $n: number } }[] => Array.from({ length: count }, (_, n) => ({ runKey: `item ${n}`, planRunInputs: { $n: n } }));

  it('of 500 items runs each once, so many at a time, and counts them', async () => {
    let atOnce = 0;
    let most = 0;
    const busy = tool({
      id: 'double',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      async run({ n }) {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await sleep(0);
        atOnce -= 1;
        return 2 * n;
      },
    });
    const portia = clientOf({ tools: [busy], models: { execution } });
    const values = new Map<string, unknown>();
    const counts = await portia.runMany(batchPlan, items(500), {
      concurrency: 7,
      labels: { batch: 'b' },
      onItem: (item, outcome) => void values.set(item.runKey, 'run' in outcome ? (outcome.run.toJSON() as { outputs: { final_output: { value: unknown } } }).outputs.final_output.value : outcome.error),
    });
    expect(counts).toEqual({ complete: 500, failed: 0, waiting: 0, unfinished: 0, refused: 0, total: 500 });
    expect(most).toBeLessThanOrEqual(7);
    expect([values.size, values.get('item 499')]).toEqual([500, 998]);
    expect((await portia.storage.listRuns({ labels: { batch: 'b' }, limit: 1000 })).items).toHaveLength(500);
  });

  it('given again goes on where it stopped, from any number of items', async () => {
    const storage = memoryStorage();
    const controller = new AbortController();
    let calls = 0;
    const counting = tool({
      id: 'double',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      async run({ n }) {
        calls += 1;
        if (calls === 20) controller.abort();
        await sleep(1);
        return 2 * n;
      },
    });
    const make = (): ReturnType<typeof clientOf> => clientOf({ tools: [counting], storage, models: { execution } });
    async function* stream(): AsyncGenerator<ReturnType<typeof items>[number]> {
      for (const item of items(50)) yield item;
    }
    const first = await make().runMany(batchPlan, stream(), { concurrency: 5, signal: controller.signal });
    expect(first.complete).toBeLessThan(50);
    expect(first.complete + first.unfinished).toBe(first.total);
    const second = await make().runMany(batchPlan, stream(), { concurrency: 5 });
    expect(second).toMatchObject({ complete: 50, total: 50 });
    expect(calls).toBe(50);
  });

  it('counts what fails, waits, is refused and is driven elsewhere, and goes on', async () => {
    const portia = clientOf({ tools: [asker, double], models: { execution } });
    const waits = planWith([{ name: '$n' }], { toolId: 'asker', output: '$a' });
    expect(await portia.runMany(waits, items(3))).toMatchObject({ waiting: 3, total: 3 });

    const outcomes: [string, BatchOutcome][] = [];
    const mixed = [...items(2), { runKey: 'no input' }, { runKey: 'not a number', planRunInputs: { $n: 'x' } }, { runKey: 'taken', planRunInputs: { $n: 1 } }];
    await portia.runPlan(planOf(), { runKey: 'taken' });
    const counts = await portia.runMany(batchPlan, mixed.map((item) => ({ ...item, runKey: `mixed ${item.runKey}` === 'mixed taken' ? 'taken' : `mixed ${item.runKey}` })), {
      onItem: (item, outcome) => void outcomes.push([item.runKey, outcome]),
    });
    expect(counts).toEqual({ complete: 2, failed: 1, waiting: 0, unfinished: 0, refused: 2, total: 5 });
    const refusals = outcomes.flatMap(([key, outcome]) => ('error' in outcome ? [[key, (outcome.error as { code?: string }).code]] : []));
    expect(refusals.sort()).toEqual([['mixed no input', 'INPUT_MISSING'], ['taken', 'RUN_KEY_CONFLICT']]);
  });

  it('does not count as refused what another process is driving', async () => {
    let release: (() => void) | undefined;
    const slow = tool({ id: 'double', description: 'x', argsSchema: z.object({ n: z.number() }), run: () => new Promise<number>((resolve) => { release = () => resolve(1); }) });
    const storage = memoryStorage();
    const first = clientOf({ tools: [slow], storage, models: { execution } }).runMany(batchPlan, items(1));
    await expect.poll(() => release).toBeDefined();
    const second = await clientOf({ tools: [double], storage, models: { execution } }).runMany(batchPlan, items(1));
    expect(second).toMatchObject({ unfinished: 1, refused: 0 });
    release?.();
    expect(await first).toMatchObject({ complete: 1 });
  });

  it('stops when the store fails, without a stray rejection', async () => {
    const stray: unknown[] = [];
    const listener = (reason: unknown): void => void stray.push(reason);
    process.on('unhandledRejection', listener);
    async function* slowly(): AsyncGenerator<ReturnType<typeof items>[number]> {
      for (const item of items(20)) {
        yield item;
        await sleep(3);
      }
    }
    const portia = clientOf({ tools: [double], storage: crashingStorage(memoryStorage(), { write: 12, when: 'before' }), models: { execution } });
    expect(await codeOf(portia.runMany(batchPlan, slowly()))).toBe('STORAGE_FAILED');
    await sleep(10);
    process.off('unhandledRejection', listener);
    expect(stray).toEqual([]);
  });
});

describe('the end user of a run', () => {
  it('is the default one, one by id, or one given whole, who is saved', async () => {
    const portia = clientOf({ tools: [one] });
    const ids = async (endUser?: unknown): Promise<string> => ((await portia.runPlan(plan, { endUser: endUser as never })) as PlanRun).endUserId;
    expect(await ids()).toBe('portia:default_user');
    expect(await ids('ada')).toBe('ada');
    expect(await ids({ externalId: 'bob', name: 'Bob' })).toBe('bob');
    expect(await portia.storage.getEndUser('bob')).toMatchObject({ name: 'Bob' });
  });

  it('is changed by tools after their call; that it cannot be saved is no reason for a call to fail', async () => {
    const writer = tool({
      id: 'writer',
      description: 'x',
      run(_args, context) {
        context.updateEndUser({ team: 'ops' });
        return context.endUser.additionalData;
      },
    });
    const storage = memoryStorage();
    const portia = clientOf({ tools: [writer], storage, model: scriptedModel(() => text('s')) });
    const run = await portia.runPlan(planOf({ toolId: 'writer', output: '$a' }), { endUser: 'ada' });
    expect(run.toJSON()).toMatchObject({ outputs: { step_outputs: { $a: { value: { team: 'ops' } } } } });
    expect(await storage.getEndUser('ada')).toMatchObject({ additionalData: { team: 'ops' } });

    const broken = new Proxy(storage, { get: (target, name) => (name === 'saveEndUser' ? () => { throw new Error('read-only'); } : (Reflect.get(target, name, target) as (...args: unknown[]) => unknown)?.bind?.(target) ?? Reflect.get(target, name, target)) });
    expect((await clientOf({ tools: [writer], storage: broken, model: scriptedModel(() => text('s')) }).runPlan(planOf({ toolId: 'writer', output: '$a' }), { endUser: 'ada' })).state).toBe('COMPLETE');
  });
});
