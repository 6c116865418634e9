import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, codeOf, planOf, questionOf } from '../../test/lib/engine.ts';
import type { Portia } from '../client.ts';
import { PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { AnyTool, ToolRunContext } from '../core/tool.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { tool, type ToolInit } from '../tool/tool.ts';

const plan = planOf({ toolId: 'charge', output: '$c' });

/** A tool that does as its world says, call after call; the last behaviour stays. */
function charging(
  behaviours: readonly ((context: ToolRunContext) => unknown)[],
  more: Partial<ToolInit<never, unknown>> = {},
): { made: AnyTool; keys: string[] } {
  const keys: string[] = [];
  const made = tool({
    id: 'charge',
    description: 'charges',
    run(_args: unknown, context: ToolRunContext) {
      keys.push(context.idempotencyKey);
      return (behaviours[keys.length - 1] ?? behaviours.at(-1))?.(context) as Promise<unknown>;
    },
    ...more,
  } as ToolInit<never, unknown>);
  return { made: made as AnyTool, keys };
}

const lost = (): never => {
  throw new Error('connection lost');
};
const never = (): Promise<unknown> => new Promise(() => {});
const charged = (): string => 'charged';

async function run(made: AnyTool): Promise<{ portia: Portia; first: PlanRun }> {
  const portia = clientOf({ tools: [made] });
  return { portia, first: await portia.runPlan(plan) };
}

describe('a call of an unmarked tool that may have happened', () => {
  it.each([
    ['threw', lost, {}, 'charge threw Error: connection lost'],
    [
      'threw an error of the library that says nothing about it',
      () => {
        throw new PortiaError({ code: 'STORAGE_FAILED', message: 'disk full' });
      },
      {},
      'disk full',
    ],
    ['did not answer in time', never, { timeoutMs: 15 }, 'did not answer within 15 ms'],
  ] as const)('because it %s is put before a person', async (_how, behaviour, more, reason) => {
    const { made, keys } = charging([behaviour, charged], more);
    const { portia, first } = await run(made);
    expect(first.state).toBe('NEED_CLARIFICATION');
    expect(questionOf(first)).toMatchObject({
      category: 'Multiple Choice',
      argumentName: 'unknown_call',
      source: 'Effects ledger',
      options: ['call again', 'use a given result', 'stop'],
      userGuidance: expect.stringContaining(reason),
    });
    expect(await portia.storage.getClarifications(first.id)).toMatchObject([{ audience: 'operator' }]);
    expect(await portia.storage.getToolCalls(first.id)).toMatchObject([
      { status: 'UNKNOWN', reason: expect.stringContaining(reason), attempts: 1 },
    ]);
    expect(keys).toHaveLength(1);
  });

  it('is made again, with the same key, when the person says so', async () => {
    const { made, keys } = charging([lost, charged]);
    const { portia, first } = await run(made);
    const done = await answerAndResume(portia, first, 'call again');
    expect(done.outputs.finalOutput).toEqual({ value: 'charged', summary: null });
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
    expect(await portia.storage.getToolCalls(done.id)).toMatchObject([{ status: 'SUCCESS', attempts: 2 }]);
  });

  it('is asked about again each time it is lost again', async () => {
    const { made, keys } = charging([lost, lost, lost, charged]);
    const { portia, first } = await run(made);
    let waiting = first;
    for (const calls of [1, 2, 3]) {
      expect([waiting.state, keys.length]).toEqual(['NEED_CLARIFICATION', calls]);
      waiting = await answerAndResume(portia, waiting, 'call again');
    }
    expect([waiting.state, keys.length]).toEqual(['COMPLETE', 4]);
  });

  it('gets the result that the person gives', async () => {
    const { made, keys } = charging([lost]);
    const { portia, first } = await run(made);
    const second = await answerAndResume(portia, first, 'use a given result');
    expect(questionOf(second)).toMatchObject({ category: 'Input', argumentName: 'result', source: 'Effects ledger' });
    const done = await answerAndResume(portia, second, '{"id": 7}');
    expect(done.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { step_outputs: { $c: { value: { id: 7 } } } } });
    expect(keys).toHaveLength(1);
  });

  it('takes only a result that fits the tool, text that is no JSON as it is', async () => {
    const { made } = charging([lost], { outputSchema: z.object({ id: z.number() }) });
    const { portia, first } = await run(made);
    const second = await answerAndResume(portia, first, 'use a given result');
    const answer = (response: unknown): Promise<unknown> =>
      codeOf(portia.resolveClarification({ planRun: first, clarification: questionOf(second), response }));
    expect(await answer('no json')).toBe('CLARIFICATION_RESPONSE_INVALID');
    expect(await answer('{"id": "7"}')).toBe('CLARIFICATION_RESPONSE_INVALID');
    expect(await answer({ id: 7 })).toBe('nothing was thrown');
    expect((await portia.resume({ planRun: first })).state).toBe('COMPLETE');

    const plain = await run(charging([lost]).made);
    const asked = await answerAndResume(plain.portia, plain.first, 'use a given result');
    expect((await answerAndResume(plain.portia, asked, 'no json')).outputs.finalOutput).toEqual({
      value: 'no json',
      summary: null,
    });
  });

  it('stops the run when the person says so, and is asked about again when it is retried', async () => {
    const { made, keys } = charging([lost, charged]);
    const { portia, first } = await run(made);
    const stopped = await answerAndResume(portia, first, 'stop');
    expect(stopped.error).toMatchObject({ code: 'CALL_STOPPED', step: 0, toolCallId: '0.0.1' });
    const again = await portia.retry({ planRun: stopped });
    expect(questionOf(again)).toMatchObject({ argumentName: 'unknown_call' });
    expect((await answerAndResume(portia, again, 'call again')).state).toBe('COMPLETE');
    expect(new Set(keys).size).toBe(1);
  });

  it('takes a receipt that comes late, and withdraws the question', async () => {
    let give: (value: unknown) => void = () => {};
    const { made, keys } = charging(
      [
        () =>
          new Promise((resolve) => {
            give = resolve;
          }),
      ],
      { timeoutMs: 15 },
    );
    const { portia, first } = await run(made);
    expect(first.state).toBe('NEED_CLARIFICATION');
    give('charged after all');
    await expect.poll(async () => (await portia.storage.getPlanRun(first.id)).state).toBe('READY_TO_RESUME');
    const done = await portia.resume({ planRun: first });
    expect(done.outputs.finalOutput).toEqual({ value: 'charged after all', summary: null });
    expect(done.getOutstandingClarifications()).toEqual([]);
    expect(keys).toHaveLength(1);
  });

  it('takes a late receipt also while the person is being asked for the result', async () => {
    let give: (value: unknown) => void = () => {};
    const { made } = charging(
      [
        () =>
          new Promise((resolve) => {
            give = resolve;
          }),
      ],
      { timeoutMs: 15 },
    );
    const { portia, first } = await run(made);
    const second = await answerAndResume(portia, first, 'use a given result');
    expect(second.state).toBe('NEED_CLARIFICATION');
    give('charged after all');
    await expect.poll(async () => (await portia.storage.getPlanRun(first.id)).state).toBe('READY_TO_RESUME');
    expect((await portia.resume({ planRun: first })).outputs.finalOutput).toEqual({
      value: 'charged after all',
      summary: null,
    });
  });

  it('aborts the signal of the tool when its time is over', async () => {
    let aborted: unknown;
    const { made } = charging(
      [({ signal }) => new Promise(() => signal.addEventListener('abort', () => (aborted = signal.reason)))],
      { timeoutMs: 15 },
    );
    await run(made);
    expect(String(aborted)).toContain('timed out');
  });
});

