// The time of a budget ends what is under way: real clocks, real servers, real packages.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { allWires, clientOver, modelOver } from '../../test/contract/wires.ts';
import { answerAndResume, clientOf, codeOf, planOf, questionOf } from '../../test/lib/engine.ts';
import { serve } from '../../test/lib/model-servers.ts';
import type { Clock } from '../core/clock.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { hangs, type ScriptedAnswer, status, text, toolCall } from '../testing/script.ts';
import { tool } from '../tool/tool.ts';
import { systemClock } from './system-clock.ts';

const budget = { maxDurationMs: 120 } as const;
const plan = planOf({ task: 'Say it', output: '$said' });

/** A clock that stands still until something is under way, and is then past every budget here: no test hangs on haste. */
function clockFor(isUnderWay: () => boolean): Clock {
  const base = Date.UTC(2026, 0, 5);
  return { ...systemClock, now: () => base + (isUnderWay() ? 1_000 : 0) };
}

/** A script that keeps what is asked waiting until `isUp`, and the clock that goes with it. */
function hanging() {
  const state = { isUnderWay: false, isUp: false };
  const script = (): ScriptedAnswer => {
    state.isUnderWay = true;
    return state.isUp ? text('Said.') : hangs();
  };
  return { state, script, clock: clockFor(() => state.isUnderWay) };
}

/** A tool that answers when it is aborted, or never. */
function stuck(marks: { readonly readOnly?: true; readonly idempotent?: true }) {
  const seen = { calls: 0, aborted: 0, stuck: true };
  const made = tool({
    id: 'stuck',
    description: 'Does not answer',
    ...marks,
    argsSchema: z.object({}),
    run(_args, { signal }) {
      seen.calls += 1;
      signal.addEventListener('abort', () => void (seen.aborted += 1));
      return seen.stuck ? new Promise<string>(() => {}) : 'at last';
    },
  });
  return { made, seen };
}

describe.each(allWires)('a model call over %s that the time of a budget ends', (wire) => {
  it('fails its run before the model’s own time is up, and a retry with more goes on', async () => {
    const { state, script, clock } = hanging();
    const { portia } = await clientOver(wire, script, { clock });
    const failed = await portia.runPlan(plan, { budget });
    expect(failed.error).toMatchObject({
      code: 'BUDGET_EXCEEDED',
      message: expect.stringContaining('maxDurationMs is 120'),
    });
    state.isUp = true;
    const run = await portia.retry({ planRunId: failed.id, budget: { maxDurationMs: 60_000 } });
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'Said.']);
  });

  it('makes its run ask where it is to ask, once for all that is under way', async () => {
    const { script, clock } = hanging();
    const { portia } = await clientOver(wire, script, { clock });
    const both = planOf({ task: 'Say it', output: '$a' }, { task: 'Say it too', output: '$b' });
    const waiting = await portia.runPlan(both, { budget: { ...budget, onBudget: 'ask' } });
    expect([waiting.state, questionOf(waiting).source]).toEqual(['NEED_CLARIFICATION', 'Budget']);
    const refused = await answerAndResume(portia, waiting, false);
    expect(refused.error?.code).toBe('BUDGET_EXCEEDED');
  });

  it('is not tried again when the pause would outlive it', async () => {
    const { portia, requests } = await clientOver(wire, () => status(429, { retryAfterSeconds: 5 }));
    const failed = await portia.runPlan(plan, { budget: { maxDurationMs: 2_000 } });
    expect([failed.error?.code, requests.length]).toEqual(['MODEL_FAILED', 1]);
  });

  it('ends the work of a client, whose runs stay as they are', async () => {
    const storage = memoryStorage();
    const { state, script, clock } = hanging();
    const model = modelOver(wire, await serve(script));
    const limited = clientOf({ storage, model, config: { budget }, clock });
    expect(await codeOf(limited.runPlan(plan))).toBe('BUDGET_EXCEEDED');
    const [left] = (await storage.listRuns({})).items;
    state.isUp = true;
    const free = clientOf({ storage, model, clock });
    expect((await free.resume({ planRunId: left?.header.id as never })).state).toBe('COMPLETE');
  });

  it('ends a planning', async () => {
    const { script, clock } = hanging();
    const { portia } = await clientOver(wire, script, { clock });
    expect(await codeOf(portia.plan('Do it', { budget }))).toBe('BUDGET_EXCEEDED');
  });
});

describe('a tool call that the time of a budget ends', () => {
  const calling = planOf({ toolId: 'stuck', output: '$a' });

  async function run(marks: Parameters<typeof stuck>[0]) {
    const { made, seen } = stuck(marks);
    const clock = clockFor(() => seen.calls > 0);
    const { portia } = await clientOver('OpenAI chat', () => toolCall('stuck', {}), { tools: [made], clock });
    return { seen, portia, run: await portia.runPlan(calling, { budget }) };
  }

  it('without effects fails its run for the budget, and leaves nothing on record', async () => {
    const { run: failed, seen, portia } = await run({ readOnly: true });
    expect([failed.error?.code, seen.calls, seen.aborted]).toEqual(['BUDGET_EXCEEDED', 1, 1]);
    expect(await portia.storage.getToolCalls(failed.id)).toEqual([]);
    seen.stuck = false;
    expect((await portia.retry({ planRunId: failed.id, budget: { maxDurationMs: 60_000 } })).state).toBe('COMPLETE');
  });

  it('with effects may have happened: a person decides', async () => {
    const { run: waiting, seen } = await run({});
    expect([waiting.state, questionOf(waiting).source, seen.calls, seen.aborted]).toEqual([
      'NEED_CLARIFICATION',
      'Effects ledger',
      1,
      1,
    ]);
  });

  it('that may be repeated is not repeated any more, and is by a retry with more', async () => {
    const { run: failed, seen, portia } = await run({ idempotent: true });
    expect([failed.state, seen.calls]).toEqual(['FAILED', 1]);
    seen.stuck = false;
    const done = await portia.retry({ planRunId: failed.id, budget: { maxDurationMs: 60_000 } });
    expect([done.state, seen.calls]).toEqual(['COMPLETE', 2]);
  });
});

describe('a tool that is to be tried again', () => {
  it('is not, when the pause would outlive the budget', async () => {
    let calls = 0;
    const shaky = tool({
      id: 'shaky',
      description: 'Fails',
      readOnly: true,
      retry: { maxAttempts: 3, delayMs: 5_000 },
      run() {
        calls += 1;
        throw new Error('not now');
      },
    });
    const portia = clientOf({ tools: [shaky] });
    const run = await portia.runPlan(planOf({ toolId: 'shaky', output: '$a' }), { budget: { maxDurationMs: 2_000 } });
    expect([run.state, calls]).toEqual(['FAILED', 1]);
  });
});

describe('a model of one’s own that takes no notice', () => {
  it('is ended by the time of a budget too', async () => {
    let isUnderWay = false;
    const generate = (): Promise<never> => {
      isUnderWay = true;
      return new Promise(() => {});
    };
    const model = { id: 'own/deaf', contextWindow: 1_000, generate };
    const portia = clientOf({ model, clock: clockFor(() => isUnderWay) });
    expect((await portia.runPlan(plan, { budget })).error?.code).toBe('BUDGET_EXCEEDED');
  });
});
