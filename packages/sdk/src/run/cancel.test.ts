import { describe, expect, it } from 'vitest';
import { clientOf, codeOf, planOf } from '../../test/lib/engine.ts';
import type { Portia } from '../client.ts';
import { InputClarification } from '../core/clarification.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { AnyTool } from '../core/tool.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { hangs, text } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

const plan = planOf({ toolId: 'work', output: '$a' }, { toolId: 'work', output: '$b' });

/** A tool that works until it is told to end, or takes notice of its signal. */
function working(options: { readonly heeds?: boolean; readonly marks?: object } = {}): {
  made: AnyTool;
  begun: Promise<void>;
  end: (value: unknown) => void;
  calls: () => number;
} {
  let begin: () => void = () => {};
  let end: (value: unknown) => void = () => {};
  let calls = 0;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const made = tool({
    id: 'work',
    description: 'works',
    ...options.marks,
    run(_args, { signal }) {
      calls += 1;
      begin();
      return new Promise<unknown>((resolve, reject) => {
        end = resolve;
        if (options.heeds) signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
  }) as AnyTool;
  return { made, begun, end: (value) => end(value), calls: () => calls };
}

async function started(
  made: AnyTool,
  begun: Promise<void>,
  signal?: AbortSignal,
): Promise<{ portia: Portia; running: Promise<PlanRun>; id: PlanRun['id'] }> {
  const portia = clientOf({ tools: [made] });
  const running = portia.runPlan(plan, { signal });
  await begun;
  const [found] = (await portia.storage.listRuns()).items;
  if (!found) throw new Error('no run was stored');
  return { portia, running, id: found.header.id };
}

describe('cancelling', () => {
  it('a run that has not begun ends it, and its hooks hear of the end', async () => {
    const ended: string[] = [];
    const portia = clientOf({
      tools: [working().made],
      hooks: { afterPlanRun: (_plan, { state }) => void ended.push(state) },
    });
    const run = await portia.createPlanRun(plan);
    const cancelled = await portia.cancel({ planRun: run, by: 'ada', reason: 'no budget' });
    expect(cancelled.error).toEqual({ code: 'RUN_CANCELLED', message: 'the run was cancelled: no budget' });
    expect(ended).toEqual(['FAILED']);
  });

  it('a waiting run ends it, and cancelling twice is fine', async () => {
    const asker = tool({
      id: 'work',
      description: 'x',
      run: () => InputClarification({ userGuidance: '?', argumentName: 'a' }),
    });
    const portia = clientOf({ tools: [asker] });
    const waiting = await portia.runPlan(plan);
    const cancelled = await portia.cancel({ planRun: waiting });
    expect(cancelled.error?.code).toBe('RUN_CANCELLED');
    expect((await portia.cancel({ planRun: waiting })).toJSON()).toEqual(cancelled.toJSON());
  });

  it('a finished run is refused', async () => {
    const quick = tool({ id: 'work', description: 'x', readOnly: true, run: () => 1 });
    const portia = clientOf({ tools: [quick] });
    const done = await portia.runPlan(plan);
    expect(await codeOf(portia.cancel({ planRun: done }))).toBe('RUN_STATE_INVALID');
  });

  it('a run at work waits for the receipt of the call in flight, and calls nothing more', async () => {
    const { made, begun, end, calls } = working();
    const { portia, running, id } = await started(made, begun);
    const cancelling = portia.cancel({ planRunId: id });
    setTimeout(() => end('received'), 50);
    expect((await cancelling).error?.code).toBe('RUN_CANCELLED');
    expect((await running).error?.code).toBe('RUN_CANCELLED');
    expect(calls()).toBe(1);
    expect(await portia.storage.getToolCalls(id)).toMatchObject([{ status: 'SUCCESS', output: 'received' }]);
  });

  it('tells the tool at work, whose call then stays without a receipt', async () => {
    const { made, begun } = working({ heeds: true });
    const { portia, running, id } = await started(made, begun);
    const cancelled = await portia.cancel({ planRunId: id });
    expect(cancelled.error?.code).toBe('RUN_CANCELLED');
    expect((await running).toJSON()).toEqual(cancelled.toJSON());
    expect(await portia.storage.getToolCalls(id)).toMatchObject([{ status: 'IN_PROGRESS' }]);
  });

  it('does not wait for ever for a call that gives no receipt; one that comes later is kept', async () => {
    const { made, begun, end } = working();
    const { portia, running, id } = await started(made, begun);
    const begunAt = performance.now();
    expect((await portia.cancel({ planRunId: id })).error?.code).toBe('RUN_CANCELLED');
    expect(performance.now() - begunAt).toBeLessThan(9_000);
    await running;
    end('late');
    const again = portia.retry({ planRunId: id });
    await expect.poll(async () => (await portia.storage.getToolCalls(id))[0]?.status).toBe('SUCCESS');
    await portia.cancel({ planRunId: id }).catch(() => undefined);
    await again;
  }, 30_000);

  it('ends also a run that waits for a model, before its step or at its end', async () => {
    const quick = tool({ id: 'work', description: 'x', readOnly: true, run: () => [1] });
    for (const models of [{ default: scriptedModel([hangs()]) }, { summarizer: scriptedModel([hangs()]) }]) {
      const portia = clientOf({ tools: [quick], models });
      const step = 'default' in models ? planOf({ output: '$a' }) : plan;
      const running = portia.runPlan(step);
      await expect.poll(() => Object.values(models)[0]?.requests.length).toBe(1);
      const [found] = (await portia.storage.listRuns()).items;
      await portia.cancel({ planRunId: found?.header.id });
      expect((await running).error?.code).toBe('RUN_CANCELLED');
    }
  });

  it('wins over what failed because of it', async () => {
    const failing = tool({
      id: 'work',
      description: 'x',
      readOnly: true,
      run: (_args, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    });
    const portia = clientOf({ tools: [failing] });
    const running = portia.runPlan(plan);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const [found] = (await portia.storage.listRuns()).items;
    await portia.cancel({ planRunId: found?.header.id });
    expect((await running).error?.code).toBe('RUN_CANCELLED');
  });
});

describe('an abort signal', () => {
  it('stops driving and leaves the run to be resumed', async () => {
    const controller = new AbortController();
    const { made, begun, end, calls } = working();
    const { portia, running, id } = await started(made, begun, controller.signal);
    controller.abort();
    end('received');
    const left = await running;
    expect(left.state).toBe('IN_PROGRESS');
    expect(left.error).toBeUndefined();
    const resumed = portia.resume({ planRunId: id });
    await expect.poll(calls).toBe(2);
    end('again');
    expect((await resumed).toJSON()).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $a: { value: 'received' }, $b: { value: 'again' } } },
    });
  });

  it('that was aborted before leaves the run as it is, and no hook is called', async () => {
    let hooks = 0;
    const portia = clientOf({ tools: [working().made], hooks: { beforePlanRun: () => void (hooks += 1) } });
    const run = await portia.runPlan(plan, { signal: AbortSignal.abort() });
    expect([run.state, hooks]).toEqual(['NOT_STARTED', 0]);
  });

  it('during a call that heeds it leaves the call unknown; the ledger asks', async () => {
    const controller = new AbortController();
    const { made, begun } = working({ heeds: true });
    const { portia, running, id } = await started(made, begun, controller.signal);
    controller.abort();
    expect((await running).state).toBe('IN_PROGRESS');
    const waiting = await portia.resume({ planRunId: id });
    expect(waiting.getOutstandingClarifications()).toMatchObject([{ argumentName: 'unknown_call' }]);
  });

  it('during the final summary leaves the run to be completed', async () => {
    const controller = new AbortController();
    const quick = tool({ id: 'work', description: 'x', readOnly: true, run: () => [1] });
    const storage = memoryStorage();
    const summarizer = scriptedModel([hangs()]);
    const running = clientOf({ tools: [quick], storage, models: { summarizer } }).runPlan(plan, {
      signal: controller.signal,
    });
    await expect.poll(() => summarizer.requests.length).toBe(1);
    controller.abort();
    const left = await running;
    expect(left.state).toBe('IN_PROGRESS');
    const done = await clientOf({
      tools: [quick],
      storage,
      models: { summarizer: scriptedModel([text('a list')]) },
    }).resume({ planRun: left });
    expect(done.outputs.finalOutput).toEqual({ value: [1], summary: 'a list' });
  });
});

describe('closing a client', () => {
  it('stops its runs, and waits for their receipts', async () => {
    const storage = memoryStorage();
    const { made, begun, end, calls } = working();
    const portia = clientOf({ tools: [made], storage });
    const running = portia.runPlan(plan);
    await begun;
    const closing = portia.close();
    setTimeout(() => end('received'), 30);
    await closing;
    const left = await running;
    expect(left.state).toBe('IN_PROGRESS');
    const elsewhere = clientOf({ tools: [made], storage });
    expect(await elsewhere.storage.getToolCalls(left.id)).toMatchObject([{ status: 'SUCCESS' }]);
    expect(calls()).toBe(1);
  });
});
