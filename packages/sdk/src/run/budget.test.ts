import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, planOf, questionOf } from '../../test/lib/engine.ts';
import { type RunBudget, budgetLimits } from '../core/budget.ts';
import { PortiaError } from '../core/errors.ts';
import type { ExecutionContext } from '../core/execution-context.ts';
import type { Model } from '../core/model.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { text } from '../testing/script.ts';
import { tool } from '../tool/tool.ts';

/** Dollars per million tokens that make sums by hand easy: one millionth for each token. */
const modelPrices = { 'scripted/*': { input: 1, output: 1 } };
const usage = { inputTokens: 100, outputTokens: 20 };

const thinking = (steps: number) =>
  planOf(...Array.from({ length: steps }, (_, index) => ({ task: `think ${index}`, output: `$t${index}` })));

const answering = (): ReturnType<typeof scriptedModel> =>
  scriptedModel((_request, n) => text(`answer ${n}`, { usage }));

const look = tool({ id: 'look', description: 'looks', readOnly: true, run: () => 'seen' });
const send = tool({ id: 'send', description: 'sends', run: () => 'sent' });

async function failing(work: Promise<unknown>): Promise<PortiaError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!PortiaError.isInstance(thrown)) throw new Error(`it did not fail: ${String(thrown)}`);
  return thrown;
}

describe('the budget of a run', () => {
  it.each([
    ['maxModelCalls', { maxModelCalls: 2 }, 'maxModelCalls is 2, 2 is used, and the call may take 1'],
    ['maxTokens', { maxTokens: 650, maxOutputTokens: 300 }, 'maxTokens is 650, 240 is used, and the call may take'],
    ['maxUsd', { maxUsd: 0.00065, maxOutputTokens: 300 }, 'maxUsd is 0.00065, 0.00024 is used, and the call may take'],
  ])('stops before the call that would cross %s, and a retry with more goes on', async (limit, budget, why) => {
    const model = answering();
    const portia = clientOf({ model, config: { modelPrices, maxConcurrency: 1 } });
    const run = await portia.runPlan(thinking(4), { budget });
    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'BUDGET_EXCEEDED', step: 2 } });
    expect(run.state === 'FAILED' && run.error.message).toContain(why);
    expect(model.requests).toHaveLength(2);
    const again = await portia.retry({ planRunId: run.id, budget: { [limit]: 1_000_000 } });
    expect(again.state).toBe('COMPLETE');
    expect(model.requests).toHaveLength(4);
    expect(again.executionContext.totals).toMatchObject({ modelCalls: 4, costUsd: 0.00048 });
  });

  it('stops before the tool call that would cross it, with and without effects', async () => {
    for (const made of [look, send]) {
      const portia = clientOf({ tools: [made] });
      const plan = planOf({ toolId: made.id }, { toolId: made.id }, { toolId: made.id });
      const run = await portia.runPlan(plan, { budget: { maxToolCalls: 2 } });
      expect(run).toMatchObject({ state: 'FAILED', error: { code: 'BUDGET_EXCEEDED', step: 2 } });
      expect(await portia.storage.getToolCalls(run.id)).toHaveLength(2);
    }
  });

  it('counts time at work, and neither waiting for people nor lying still', async () => {
    let now = 1_000;
    const clock = { now: () => now, sleep: async () => {} };
    const slow = tool({
      id: 'slow',
      description: 'takes 40 ms',
      run: () => {
        now += 40;
        return 'done';
      },
    });
    const portia = clientOf({ tools: [slow], clock });
    const plan = new PlanBuilderV2('q')
      .invokeToolStep({ stepName: 'a', tool: 'slow' })
      .userVerify({ message: 'Go on?' })
      .invokeToolStep({ stepName: 'b', tool: 'slow' })
      .invokeToolStep({ stepName: 'c', tool: 'slow' })
      .build();
    const waits = await portia.runPlan(plan, { budget: { maxDurationMs: 80 } });
    now += 1_000_000;
    const run = await answerAndResume(portia, waits, true);
    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'BUDGET_EXCEEDED', step: 3 } });
    expect(run.executionContext.activeMs).toBe(80);
  });

  it('in dollars refuses a model whose price nobody knows, before it is asked', async () => {
    const model = answering();
    const run = await clientOf({ model }).runPlan(thinking(1), { budget: { maxUsd: 5 } });
    expect(run).toMatchObject({ state: 'FAILED', error: { code: 'PRICE_UNKNOWN', message: /scripted\/model/ } });
    expect(model.requests).toHaveLength(0);
  });

  it('is that of its plan where the run does not say, limit by limit', async () => {
    const plan = new PlanBuilderV2('q', { budget: { maxModelCalls: 1, maxToolCalls: 9 } })
      .llmStep({ stepName: 'a', task: 'x' })
      .llmStep({ stepName: 'b', task: 'y' })
      .build();
    expect(plan.id).not.toBe(
      new PlanBuilderV2('q').llmStep({ stepName: 'a', task: 'x' }).llmStep({ stepName: 'b', task: 'y' }).build().id,
    );
    const portia = clientOf({ model: answering() });
    expect((await portia.runPlan(plan)).state).toBe('FAILED');
    expect((await portia.runPlan(plan, { budget: { maxModelCalls: 2 } })).state).toBe('COMPLETE');
  });

  it('that cannot be meant is refused before there is a run', async () => {
    const portia = clientOf();
    const error = await failing(portia.runPlan(thinking(1), { budget: { maxUSD: 1 } as never }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('budget.maxUSD') });
    expect((await portia.storage.listRuns()).items).toEqual([]);
  });

  it('tells the model how long its answer may be', async () => {
    const model = answering();
    await clientOf({ model }).runPlan(thinking(1), { budget: { maxTokens: 100_000 } });
    await clientOf({ model }).runPlan(thinking(1), { budget: { maxTokens: 100_000, maxOutputTokens: 700 } });
    await clientOf({ model }).runPlan(thinking(1), { budget: { maxModelCalls: 1 } });
    expect(model.requests.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([4096, 700, undefined]);
  });

  it('fails nothing when only the words about the result are left', async () => {
    const portia = clientOf({ model: answering(), tools: [tool({ id: 'list', description: 'l', run: () => [1, 2] })] });
    const run = await portia.runPlan(planOf({ toolId: 'list' }), { budget: { maxModelCalls: 0 } });
    expect(run).toMatchObject({ state: 'COMPLETE', outputs: { finalOutput: { value: [1, 2], summary: null } } });
  });
});

