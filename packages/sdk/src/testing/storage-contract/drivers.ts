import { PlanRunUUID } from '../../core/ids.ts';
import { codeOf, firstCommit, now, sampleClaim, stepCommit, storedRun, ttlMs, working } from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** One driver at a time. */
export function driverTests(open: Open, test: TestFunctions): void {
  test.describe('drivers', () => {
    claimTests(open, test);
    lostDriverTests(open, test);
  });
}

function claimTests(open: Open, { it, expect }: TestFunctions): void {
  it('refuses a run whose driver is alive, and says who that is', () =>
    open(async ({ storage }) => {
      const { id, driver } = await storedRun(storage);
      const claim = sampleClaim({ owner: 'other/2/b', now: now + ttlMs - 1 });
      expect(await storage.claimRun(id, claim)).toEqual({ claimed: false, driver });
      expect(await storage.claimRun(id, sampleClaim())).toEqual({ claimed: false, driver });
      expect(await storage.append(id, 1, firstCommit)).toBe(true);
      expect(await codeOf(async () => storage.claimRun(PlanRunUUID.random(), claim))).toBe('PLAN_RUN_NOT_FOUND');
    }));

  it('replaces a driver without a heartbeat, with the next epoch', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const later = now + ttlMs;
      const taken = await storage.claimRun(id, sampleClaim({ owner: 'other/2/b', now: later }));
      const driver = { owner: 'other/2/b', epoch: 2, expiresAt: later + ttlMs };
      expect(taken).toEqual({ claimed: true, driver });
      expect((await storage.loadRun(id))?.driver).toEqual(driver);
      const third = await storage.claimRun(id, sampleClaim({ owner: 'x/3/c', now: later + ttlMs }));
      expect(third.driver.epoch).toBe(3);
    }));

  it('believes what is known of a driver more than its heartbeat', () =>
    open(async ({ storage }) => {
      const { id, driver } = await storedRun(storage);
      const asked: unknown[] = [];
      const alive = await storage.claimRun(id, sampleClaim({ now: now + 10 * ttlMs, isAlive: () => true }));
      expect(alive.claimed).toBe(false);
      const isAlive = (record: unknown): boolean => {
        asked.push(record);
        return false;
      };
      const dead = await storage.claimRun(id, sampleClaim({ owner: 'other/2/b', isAlive }));
      expect([dead.claimed, dead.driver.epoch]).toEqual([true, 2]);
      expect(asked).toEqual([driver]);
    }));

  it('keeps a driver alive by heartbeats, and leaves those that were replaced alone', () =>
    open(async ({ storage }) => {
      const first = await storedRun(storage);
      const second = await storedRun(storage);
      const later = now + ttlMs;
      await storage.claimRun(second.id, sampleClaim({ owner: 'other/2/b', now: later }));
      const drivers = [first, second, { id: PlanRunUUID.random() }].map(({ id }) => ({ id, epoch: 1 }));
      await storage.heartbeat(drivers, later + 5);
      await storage.heartbeat([], later + 50);
      expect((await storage.loadRun(first.id))?.driver?.expiresAt).toBe(later + 5);
      expect((await storage.loadRun(second.id))?.driver).toEqual({
        owner: 'other/2/b',
        epoch: 2,
        expiresAt: later + ttlMs,
      });
      expect((await storage.claimRun(first.id, sampleClaim({ now: later + 4 }))).claimed).toBe(false);
      expect((await storage.claimRun(first.id, sampleClaim({ now: later + 5 }))).claimed).toBe(true);
    }));

  it('lets one of many have a run that all claim at once', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const claims = Array.from({ length: 8 }, (_, index) =>
        sampleClaim({ owner: `host/${index}/x`, now: now + ttlMs }),
      );
      const results = await Promise.all(claims.map(async (claim) => storage.claimRun(id, claim)));
      expect(results.filter(({ claimed }) => claimed).length).toBe(1);
      const winner = results.find(({ claimed }) => claimed)?.driver;
      expect(results.every(({ driver }) => driver.owner === winner?.owner)).toBe(true);
      expect((await storage.loadRun(id))?.driver).toEqual(winner);
    }));
}

function lostDriverTests(open: Open, { it, expect }: TestFunctions): void {
  it('gives a released run to the next that asks, and takes nothing more from the one that released it', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, working);
      await storage.releaseRun(id, 1);
      expect((await storage.loadRun(id))?.driver).toBe(undefined);
      expect(await storage.append(id, 1, stepCommit(2))).toBe(false);
      await storage.heartbeat([{ id, epoch: 1 }], now + ttlMs);
      expect((await storage.loadRun(id))?.driver).toBe(undefined);
      const taken = await storage.claimRun(id, sampleClaim());
      expect([taken.claimed, taken.driver.epoch]).toEqual([true, 2]);
      expect(await storage.append(id, 2, stepCommit(2))).toBe(true);
      expect((await storage.loadRun(id))?.commits.length).toBe(2);
    }));

  it('gives a run up with the last commit when asked to, and only then', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const done = { state: 'COMPLETE' as const, updatedAt: now + 9 };
      expect(await storage.append(id, 2, firstCommit, done, true)).toBe(false);
      expect((await storage.loadRun(id))?.driver?.epoch).toBe(1);
      expect(await storage.append(id, 1, firstCommit, working, false)).toBe(true);
      expect(await storage.append(id, 1, stepCommit(2), undefined, true)).toBe(true);
      expect((await storage.loadRun(id))?.driver).toBe(undefined);
      expect(await storage.append(id, 1, stepCommit(3))).toBe(false);
      await storage.claimRun(id, sampleClaim());
      expect(await storage.append(id, 2, stepCommit(3), done, true)).toBe(true);
      const stored = await storage.loadRun(id);
      expect([stored?.driver, stored?.status, stored?.commits.length]).toEqual([undefined, done, 3]);
      expect(stored?.epoch ?? 2).toBe(2);
    }));

  it('does not let a replaced driver release the run or write to it', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, working);
      await storage.claimRun(id, sampleClaim({ owner: 'other/2/b', now: now + ttlMs }));
      const done = { state: 'COMPLETE' as const, updatedAt: now + 9 };
      expect(await storage.append(id, 1, stepCommit(2, 0, 'old'), done)).toBe(false);
      expect(await storage.append(id, 1, stepCommit(2, 0, 'old'))).toBe(false);
      await storage.releaseRun(id, 1);
      await storage.releaseRun(PlanRunUUID.random(), 1);
      expect(await storage.append(id, 2, stepCommit(2, 0, 'new'))).toBe(true);
      const stored = await storage.loadRun(id);
      expect([stored?.commits, stored?.status, stored?.driver?.owner]).toEqual([
        [firstCommit, stepCommit(2, 0, 'new')],
        working,
        'other/2/b',
      ]);
    }));
}
