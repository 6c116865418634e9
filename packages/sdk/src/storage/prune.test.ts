import { describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import { codeOf, now, sampleClaim, sampleHeader, samplePlan, stepCommit } from '../testing/storage-contract/samples.ts';
import { tool } from '../tool/tool.ts';
import { type MemoryStorage, memoryStorage } from './memory/memory-storage.ts';
import { pruneRuns } from './prune.ts';

/** A store with finished runs. */
async function finished(count: number): Promise<MemoryStorage> {
  const storage = memoryStorage();
  const plan = samplePlan();
  storage.savePlan(plan);
  for (let n = 0; n < count; n += 1) {
    const { header } = await storage.createRun(sampleHeader(plan.id), sampleClaim());
    storage.append(header.id, 1, stepCommit(1), { state: 'COMPLETE', updatedAt: now }, true);
  }
  return storage;
}

describe('pruning', () => {
  it('removes what is finished and old enough, batch by batch, and leaves the rest', async () => {
    const storage = memoryStorage();
    const plan = samplePlan();
    storage.savePlan(plan);
    for (let age = 0; age < 500; age += 1) {
      const { header } = await storage.createRun(sampleHeader(plan.id, { createdAt: now + age }), sampleClaim());
      const state = (['COMPLETE', 'FAILED', 'NEED_CLARIFICATION'] as const)[age % 3] as 'COMPLETE';
      storage.append(header.id, 1, stepCommit(1), { state, updatedAt: now + age }, true);
    }
    expect(await pruneRuns(storage, { before: now + 450, states: ['FAILED'], dryRun: true })).toEqual({ runs: 150 });
    expect(await pruneRuns(storage, { before: now + 450, states: ['FAILED'] })).toEqual({ runs: 150 });
    expect(await pruneRuns(storage, { before: now + 450 })).toEqual({ runs: 150 });
    const { items } = await storage.listRuns({ limit: 1000 });
    const left = items.map(({ status }) => status);
    expect(left.filter(({ state }) => state === 'NEED_CLARIFICATION').length).toBe(166);
    expect(left.every(({ state, updatedAt }) => state === 'NEED_CLARIFICATION' || updatedAt >= now + 450)).toBe(true);
  });

  it('lets others have their turn between two batches, and ends there when it is told to', async () => {
    const storage = await finished(1_000);
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    const { runs } = await pruneRuns(storage, { before: now + 1, signal: stop.signal });
    expect(runs).toBe(200);
    expect(await storage.countRuns({})).toBe(800);
    expect(await pruneRuns(storage, { before: now + 1 })).toEqual({ runs: 800 });
  });

  it('is a method of a client, by age, and a waiting run can be answered after it', async () => {
    const asks = tool({
      id: 'ask',
      description: 'asks',
      run: (_args, { clarifications }) =>
        clarifications.length > 0 ? 'done' : InputClarification({ userGuidance: 'Which?', argumentName: 'which' }),
    });
    const portia = clientOf({ tools: [asks, tool({ id: 'go', description: 'goes', run: () => 'gone' })] });
    const waiting = await portia.runPlan(planOf({ toolId: 'ask', output: '$a' }));
    const done = await portia.runPlan(planOf({ toolId: 'go', output: '$a' }));
    expect(await portia.storage.prune({ olderThanMs: 60_000 })).toEqual({ runs: 0 });
    expect(await portia.storage.prune({ before: Date.now() + 1 })).toEqual({ runs: 1 });
    expect(await codeOf(() => portia.storage.getPlanRun(done.id))).toBe('PLAN_RUN_NOT_FOUND');
    const [clarification] = waiting.getOutstandingClarifications();
    await portia.resolveClarification({ planRun: waiting, clarification: clarification as never, response: 'x' });
    expect((await portia.resume({ planRunId: waiting.id })).state).toBe('COMPLETE');
  });

  it.each([
    {},
    { before: 1, olderThanMs: 1 },
    { olderThanMs: -1 },
    { before: Number.NaN },
    { before: 1, states: ['NEED_CLARIFICATION'] as never },
  ])('refuses %j', async (options) => {
    expect(await codeOf(() => pruneRuns(memoryStorage(), options))).toBe('CONFIG_INVALID');
  });
});