describe('a budget that asks', () => {
  const budget: RunBudget = { maxModelCalls: 1, onBudget: 'ask' };

  it('puts the question to an operator; a yes raises it for good, in whatever process, and no answer is paid again', async () => {
    const storage = memoryStorage();
    const model = answering();
    const first = await clientOf({ model, storage }).runPlan(thinking(3), { budget });
    expect(questionOf(first)).toMatchObject({
      category: 'User Verification',
      userGuidance:
        'The run has used 1 of its maxModelCalls 1, and a call of scripted/model may take 1. Raise maxModelCalls by 1, to 2?',
      source: 'Budget',
    });
    const other = clientOf({ model, storage });
    const [asked] = await other.storage.getClarifications(first.id);
    expect(asked).toMatchObject({ audience: 'operator' });
    const second = await answerAndResume(other, first, true);
    expect(model.requests).toHaveLength(2);
    const third = await answerAndResume(clientOf({ model, storage }), second, true);
    expect(third.state).toBe('COMPLETE');
    expect(model.requests).toHaveLength(3);
  });

  it('is no matter of the end user', async () => {
    const portia = clientOf({ model: answering() });
    const run = await portia.runPlan(thinking(2), { budget, endUser: 'cust_1' });
    const answer = portia.resolveClarification({
      planRun: run,
      clarification: questionOf(run),
      response: true,
      resolvedBy: 'cust_1',
    });
    expect(await failing(answer)).toMatchObject({ code: 'CLARIFICATION_FORBIDDEN' });
  });

  it('stops the run at a no, and asks again after a retry', async () => {
    const portia = clientOf({ model: answering() });
    const asked = await portia.runPlan(thinking(2), { budget });
    const refused = await answerAndResume(portia, asked, false);
    expect(refused).toMatchObject({ state: 'FAILED', error: { code: 'BUDGET_EXCEEDED', message: /more was refused/ } });
    expect(questionOf(await portia.retry({ planRunId: refused.id })).source).toBe('Budget');
  });

  it('asks once for all the calls that wait for it, and the steps do not hear of the answer', async () => {
    const heard: unknown[] = [];
    const hears = tool({
      id: 'hears',
      description: 'h',
      readOnly: true,
      argsSchema: z.object({ n: z.number() }),
      run: (_args, context) => {
        heard.push(...context.clarifications);
        return context
          .model()
          .generate({ messages: [{ role: 'user', content: 'Hi' }] })
          .then((answer) => answer.text);
      },
    });
    const model = answering();
    const portia = clientOf({ tools: [hears], model });
    const plan = new PlanBuilderV2('q')
      .loop({ over: [1, 2, 3], stepName: 'each', concurrency: 3 })
      .invokeToolStep({ stepName: 'h', tool: 'hears', args: { n: 1 } })
      .endLoop()
      .build();
    const asked = await portia.runPlan(plan, { budget: { maxModelCalls: 0, onBudget: 'ask' } });
    expect(questionOf(asked)).toMatchObject({ source: 'Budget' });
    let run = await answerAndResume(portia, asked, true);
    for (let n = 0; n < 4 && run.state === 'NEED_CLARIFICATION'; n += 1) run = await answerAndResume(portia, run, true);
    expect(run.state).toBe('COMPLETE');
    expect(heard).toEqual([]);
    expect(model.requests).toHaveLength(3);
  });
});

