import { describe, expect, it } from 'vitest';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { ToolHardError, ToolSoftError } from '../core/errors.ts';
import { Plan } from '../core/plan.ts';
import type { PlanV2 } from '../core/plan-v2.ts';
import type { AnyTool } from '../core/tool.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
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

  const atOnce = (slow: AnyTool, concurrency?: number): PlanV2 => {
    const outer = new PlanBuilderV2('at once').parallel({ concurrency });
    for (const branch of ['a', 'b', 'c', 'd']) {
      outer.branch().invokeToolStep({ stepName: branch, tool: slow }).parallel({ concurrency });
      for (const n of [1, 2, 3]) outer.branch().invokeToolStep({ stepName: `${branch}${n}`, tool: slow });
      outer.endParallel();
    }
    return outer.endParallel().build();
  };

  it('of a run holds for its parallel blocks, those inside each other together', async () => {
    const slow = counted({});
    const portia = new Portia({
      config: new Config({ storage: memoryStorage(), maxConcurrency: 3 }),
      tools: [slow.tool],
    });
    const run = await portia.runPlan(atOnce(slow.tool));
    expect([run.state, slow.most()]).toEqual(['COMPLETE', 3]);
  });

  it('of a block wins over that of the run', async () => {
    const slow = counted({});
    const portia = new Portia({
      config: new Config({ storage: memoryStorage(), maxConcurrency: 2 }),
      tools: [slow.tool],
    });
    const run = await portia.runPlan(atOnce(slow.tool, 4));
    expect(run.state).toBe('COMPLETE');
    expect(slow.most()).toBeGreaterThan(4);
  });

  it('of one step at a time runs parallel branches in order', async () => {
    const order: string[] = [];
    const builder = new PlanBuilderV2('in order').parallel();
    for (const branch of ['a', 'b', 'c']) {
      builder.branch();
      for (const n of [1, 2])
        builder.functionStep({
          stepName: `${branch}${n}`,
          readOnly: true,
          function: () => order.push(`${branch}${n}`),
        });
    }
    const portia = new Portia({ config: new Config({ storage: memoryStorage(), maxConcurrency: 1 }) });
    await portia.runPlan(builder.endParallel().build());
    expect(order).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
  });

  it('lets nothing begin that waited for a place while a branch failed', async () => {
    const begun: string[] = [];
    const plan = new PlanBuilderV2('fails')
      .parallel({ concurrency: 3 })
      .branch()
      .functionStep({
        stepName: 'fails',
        readOnly: true,
        async function() {
          await new Promise((resolve) => setTimeout(resolve, 5));
          throw new ToolHardError('broken');
        },
      })
      .branch()
      .functionStep({ stepName: 'second', function: () => begun.push('second') })
      .endParallel()
      .build();
    const portia = new Portia({ config: new Config({ storage: memoryStorage(), maxConcurrencyPerClient: 1 }) });
    const run = await portia.runPlan(plan);
    expect([run.state, begun]).toEqual(['FAILED', []]);
  });

  it('lets no call through that stood in its queue when the block it belongs to was aborted', async () => {
    const begun: unknown[] = [];
    let opened = (): void => {};
    const isUnderWay = new Promise<void>((resolve) => {
      opened = resolve;
    });
    const pay = tool<{ who: string }, string>({
      id: 'pay',
      description: 'pays',
      maxConcurrency: 1,
      run({ who }, { signal }) {
        begun.push(who);
        opened();
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve('paid')));
      },
    });
    const aborted = new PlanBuilderV2('pay two')
      .parallel({ onFailure: 'abort' })
      .branch()
      .invokeToolStep({ stepName: 'a', tool: pay, args: { who: 'ada' } })
      .branch()
      .invokeToolStep({ stepName: 'b', tool: pay, args: { who: 'bob' } })
      .branch()
      .functionStep({
        stepName: 'c',
        readOnly: true,
        async function() {
          await isUnderWay;
          throw new ToolHardError('no');
        },
      })
      .endParallel()
      .build();
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }) });
    const run = await portia.runPlan(aborted);
    expect([run.state, begun]).toEqual(['FAILED', ['ada']]);
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

  it('holds nobody who is told to stop', async () => {
    let end = (): void => {};
    let begun = (): void => {};
    const isUnderWay = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const busy = tool({
      id: 'busy',
      description: 'takes as long as it likes',
      readOnly: true,
      run: () =>
        new Promise<string>((resolve) => {
          end = () => resolve('done');
          begun();
        }),
    });
    const one = new PlanBuilderV2('one').invokeToolStep({ tool: { ...busy, maxConcurrency: 1 } }).build();
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }) });
    const first = portia.runPlan(one);
    await isUnderWay;
    const stopped = await portia.runPlan(one, { signal: AbortSignal.timeout(20) });
    expect(stopped.state).toBe('IN_PROGRESS');
    end();
    expect((await first).state).toBe('COMPLETE');
    // The place it stood in the queue for went on to the next one.
    const third = portia.resume({ planRunId: stopped.id });
    await new Promise((resolve) => setTimeout(resolve, 20));
    end();
    expect((await third).state).toBe('COMPLETE');
  });

  it('per minute is not used up by those who were told to stop while they waited', async () => {
    const clock = fakeClock(0);
    let calls = 0;
    const paced = tool({ id: 'paced', description: 'x', readOnly: true, run: () => (calls += 1) });
    const one = new PlanBuilderV2('one').invokeToolStep({ tool: { ...paced, perMinute: 1 } }).build();
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }), clock });
    await portia.runPlan(one);
    const waits = portia.runPlan(one);
    const stopped = await portia.runPlan(one, { signal: AbortSignal.timeout(20) });
    expect([stopped.state, calls]).toEqual(['IN_PROGRESS', 1]);
    await clock.advance(60_000);
    expect([(await waits).state, calls]).toEqual(['COMPLETE', 2]);
    await clock.advance(60_000);
    expect((await portia.resume({ planRunId: stopped.id })).state).toBe('COMPLETE');
  });

  it.each(['finish', 'abort'] as const)('makes no noise when many wait at once (%s)', async (onFailure) => {
    const warnings: string[] = [];
    const hear = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', hear);
    let calls = 0;
    const busy = tool({ id: 'busy', description: 'x', readOnly: true, run: (_args, { signal }) => signal.aborted });
    const plan = new PlanBuilderV2('many')
      .loop({ over: Array.from({ length: 20 }, (_, n) => n), concurrency: 20, onFailure })
      .functionStep({
        readOnly: true,
        retry: { maxAttempts: 2, delayMs: 5 },
        function(_args, { signal }) {
          calls += 1;
          if (calls <= 20) throw new ToolSoftError('busy');
          return new Promise((resolve) => setTimeout(() => resolve(signal.aborted), 5));
        },
      })
      .functionStep({
        readOnly: true,
        function: (_args, { signal }) => new Promise((resolve) => setTimeout(() => resolve(signal.aborted), 5)),
      })
      .invokeToolStep({ tool: { ...busy, maxConcurrency: 1 } })
      .endLoop()
      .build();
    const run = await new Portia({ config: new Config({ storage: memoryStorage() }) }).runPlan(plan);
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('warning', hear);
    expect([run.state, warnings]).toEqual(['COMPLETE', []]);
  });
});
