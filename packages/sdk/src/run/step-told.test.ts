import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { StepOutput } from '../core/reference.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { crashingStorage } from '../testing/crashing-storage.ts';
import type { ExecutionHooks } from './hooks.ts';

const plan = new PlanBuilderV2('three at once')
  .loop({ stepName: 'item', over: [30, 15, 1], concurrency: 3 })
  .functionStep({
    stepName: 'slow',
    args: { ms: StepOutput('item') },
    readOnly: true,
    function: ({ ms }) => pause(ms, ms),
  })
  .endLoop()
  .build();

/** A client whose hook writes down what it hears, and may break. */
function client(heard: unknown[], storage: StorageBackend = memoryStorage(), breakAt?: unknown): Portia {
  const afterStepExecution: ExecutionHooks['afterStepExecution'] = (_plan, _run, _step, output) => {
    const value = 'value' in output ? output.value : undefined;
    heard.push(value);
    if (value === breakAt && breakAt !== undefined) throw new Error('no more');
  };
  return new Portia({ config: new Config({ storage }), plans: [plan], executionHooks: { afterStepExecution } });
}

describe('the hook after a step', () => {
  it('hears of strands in the order of the plan, though the last one was the quickest', async () => {
    const heard: unknown[] = [];
    const run = await client(heard).runPlan(plan);
    expect([run.state, heard]).toEqual(['COMPLETE', [30, 15, 1]]);
  });

  it('hears of a step whose end is on record when the process died before it could be told', async () => {
    const storage = memoryStorage();
    const heard: unknown[] = [];
    for (let write = 1; write <= 12; write += 1) {
      const crashing = crashingStorage(storage, { write, when: 'after' });
      const first: unknown[] = [];
      const dying = client(first, crashing);
      const died = await dying.runPlan(plan, { runKey: `run-${write}` }).then(
        () => false,
        () => true,
      );
      if (!died) break;
      const { items } = await storage.listRuns({ order: 'newest', limit: 1 });
      const id = items[0]?.header.id;
      if (!id || items[0]?.status.state === 'COMPLETE') continue;
      const second: unknown[] = [];
      const run = await client(second, storage).resume({ planRunId: id });
      expect(run.state).toBe('COMPLETE');
      // Nothing is left out; only what was told just before the end may be told again.
      const again = [30, 15, 1].slice(3 - second.length);
      expect(second).toEqual(again);
      expect(first.length + second.length).toBeGreaterThanOrEqual(3);
      heard.push(...second);
    }
    expect(heard.length).toBeGreaterThan(3);
  });

  it('fails the run when it throws, also about a step that ended long before its turn, and hears of that one once', async () => {
    const heard: unknown[] = [];
    const run = await client(heard, memoryStorage(), 15).runPlan(plan);
    expect(run.error).toEqual({ code: 'HOOK_FAILED', message: 'a hook threw Error: no more' });
    expect(heard).toEqual([30, 15, 1]);
  });
});
