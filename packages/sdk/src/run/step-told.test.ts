import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { ToolHardError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
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

describe('the end of a run whose process died before hooks were told', () => {
  const one = new PlanBuilderV2('one')
    .functionStep({
      stepName: 'a',
      readOnly: true,
      function: () => {
        if (broken) throw new ToolHardError('broken');
        return 'made';
      },
    })
    .build();
  let broken = false;
  const names = (heard: string[], which: readonly ('step' | 'run')[]): ExecutionHooks => ({
    ...(which.includes('step') && {
      afterStepExecution: (_plan, run, _step, output) =>
        void heard.push(`step ${run.state} ${'value' in output && output.value}`),
    }),
    ...(which.includes('run') && { afterPlanRun: (_plan, run) => void heard.push(`run ${run.state}`) }),
  });
  const clientWith = (storage: StorageBackend, executionHooks: ExecutionHooks): Portia =>
    new Portia({ config: new Config({ storage }), plans: [one], executionHooks });

  /** A store with a run that has ended, of which nobody was told; its process died. */
  async function ended(how: 'COMPLETE' | 'FAILED'): Promise<{ storage: StorageBackend; id: PlanRunUUID }> {
    broken = how === 'FAILED';
    for (let write = 1; ; write += 1) {
      const storage = memoryStorage();
      const dying = clientWith(crashingStorage(storage, { write, when: 'after' }), names([], ['step', 'run']));
      await dying.runPlan(one).catch(() => undefined);
      const [run] = (await storage.listRuns({})).items;
      if (run?.status.state === how) return { storage, id: run.header.id };
    }
  }

  it('is told by a worker, after the step in which it failed; once it is on record, no more', async () => {
    for (const [how, expected] of [
      ['COMPLETE', ['run COMPLETE']],
      ['FAILED', ['step FAILED broken', 'run FAILED']],
    ] as const) {
      const { storage } = await ended(how);
      const heard: string[] = [];
      const portia = clientWith(storage, names(heard, ['step', 'run']));
      await portia.work({ untilIdle: true });
      expect(heard).toEqual(expected);
      await portia.work({ untilIdle: true });
      expect(heard).toEqual(expected);
    }
  });

  it('is left by a client without such hooks to one that has them, each to its own', async () => {
    const { storage } = await ended('FAILED');
    const nothing = { complete: 0, failed: 0, waiting: 0, refused: 0 };
    expect(await clientWith(storage, {}).work({ untilIdle: true })).toEqual(nothing);
    const steps: string[] = [];
    await clientWith(storage, names(steps, ['step'])).work({ untilIdle: true });
    expect(steps).toEqual(['step FAILED broken']);
    const runs: string[] = [];
    await clientWith(storage, names(runs, ['step', 'run'])).work({ untilIdle: true });
    expect(runs).toEqual(['run FAILED']);
  });

  it('is told when the run is resumed, and before it is retried', async () => {
    const complete = await ended('COMPLETE');
    const heard: string[] = [];
    await clientWith(complete.storage, names(heard, ['step', 'run'])).resume({ planRunId: complete.id });
    expect(heard).toEqual(['run COMPLETE']);
    const failed = await ended('FAILED');
    const again: string[] = [];
    broken = false;
    const run = await clientWith(failed.storage, names(again, ['step', 'run'])).retry({ planRunId: failed.id });
    expect(run.state).toBe('COMPLETE');
    expect(again).toEqual(['step FAILED broken', 'run FAILED', 'step IN_PROGRESS made', 'run COMPLETE']);
  });

  it('is told to every hook though one of them throws', async () => {
    const { storage } = await ended('FAILED');
    const heard: string[] = [];
    const hooks = names(heard, ['step', 'run']);
    const portia = clientWith(storage, {
      ...hooks,
      afterStepExecution(...args) {
        hooks.afterStepExecution?.(...args);
        throw new Error('no');
      },
    });
    await portia.work({ untilIdle: true });
    expect(heard).toEqual(['step FAILED broken', 'run FAILED']);
    expect((await storage.listRuns({ readyAt: Number.MAX_SAFE_INTEGER })).items).toEqual([]);
  });
});