describe('a tool that can look up its calls', () => {
  it('gives the receipt itself', async () => {
    const { made, keys } = charging([lost], {
      reconcile: (_args: never, { idempotencyKey }: ToolRunContext) => ({ found: idempotencyKey.length }),
    });
    const { first } = await run(made);
    expect(first.toJSON()).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $c: { value: { found: 43 } } } },
    });
    expect(keys).toHaveLength(1);
  });

  it('is called again when it says that nothing happened', async () => {
    const { made, keys } = charging([lost, charged], { reconcile: () => 'not-happened' });
    const { first } = await run(made);
    expect(first.outputs.finalOutput).toEqual({ value: 'charged', summary: null });
    expect(new Set(keys).size).toBe(1);
    expect(keys).toHaveLength(2);
  });

  it('is not called for ever when it keeps failing', async () => {
    const { made, keys } = charging([lost], { reconcile: () => 'not-happened' });
    const { first } = await run(made);
    expect(first.error).toMatchObject({ code: 'TOOL_FAILED', message: expect.stringContaining('connection lost') });
    expect(keys.length).toBeLessThanOrEqual(12);
  });

  const lookUps: readonly (readonly [string, () => unknown])[] = [
    ['does not know', () => 'unknown'],
    ['throws', lost],
    ['gives what does not fit', () => ({ other: 1 })],
    ['does not answer', never],
  ];
  it.each(lookUps)('leaves it to a person when it %s', async (_how, reconcile) => {
    const { made } = charging([lost], {
      reconcile: reconcile as never,
      outputSchema: z.object({ id: z.number() }),
      timeoutMs: 30,
    });
    const { first } = await run(made);
    expect(questionOf(first)).toMatchObject({ argumentName: 'unknown_call' });
  });
});

