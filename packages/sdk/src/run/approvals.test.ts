import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, codeOf, planOf, questionOf } from '../../test/lib/engine.ts';
import { UserVerificationClarification } from '../core/clarification.ts';
import { fromCommit, toCommit } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import type { Portia } from '../client.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { toolCall, together } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import type { ExecutionHooks } from './hooks.ts';

const plan = planOf({ toolId: 'refund', output: '$r' });

interface Bench {
  readonly portia: Portia;
  readonly calls: unknown[];
  readonly hookCalls: unknown[];
  readonly storage: StorageBackend;
}

function bench(
  options: { readonly hooks?: ExecutionHooks; readonly args?: JsonValue; readonly storage?: StorageBackend } = {},
): Bench {
  const calls: unknown[] = [];
  const hookCalls: unknown[] = [];
  const storage = options.storage ?? memoryStorage();
  const refund = tool({
    id: 'refund',
    description: 'refunds',
    argsSchema: z.object({ amount: z.number() }),
    run(args) {
      calls.push(args);
      return 'refunded';
    },
  });
  const hooks: ExecutionHooks = options.hooks ?? {
    beforeToolCall(_tool, args) {
      hookCalls.push({ ...args });
      args['amount'] = Number(args['amount']) / 10;
      return UserVerificationClarification({ userGuidance: 'sure?' });
    },
  };
  const model = scriptedModel((_request, n) =>
    n === 1 ? toolCall('refund', options.args ?? { amount: 50 }) : toolCall('refund', { amount: 999 }),
  );
  return { portia: clientOf({ tools: [refund], model, hooks, storage }), calls, hookCalls, storage };
}

