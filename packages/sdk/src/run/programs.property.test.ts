import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkProgram, losing, type Planted, stories } from '../../test/lib/program-runs.ts';
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

/** Where the search begins: at random, unless `PORTIA_SEED` says where a run that failed had begun. */
const seed = Number(process.env['PORTIA_SEED'] ?? Date.now() % 1_000_000);
/** How many programs in all. */
const count = Number(process.env['PORTIA_PROGRAMS'] ?? 5_000);
const chunks = 5;

/** Checks so many programs, and gives what fast-check says of them. */
async function search(
  from: number,
  numRuns: number,
  planted: () => Planted = () => ({}),
): Promise<{ failed: boolean; report: string; asked: number; died: number }> {
  let asked = 0;
  let died = 0;
  const property = fc.asyncProperty(programs, stories, async (raws, story) => {
    const seen = await checkProgram(programOf(raws), story, live, planted());
    asked += seen.asked;
    died += seen.died;
    live.clear();
    vi.mocked(DriverPool.prototype.add).mockClear();
  });
  const found = await fc.check(property, { seed: from, numRuns, endOnFailure: numRuns < 500 });
  const report = found.failed ? `${fc.defaultReportMessage(found) ?? ''}\n${String(found.errorInstance)}` : '';
  return { failed: found.failed, report, asked, died };
}

describe('a random builder program', () => {
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    it(`ends as it would in order and in peace, each effect once, whatever dies on the way and in whatever order people answer (seed ${seed + chunk})`, {
      timeout: 120_000,
    }, async () => {
      const { report, asked, died } = await search(seed + chunk, Math.ceil(count / chunks));
      expect(report).toBe('');
      expect(asked).toBeGreaterThan(0);
      expect(died).toBeGreaterThan(count / chunks / 10);
    });
  }
});

describe('the search', () => {
  it('finds an effect that is made twice, because a tool is wrongly marked idempotent', {
    timeout: 60_000,
  }, async () => {
    const { failed, report } = await search(1, 400, () => ({ duplicates: true }));
    expect(failed).toBe(true);
    // The list of effects is what differs.
    expect(report).toMatch(/expected \[.*"?f\d+ \d+|happened too often/s);
  });

  it('finds the end of a step that storage has lost', { timeout: 60_000 }, async () => {
    const { failed, report } = await search(1, 400, () => losing('step-end'));
    expect([failed, report]).toEqual([true, expect.stringContaining('Error')]);
  });

  it('finds an output that storage has lost', { timeout: 60_000 }, async () => {
    const { failed, report } = await search(1, 400, () => losing('output'));
    expect([failed, report]).toEqual([true, expect.stringContaining('Error')]);
  });
});
