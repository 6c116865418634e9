import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { answerAndResume, codeOf, questionOf } from '../lib/engine.ts';
import { startWorlds, type World, type Worlds } from '../lib/outside-world.ts';
import { cold, inline, killedEverywhere, takenUp } from '../lib/scenario.ts';
import { oneRound } from '../lib/scenario-round.ts';
import { inProcess, transpileScenarios } from '../lib/scenario-processes.ts';
import { payments, refund } from './refund.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds(payments);
});
afterAll(() => worlds.close());

const once = (world: World): unknown => ({ refunds: world.count('create_refund'), mails: world.count('email') });

describe.each(['planned', 'built'] as const)('a refund, %s', (kind) => {
  it('waits for an approval of exactly this call, and then refunds once', async () => {
    const world = worlds.fresh();
    const scenario = refund({ kind });
    const storage = memoryStorage();
    const portia = scenario.client(storage, world.url);
    const waiting = await scenario.begin(portia);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    const question = questionOf(waiting);
    expect(question.category).toBe('User Verification');
    expect(question.userGuidance).toContain(kind === 'planned' ? 'create_refund' : 'ada@example.com');
    expect(question.userGuidance).toContain('4200');
    if (kind === 'planned') expect(question.userGuidance).toContain('pi_of_cus_7');
    expect(world.effects).toEqual([]);
    for (const unclear of ['yes', 'no', null, 0, 1]) {
      expect(
        await codeOf(portia.resolveClarification({ planRun: waiting, clarification: question, response: unclear })),
      ).toBe('CLARIFICATION_RESPONSE_INVALID');
    }
    const done = await answerAndResume(scenario.client(storage, world.url), waiting, true);
    expect(done.error).toBeUndefined();
    expect(world.effects.map(({ kind: made, body }) => [made, body])).toEqual([
      ['create_refund', { payment_intent: 'pi_of_cus_7', amount: 4200 }],
      [
        'email',
        {
          to: 'ada@example.com',
          body: kind === 'planned' ? 'Your money is on its way' : 'Our answer: APPROVED: as the policy says',
        },
      ],
    ]);
    expect(new Set(world.effects.map(({ key }) => key)).size).toBe(2);
  });

  it('is refused with its own code when the person says no', async () => {
    const world = worlds.fresh();
    const { run } = await cold(refund({ kind, approved: false }), world);
    expect(run.error).toMatchObject({ code: 'APPROVAL_REFUSED' });
    expect(world.effects).toEqual([]);
  });

  it('leaves out what depends on a review that rejects, and still answers the customer', async () => {
    const world = worlds.fresh();
    const { run } = await inline(refund({ kind, verdict: 'REJECTED' }), world);
    expect(run.state).toBe('COMPLETE');
    expect(world.reads).toEqual([]);
    expect(once(world)).toEqual({ refunds: 0, mails: 1 });
  });

  it('comes to the same inline, after cold resumes, and killed at every write', async () => {
    const scenario = refund({ kind });
    const expected = (await inline(scenario, worlds.fresh())).document;
    expect(expected).toMatchObject({ state: 'COMPLETE' });
    expect((await cold(scenario, worlds.fresh())).document).toEqual(expected);
    const asked = await killedEverywhere(
      scenario,
      () => worlds.fresh(),
      ({ document }, world, where) => {
        expect(document, where).toEqual(expected);
        expect(once(world), where).toEqual({ refunds: 1, mails: 1 });
      },
    );
    // The refund and the mail are not marked: of each, a call without a receipt is asked about, on either side of it.
    expect(asked).toBeGreaterThanOrEqual(2);
  });
});

it('asks about no refund that can be looked up, only about the mail', async () => {
  const asked = new Set<string>();
  await killedEverywhere(
    refund({ kind: 'built', findsRefunds: true }),
    () => worlds.fresh(),
    ({ run }, world, where) => {
      expect(once(world), where).toEqual({ refunds: 1, mails: 1 });
      for (const { source, userGuidance } of run.outputs.clarifications)
        if (source === 'Effects ledger') asked.add(userGuidance);
    },
  );
  expect([...asked].filter((guidance) => /call of email/i.test(guidance)).length).toBeGreaterThan(0);
  expect([...asked].filter((guidance) => /refund/i.test(guidance))).toEqual([]);
});

describe('a refund in a process that is really killed', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portia-refund-'));
    transpileScenarios(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('comes to the same wherever it dies, on SQLite', async () => {
    const scenario = refund({ kind: 'built' });
    const expected = (await inline(scenario, worlds.fresh())).document;
    let asked = 0;
    const survived = async (round: 'begins' | 'goes on', write: number): Promise<boolean> => {
      const world = worlds.fresh();
      const path = join(folder, `${round} ${write}.db`);
      const storage = await sqliteStorage(path);
      if (round === 'goes on') expect(await oneRound(scenario, world.url, storage)).toBe('NEED_CLARIFICATION');
      const left = await inProcess(folder, 'refund', path, world.url, write);
      const { run, document } = await takenUp(scenario, world, storage);
      const where = `it ${round} and dies before write ${write}`;
      expect(document, where).toEqual(expected);
      expect(once(world), where).toEqual({ refunds: 1, mails: 1 });
      if (run.outputs.clarifications.some(({ source }) => source === 'Effects ledger')) asked += 1;
      await storage.close();
      return left !== 'killed';
    };
    let deaths = 0;
    for (const round of ['begins', 'goes on'] as const) {
      for (let next = 1, alive = false; !alive; next += 2) {
        const both = await Promise.all([survived(round, next), survived(round, next + 1)]);
        alive = both.includes(true);
        deaths += both.filter((one) => !one).length;
      }
    }
    expect(deaths).toBeGreaterThan(12);
    expect(asked).toBeGreaterThanOrEqual(2);
  }, 120_000);
});
