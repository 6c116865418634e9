import { describe, expect, it } from 'vitest';
import { samplePlan, sampleHeader, sampleClaim, stepCommit } from '../../testing/storage-contract/samples.ts';
import { testStorageBackend } from '../../testing/storage-contract.ts';
import { memoryStorage } from './memory-storage.ts';

testStorageBackend(
  { name: 'memory', open: async () => ({ storage: memoryStorage(), close: () => {} }) },
  { describe, it, expect },
);

describe('memory storage', () => {
  it('appends without a promise, and counts the bytes it was given', () => {
    const storage = memoryStorage();
    const plan = samplePlan();
    storage.savePlan(plan);
    const header = sampleHeader(plan.id);
    storage.createRun(header, sampleClaim());
    const before = storage.bytes();
    const commit = stepCommit(1);
    expect(storage.append(header.id, 1, commit)).toBe(true);
    expect(storage.bytes() - before).toBe(commit.events.length + 16);
    expect(storage.append(header.id, 2, commit)).toBe(false);
    expect(storage.bytes() - before).toBe(commit.events.length + 16);
  });

  it('keeps one store apart from another', async () => {
    const storage = memoryStorage();
    storage.savePlan(samplePlan());
    expect((await memoryStorage().listPlans({})).items).toEqual([]);
  });
});
