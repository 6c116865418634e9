import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { answerAndResume, normalised, questionOf } from '../lib/engine.ts';
import { startWorlds, type World, type Worlds } from '../lib/outside-world.ts';
import { cold, inline, killedEverywhere } from '../lib/scenario.ts';
import { inProcess, transpileScenarios } from '../lib/scenario-processes.ts';
import { gold, goldModel } from './gold-purchase.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let worlds: Worlds;
let folder: string;
beforeAll(async () => {
  worlds = await startWorlds();
  folder = mkdtempSync(join(tmpdir(), 'portia-gold-'));
});
afterAll(async () => {
  await worlds.close();
  rmSync(folder, { recursive: true, force: true });
});

const made = (world: World): unknown => ({ orders: world.count('order'), mails: world.count('email') });

describe('a gold purchase', () => {
  it('asks how much, asks for a yes with the total in it, and stops where it is too expensive', async () => {
    const world = worlds.fresh();
    const searches: string[] = [];
    const model = goldModel(2000);
    const scenario = gold({ price: 2000, searches, model });
    const portia = scenario.client(memoryStorage(), world.url);
    const first = await scenario.begin(portia);
    expect(searches[0]).toBe('What is the currency in Spain?');
    expect(questionOf(first)).toMatchObject({
      category: 'Multiple Choice',
      argumentName: '$step_2_output',
      options: [50, 100, 200],
    });
    const second = await answerAndResume(portia, first, 50);
    expect(questionOf(second)).toMatchObject({
      category: 'User Verification',
      userGuidance: 'Buy 50 ounces for 100000?',
    });
    const before = model.requests.length;
    const done = await answerAndResume(portia, second, true);
    expect(done.error).toBeUndefined();
    expect(done.outputs.finalOutput).toEqual({ value: '100000 is too expensive', summary: null });
    expect(Object.keys(done.outputs.stepOutputs)).not.toContain('$step_10_output');
    expect(made(world)).toEqual({ orders: 0, mails: 0 });
    expect(model.requests.length).toBe(before);
  });

  it('fails with a code of its own when the person says no', async () => {
    const world = worlds.fresh();
    const { run } = await cold(gold({ price: 2000, accepted: false }), world);
    expect(run.error).toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringContaining('100000') });
    expect(made(world)).toEqual({ orders: 0, mails: 0 });
  });

  it('buys, writes a receipt and sends it where it is cheap', async () => {
    const world = worlds.fresh();
    const { run } = await cold(gold({ price: 1 }), world);
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toMatchObject({ value: { paid: 50, words: 'Paid: 50' } });
    expect(made(world)).toEqual({ orders: 1, mails: 1 });
  });

  it.each([
    ['cheap', { price: 1 }, { orders: 1, mails: 1 }],
    ['too expensive', { price: 2000 }, { orders: 0, mails: 0 }],
    ['refused', { price: 1, accepted: false }, { orders: 0, mails: 0 }],
  ])(
    'comes to the same inline, after cold resumes, and killed at every write, when it is %s',
    async (_how, options, effects) => {
      const expected = (await inline(gold(options), worlds.fresh())).document;
      expect((await cold(gold(options), worlds.fresh())).document).toEqual(expected);
      const asked = await killedEverywhere(
        gold(options),
        () => worlds.fresh(),
        ({ document }, world, where) => {
          expect(document, where).toEqual(expected);
          expect(made(world), where).toEqual(effects);
        },
      );
      if (effects.orders > 0) expect(asked).toBeGreaterThanOrEqual(2);
      else expect(asked).toBe(0);
    },
  );

  it('comes to the same when every answer is taken up by a new process', async () => {
    transpileScenarios(folder);
    const world = worlds.fresh();
    const path = join(folder, 'store.db');
    const expected = (await inline(gold({ price: 1 }), worlds.fresh())).document;
    const states: string[] = [];
    for (let round = 0; states.at(-1) !== 'COMPLETE' && round < 5; round += 1)
      states.push(await inProcess(folder, 'gold', path, world.url));
    expect(states).toEqual(['NEED_CLARIFICATION', 'NEED_CLARIFICATION', 'COMPLETE']);
    const storage = await sqliteStorage(path);
    const portia = gold({ price: 1 }).client(storage, world.url);
    const [stored] = (await portia.storage.listRuns()).items;
    if (!stored) throw new Error('no run was stored');
    expect(normalised(await portia.storage.getPlanRun(stored.header.id))).toEqual(expected);
    expect(made(world)).toEqual({ orders: 1, mails: 1 });
    await portia.close();
  });
});
