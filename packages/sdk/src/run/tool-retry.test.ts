import { describe, expect, it } from 'vitest';
import { answerAndResume, type ClientOptions, clientOf, planOf } from '../../test/lib/engine.ts';
import type { Portia } from '../client.ts';
import { ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { AnyTool, ToolRetry, ToolRunContext } from '../core/tool.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { crashingStorage } from '../testing/crashing-storage.ts';
import { type FakeClock, fakeClock } from '../testing/fake-clock.ts';
import { tool, type ToolInit } from '../tool/tool.ts';
import { clarifyOnAllToolCalls } from './approval-hooks.ts';
import { redactPatterns } from './guardrails.ts';

const plan = planOf({ toolId: 'charge', output: '$c' });

type Behaviour = (context: ToolRunContext) => unknown;
const soft = (): never => {
  throw new ToolSoftError('the queue is full');
};
const hard = (): never => {
  throw new ToolHardError('the card is blocked');
};
const lost = (): never => {
  throw new Error('connection lost');
};
const late = (): Promise<unknown> => new Promise(() => {});
const charged = (): string => 'charged';

interface Told {
  readonly key: string;
  readonly attempt: number;
  readonly at: number;
}

/** A tool that does as its world says, attempt after attempt, and how the attempts came to it. */
function charging(
  behaviours: readonly Behaviour[],
  retry: ToolRetry | undefined,
  more: Partial<ToolInit<never, unknown>> = {},
  clock: FakeClock = fakeClock(0, { autoAdvance: true }),
): { made: AnyTool; told: Told[]; clock: FakeClock } {
  const told: Told[] = [];
  const made = tool({
    id: 'charge',
    description: 'charges',
    retry,
    run(_args: unknown, context: ToolRunContext) {
      told.push({ key: context.idempotencyKey, attempt: context.attempt, at: clock.now() });
      return (behaviours[told.length - 1] ?? behaviours.at(-1))?.(context) as Promise<unknown>;
    },
    ...more,
  } as ToolInit<never, unknown>);
  return { made: made as AnyTool, told, clock };
}

async function run(
  made: AnyTool,
  clock: FakeClock,
  more: ClientOptions = {},
): Promise<{ portia: Portia; run: PlanRun }> {
  const portia = clientOf({ tools: [made], clock, ...more });
  return { portia, run: await portia.runPlan(plan) };
}

describe('a tool with a retry of its own', () => {
  it.each([
    ['has effects, after soft errors', soft, {}],
    ['is read-only, after soft errors', soft, { readOnly: true }],
    ['is read-only, after any error', lost, { readOnly: true }],
    ['is read-only, after time-outs', late, { readOnly: true, timeoutMs: 15 }],
    ['is idempotent, after any error', lost, { idempotent: true }],
    ['is idempotent, after time-outs', late, { idempotent: true, timeoutMs: 15 }],
  ] as const)(
    'that %s is called again: one call with attempts, the same key, growing pauses',
    async (_how, fails, more) => {
      const { made, told, clock } = charging([fails, fails, charged], { maxAttempts: 3, delayMs: 100 }, more);
      const { portia, run: done } = await run(made, clock);
      expect(done.outputs.finalOutput?.value).toBe('charged');
      expect(told.map(({ attempt, at }) => [attempt, at])).toEqual([
        [1, 0],
        [2, 100],
        [3, 300],
      ]);
      expect(new Set(told.map(({ key }) => key)).size).toBe(1);
      expect(await portia.storage.getToolCalls(done.id)).toMatchObject([
        { status: 'SUCCESS', attempts: 3, reason: null, idempotencyKey: told[0]?.key },
      ]);
    },
  );

  it.each([
    ['a hard error', hard, {}, 'FAILED'],
    ['a hard error of a read-only tool', hard, { readOnly: true }, 'FAILED'],
    ['an error that does not say what happened', lost, {}, 'NEED_CLARIFICATION'],
    ['a time-out', late, { timeoutMs: 15 }, 'NEED_CLARIFICATION'],
  ] as const)('is not called again after %s where that is not safe', async (_what, fails, more, state) => {
    const { made, told, clock } = charging([fails, charged], { maxAttempts: 3 }, more);
    const { run: done } = await run(made, clock);
    expect([done.state, told.length]).toEqual([state, 1]);
  });

  it('fails with what the last attempt said, and is not tried anew by the step', async () => {
    const { made, told, clock } = charging([soft], { maxAttempts: 2 });
    const { portia, run: done } = await run(made, clock);
    expect([done.state, done.error?.code, told.length]).toEqual(['FAILED', 'TOOL_RETRIES_EXHAUSTED', 2]);
    expect(await portia.storage.getToolCalls(done.id)).toMatchObject([{ status: 'FAILED', attempts: 2 }]);
  });

  it('with one attempt is never called again in doubt, though it is idempotent', async () => {
    const { made, told, clock } = charging([lost], { maxAttempts: 1 }, { idempotent: true });
    const { run: done } = await run(made, clock);
    expect([done.state, done.error?.code, told.length]).toEqual(['FAILED', 'TOOL_FAILED', 1]);
  });

  it('is called again only after failures it wants', async () => {
    const when = (error: Error): boolean => error.message.includes('full');
    const { made, told, clock } = charging([soft, lost, charged], { maxAttempts: 5, when }, { readOnly: true });
    const { run: done } = await run(made, clock);
    expect([done.state, told.length]).toEqual(['FAILED', 2]);
    const wrong = charging([soft], { maxAttempts: 5, when: lost });
    const { run: failed } = await run(wrong.made, wrong.clock);
    expect([failed.error?.code, wrong.told.length]).toEqual(['TOOL_RETRIES_EXHAUSTED', 1]);
  });

  it('puts no word of a failure on record that the hook for what tools give has taken out', async () => {
    const secret = (): never => {
      throw new ToolSoftError('card 4111 is busy');
    };
    const { made, clock } = charging([secret, charged], { maxAttempts: 2 });
    const storage = memoryStorage();
    const hooks = redactPatterns(/4111/);
    const { run: done } = await run(made, clock, { hooks, storage });
    const record = JSON.stringify((await storage.loadRun(done.id))?.commits);
    expect([done.state, record.includes('card [redacted] is busy'), record.includes('4111')]).toEqual([
      'COMPLETE',
      true,
      false,
    ]);
  });

  it('is approved once: what was approved is what every attempt does', async () => {
    const { made, told, clock } = charging([soft, charged], { maxAttempts: 2 });
    const { portia, run: first } = await run(made, clock, { hooks: { beforeToolCall: clarifyOnAllToolCalls() } });
    const done = await answerAndResume(portia, first, true);
    expect([done.state, told.length]).toEqual(['COMPLETE', 2]);
    expect(await portia.storage.getClarifications(done.id)).toHaveLength(1);
  });

  it('leaves its place to others while it waits, and paces every attempt', async () => {
    const { made, told, clock } = charging(
      [soft, charged],
      { maxAttempts: 2, delayMs: 0 },
      { maxConcurrency: 1, perMinute: 1 },
    );
    const { run: done } = await run(made, clock);
    expect([done.state, told.map(({ at }) => at)]).toEqual(['COMPLETE', [0, 60_000]]);
  });

  it('that looks its call up is made again under its own limit, also where one call at a time is allowed', async () => {
    const more = { reconcile: () => 'not-happened' as const, maxConcurrency: 1 };
    const { made, told, clock } = charging([lost], { maxAttempts: 2 }, more as never);
    const { run: done } = await run(made, clock);
    expect([done.state, told.length]).toEqual(['FAILED', 2]);
  });
});

/** Lets the process die at every write of a run whose first attempt fails softly, and another go on. */
async function crashEverywhere(more: Partial<ToolInit<never, unknown>>): Promise<{ ends: string[]; asked: string[] }> {
  const retry = { maxAttempts: 3, delayMs: 5_000 };
  const counting = crashingStorage(memoryStorage());
  const whole = charging([soft, charged], retry, more);
  await run(whole.made, whole.clock, { storage: counting });
  const ends = new Set<string>();
  const asked: string[] = [];
  for (let write = 4; write <= counting.writes; write += 1) {
    for (const when of ['before', 'after'] as const) {
      const { made, told, clock } = charging([soft, charged], retry, more);
      const storage = memoryStorage();
      const doomed = clientOf({ tools: [made], clock, storage: crashingStorage(storage, { write, when }) });
      await doomed.runPlan(plan).catch(() => undefined);
      const portia = clientOf({ tools: [made], clock, storage });
      const [stored] = (await portia.storage.listRuns()).items;
      if (!stored) throw new Error('no run was stored');
      let done = await portia.resume({ planRunId: stored.header.id });
      const attempts = told.length;
      if (done.state === 'NEED_CLARIFICATION') {
        asked.push(`${when} write ${write - 3}, ${attempts} made`);
        done = await answerAndResume(portia, done, 'call again');
      }
      ends.add(`${done.state} ${new Set(told.map(({ key }) => key)).size}`);
    }
  }
  return { ends: [...ends], asked };
}

describe('a process that dies while a call is being tried again', () => {
  it('leaves a call that the next one makes with the same key; between attempts nobody is asked', async () => {
    // Write 1 and 3 are the intents of the two attempts, 2 says that nothing happened, 4 is the receipt.
    const asked = [
      'after write 1, 0 made',
      'before write 2, 1 made',
      'after write 3, 1 made',
      'before write 4, 2 made',
    ];
    expect(await crashEverywhere({})).toEqual({ ends: ['COMPLETE 1'], asked });
  });

  it.each([['idempotent'], ['readOnly']] as const)('asks nobody about a tool that is %s', async (mark) => {
    expect(await crashEverywhere({ [mark]: true })).toEqual({ ends: ['COMPLETE 1'], asked: [] });
  });
});
