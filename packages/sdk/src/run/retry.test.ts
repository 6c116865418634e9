import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, codeOf, planOf } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import { ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { fails, object, text, toolCall, together } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });

describe('a retry', () => {
  it('is for failed runs only', async () => {
    const asker = tool({
      id: 'asker',
      description: 'x',
      run: () => InputClarification({ userGuidance: '?', argumentName: 'a' }),
    });
    const portia = clientOf({ tools: [one, asker] });
    const done = await portia.runPlan(planOf({ toolId: 'one', output: '$a' }));
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }));
    for (const run of [done, waiting]) {
      await expect(portia.retry({ planRun: run })).rejects.toMatchObject({
        code: 'RUN_STATE_INVALID',
        message: expect.stringContaining(run.state),
      });
      expect((await portia.storage.getPlanRun(run.id)).toJSON()).toEqual(run.toJSON());
    }
  });

  it('works in another process, is on record with who wanted it, and keeps all that succeeded', async () => {
    const storage = memoryStorage();
    const log: string[] = [];
    let down = true;
    const tools = [
      tool({ id: 'first', description: 'x', run: () => (log.push('first'), 'done') }),
      tool({
        id: 'second',
        description: 'x',
        argsSchema: z.object({ n: z.number() }),
        run({ n }) {
          log.push(`second ${n}`);
          if (n === 2 && down) throw new ToolHardError('down');
          return n;
        },
      }),
    ];
    const execution = scriptedModel([together(toolCall('second', { n: 1 }), toolCall('second', { n: 2 }))]);
    const make = (): ReturnType<typeof clientOf> =>
      clientOf({ tools, storage, models: { execution, summarizer: scriptedModel(() => text('s')) } });
    const failed = await make().runPlan(planOf({ toolId: 'first', output: '$a' }, { toolId: 'second', output: '$b' }));
    expect(failed.state).toBe('FAILED');
    down = false;
    const portia = make();
    const done = await portia.retry({ planRun: failed, by: 'ada' });
    expect(done.toJSON()).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $a: { value: 'done' }, $b: { value: [1, 2] } } },
    });
    expect(log).toEqual(['first', 'second 1', 'second 2', 'second 2']);
    expect(execution.requests).toHaveLength(1);
    expect(await portia.storage.getEvents(done.id)).toContainEqual(
      expect.objectContaining({ type: 'run-retry', by: 'ada' }),
    );
    expect((await portia.storage.getToolCalls(done.id)).map(({ callId, status }) => `${callId} ${status}`)).toEqual([
      '0.0.1 SUCCESS',
      '1.0.1 SUCCESS',
      '1.0.2 FAILED',
      '1.1.2 SUCCESS',
    ]);
  });

  it('does not do again what led to a call that succeeded', async () => {
    const calls: number[] = [];
    let down = true;
    const charge = tool({
      id: 'charge',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      run({ n }) {
        calls.push(n);
        if (n === 1 && calls.length === 1) throw new ToolSoftError('not 1 now');
        if (n === 3 && down) throw new ToolHardError('down');
        return n;
      },
    });
    const execution = scriptedModel([
      toolCall('charge', { n: 1 }),
      together(toolCall('charge', { n: 2 }), toolCall('charge', { n: 3 })),
    ]);
    const portia = clientOf({ tools: [charge], models: { execution, summarizer: scriptedModel(() => text('s')) } });
    const failed = await portia.runPlan(planOf({ toolId: 'charge', output: '$a' }));
    down = false;
    const done = await portia.retry({ planRun: failed });
    expect(done.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { step_outputs: { $a: { value: [2, 3] } } } });
    expect(calls).toEqual([1, 2, 3, 3]);
    expect(execution.requests).toHaveLength(2);
  });

  it('begins the failed step from nothing where nothing of it is to be kept', async () => {
    let down = true;
    const charge = tool({
      id: 'charge',
      description: 'x',
      argsSchema: z.object({ n: z.number() }),
      run: ({ n }) => {
        if (down) throw new ToolHardError('down');
        return n;
      },
    });
    const model = scriptedModel((_request, n) => toolCall('charge', { n }));
    const portia = clientOf({ tools: [charge], model });
    const failed = await portia.runPlan(planOf({ toolId: 'charge', output: '$a' }));
    down = false;
    expect((await portia.retry({ planRun: failed })).outputs.finalOutput).toEqual({ value: 2, summary: null });
  });

  it('goes on after a step whose model failed, and judges its condition again', async () => {
    let down = true;
    const model = scriptedModel(() => (down ? fails('overloaded') : object({ outcome: 'CONTINUE', reason: 'yes' })));
    const portia = clientOf({ tools: [one], model });
    const failed = await portia.runPlan(
      planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b', condition: 'if' }),
    );
    expect(failed.error).toMatchObject({ code: 'MODEL_FAILED', step: 1 });
    down = false;
    const done = await portia.retry({ planRun: failed });
    expect([done.state, done.outputs.stepOutputs['$b']]).toEqual(['COMPLETE', { value: 1, summary: null }]);
  });

  it('can be made again and again', async () => {
    let calls = 0;
    const flaky = tool({
      id: 'flaky',
      description: 'x',
      run: () => {
        calls += 1;
        if (calls < 4) throw new ToolHardError(`down ${calls}`);
        return 'up';
      },
    });
    const portia = clientOf({ tools: [flaky] });
    let run = await portia.runPlan(planOf({ toolId: 'flaky', output: '$a' }));
    for (const words of ['down 1', 'down 2', 'down 3']) {
      expect(run.error?.message).toBe(words);
      run = await portia.retry({ planRun: run });
    }
    expect(run.state).toBe('COMPLETE');
  });

  it('of a cancelled run goes on; it can be cancelled again', async () => {
    const asker = tool<JsonObject, JsonValue>({
      id: 'asker',
      description: 'x',
      run: (_args, { clarifications }) =>
        clarifications.find(({ resolved }) => resolved)?.response ??
        InputClarification({ userGuidance: '?', argumentName: 'a' }),
    });
    const portia = clientOf({ tools: [asker] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }));
    const cancelled = await portia.cancel({ planRun: waiting });
    const again = await portia.retry({ planRun: cancelled });
    expect(again.state).toBe('NEED_CLARIFICATION');
    const twice = await portia.cancel({ planRun: again, reason: 'really' });
    expect(twice.error).toEqual({ code: 'RUN_CANCELLED', message: 'the run was cancelled: really' });
    const third = await portia.retry({ planRun: twice });
    expect((await answerAndResume(portia, third, 1)).state).toBe('COMPLETE');
  });

  it('of a run that is driven elsewhere is refused', async () => {
    let release: (() => void) | undefined;
    let failing = true;
    const slow = tool({
      id: 'slow',
      description: 'x',
      run: () => {
        if (failing) throw new ToolHardError('x');
        return new Promise<number>((resolve) => {
          release = () => resolve(1);
        });
      },
    });
    const portia = clientOf({ tools: [slow] });
    const failed = await portia.runPlan(planOf({ toolId: 'slow', output: '$a' }));
    failing = false;
    const first = portia.retry({ planRun: failed });
    await expect.poll(() => release).toBeDefined();
    expect(await codeOf(portia.retry({ planRun: failed }))).toBe('RUN_BUSY');
    release?.();
    expect((await first).state).toBe('COMPLETE');
  });
});
