import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, normalised, planOf } from '../../test/lib/engine.ts';
import {
  driveToEnd,
  everyClient,
  everyPlan,
  everyTool,
  expectedEffects,
  type Habit,
  results,
  World,
} from '../../test/lib/every-kind.ts';
import type { ConfigOptions } from '../config/config-options.ts';
import type { JsonObject } from '../core/json.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { sqliteStorage } from '../storage/sqlite/index.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { type CrashPoint, crashingStorage } from '../testing/crashing-storage.ts';
import { object, text } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-crash-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Gives handles on one new store. */
type Stores = () => () => Promise<StorageBackend>;

const memory: Stores = () => {
  const store = memoryStorage();
  return async () => store;
};
let files = 0;
const sqlite: Stores = () => {
  files += 1;
  const path = join(folder, `${files}.db`);
  return () => sqliteStorage(path);
};

interface Whole {
  readonly document: JsonObject;
  readonly modelCalls: number;
  readonly writes: number;
}

/** Runs the plan without a crash. */
async function whole(stores: Stores): Promise<Whole> {
  const world = new World();
  const storage = crashingStorage(await stores()());
  const portia = everyClient(storage, world);
  const waiting = await portia.runPlan(everyPlan);
  const run = await driveToEnd(portia, waiting.id, world, { habit: 'looks it up' });
  expect(run.error).toBeUndefined();
  for (const [tool, times] of Object.entries(expectedEffects)) expect([tool, world.count(tool)]).toEqual([tool, times]);
  return { document: normalised(run), modelCalls: world.modelCalls, writes: storage.writes };
}

/** Runs the plan in a process that dies at a point, and to its end in another one. */
async function crashed(
  open: () => Promise<StorageBackend>,
  point: CrashPoint,
  habit: Habit,
): Promise<{ world: World; document: JsonObject; died: boolean }> {
  const world = new World();
  const doomed = crashingStorage(await open(), point);
  try {
    const portia = everyClient(doomed, world);
    const waiting = await portia.runPlan(everyPlan);
    await driveToEnd(portia, waiting.id, world, { habit });
  } catch (error) {
    if (!doomed.crashed) throw error;
  }
  const portia = everyClient(await open(), world);
  const [stored] = (await portia.storage.listRuns()).items;
  const id = stored?.header.id ?? (await portia.createPlanRun(everyPlan)).id;
  return { world, document: normalised(await driveToEnd(portia, id, world, { habit })), died: doomed.crashed };
}

/** Who gives the result of a call at once is not asked what that call would have asked. */
function comparable(document: JsonObject, habit: Habit): JsonObject {
  if (habit !== 'gives the result') return document;
  return { ...document, outputs: { ...(document['outputs'] as JsonObject), clarifications: [] } };
}

async function everyPoint(stores: Stores, habit: Habit, check: (world: World, where: string) => void): Promise<void> {
  const uninterrupted = await whole(stores);
  for (const when of ['before', 'after'] as const) {
    for (let write = 1; write <= uninterrupted.writes; write += 1) {
      const where = `${when} write ${write} of ${uninterrupted.writes}`;
      const { world, document, died } = await crashed(stores(), { write, when }, habit);
      expect(died, where).toBe(true);
      expect(comparable(document, habit), where).toEqual(comparable(uninterrupted.document, habit));
      // What was stored is not paid again: only the one answer that was being stored may be lost.
      expect(world.modelCalls, where).toBeLessThanOrEqual(uninterrupted.modelCalls + 1);
      check(world, where);
    }
  }
}

function onceEach(world: World, where: string): void {
  for (const [tool, times] of Object.entries(expectedEffects)) {
    expect(`${tool} ${world.count(tool)} times, ${where}`).toBe(`${tool} ${times} times, ${where}`);
  }
}

describe('a run whose process dies at any write', () => {
  it('ends as if nothing had happened, with every effect once, when the person looks before answering', async () => {
    await everyPoint(memory, 'looks it up', onceEach);
  });

  it('ends so on SQLite', async () => {
    await everyPoint(sqlite, 'looks it up', onceEach);
  }, 60_000);

  it('repeats an effect only where the person said so', async () => {
    let asked = 0;
    await everyPoint(memory, 'has it called again', (world, where) => {
      for (const [tool, times] of Object.entries(expectedEffects)) {
        const more = world.askedAbout.has(tool) ? 1 : 0;
        asked += more;
        expect([times, times + more], `${tool}, ${where}`).toContain(world.count(tool));
      }
    });
    expect(asked).toBeGreaterThan(0);
  });

  it('takes a given result for the call of which nobody knows', async () => {
    let unmade = 0;
    await everyPoint(memory, 'gives the result', (world, where) => {
      for (const [tool, times] of Object.entries(expectedEffects)) {
        const fewer = world.askedAbout.has(tool) ? 1 : 0;
        expect([times, times - fewer], `${tool}, ${where}`).toContain(world.count(tool));
        if (world.count(tool) < times) unmade += 1;
      }
    });
    expect(unmade).toBeGreaterThan(0);
  });

  it('never asks about tools that are marked or can look up their calls', async () => {
    await everyPoint(memory, 'looks it up', (world, where) => {
      expect(
        [...world.askedAbout].filter((tool) => tool === 'stamper' || tool === 'payer'),
        where,
      ).toEqual([]);
    });
  });

  it('never goes on after a condition has ended the run', async () => {
    const plan = planOf(
      { toolId: 'mailer', output: '$a' },
      { toolId: 'mailer', output: '$b', condition: 'enough' },
      { toolId: 'mailer', output: '$c' },
    );
    const models = (): ConfigOptions['models'] => ({
      introspection: scriptedModel(() => object({ outcome: 'COMPLETE', reason: 'enough' })),
      summarizer: scriptedModel(() => text('mailed')),
    });
    const counting = crashingStorage(memoryStorage());
    const whole = await clientOf({ storage: counting, tools: everyTool(new World()), models: models() }).runPlan(plan);
    for (const when of ['before', 'after'] as const) {
      for (let write = 4; write <= counting.writes; write += 1) {
        const world = new World();
        const storage = memoryStorage();
        const doomed = crashingStorage(storage, { write, when });
        await clientOf({ storage: doomed, tools: everyTool(world), models: models() })
          .runPlan(plan)
          .catch(() => undefined);
        const portia = clientOf({ storage, tools: everyTool(world), models: models() });
        const [stored] = (await portia.storage.listRuns()).items;
        if (!stored) throw new Error('no run was stored');
        const run = await driveToEnd(portia, stored.header.id, world, { habit: 'looks it up' });
        expect(normalised(run), `${when} ${write}`).toEqual(normalised(whole));
        expect(world.count('mailer'), `${when} ${write}`).toBe(1);
      }
    }
  });

  it('knows the results that a person would give', () => {
    expect(Object.keys(results)).toEqual(Object.keys(expectedEffects));
  });
});