describe('an approval', () => {
  it('lets exactly the call run whose arguments were seen, and the hook is not asked again', async () => {
    const { portia, calls, hookCalls } = bench();
    const waiting = await portia.runPlan(plan);
    expect(await portia.storage.getToolCalls(waiting.id)).toMatchObject([
      { args: { amount: 5 }, status: 'NEED_CLARIFICATION', attempts: 0 },
    ]);
    const done = await answerAndResume(portia, waiting, true);
    expect(done.state).toBe('COMPLETE');
    expect(calls).toEqual([{ amount: 5 }]);
    expect(hookCalls).toEqual([{ amount: 50 }]);
  });

  it.each([
    ['"no"', 'no'],
    ['null', null],
    ['0', 0],
    ['1', 1],
    ['"true"', 'true'],
    ['{}', {}],
  ])('is not given by %s, which is refused as an answer', async (_name, response) => {
    const { portia, calls } = bench();
    const waiting = await portia.runPlan(plan);
    expect(
      await codeOf(portia.resolveClarification({ planRun: waiting, clarification: questionOf(waiting), response })),
    ).toBe('CLARIFICATION_RESPONSE_INVALID');
    expect((await portia.resume({ planRun: waiting })).state).toBe('NEED_CLARIFICATION');
    expect(calls).toEqual([]);
  });

  it.each([null, 0, 'true', 1])(
    'is not given either by %j that got into the store some other way',
    async (response) => {
      const { portia, calls, storage } = bench();
      const waiting = await portia.runPlan(plan);
      const { id } = questionOf(waiting);
      await storage.putCommand(waiting.id, {
        type: 'answer',
        key: id,
        at: 1,
        response,
        resolvedBy: null,
        as: null,
        via: 'api',
      });
      expect((await portia.resume({ planRun: waiting })).error?.code).toBe('APPROVAL_REFUSED');
      expect(calls).toEqual([]);
    },
  );

  it('that is refused fails the run with a code of its own, and names who said no', async () => {
    const { portia, calls } = bench();
    const waiting = await portia.runPlan(plan);
    await portia.resolveClarification({
      planRun: waiting,
      clarification: questionOf(waiting),
      response: false,
      resolvedBy: { id: 'op', as: 'operator' },
    });
    const failed = await portia.resume({ planRun: waiting });
    expect(failed.error).toEqual({
      code: 'APPROVAL_REFUSED',
      message: 'the call of refund was refused by op',
      step: 0,
      toolCallId: '0.0.1',
    });
    expect(calls).toEqual([]);
    expect(await portia.storage.getToolCalls(waiting.id)).toMatchObject([{ status: 'FAILED', attempts: 0 }]);
  });

  it('holds for the arguments that were approved and no others, whoever changed the record', async () => {
    const { portia, calls, storage } = bench();
    const waiting = await portia.runPlan(plan);
    const stored = await storage.loadRun(waiting.id);
    if (!stored) throw new Error('the run is not stored');
    const other = memoryStorage();
    const record = await storage.getPlan(waiting.planId);
    if (record) await other.savePlan(record);
    const { driver } = await other.createRun(stored.header, {
      owner: 'x',
      now: 0,
      ttlMs: 1e15,
      isAlive: () => undefined,
    });
    for (const commit of stored.commits) {
      const bodies = fromCommit(commit).map(({ v: _v, seq: _seq, at: _at, ...body }) =>
        body.type === 'tool-call-propose' ? { ...body, args: { amount: 5_000 } } : body,
      );
      await other.append(waiting.id, driver?.epoch ?? 0, toCommit(commit.seq, commit.at, bodies), stored.status);
    }
    await other.releaseRun(waiting.id, driver?.epoch ?? 0);
    const forged = bench({ storage: other });
    const failed = await answerAndResume(forged.portia, await forged.portia.storage.getPlanRun(waiting.id), true);
    expect(failed.error).toMatchObject({
      code: 'APPROVAL_REFUSED',
      message: expect.stringContaining('not those that were approved'),
    });
    expect([...calls, ...forged.calls]).toEqual([]);
  });

  it('is asked for all calls of a turn together; none is made before, and each once it is approved, in order', async () => {
    const calls: unknown[] = [];
    const refund = tool({
      id: 'refund',
      description: 'x',
      argsSchema: z.object({ amount: z.number() }),
      run: ({ amount }) => calls.push(amount),
    });
    const model = scriptedModel([together(toolCall('refund', { amount: 1 }), toolCall('refund', { amount: 2 }))]);
    const hooks: ExecutionHooks = { beforeToolCall: () => UserVerificationClarification({ userGuidance: 'sure?' }) };
    const portia = clientOf({ tools: [refund], model, hooks });
    const first = await portia.runPlan(plan);
    const asked = first.getOutstandingClarifications();
    expect([asked.length, calls]).toEqual([2, []]);
    await portia.resolveClarification({ planRun: first, clarification: asked[0], response: true });
    const second = await portia.resume({ planRun: first });
    expect([second.state, calls]).toEqual(['NEED_CLARIFICATION', [1]]);
    const done = await answerAndResume(portia, second, true);
    expect([done.state, calls]).toEqual(['COMPLETE', [1, 2]]);
    expect(model.requests.filter(({ tools }) => tools)).toHaveLength(1);
  });

  it('is asked anew by a hook that always gives the same object', async () => {
    const constant = UserVerificationClarification({ userGuidance: 'sure?' });
    const { portia, calls } = bench({ hooks: { beforeToolCall: () => constant } });
    const two = planOf({ toolId: 'refund', output: '$a' }, { toolId: 'refund', output: '$b' });
    const first = await portia.runPlan(two);
    const second = await answerAndResume(portia, first, true);
    expect(second.state).toBe('NEED_CLARIFICATION');
    expect(questionOf(second).id).not.toBe(questionOf(first).id);
    expect((await answerAndResume(portia, second, true)).state).toBe('COMPLETE');
    expect(calls).toHaveLength(2);
  });

  it('covers every kind of step: tools without arguments, and the LLM tool', async () => {
    const ping = tool({ id: 'ping', description: 'x', run: () => 'pong' });
    const asked: string[] = [];
    const hooks: ExecutionHooks = {
      beforeToolCall: ({ id }) => {
        asked.push(id);
        return UserVerificationClarification({ userGuidance: id });
      },
    };
    const portia = clientOf({ tools: [ping], model: scriptedModel(['words']), hooks });
    const first = await portia.runPlan(planOf({ toolId: 'ping', output: '$a' }, { output: '$b' }));
    const second = await answerAndResume(portia, first, true);
    expect((await answerAndResume(portia, second, true)).state).toBe('COMPLETE');
    expect(asked).toEqual(['ping', 'llm_tool']);
  });

  it('after the call pauses the step; a no fails it, and the tool is not called again', async () => {
    for (const [response, state] of [
      [true, 'COMPLETE'],
      [false, 'FAILED'],
    ] as const) {
      let told = 0;
      const hooks: ExecutionHooks = {
        afterToolCall() {
          told += 1;
          return UserVerificationClarification({ userGuidance: 'use this result?' });
        },
      };
      const { portia, calls } = bench({ hooks });
      const waiting = await portia.runPlan(plan);
      expect(await portia.storage.getClarifications(waiting.id)).toMatchObject([{ audience: 'operator' }]);
      const done = await answerAndResume(portia, waiting, response);
      expect([done.state, calls.length, told]).toEqual([state, 1, 1]);
      if (!response) expect(done.error?.code).toBe('APPROVAL_REFUSED');
    }
  });

  it('that a person refused is asked again when the run is retried', async () => {
    const { portia, calls } = bench();
    const failed = await answerAndResume(portia, await portia.runPlan(plan), false);
    const again = await portia.retry({ planRun: failed });
    expect(again.state).toBe('NEED_CLARIFICATION');
    expect((await answerAndResume(portia, again, true)).state).toBe('COMPLETE');
    expect(calls).toHaveLength(1);
  });
});

describe('arguments that do not fit', () => {
  it('never reach the tool; the model is told why, and hooks see each call once, also after a pause', async () => {
    const hookCalls: unknown[] = [];
    const hooks: ExecutionHooks = {
      beforeToolCall(_tool, args) {
        hookCalls.push(args['amount']);
        return args['amount'] === 999 ? UserVerificationClarification({ userGuidance: 'sure?' }) : undefined;
      },
    };
    const { portia, calls } = bench({ hooks, args: { amount: 'much' } });
    const waiting = await portia.runPlan(plan);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    expect((await answerAndResume(portia, waiting, true)).state).toBe('COMPLETE');
    expect(hookCalls).toEqual(['much', 999]);
    expect(calls).toEqual([{ amount: 999 }]);
    expect(await portia.storage.getToolCalls(waiting.id)).toMatchObject([
      { status: 'FAILED', attempts: 0, error: { code: 'TOOL_ARGS_INVALID' } },
      { status: 'SUCCESS', attempts: 1 },
    ]);
  });
});
