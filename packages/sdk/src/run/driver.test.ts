import { describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import { fold } from '../core/apply.ts';
import { initialState } from '../core/run-state.ts';
import { compile } from '../plan/compile.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { Driver } from './driver.ts';
import { eventsOf } from './drive.ts';
import { EventBus } from './event-bus.ts';

const plan = planOf({ toolId: 'llm_tool', output: '$a' });

/** A driver over a store that refuses the next write when told to, a moment after it was asked. */
async function driverOf(): Promise<{
  readonly driver: Driver;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly storage: ReturnType<typeof memoryStorage>;
  refuse(): void;
}> {
  const storage = memoryStorage();
  const clock = fakeClock();
  const created = await clientOf({ storage, clock }).createPlanRun(plan);
  const header = (await storage.loadRun(created.id))?.header;
  if (!header) throw new Error('the run is not there');
  let refusing = false;
  const flaky = new Proxy(storage, {
    get(target, name) {
      if (name !== 'append') return Reflect.get(target, name, target);
      return async (...args: Parameters<typeof storage.append>) => {
        await Promise.resolve();
        if (!refusing) return target.append(...args);
        refusing = false;
        throw new Error('away');
      };
    },
  });
  const { driver: record } = await storage.claimRun(header.id, {
    owner: 'me',
    now: clock.now(),
    ttlMs: 1e6,
    isAlive: () => true,
  });
  const state = initialState(header, compile(plan));
  const status = { state: state.state, updatedAt: state.updatedAt };
  const bus = new EventBus();
  const driver = new Driver({ state, record, status, storage: flaky, clock, bus, purse: undefined as never });
  return { driver, clock, storage, refuse: () => void (refusing = true) };
}

describe('a driver whose store refused a write', () => {
  it('writes it again with its own time, and what happened since with a later one', async () => {
    const { driver, clock, storage, refuse } = await driverOf();
    refuse();
    driver.emit({ type: 'run-start', epoch: 1, host: 'h', version: 'v' });
    const began = clock.now();
    const first = expect(driver.commit()).rejects.toThrow('away');
    await clock.advance(5_000);
    driver.emit({ type: 'step-start', step: 0 });
    await first;
    expect([driver.dirty, driver.pendingSince]).toEqual([true, began]);
    await clock.advance(5_000);
    await driver.commit();
    expect(driver.dirty).toBe(false);
    const stored = await storage.loadRun(driver.id);
    expect(stored && [...eventsOf(stored)].map(({ seq, type, at }) => [seq, type, at - began])).toEqual([
      [1, 'run-start', 0],
      [2, 'step-start', 5_000],
    ]);
    expect(stored?.status.state).toBe('IN_PROGRESS');
    // What another process would read is what this one has.
    expect(stored && fold(stored.header, driver.state.program, eventsOf(stored))).toEqual(driver.state);
  });

  it('gives the run up with the last of its writes, not with the one before', async () => {
    const { driver, storage, refuse } = await driverOf();
    refuse();
    driver.emit({ type: 'run-start', epoch: 1, host: 'h', version: 'v' });
    await expect(driver.commit(true)).rejects.toThrow('away');
    expect(driver.released).toBe(false);
    driver.emit({ type: 'run-end', state: 'FAILED', error: { code: 'STEP_FAILED', message: 'so' } });
    await driver.commit(true);
    expect(driver.released).toBe(true);
    const stored = await storage.loadRun(driver.id);
    expect([stored?.status.state, stored?.driver, stored?.commits.length]).toEqual(['FAILED', undefined, 2]);
  });
});
