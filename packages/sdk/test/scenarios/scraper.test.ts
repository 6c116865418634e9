import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { crashingStorage } from '../../src/testing/crashing-storage.ts';
import { normalised } from '../lib/engine.ts';
import { startWorlds, type Worlds } from '../lib/outside-world.ts';
import { cold, inline, killedEverywhere } from '../lib/scenario.ts';
import {
  createAll,
  pages,
  profileOf,
  scrapeAll,
  scrapeEach,
  scraper,
  scraperClient,
  scraperModel,
  scraperPlan,
} from './scraper.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds(pages);
});
afterAll(() => worlds.close());

/** The documents of runs over one world; a world's place is not what they are about. */
const documents = (runs: readonly PlanRun[], url: string): JsonObject[] =>
  runs.map((run) => JSON.parse(JSON.stringify(normalised(run)).replaceAll(url, 'there')) as JsonObject);

describe('eight runs of one plan at once', () => {
  it('are complete without cross-talk, with one or two model calls each', async () => {
    const world = worlds.fresh();
    const model = scraperModel();
    const before = JSON.stringify(scraperPlan);
    const runs = await scrapeAll(scraperClient(memoryStorage(), model), world.url);
    expect(runs.map(({ outputs }) => outputs.finalOutput?.value)).toEqual(runs.map((_, n) => profileOf(n)));
    for (const [n, run] of runs.entries()) {
      expect(run.planRunInputs).toMatchObject({ url: { value: `${world.url}/page${n}` } });
      expect(Object.hasOwn(run.outputs.stepOutputs, '$step_4_output')).toBe(n % 2 === 0);
    }
    expect(model.requests).toHaveLength(4 * 2 + 4 * 1);
    expect(JSON.stringify(scraperPlan)).toBe(before);
  });

  it('come to the same when others begin them, and each is resumed by a client of its own', async () => {
    const first = worlds.fresh();
    const expected = documents(await scrapeAll(scraperClient(memoryStorage()), first.url), first.url);
    const world = worlds.fresh();
    const storage = memoryStorage();
    const ids = await createAll(scraperClient(storage), world.url);
    const runs = await Promise.all(ids.map((planRunId) => scraperClient(storage).resume({ planRunId })));
    expect(documents(runs, world.url)).toEqual(expected);
  });

  it('come to the same when their process dies in the middle, at any point', async () => {
    const first = worlds.fresh();
    const expected = documents(await scrapeAll(scraperClient(memoryStorage()), first.url), first.url);
    let deaths = 0;
    for (let write = 1, alive = false; !alive; write += 3) {
      const world = worlds.fresh();
      const storage = memoryStorage();
      const doomed = crashingStorage(storage, { write, when: write % 2 === 0 ? 'before' : 'after' });
      await Promise.allSettled(scrapeEach(scraperClient(doomed), world.url));
      // How many writes eight runs at once take depends on which of them go together.
      alive = !doomed.crashed;
      if (!alive) deaths += 1;
      const runs = await scrapeAll(scraperClient(storage), world.url);
      expect(documents(runs, world.url), `write ${write}`).toEqual(expected);
      expect((await storage.listRuns({})).items).toHaveLength(8);
    }
    expect(deaths).toBeGreaterThan(10);
  });
});

it.each([0, 1])('page %i comes to the same inline, cold, and killed at every write', async (page) => {
  const place = /http:[^"]*\/page/g;
  const clean = (document: JsonObject): unknown => JSON.parse(JSON.stringify(document).replaceAll(place, '/page'));
  const expected = clean((await inline(scraper(page), worlds.fresh())).document);
  expect(clean((await cold(scraper(page), worlds.fresh())).document)).toEqual(expected);
  const asked = await killedEverywhere(
    scraper(page),
    () => worlds.fresh(),
    ({ document }, _world, where) => {
      expect(clean(document), where).toEqual(expected);
    },
  );
  expect(asked).toBe(0);
});
