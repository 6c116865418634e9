import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { StepV2 } from '../core/plan-v2-steps.ts';
import { PlanV2 } from '../core/plan-v2.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import { type MemoryStorage, memoryStorage } from '../storage/memory/memory-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';

const client = (storage: MemoryStorage): Portia =>
  new Portia({ config: new Config({ storage, models: { default: scriptedModel([]) } }) });

describe('a thousand runs of one builder plan at once', () => {
  it('know nothing of each other, through pauses, branches and loops', { timeout: 60_000 }, async () => {
    const effects = new Map<string, number>();
    const act: StepV2 = {
      kind: 'function',
      name: 'act',
      args: { who: Input('who'), item: StepOutput('each'), answer: StepOutput('q') },
      async function({ who, item, answer }: { who: number; item: number; answer: string }) {
        await new Promise((resolve) => setImmediate(resolve));
        const effect = `${who} ${item} ${answer}`;
        effects.set(effect, (effects.get(effect) ?? 0) + 1);
        return effect;
      },
    };
    const plan = new PlanV2({
      planInputs: [{ name: 'who' }],
      steps: [
        { kind: 'user-input', name: 'q', message: text`${Input('who')}?` },
        { kind: 'parallel', name: 'p', onFailure: 'finish' },
        { kind: 'branch', name: 'b1' },
        {
          kind: 'loop',
          name: 'each',
          type: 'for-each',
          over: [1, 2],
          concurrency: 2,
          onFailure: 'finish',
          maxIterations: 10,
        },
        act,
        { kind: 'end-loop', name: 'el' },
        { kind: 'branch', name: 'b2' },
        { kind: 'if', name: 'i', condition: ({ who }) => who % 2 === 0, args: { who: Input('who') } },
        { kind: 'function', name: 'even', args: {}, readOnly: true, function: () => 'even' },
        { kind: 'end-if', name: 'ei' },
        { kind: 'end-parallel', name: 'ep' },
        {
          kind: 'function',
          name: 'all',
          args: { all: StepOutput('act', { full: true }), even: StepOutput('even', { optional: true }) },
          readOnly: true,
          function: (args: unknown) => args,
        },
      ],
    });
    const before = JSON.stringify(plan);
    const portia = client(memoryStorage());
    const numbers = [...Array(1_000).keys()];
    const finals = await Promise.all(
      numbers.map(async (who) => {
        const run = await portia.runPlan(plan, { planRunInputs: { who } });
        const [clarification] = run.getOutstandingClarifications();
        expect(clarification?.userGuidance).toBe(`${who}?`);
        await portia.resolveClarification({ planRun: run, clarification, response: `so ${who}` });
        return (await portia.resume({ planRun: run })).outputs.finalOutput;
      }),
    );
    for (const who of numbers) {
      const all = [1, 2].map((item) => `${who} ${item} so ${who}`);
      expect(finals[who]).toEqual({ value: { all, ...(who % 2 === 0 && { even: 'even' }) }, summary: null });
      for (const effect of all) expect([effect, effects.get(effect)]).toEqual([effect, 1]);
    }
    expect(effects.size).toBe(2_000);
    expect(JSON.stringify(plan)).toBe(before);
  });
});

interface Cost {
  readonly events: number;
  readonly bytes: number;
}

/** What a loop of so many iterations stores, whatever the clock does. */
async function costOf(count: number, loop: Partial<Extract<StepV2, { kind: 'loop' }>>): Promise<Cost> {
  const storage = memoryStorage();
  const plan = new PlanV2({
    steps: [
      { kind: 'loop', name: 'l', maxIterations: 20_000, ...loop } as StepV2,
      { kind: 'function', name: 'x', args: {}, readOnly: true, function: () => 'made' },
      { kind: 'end-loop', name: 'e' },
    ],
  });
  const run = await client(storage).runPlan(plan, { planRunInputs: {} });
  expect(run.error).toBeUndefined();
  const events = await client(storage).storage.getEvents(run.id);
  expect(events.filter((event) => event.type === 'tool-call-end')).toHaveLength(count);
  const stored = (await storage.loadRun(run.id as PlanRunUUID))?.commits ?? [];
  return { events: events.length, bytes: stored.reduce((sum, commit) => sum + commit.events.length, 0) };
}

describe('a loop of ten thousand iterations', () => {
  const items = (count: number): number[] => [...Array(count).keys()].map((n) => 10_000 + n);
  const kinds: readonly (readonly [string, (count: number) => Partial<Extract<StepV2, { kind: 'loop' }>>])[] = [
    ['over a list', (count) => ({ type: 'for-each', over: items(count), concurrency: 1, onFailure: 'finish' })],
    [
      'over a list, four at once',
      (count) => ({ type: 'for-each', over: items(count), concurrency: 4, onFailure: 'finish' }),
    ],
    [
      'with a condition',
      (count) => {
        let left = count;
        return { type: 'while', condition: () => (left -= 1) >= 0, args: {} };
      },
    ],
  ];
  for (const [kind, loop] of kinds) {
    it(`stores per iteration what one of ten stores, ${kind}`, { timeout: 60_000 }, async () => {
      const none = await costOf(0, loop(0));
      const few = await costOf(10, loop(10));
      const many = await costOf(10_000, loop(10_000));
      const perIteration = (cost: Cost, count: number): Cost => ({
        events: (cost.events - none.events) / count,
        bytes: (cost.bytes - none.bytes) / count,
      });
      const one = perIteration(few, 10);
      const another = perIteration(many, 10_000);
      expect(another.events).toBeLessThanOrEqual(one.events);
      // Visits have numbers of up to four more digits.
      expect(another.bytes).toBeLessThanOrEqual(one.bytes + 40);
    });
  }
});
