import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { Plan } from '../core/plan.ts';
import type { AnyTool } from '../core/tool.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { tool } from '../tool/tool.ts';

function counted(options: Partial<AnyTool>): { readonly tool: AnyTool; most(): number } {
  let now = 0;
  let most = 0;
  const made = tool({
    id: 'slow',
    description: 'takes a while',
    readOnly: true,
    async run() {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now -= 1;
      return 'done';
    },
  });
  return { tool: { ...made, ...options }, most: () => most };
}

const plan = new Plan({
  planContext: { query: 'q', toolIds: [] },
  steps: [0, 1, 2, 3].map((n) => ({ task: 't', toolId: 'slow', output: `$${n}` })),
});

describe('a limit', () => {
  it('of a tool holds over all runs of a client', async () => {
    const slow = counted({ maxConcurrency: 2 });
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }), tools: [slow.tool] });
    const runs = await Promise.all([1, 2, 3].map(() => portia.runPlan(plan)));
    expect(runs.map(({ state }) => state)).toEqual(['COMPLETE', 'COMPLETE', 'COMPLETE']);
    expect(slow.most()).toBe(2);
  });

  it('of a client holds over all steps of all its runs', async () => {
    const slow = counted({});
    const portia = new Portia({
      config: new Config({ storage: memoryStorage(), maxConcurrencyPerClient: 3 }),
      tools: [slow.tool],
    });
    await Promise.all([1, 2, 3].map(() => portia.runPlan(plan)));
    expect(slow.most()).toBe(3);
  });

  it('of a run holds for its steps', async () => {
    const slow = counted({});
    const one = new Portia({ config: new Config({ storage: memoryStorage(), maxConcurrency: 1 }), tools: [slow.tool] });
    await one.runPlan(plan);
    expect(slow.most()).toBe(1);
  });

  it('per minute makes calls wait until the minute is over', async () => {
    const clock = fakeClock(0, { autoAdvance: true });
    const at: number[] = [];
    const paced = tool({ id: 'slow', description: 'x', readOnly: true, run: () => at.push(clock.now()) });
    const portia = new Portia({
      config: new Config({ storage: memoryStorage(), maxConcurrency: 1 }),
      tools: [{ ...paced, perMinute: 3 }],
      clock,
    });
    const run = await portia.runPlan(plan);
    expect(run.state).toBe('COMPLETE');
    expect(at.slice(0, 3).every((when) => when < 60_000)).toBe(true);
    expect(at[3]).toBeGreaterThanOrEqual(60_000);
  });
});
