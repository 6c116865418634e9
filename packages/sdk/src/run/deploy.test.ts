// What becomes of runs that wait while the program that made them is replaced.
import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { StepOutput } from '../core/reference.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import type { AnyPlanV2 } from '../plan/builder-programs.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { scriptedModel } from '../testing/scripted-model.ts';

const count = 200;

/** The program as it was, and with the body of a function put right. */
const greeting = (greet: (name: string) => string): AnyPlanV2 =>
  new PlanBuilderV2('greeting')
    .functionStep({ stepName: 'first', readOnly: true, function: () => 'first' })
    .functionStep({ stepName: 'second', readOnly: true, function: () => 'second' })
    .userInput({ stepName: 'name', message: 'Who?' })
    .functionStep({
      stepName: 'greeting',
      readOnly: true,
      args: { name: StepOutput('name') },
      function: ({ name }) => greet(String(name)),
    })
    .build();

/** The program with two steps, which all runs have visited, the other way round. */
const reordered = (): AnyPlanV2 =>
  new PlanBuilderV2('greeting')
    .functionStep({ stepName: 'second', readOnly: true, function: () => 'second' })
    .functionStep({ stepName: 'first', readOnly: true, function: () => 'first' })
    .userInput({ stepName: 'name', message: 'Who?' })
    .functionStep({
      stepName: 'greeting',
      readOnly: true,
      args: { name: StepOutput('name') },
      function: ({ name }) => `Welcome, ${String(name)}`,
    })
    .build();

const before = greeting((name) => `Helo ${name}`);

const clientOf = (storage: StorageBackend, plans: readonly AnyPlanV2[]): Portia =>
  new Portia({ config: new Config({ storage, models: { default: scriptedModel([]) } }), plans });

/** Runs that wait for an answer, and were then answered. */
async function answered(storage: StorageBackend): Promise<PlanRunUUID[]> {
  const portia = clientOf(storage, [before]);
  const numbers = Array.from({ length: count }, (_, n) => n);
  return Promise.all(
    numbers.map(async (n) => {
      const run = await portia.runPlan(before);
      expect(run.state).toBe('NEED_CLARIFICATION');
      const [clarification] = run.getOutstandingClarifications();
      await portia.resolveClarification({ planRun: run, clarification, response: `person ${n}` });
      return run.id;
    }),
  );
}

/** All that a store holds of these runs and of the plans. */
async function holds(storage: StorageBackend, ids: readonly PlanRunUUID[]): Promise<string> {
  const runs = await Promise.all(ids.map(async (id) => storage.loadRun(id)));
  const commits = runs.map((run) => ({
    commits: run?.commits,
    commands: run?.commands,
    status: run?.status,
    header: run?.header,
  }));
  return JSON.stringify([commits, (await storage.listPlans({})).items]);
}

describe('200 runs that wait over a deploy', () => {
  it('all complete when the body of a function was put right', async () => {
    const storage = memoryStorage();
    const ids = await answered(storage);
    const now = greeting((name) => `Hello ${name}`);
    expect(now.id).toBe(before.id);
    const portia = clientOf(storage, [now]);
    const runs = await Promise.all(ids.map((planRunId) => portia.resume({ planRunId })));
    expect(runs.map(({ outputs }) => outputs.finalOutput?.value)).toEqual(ids.map((_, n) => `Hello person ${n}`));
  });

  it('are refused, with what changed and nothing touched, when steps they have visited were reordered', async () => {
    const storage = memoryStorage();
    const ids = await answered(storage);
    const stored = await holds(storage, ids);
    const portia = clientOf(storage, [reordered()]);
    const resume = (acceptPlanChange: boolean): Promise<unknown[]> =>
      Promise.all(
        ids.map((planRunId) => portia.resume({ planRunId, acceptPlanChange }).catch((error: unknown) => error)),
      );
    const refusals = [...(await resume(false)), ...(await resume(true))];
    expect(refusals).toHaveLength(2 * count);
    for (const refusal of refusals) {
      if (!PortiaError.isInstance(refusal)) throw new Error('it was not refused');
      expect(refusal.code).toBe('PLAN_CHANGED');
      expect(refusal.message).toMatch(/step "(first|second)" moved from \d to \d/);
      expect(refusal.details).toMatchObject({
        changes: [{ change: 'moved', step: expect.stringMatching(/first|second/) as string }],
      });
    }
    expect(await holds(storage, ids)).toBe(stored);
    // With the old version back, nothing was lost.
    expect((await clientOf(storage, [before]).resume({ planRunId: ids[0] })).state).toBe('COMPLETE');
  });

  it('all complete when both versions are registered, and new runs use the new one', async () => {
    const storage = memoryStorage();
    const ids = await answered(storage);
    const now = reordered();
    expect(now.id).not.toBe(before.id);
    const portia = clientOf(storage, [before, now]);
    const [runs, fresh] = await Promise.all([
      Promise.all(ids.map((planRunId) => portia.resume({ planRunId }))),
      portia.runPlan(now),
    ]);
    expect(runs.map(({ outputs }) => outputs.finalOutput?.value)).toEqual(ids.map((_, n) => `Helo person ${n}`));
    const [clarification] = fresh.getOutstandingClarifications();
    await portia.resolveClarification({ planRun: fresh, clarification, response: 'Ada' });
    const done = await portia.resume({ planRun: fresh });
    expect(done.outputs.finalOutput?.value).toBe('Welcome, Ada');
    expect(done.planId).toBe(now.id);
  });

  it('are found and finished by a worker of the new program', async () => {
    const storage = memoryStorage();
    const ids = await answered(storage);
    const portia = clientOf(storage, [greeting((name) => `Hello ${name}`)]);
    const stop = new AbortController();
    const working = portia.work({ concurrency: 20, signal: stop.signal });
    await expect
      .poll(async () => (await storage.listRuns({ states: ['COMPLETE'], limit: 1000 })).items.length, {
        timeout: 15_000,
      })
      .toBe(ids.length);
    stop.abort();
    await working;
  });
});
