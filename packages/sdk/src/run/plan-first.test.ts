import { describe, expect, it } from 'vitest';
import {
  Config,
  type ExecutionHooks,
  memoryStorage,
  Portia,
  redactPatterns,
  type StorageBackend,
  tool,
} from '../index.ts';
import { llmTool } from '../tool/library/index.ts';
import { crashingStorage, object, scriptedModel, text } from '../testing/index.ts';

const steps = [{ task: 'Look', inputs: [], tool_id: 'weather', output: '$weather' }];

/** A process: its planner, what it has called, and its client. */
function processOn(
  storage: StorageBackend,
  { hooks, steps: made = steps }: { readonly hooks?: ExecutionHooks; readonly steps?: typeof steps } = {},
): {
  readonly portia: Portia;
  readonly planned: () => number;
  readonly called: () => number;
} {
  let planned = 0;
  let called = 0;
  const model = scriptedModel(({ schema }) => {
    if (!schema) return text('Said.');
    planned += 1;
    return object({ steps: made, error: null });
  });
  const weather = tool({
    id: 'weather',
    description: 'Tells the weather',
    readOnly: true,
    run: () => {
      called += 1;
      return 'sunny';
    },
  });
  const portia = new Portia({
    config: new Config({ storage, defaultModel: model }),
    tools: [weather, llmTool],
    executionHooks: hooks,
  });
  return { portia, planned: () => planned, called: () => called };
}

describe('a run of a query', () => {
  it('is planned by whoever drives it, with the inputs it has, and then driven', async () => {
    const { portia, planned } = processOn(memoryStorage());
    const { planRunId } = await portia.startQuery('How is it?', {
      planRunInputs: { $where: 'London' },
      endUser: 'ada',
    });
    expect(planned()).toBe(0);
    expect((await portia.storage.getPlanRun(planRunId)).state).toBe('NOT_STARTED');
    expect(await portia.work({ untilIdle: true })).toMatchObject({ complete: 1 });
    const run = await portia.storage.getPlanRun(planRunId);
    expect(run.outputs.stepOutputs['$weather']).toMatchObject({ value: 'sunny' });
    const plan = await portia.storage.getPlan(run.planId);
    expect(plan.planContext.query).toBe('How is it?');
    expect(plan.planInputs.map(({ name }) => name)).toEqual(['$where']);
    expect((await portia.storage.getPlanningUsage(run.planId))?.modelCalls).toBe(1);
    expect((await portia.storage.getPlanByQuery('How is it?'))?.id).toBe(run.planId);
  });

  it('stores its inputs as the hook for inputs leaves them, and plans with no other words', async () => {
    const storage = memoryStorage();
    const { portia } = processOn(storage, { hooks: redactPatterns(/4111/, { runInputs: true }) });
    const { planRunId } = await portia.startQuery('How is it?', { planRunInputs: { card: 'number 4111' } });
    expect((await storage.loadRun(planRunId))?.header.inputs).toMatchObject({ card: { value: 'number [redacted]' } });
  });

  it('is planned out of its own budget, whichever process knows what that took', async () => {
    const budget = { maxModelCalls: 2, onBudget: 'ask' } as const;
    const twoCalls = [
      { task: 'Say it', inputs: [], tool_id: 'llm_tool', output: '$said' },
      { task: 'Say it again', inputs: [], tool_id: 'llm_tool', output: '$again' },
    ];
    const counter = crashingStorage(memoryStorage());
    const whole = processOn(counter, { steps: twoCalls });
    await whole.portia.startQuery('How is it?', { budget });
    const begun = counter.writes;
    await whole.portia.work({ untilIdle: true });
    for (let write = begun + 1; write <= counter.writes; write += 1) {
      const storage = memoryStorage();
      const dying = processOn(crashingStorage(storage, { write, when: 'after' }), { steps: twoCalls });
      const { planRunId } = await dying.portia.startQuery('How is it?', { budget });
      await dying.portia.work({ untilIdle: true }).catch(() => undefined);
      const run = await processOn(storage, { steps: twoCalls }).portia.resume({ planRunId });
      expect(
        run.getOutstandingClarifications().map(({ userGuidance }) => userGuidance),
        `write ${write}`,
      ).toEqual([expect.stringContaining('has used 2 of its maxModelCalls 2')]);
    }
  });

  it('whose process dies at any write goes on in another, and no plan that was stored is paid for again', async () => {
    const counter = crashingStorage(memoryStorage());
    const whole = processOn(counter);
    await whole.portia.startQuery('How is it?');
    const begun = counter.writes;
    await whole.portia.work({ untilIdle: true });
    const writes = counter.writes;
    expect(writes - begun).toBeGreaterThan(4);
    for (let write = begun + 1; write <= writes; write += 1) {
      for (const when of ['before', 'after'] as const) {
        const storage = memoryStorage();
        const dying = processOn(crashingStorage(storage, { write, when }));
        const { planRunId } = await dying.portia.startQuery('How is it?');
        await dying.portia.work({ untilIdle: true }).catch(() => undefined);
        const plans = (await storage.listPlans({ query: 'How is it?' })).items.length;
        const next = processOn(storage);
        const run = await next.portia.resume({ planRunId });
        expect(run.state, `write ${write} ${when}`).toBe('COMPLETE');
        expect(dying.planned() + next.planned(), `write ${write} ${when}`).toBe(
          dying.planned() > 0 && plans === 0 ? 2 : 1,
        );
      }
    }
  });
});
