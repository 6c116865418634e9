import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { crashingStorage } from './crashing-storage.ts';
import { sampleHeader, samplePlan } from './storage-contract/samples.ts';

const died = expect.objectContaining({ code: 'STORAGE_FAILED' });

function twoWrites(storage: StorageBackend): void {
  const plan = samplePlan();
  void storage.savePlan(plan);
  void storage.createRun(sampleHeader(plan.id));
}

describe('a crashing storage', () => {
  it('counts writes, and without a point lets everything through', async () => {
    const inner = memoryStorage();
    const storage = crashingStorage(inner);
    twoWrites(storage);
    await storage.listRuns({});
    expect([storage.writes, storage.crashed, storage.name, storage.shared]).toEqual([2, false, 'memory', false]);
    expect((await inner.listRuns({})).items).toHaveLength(1);
  });

  it.each([
    ['before', 0],
    ['after', 1],
  ] as const)('dies %s a write, and refuses everything from then on', async (when, runs) => {
    const inner = memoryStorage();
    const storage = crashingStorage(inner, { write: 2, when });
    expect(() => twoWrites(storage)).toThrow(died);
    expect(storage.crashed).toBe(true);
    expect(() => storage.listRuns({})).toThrow(died);
    expect(() => storage.heartbeat([], 0)).toThrow(died);
    expect(() => storage.savePlan(samplePlan())).toThrow(died);
    expect(storage.writes).toBe(2);
    expect((await inner.listRuns({})).items).toHaveLength(runs);
  });

  it('dies after a write that takes its time, too', async () => {
    const inner = memoryStorage();
    const slow = new Proxy(inner, {
      get: (target, name) =>
        name === 'savePlan'
          ? async (plan: ReturnType<typeof samplePlan>) => target.savePlan(plan)
          : Reflect.get(target, name, target),
    });
    const plan = samplePlan();
    await expect(crashingStorage(slow, { write: 1, when: 'after' }).savePlan(plan)).rejects.toEqual(died);
    expect(await inner.getPlan(plan.id)).toBeDefined();
  });

  it('leaves the store open when it is closed', async () => {
    const inner = memoryStorage();
    let heard = 0;
    inner.watch(() => void (heard += 1));
    await crashingStorage(inner).close();
    const plan = samplePlan();
    inner.savePlan(plan);
    const { header } = await inner.createRun(sampleHeader(plan.id));
    await inner.putCommand(header.id, { type: 'cancel', key: 'cancel.0', at: 0, by: null, reason: null });
    expect(heard).toBe(1);
  });
});