describe('a tool that is marked', () => {
  it('idempotent is called again with the same key, a few times', async () => {
    const { made, keys } = charging([lost, lost, charged], { idempotent: true });
    const { first } = await run(made);
    expect(first.state).toBe('COMPLETE');
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  it('idempotent fails after that, and a retry of the run goes on with the same key', async () => {
    const { made, keys } = charging([lost, lost, lost, charged], { idempotent: true });
    const { portia, first } = await run(made);
    expect(first.error).toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('connection lost'),
      toolCallId: '0.0.1',
    });
    expect(await portia.storage.getToolCalls(first.id)).toMatchObject([{ status: 'UNKNOWN', attempts: 3 }]);
    const done = await portia.retry({ planRun: first });
    expect(done.state).toBe('COMPLETE');
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
  });

  it('idempotent that hangs fails with TOOL_TIMEOUT', async () => {
    const { made } = charging([never], { idempotent: true, timeoutMs: 10 });
    expect((await run(made)).first.error?.code).toBe('TOOL_TIMEOUT');
  });

  it('readOnly is tried again softly, and never asked about', async () => {
    const { made, keys } = charging([lost, charged], { readOnly: true });
    const { first } = await run(made);
    expect(first.state).toBe('COMPLETE');
    expect(keys).toHaveLength(2);
    expect(first.outputs.clarifications).toEqual([]);
  });
});

describe('a tool that needs a long time', () => {
  it('may have as much as it says', async () => {
    for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 40]) {
      const { made } = charging([() => new Promise((resolve) => setTimeout(() => resolve('at last'), 15))], {
        timeoutMs,
      });
      expect((await run(made)).first.outputs.finalOutput).toEqual({ value: 'at last', summary: null });
    }
  });
});

describe('what a tool says for sure', () => {
  it('a soft error: nothing happened, so it may be tried again as a new call, up to four times', async () => {
    const soft = (): never => {
      throw new ToolSoftError('not yet');
    };
    const { made, keys } = charging([soft, soft, soft, charged]);
    expect((await run(made)).first.state).toBe('COMPLETE');
    expect(new Set(keys).size).toBe(4);
    const stubborn = charging([soft]);
    const { first } = await run(stubborn.made);
    expect(first.error).toMatchObject({ code: 'TOOL_RETRIES_EXHAUSTED', message: expect.stringContaining('not yet') });
    expect(stubborn.keys).toHaveLength(4);
  });

  it('a hard error: it failed for good', async () => {
    const { made, keys } = charging([
      () => {
        throw new ToolHardError('no such card');
      },
    ]);
    const { first } = await run(made);
    expect(first.error).toEqual({ code: 'TOOL_FAILED', message: 'no such card', step: 0, toolCallId: '0.0.1' });
    expect(keys).toHaveLength(1);
  });

  it('also when another copy of the library made the error', async () => {
    const foreign = new PortiaError({ code: 'TOOL_RETRIES_EXHAUSTED', message: 'not yet' });
    foreign.name = 'ToolSoftError';
    const { made, keys } = charging([
      () => {
        throw foreign;
      },
      charged,
    ]);
    expect((await run(made)).first.state).toBe('COMPLETE');
    expect(keys).toHaveLength(2);
  });

  it('a result that cannot be stored: the call was made, and a retry asks before it is made again', async () => {
    for (const [behaviour, more, code, words] of [
      [() => ({ rows: [1, new Map()] }), {}, 'OUTPUT_NOT_JSON', 'the result of charge.rows[1] is a Map'],
      [() => ({ id: 'x' }), { outputSchema: z.object({ id: z.number() }) }, 'OUTPUT_INVALID', 'id:'],
    ] as const) {
      const { made, keys } = charging([behaviour, () => ({ id: 7 })], more);
      const { portia, first } = await run(made);
      expect(first.error).toMatchObject({ code, message: expect.stringContaining(words) });
      expect(first.error?.message).toContain('the call itself was made');
      const again = await portia.retry({ planRun: first });
      expect(questionOf(again)).toMatchObject({
        argumentName: 'unknown_call',
        userGuidance: expect.stringContaining('the call itself was made'),
      });
      expect(keys).toHaveLength(1);
      expect((await answerAndResume(portia, again, 'call again')).state).toBe('COMPLETE');
      expect(new Set(keys).size).toBe(1);
    }
  });
});

describe('a receipt', () => {
  it('that another process stored is used by whoever drives the run next', async () => {
    const storage = memoryStorage();
    const { made, keys } = charging([lost]);
    const portia = clientOf({ tools: [made], storage });
    const waiting = await portia.runPlan(plan);
    await storage.putCommand(waiting.id, {
      type: 'receipt',
      key: '0.0.1',
      at: 1,
      outcome: { status: 'SUCCESS', value: 'from the other one' },
    });
    const done = await portia.resume({ planRun: waiting });
    expect(done.outputs.finalOutput).toEqual({ value: 'from the other one', summary: null });
    expect(keys).toHaveLength(1);
  });
});
