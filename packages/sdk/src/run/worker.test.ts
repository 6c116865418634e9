import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, planOf, questionOf } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import { ToolHardError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { type LogFields, type Logger, silentLogger } from '../observe/logger.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { RunQuery } from '../storage/storage-backend.ts';
import { sqliteStorage } from '../storage/sqlite/index.ts';
import { crashingStorage } from '../testing/crashing-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { tool } from '../tool/tool.ts';

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
  run: (_args, { clarifications }) =>
    clarifications.find(({ resolved }) => resolved)?.response ??
    InputClarification({ userGuidance: '?', argumentName: 'a' }),
});

describe('workers', () => {
  it('begin what was started, not what was only created, and not before its time', async () => {
    const clock = fakeClock();
    const portia = clientOf({ tools: [one], clock });
    const created = await portia.createPlanRun(plan);
    const { planRunId: now } = await portia.start(plan);
    const { planRunId: later } = await portia.start(plan, { startAt: clock.now() + 1_000 });
    expect(await portia.work({ untilIdle: true })).toEqual({ complete: 1, failed: 0, waiting: 0, refused: 0 });
    const states = async (): Promise<string[]> =>
      Promise.all([created.id, now, later].map(async (id) => (await portia.storage.getPlanRun(id)).state));
    expect(await states()).toEqual(['NOT_STARTED', 'COMPLETE', 'NOT_STARTED']);
    await clock.advance(1_000);
    await portia.work({ untilIdle: true });
    expect(await states()).toEqual(['NOT_STARTED', 'COMPLETE', 'COMPLETE']);
  });

  it('wake a run that sleeps when its time has come, and leave it alone until then', async () => {
    const clock = fakeClock();
    const portia = clientOf({ tools: [one], clock });
    const sleepy = new PlanBuilderV2('sleeps').sleep({ ms: 3_600_000 }).invokeToolStep({ tool: one }).build();
    const { planRunId } = await portia.start(sleepy);
    const look = async (): Promise<unknown[]> => {
      await portia.work({ untilIdle: true });
      const { state, wakeAt } = await portia.storage.getPlanRun(planRunId);
      return [state, wakeAt && wakeAt - clock.now()];
    };
    expect(await look()).toEqual(['READY_TO_RESUME', 3_600_000]);
    await clock.advance(3_590_000);
    expect(await look()).toEqual(['READY_TO_RESUME', 10_000]);
    // Going on with it too early harms nothing, and changes nothing.
    expect((await portia.resume({ planRunId })).wakeAt).toBe(clock.now() + 10_000);
    await clock.advance(10_000);
    expect(await look()).toEqual(['COMPLETE', undefined]);
  });

  it('wake a run of which one branch sleeps while another asks a person', async () => {
    const clock = fakeClock();
    const portia = clientOf({ clock });
    const both = new PlanBuilderV2('sleeps and asks')
      .parallel()
      .branch()
      .sleep({ ms: 60_000 })
      .functionStep({ stepName: 'woken', readOnly: true, function: () => 'good morning' })
      .branch()
      .userInput({ stepName: 'asked', message: '?' })
      .endParallel()
      .build();
    const { planRunId } = await portia.start(both);
    await portia.work({ untilIdle: true });
    const asleep = await portia.storage.getPlanRun(planRunId);
    expect([asleep.state, asleep.wakeAt]).toEqual(['NEED_CLARIFICATION', clock.now() + 60_000]);
    await clock.advance(60_000);
    await portia.work({ untilIdle: true });
    const awake = await portia.storage.getPlanRun(planRunId);
    expect([awake.state, awake.wakeAt]).toEqual(['NEED_CLARIFICATION', undefined]);
    expect(Object.values(awake.outputs.stepOutputs).map((output) => 'value' in output && output.value)).toContain(
      'good morning',
    );
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
    expect(await working).toEqual({ complete: 1, failed: 0, waiting: 0, refused: 0 });
  });

  it('count a run once, as they left it last, also one that failed and was retried', async () => {
    let attempts = 0;
    const unsteady = tool({
      id: 'one',
      description: 'works the second time',
      readOnly: true,
      run: () => {
        attempts += 1;
        if (attempts === 1) throw new ToolHardError('not yet');
        return 1;
      },
    });
    const portia = clientOf({ tools: [unsteady] });
    const { planRunId } = await portia.start(plan);
    const controller = new AbortController();
    const working = portia.work({ signal: controller.signal, pollMs: 60_000 });
    await expect.poll(async () => (await portia.storage.getPlanRun(planRunId)).state).toBe('FAILED');
    await portia.retry({ planRunId, drive: false });
    await expect.poll(async () => (await portia.storage.getPlanRun(planRunId)).state).toBe('COMPLETE');
    controller.abort();
    expect(await working).toEqual({ complete: 1, failed: 0, waiting: 0, refused: 0 });
  });

  it('read as much of a store with many sleepers and waiting runs as of one with few', async () => {
    const open = [async () => memoryStorage(), () => sqliteStorage(':memory:')];
    for (const make of open) {
      const reads: number[] = [];
      for (const sleepers of [2, 300]) {
        const storage = await make();
        const clock = fakeClock();
        const all = clientOf({ tools: [one, asker], storage, clock });
        const sleepy = new PlanBuilderV2('sleeps').sleep({ ms: 3_600_000 }).invokeToolStep({ tool: 'one' }).build();
        const patient = new PlanBuilderV2('asks').userInput({ message: '?', expiresIn: 3_600_000 }).build();
        for (let n = 0; n < sleepers; n += 1) {
          await all.runPlan(n % 2 === 0 ? sleepy : patient);
          await all.start(plan, { startAt: clock.now() + 3_600_000 });
          await all.runPlan(planOf({ toolId: 'asker', output: '$a' }));
        }
        let read = 0;
        const counting = new Proxy(storage, {
          get(target, name) {
            const value: unknown = Reflect.get(target, name, target);
            if (typeof value !== 'function') return value;
            if (name !== 'listRuns') return value.bind(target) as unknown;
            return async (query: RunQuery) => {
              const page = await target.listRuns(query);
              // A look that finds nothing costs something, too.
              read += 1 + page.items.length;
              return page;
            };
          },
        });
        const portia = clientOf({ tools: [one, asker], storage: counting, clock });
        for (let n = 0; n < 3; n += 1) await portia.start(plan);
        expect(await portia.work({ untilIdle: true })).toMatchObject({ complete: 3, waiting: 0 });
        reads.push(read);
        await clock.advance(3_600_000);
        expect(await portia.work({ untilIdle: true })).toEqual({
          complete: sleepers * 1.5,
          failed: sleepers / 2,
          waiting: 0,
          refused: 0,
        });
        await storage.close();
      }
      expect(reads[0]).toBeLessThan(20);
      expect(reads[1]).toBe(reads[0]);
    }
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
    const clients = await Promise.all(
      [1, 2, 3].map(async () => clientOf({ tools: [effect], storage: await sqliteStorage(path) })),
    );
    const [first] = clients;
    if (!first) throw new Error('no client');
    const ids = new Set<string>();
    for (let n = 0; n < 60; n += 1) ids.add((await first.start(plan, { runKey: `run ${n}` })).planRunId);
    const counts = await Promise.all(
      clients.map((portia) => portia.work({ untilIdle: true, concurrency: 4, pollMs: 20 })),
    );
    expect(counts.reduce((sum, { complete }) => sum + complete, 0)).toBe(60);
    expect(calls).toHaveLength(60);
    expect(new Set(calls)).toEqual(ids);
    for (const portia of clients) await portia.close();
  });

  it('leave alone what they cannot drive, and say so once', async () => {
    const errors: string[] = [];
    const storage = memoryStorage();
    await clientOf({ tools: [one], storage }).start(plan);
    const logger: Logger = {
      ...silentLogger,
      error: (message: string, fields?: LogFields) => void errors.push(`${message} ${String(fields?.['code'])}`),
    };
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
    const { planRunId } = await portia.start(
      planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b', inputs: ['$a'] }),
    );
    await portia.work({ signal: controller.signal });
    expect((await portia.resume({ planRunId })).state).toBe('COMPLETE');
  });

  it('take over what a dead process left behind', async () => {
    const effects: string[] = [];
    const effect = tool({
      id: 'one',
      description: 'x',
      idempotent: true,
      run: (_args, { callId }) => effects.push(callId),
    });
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