describe('the budget of a client', () => {
  it('ends the work with an error and leaves the run to go on elsewhere', async () => {
    const storage = memoryStorage();
    const model = answering();
    const portia = clientOf({ model, storage, config: { budget: { maxModelCalls: 2 } } });
    const error = await failing(portia.runPlan(thinking(3)));
    expect(error).toMatchObject({ code: 'BUDGET_EXCEEDED', details: { scope: 'client', limit: 'maxModelCalls' } });
    const [run] = (await portia.storage.listRuns()).items;
    expect(run?.status.state).toBe('IN_PROGRESS');
    const done = await clientOf({ model, storage }).resume({ planRunId: run?.header.id });
    expect(done.state).toBe('COMPLETE');
    expect(model.requests).toHaveLength(3);
  });

  it('ends a worker and a batch, which can be given again', async () => {
    const storage = memoryStorage();
    const config = { budget: { maxToolCalls: 2 } };
    const plan = planOf({ toolId: 'send' });
    const items = ['a', 'b', 'c', 'd'].map((runKey) => ({ runKey }));
    const batch = clientOf({ tools: [send], storage, config }).runMany(plan, items, { concurrency: 1 });
    expect(await failing(batch)).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    const counts = await clientOf({ tools: [send], storage }).runMany(plan, items);
    expect(counts).toMatchObject({ complete: 4, failed: 0 });
    const starter = clientOf({ tools: [send], storage });
    for (let n = 0; n < 3; n += 1) await starter.start(plan);
    const worker = clientOf({ tools: [send], storage, config });
    expect(await failing(worker.work({ untilIdle: true, concurrency: 1 }))).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    expect(await starter.work({ untilIdle: true })).toMatchObject({ complete: 1, failed: 0 });
  });

  it('keeps an answer that was paid for when a call beside it is stopped', async () => {
    const plan = new PlanBuilderV2('q')
      .parallel()
      .branch()
      .llmStep({ stepName: 'a', task: 't' })
      .branch()
      .llmStep({ stepName: 'b', task: 't' })
      .endParallel()
      .build();
    const storage = memoryStorage();
    let paid = 0;
    const model: Model = {
      id: 'scripted/paid',
      contextWindow: 100_000,
      // As a provider that has answered already when it is told to stop.
      async generate() {
        await Promise.resolve();
        paid += 1;
        return { text: 'thought', finishReason: 'stop', usage };
      },
    };
    const portia = clientOf({ model, storage, config: { budget: { maxToolCalls: 1 } } });
    expect(await failing(portia.runPlan(plan))).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    const [run] = (await storage.listRuns({})).items;
    const done = await clientOf({ model, storage }).resume({ planRunId: run?.header.id });
    expect([done.state, paid]).toEqual(['COMPLETE', 2]);
  });

  it('asks nobody, and says so when it is told to', () => {
    expect(() => clientOf({ config: { budget: { maxUsd: 1, onBudget: 'ask' } as never } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});

describe('planning', () => {
  const planned = text(JSON.stringify({ steps: [], error: 'it cannot be done' }), { usage });

  it('counts against its own budget and that of the client', async () => {
    const model = scriptedModel(() => planned);
    const portia = clientOf({ model, config: { budget: { maxModelCalls: 1 } } });
    expect(await failing(portia.plan('q', { budget: { maxModelCalls: 0 } }))).toMatchObject({
      code: 'BUDGET_EXCEEDED',
      details: { scope: 'planning' },
    });
    expect(await failing(portia.plan('q'))).toMatchObject({ code: 'PLANNING_FAILED' });
    expect(await failing(portia.plan('q'))).toMatchObject({ code: 'BUDGET_EXCEEDED', details: { scope: 'client' } });
    expect(model.requests).toHaveLength(1);
  });

  it('is told beside the plan, and changes nothing about it', async () => {
    const steps = [{ task: 'think', inputs: [], output: '$a', tool_id: 'llm_tool' }];
    const model = scriptedModel(() => text(JSON.stringify({ steps, error: null }), { usage }));
    const portia = clientOf({ model, config: { modelPrices } });
    const plan = await portia.plan('q');
    expect(await portia.storage.getPlanningUsage(plan.id)).toMatchObject({ modelCalls: 1, costUsd: 0.00012 });
    await portia.storage.savePlan(plan);
    const own = planOf({ task: 'x' });
    await portia.storage.savePlan(own);
    expect(await portia.storage.getPlanningUsage(own.id)).toBeUndefined();
  });
});

describe('usage', () => {
  it('that a provider does not tell is estimated and marked so', async () => {
    const silent: Model = {
      id: 'scripted/silent',
      contextWindow: 1_000,
      generate: async () => ({ text: 'twelve chars', finishReason: 'stop' }),
    };
    const { executionContext } = await clientOf({ model: silent, config: { modelPrices } }).runPlan(thinking(1));
    const { totals } = executionContext;
    expect(totals).toMatchObject({ inputTokens: 0, outputTokens: 0, unpricedCalls: 0 });
    expect(totals.estimatedTokens).toBeGreaterThan(50);
    expect(totals.costUsd).toBe(totals.estimatedTokens / 1e6);
  });
});

describe('random programs of parallel calls', () => {
  const limits = fc.record(
    {
      maxUsd: fc.integer({ min: 0, max: 6_000 }).map((micro) => micro / 1e6),
      maxTokens: fc.nat(6_000),
      maxModelCalls: fc.nat(6),
      maxToolCalls: fc.nat(6),
    },
    { requiredKeys: [] },
  );
  const steps = fc.array(fc.array(fc.constantFrom('think', 'look', 'send'), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  });

  it('never spend more than their budget, nor than their client', async () => {
    await fc.assert(
      fc.asyncProperty(steps, limits, limits, fc.nat(2 ** 31), async (branches, budget, clientBudget, seed) => {
        let random = seed;
        const next = (below: number): number => {
          random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
          return random % below;
        };
        let spent = 0;
        const model: Model = {
          id: 'scripted/random',
          contextWindow: 100_000,
          async generate(request) {
            await Promise.resolve();
            if (next(4) === 0) throw new PortiaError({ code: 'MODEL_FAILED', message: 'overloaded' });
            const inputTokens = Math.ceil(JSON.stringify(request.messages).length / 4);
            const outputTokens = 1 + next(request.maxOutputTokens ?? 3_000);
            spent += inputTokens + outputTokens;
            return { text: 'thought', finishReason: 'stop', usage: { inputTokens, outputTokens } };
          },
        };
        const config = { modelPrices, budget: clientBudget };
        const portia = clientOf({ model, tools: [look, send], config });
        let builder = new PlanBuilderV2('q').parallel() as never as PlanBuilderV2;
        for (const [b, kinds] of branches.entries()) {
          builder = (builder as never as { branch(): PlanBuilderV2 }).branch();
          for (const [n, kind] of kinds.entries()) {
            const stepName = `s${b}_${n}`;
            builder = (
              kind === 'think'
                ? builder.llmStep({ stepName, task: 't' })
                : builder.invokeToolStep({ stepName, tool: kind })
            ) as never;
          }
        }
        const plan = (builder as never as { endParallel(): PlanBuilderV2 }).endParallel().build();
        const given = { ...budget, maxOutputTokens: 600 };
        await portia.runPlan(plan, { budget: given }).catch((error: unknown) => {
          if (!PortiaError.isInstance(error) || error.code !== 'BUDGET_EXCEEDED') throw error;
        });
        const [run] = (await portia.storage.listRuns()).items;
        const { totals } = (await portia.storage.getPlanRun(run?.header.id as never)).executionContext;
        for (const within of [budget, clientBudget]) expect(crossed(totals, within)).toEqual([]);
        expect(totals.inputTokens + totals.outputTokens).toBe(spent);
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  function crossed(totals: ExecutionContext['totals'], budget: RunBudget): string[] {
    const used = {
      maxUsd: totals.costUsd ?? Number.POSITIVE_INFINITY,
      maxTokens: totals.inputTokens + totals.outputTokens,
      maxModelCalls: totals.modelCalls,
      maxToolCalls: totals.toolCalls,
      maxDurationMs: 0,
    };
    return budgetLimits.filter((limit) => used[limit] > (budget[limit] ?? Number.POSITIVE_INFINITY));
  }
});
