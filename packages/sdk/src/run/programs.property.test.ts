import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkProgram, stories } from '../../test/lib/program-runs.ts';
import { programOf, programs } from '../../test/lib/programs.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { RunState } from '../core/run-state.ts';
import { DriverPool } from './driver-pool.ts';

/** The state as the last driver of each run had it. */
const live = new Map<PlanRunUUID, RunState>();
beforeAll(() => {
  const { add } = DriverPool.prototype;
  vi.spyOn(DriverPool.prototype, 'add').mockImplementation(function (this: DriverPool, driver) {
    live.set(driver.id, driver.state);
    return add.call(this, driver);
  });
});
afterAll(() => vi.restoreAllMocks());
beforeEach(() => live.clear());

/** Where the search begins; set `PORTIA_SEED` to repeat one. */
const seed = Number(process.env['PORTIA_SEED'] ?? Date.now() % 1_000_000);
const count = Number(process.env['PORTIA_PROGRAMS'] ?? 5_000);

describe('a random builder program', () => {
  it('ends the same', { timeout: 300_000 }, async () => {
    console.log(`seed ${seed}`);
    await fc.assert(
      fc.asyncProperty(programs, stories, async (raws, story) => {
        await checkProgram(programOf(raws), story, live);
        live.clear();
      }),
      { numRuns: count, seed, verbose: 0 },
    );
    expect(count).toBeGreaterThan(0);
  });
});
