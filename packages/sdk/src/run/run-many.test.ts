import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, codeOf, planOf, planWith } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { crashingStorage } from '../testing/crashing-storage.ts';
import { toolCall } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import type { BatchOutcome } from './run-many.ts';

const asker = tool<JsonObject, JsonValue>({
  id: 'asker',
  description: 'asks',
  run: (_args, { clarifications }) =>
    clarifications.find(({ resolved }) => resolved)?.response ??
    InputClarification({ userGuidance: '?', argumentName: 'a' }),
});

describe('a batch', () => {
  const double = tool({
    id: 'double',
    description: 'doubles',
    readOnly: true,
    argsSchema: z.object({ n: z.number() }),
    run: ({ n }) => 2 * n,
  });
  const batchPlan = planWith([{ name: '$n' }], { toolId: 'double', output: '$a', inputs: ['$n'], task: 'double it' });
  const execution = scriptedModel(() => toolCall('double', { n: '{{$n}}' }));
  const items = (count: number): { runKey: string; planRunInputs: { $n: number } }[] =>
    Array.from({ length: count }, (_, n) => ({ runKey: `item ${n}`, planRunInputs: { $n: n } }));

  it.each([0, Number.NaN, -1])('at most %d at once is refused, and nothing is run', async (concurrency) => {
    const portia = clientOf({ tools: [double], models: { execution } });
    expect(await codeOf(portia.runMany(batchPlan, items(3), { concurrency }))).toBe('CONFIG_INVALID');
    expect((await portia.storage.listRuns({})).items).toEqual([]);
  });

  it('refuses items without a key of their own: they would run again each time', async () => {
    const portia = clientOf({ tools: [double], models: { execution } });
    const wrong = [{ planRunInputs: { $n: 1 } }, { runKey: 5 }, { runKey: '' }] as never[];
    const counts = await portia.runMany(batchPlan, [...wrong, ...items(1)], {});
    expect([counts.refused, counts.complete, counts.total]).toEqual([3, 1, 4]);
    expect((await portia.storage.listRuns({})).items).toHaveLength(1);
  });

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
      onItem: (item, outcome) =>
        void values.set(
          item.runKey,
          'run' in outcome
            ? (outcome.run.toJSON() as { outputs: { final_output: { value: unknown } } }).outputs.final_output.value
            : outcome.error,
        ),
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
    const mixed = [
      ...items(2),
      { runKey: 'no input' },
      { runKey: 'not a number', planRunInputs: { $n: 'x' } },
      { runKey: 'taken', planRunInputs: { $n: 1 } },
    ];
    await portia.runPlan(planOf(), { runKey: 'taken' });
    const counts = await portia.runMany(
      batchPlan,
      mixed.map((item) => ({
        ...item,
        runKey: `mixed ${item.runKey}` === 'mixed taken' ? 'taken' : `mixed ${item.runKey}`,
      })),
      {
        onItem: (item, outcome) => void outcomes.push([item.runKey, outcome]),
      },
    );
    expect(counts).toEqual({ complete: 2, failed: 1, waiting: 0, unfinished: 0, refused: 2, total: 5 });
    const refusals = outcomes.flatMap(([key, outcome]) =>
      'error' in outcome ? [[key, (outcome.error as { code?: string }).code]] : [],
    );
    expect(refusals.sort()).toEqual([
      ['mixed no input', 'INPUT_MISSING'],
      ['taken', 'RUN_KEY_CONFLICT'],
    ]);
  });

  it('does not count as refused what another process is driving', async () => {
    let release: (() => void) | undefined;
    const slow = tool({
      id: 'double',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      run: () =>
        new Promise<number>((resolve) => {
          release = () => resolve(1);
        }),
    });
    const storage = memoryStorage();
    const first = clientOf({ tools: [slow], storage, models: { execution } }).runMany(batchPlan, items(1));
    await expect.poll(() => release).toBeDefined();
    const second = await clientOf({ tools: [double], storage, models: { execution } }).runMany(batchPlan, items(1));
    expect(second).toMatchObject({ unfinished: 1, refused: 0 });
    release?.();
    expect(await first).toMatchObject({ complete: 1 });
  });

  it('with the same key more than once at once has one run, which counts for each', async () => {
    const slow = tool({
      id: 'double',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      run: async ({ n }) => {
        await sleep(5);
        return 2 * n;
      },
    });
    const portia = clientOf({ tools: [slow], models: { execution } });
    const runs: string[] = [];
    const twice = items(3).flatMap((item) => [item, item, item]);
    const counts = await portia.runMany(batchPlan, twice, {
      onItem: ({ runKey }, outcome) =>
        void runs.push(`${runKey}: ${'run' in outcome ? outcome.run.id : outcome.error}`),
    });
    expect(counts).toEqual({ complete: 9, failed: 0, waiting: 0, unfinished: 0, refused: 0, total: 9 });
    expect(new Set(runs).size).toBe(3);
    expect((await portia.storage.listRuns()).items).toHaveLength(3);
  });

  it('stops at an item whose like has met a failing store', async () => {
    const storage = crashingStorage(memoryStorage(), { write: 3, when: 'before' });
    const portia = clientOf({ tools: [double], storage, models: { execution } });
    const [item] = items(1);
    const heard: unknown[] = [];
    const twice = portia.runMany(batchPlan, [item, item] as never, { onItem: (_item, outcome) => heard.push(outcome) });
    expect([await codeOf(twice), heard]).toEqual(['STORAGE_FAILED', []]);
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
    const portia = clientOf({
      tools: [double],
      storage: crashingStorage(memoryStorage(), { write: 12, when: 'before' }),
      models: { execution },
    });
    expect(await codeOf(portia.runMany(batchPlan, slowly()))).toBe('STORAGE_FAILED');
    await sleep(10);
    process.off('unhandledRejection', listener);
    expect(stray).toEqual([]);
  });

  it('whose items break off ends when all that was begun has come to rest', async () => {
    let ended = 0;
    const slow = tool({
      id: 'double',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      readOnly: true,
      async run({ n }) {
        await sleep(20);
        ended += 1;
        return n;
      },
    });
    const portia = clientOf({ tools: [slow], models: { execution } });
    const source = function* () {
      yield* items(2);
      throw new Error('the table is gone');
    };
    await expect(portia.runMany(batchPlan, source(), {})).rejects.toThrow('the table is gone');
    expect(ended).toBe(2);
  });
});
