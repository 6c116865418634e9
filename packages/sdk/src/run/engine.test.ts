import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { MultipleChoiceClarification, UserVerificationClarification } from '../core/clarification.ts';
import { ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { Plan } from '../core/plan.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { object, text, toolCall } from '../testing/script.ts';
import { tool } from '../tool/tool.ts';
import type { ExecutionHooks } from './hooks.ts';
import type { AnyTool } from '../core/tool.ts';

function client(tools: AnyTool[], model: Model = scriptedModel([]), hooks: ExecutionHooks = {}): Portia {
  const config = new Config({ storage: memoryStorage(), models: { default: model } });
  return new Portia({ config, tools, executionHooks: hooks });
}

function planOf(
  ...steps: { toolId?: string | null; output: string; inputs?: string[]; condition?: string; task?: string }[]
): Plan {
  return new Plan({
    planContext: { query: 'q', toolIds: [] },
    steps: steps.map(({ inputs = [], task = 'do it', ...step }) => ({
      ...step,
      task,
      inputs: inputs.map((name) => ({ name })),
    })),
  });
}

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });

describe('a run', () => {
  it('executes its steps in order and gives the last value', async () => {
    const model = scriptedModel([text('the answer is 1')]);
    const portia = client([one], model);
    const run = await portia.runPlan(planOf({ toolId: 'one', output: '$a' }, { output: '$b', inputs: ['$a'] }));
    expect(run.error).toBeUndefined();
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.finalOutput).toEqual({ value: 'the answer is 1', summary: null });
    expect(run.outputs.stepOutputs).toEqual({
      $a: { value: 1, summary: null },
      $b: { value: 'the answer is 1', summary: null },
    });
    expect(model.requests).toHaveLength(1);
    expect((await portia.storage.getPlanRun(run.id)).toJSON()).toEqual(run.toJSON());
  });

  it('lets a model settle the arguments and shows it soft errors', async () => {
    const seen: unknown[] = [];
    const add = tool({
      id: 'add',
      description: 'adds',
      readOnly: true,
      argsSchema: z.object({ a: z.number(), b: z.number() }),
      run({ a, b }) {
        seen.push([a, b]);
        if (a === 1) throw new ToolSoftError('a may not be 1');
        return a + b;
      },
    });
    const model = scriptedModel([toolCall('add', { a: 1, b: 2 }), toolCall('add', { a: 2, b: 2 })]);
    const run = await client([add], model).runPlan(planOf({ toolId: 'add', output: '$sum' }));
    expect(run.error).toBeUndefined();
    expect(run.outputs.finalOutput).toEqual({ value: 4, summary: null });
    expect(seen).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(JSON.stringify(model.requests[1])).toContain('a may not be 1');
  });

  it('fails with the code of a hard error', async () => {
    const broken = tool({
      id: 'broken',
      description: 'x',
      run: () => {
        throw new ToolHardError('no such customer');
      },
    });
    const run = await client([broken]).runPlan(planOf({ toolId: 'broken', output: '$a' }));
    expect(run.state).toBe('FAILED');
    expect(run.error).toEqual({ code: 'TOOL_FAILED', message: 'no such customer', step: 0, toolCallId: '0.0.1' });
    expect(run.outputs.finalOutput).toEqual({ value: 'no such customer', summary: null });
  });

  it('waits for an answer, which becomes the argument it was asked for', async () => {
    const read = tool({
      id: 'read',
      description: 'reads',
      readOnly: true,
      argsSchema: z.object({ filename: z.string() }),
      run: ({ filename }) =>
        filename === 'poem.txt'
          ? MultipleChoiceClarification({
              userGuidance: 'which?',
              argumentName: 'filename',
              options: ['a/poem.txt', 'b/poem.txt'],
            })
          : `content of ${filename}`,
    });
    const model = scriptedModel([toolCall('read', { filename: 'poem.txt' })]);
    const portia = client([read], model);
    const waiting = await portia.runPlan(planOf({ toolId: 'read', output: '$content' }));
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    const [question] = waiting.getOutstandingClarifications();
    if (!question) throw new Error('no question');
    await expect(
      portia.resolveClarification({ clarification: question, response: 'c', planRun: waiting }),
    ).rejects.toMatchObject({
      code: 'CLARIFICATION_RESPONSE_INVALID',
    });
    const ready = await portia.resolveClarification({
      clarification: question,
      response: 'b/poem.txt',
      planRun: waiting,
    });
    expect(ready.state).toBe('READY_TO_RESUME');
    const done = await portia.resume({ planRunId: waiting.id });
    expect(done.error).toBeUndefined();
    expect(done.outputs.finalOutput?.summary).toBeNull();
    expect(done.toJSON()).toMatchObject({ outputs: { final_output: { value: 'content of b/poem.txt' } } });
    expect(model.requests).toHaveLength(1);
  });

  it('asks for approval once and runs exactly what was approved', async () => {
    const calls: unknown[] = [];
    const refund = tool({
      id: 'refund',
      description: 'refunds',
      argsSchema: z.object({ amount: z.number() }),
      run(args, ctx) {
        calls.push([args, ctx.idempotencyKey.length]);
        return 'refunded';
      },
    });
    const hooks: ExecutionHooks = {
      beforeToolCall(_tool, args) {
        args['amount'] = 5;
        return UserVerificationClarification({ userGuidance: 'sure?' });
      },
    };
    const portia = client([refund], scriptedModel([toolCall('refund', { amount: 50 })]), hooks);
    const waiting = await portia.runPlan(planOf({ toolId: 'refund', output: '$r' }), { endUser: 'cust_1' });
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    const [question] = waiting.getOutstandingClarifications();
    await expect(
      portia.resolveClarification({ clarification: question, response: true, planRun: waiting, resolvedBy: 'cust_1' }),
    ).rejects.toMatchObject({ code: 'CLARIFICATION_FORBIDDEN' });
    await portia.resolveClarification({
      clarification: question,
      response: true,
      planRun: waiting,
      resolvedBy: { id: 'op', as: 'operator' },
    });
    const done = await portia.resume({ planRun: waiting });
    expect(done.error).toBeUndefined();
    expect(calls).toEqual([[{ amount: 5 }, 43]]);
    const ledger = await portia.storage.getToolCalls(done.id);
    expect(ledger).toMatchObject([{ callId: '0.0.1', status: 'SUCCESS', args: { amount: 5 } }]);
  });

  it('asks a person about a call that may have happened', async () => {
    let calls = 0;
    const charge = tool({
      id: 'charge',
      description: 'charges',
      run() {
        calls += 1;
        if (calls === 1) throw new Error('connection lost');
        return 'charged';
      },
    });
    const portia = client([charge]);
    const waiting = await portia.runPlan(planOf({ toolId: 'charge', output: '$c' }));
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    const [question] = waiting.getOutstandingClarifications();
    expect(question).toMatchObject({
      category: 'Multiple Choice',
      argumentName: 'unknown_call',
      source: 'Effects ledger',
    });
    await portia.resolveClarification({ clarification: question, response: 'use a given result', planRun: waiting });
    const second = await portia.resume({ planRun: waiting });
    const [ask] = second.getOutstandingClarifications();
    expect(ask).toMatchObject({ category: 'Input' });
    await portia.resolveClarification({ clarification: ask, response: '"charged"', planRun: waiting });
    const done = await portia.resume({ planRun: waiting });
    expect(done.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { final_output: { value: 'charged' } } });
    expect(calls).toBe(1);
  });

  it('judges conditions and never lets a marker hide a value', async () => {
    const model = scriptedModel([object({ reason: 'no', outcome: 'SKIP' })]);
    const portia = client([one], model);
    const run = await portia.runPlan(
      planOf({ toolId: 'one', output: '$o' }, { toolId: 'one', output: '$o', condition: 'if $o is 2' }),
    );
    expect(run.error).toBeUndefined();
    expect(run.outputs.stepOutputs['$o']).toEqual({ value: 1, summary: null });
    expect(run.outputs.finalOutput).toEqual({ value: 1, summary: null });
  });

  it('can be retried from the failed step', async () => {
    let calls = 0;
    const flaky = tool({
      id: 'flaky',
      description: 'x',
      run: () => {
        calls += 1;
        if (calls === 1) throw new ToolHardError('down');
        return 'up';
      },
    });
    const portia = client([one, flaky]);
    const failed = await portia.runPlan(planOf({ toolId: 'one', output: '$a' }, { toolId: 'flaky', output: '$b' }));
    expect(failed.state).toBe('FAILED');
    const done = await portia.retry({ planRun: failed });
    expect(done.error).toBeUndefined();
    expect(done.outputs.finalOutput).toEqual({ value: 'up', summary: null });
    expect((await portia.storage.getToolCalls(done.id)).map(({ callId, status }) => [callId, status])).toEqual([
      ['0.0.1', 'SUCCESS'],
      ['1.0.1', 'FAILED'],
      ['1.1.1', 'SUCCESS'],
    ]);
  });
});
