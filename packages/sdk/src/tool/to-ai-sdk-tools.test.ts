import { asSchema, executeTool, type Tool as AiTool } from '@ai-sdk/provider-utils';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ActionClarification } from '../core/clarification.ts';
import { type PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { AnyTool } from '../core/tool.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { text } from '../testing/script.ts';
import { fromAiSdkTools } from './from-ai-sdk-tools.ts';
import { ToolRegistry } from './registry.ts';
import { type ToAiSdkOptions, toAiSdkTools } from './to-ai-sdk-tools.ts';
import { tool } from './tool.ts';

const days: unknown[] = [];
const weather = tool({
  id: 'weather:look up',
  name: 'Weather',
  description: 'The weather of a day.',
  argsSchema: z.object({ day: z.string().transform((day) => new Date(day)), city: z.string().default('Rome') }),
  readOnly: true,
  run({ day, city }, ctx) {
    days.push(day);
    ctx.progress({ done: 0.5 });
    return `Rain in ${city} for ${ctx.endUser.externalId}`;
  },
});
const keys: string[] = [];
const pay = tool({
  id: 'pay',
  description: 'Pays.',
  argsSchema: z.object({ amount: z.number() }),
  run({ amount }, ctx) {
    keys.push(ctx.idempotencyKey);
    if (amount < 0) throw new Error('connection lost');
    return { paid: amount };
  },
});

/** As `generateText` does it: the arguments are checked by the tool's schema, then handed to execute. */
async function call(
  tools: Iterable<AnyTool>,
  name: string,
  input: unknown,
  options: ToAiSdkOptions = {},
  id = 'call_1',
) {
  const made: AiTool | undefined = toAiSdkTools(tools, options)[name];
  if (!made?.execute) throw new Error(`no tool is called ${name}`);
  const checked = await asSchema(made.inputSchema).validate?.(input);
  if (!checked?.success) throw checked?.error ?? new Error('not checked');
  const parts = executeTool({
    execute: made.execute.bind(made),
    input: checked.value,
    options: { toolCallId: id, messages: [] },
  });
  for await (const part of parts) if (part.type === 'final') return part.output;
  throw new Error('the tool gave nothing');
}
const failure = (promise: Promise<unknown>): Promise<PortiaError> =>
  promise.then(
    (value) => Promise.reject(new Error(`gave ${JSON.stringify(value)}`)),
    (error: PortiaError) => error,
  );

describe('tools for the AI SDK', () => {
  it('are called with what their schema gives, under a name models accept', async () => {
    const progress: unknown[] = [];
    const options: ToAiSdkOptions = { endUser: 'ada', onProgress: (...told) => progress.push(told) };
    const registry = new ToolRegistry([weather]);
    expect(await call(registry, 'weather_look_up', { day: '2026-01-02' }, options)).toBe('Rain in Rome for ada');
    expect(days.at(-1)).toEqual(new Date('2026-01-02'));
    expect(progress).toEqual([['weather:look up', { done: 0.5 }]]);
    const made = toAiSdkTools(registry)['weather_look_up'];
    expect(made).toMatchObject({ title: 'Weather', description: 'The weather of a day.' });
    expect(await asSchema(made?.inputSchema as never).jsonSchema).toMatchObject({
      required: ['day'],
      properties: { day: { type: 'string' } },
    });
    await expect(call(registry, 'weather_look_up', { day: 7 })).rejects.toThrow(/day/);
  });

  it('are the same tools again on the way back', async () => {
    const [back] = fromAiSdkTools(toAiSdkTools([weather]) as never, { weather_look_up: { readOnly: true } });
    expect(await call([back as AnyTool], 'weather_look_up', { day: '2026-01-02' })).toContain('Rain in Rome');
  });

  it('with effects are refused unless each call is allowed, by the literal true', async () => {
    const made = keys.length;
    expect(await failure(call([pay], 'pay', { amount: 1 }))).toMatchObject({
      code: 'APPROVAL_REFUSED',
      message: expect.stringContaining('it was not made'),
    });
    for (const answer of [false, 'yes', 1, undefined]) {
      const approve = (() => answer) as never;
      expect(await failure(call([pay], 'pay', { amount: 1 }, { approve }))).toMatchObject({ code: 'APPROVAL_REFUSED' });
    }
    expect(keys.length).toBe(made);
    const asked: unknown[] = [];
    const approve: ToAiSdkOptions['approve'] = ({ tool, args, toolCallId }) => {
      asked.push([tool.id, args, toolCallId]);
      return true;
    };
    expect(await call([pay], 'pay', { amount: 1 }, { approve })).toEqual({ paid: 1 });
    expect(asked).toEqual([['pay', { amount: 1 }, 'call_1']]);
  });

  it('have one key for each call of a conversation', async () => {
    keys.length = 0;
    const here = { approve: () => true, conversationId: 'c1' };
    await call([pay], 'pay', { amount: 1 }, here, 'a');
    await call([pay], 'pay', { amount: 1 }, here, 'a');
    await call([pay], 'pay', { amount: 1 }, here, 'b');
    await call([pay], 'pay', { amount: 1 }, { ...here, conversationId: 'c2' }, 'a');
    expect(keys[0]).toBe(keys[1]);
    expect(new Set(keys).size).toBe(3);
  });

  it('that ask somebody, or want somebody to sign in, are refused with what they ask', async () => {
    const question = ActionClarification({ userGuidance: 'Please sign in', actionUrl: 'https://a.example/login' });
    const asks = tool({ id: 'asks', description: 'Asks.', readOnly: true, run: () => question });
    const signIn = tool({
      id: 'asks',
      description: 'Asks.',
      readOnly: true,
      ready: () => ({ ready: false, clarifications: [question] }),
      run: () => 'never',
    });
    for (const one of [asks, signIn] as AnyTool[]) {
      const error = await failure(call([one], 'asks', {}));
      expect(error).toMatchObject({ code: 'PERSON_NEEDED', message: expect.stringContaining('Please sign in') });
      expect(error.details?.['clarifications']).toMatchObject([
        { category: 'Action', action_url: 'https://a.example/login' },
      ]);
    }
    const broken = tool({ ...signIn, ready: () => ({ ready: false }) } as never) as AnyTool;
    expect(await failure(call([broken], 'asks', {}))).toMatchObject({ code: 'TOOL_NOT_READY' });
  });

  it('say whether a call that failed may have happened', async () => {
    const approve = (): boolean => true;
    const lost = await failure(call([pay], 'pay', { amount: -1 }, { approve }));
    expect(lost).toMatchObject({ code: 'TOOL_FAILED', message: expect.stringContaining('not known whether') });
    const thrown = (error: Error): AnyTool =>
      tool({ id: 'x', description: 'Fails.', run: () => Promise.reject(error) }) as AnyTool;
    const [soft, hard] = [new ToolSoftError('try later'), new ToolHardError('no')];
    expect((await failure(call([thrown(soft)], 'x', {}, { approve }))).message).toBe('try later');
    expect((await failure(call([thrown(hard)], 'x', {}, { approve }))).message).toBe('no');
  });

  it('keep their time, their retry and their result schema', async () => {
    let attempts = 0;
    const flaky = tool({
      id: 'flaky',
      description: 'Fails at first.',
      readOnly: true,
      retry: { maxAttempts: 3, delayMs: 0 },
      run: (_args, ctx) => {
        attempts += 1;
        if (attempts < 3) throw new Error('busy');
        return ctx.attempt;
      },
    });
    expect(await call([flaky], 'flaky', {})).toBe(3);
    const slow = tool({
      id: 'slow',
      description: 'Waits.',
      timeoutMs: 10,
      readOnly: true,
      run: () => new Promise(() => {}),
    });
    expect(await failure(call([slow], 'slow', {}))).toMatchObject({ code: 'TOOL_TIMEOUT' });
    const wrong = tool({
      id: 'wrong',
      description: 'Lies.',
      readOnly: true,
      outputSchema: z.number(),
      run: () => 'x' as never,
    });
    expect(await failure(call([wrong], 'wrong', {}))).toMatchObject({ code: 'OUTPUT_INVALID' });
  });

  it('ask the model that is given, and none otherwise', async () => {
    const thinks = tool({
      id: 'thinks',
      description: 'Thinks.',
      readOnly: true,
      run: async (_args, ctx) => (await ctx.model().generate({ messages: [{ role: 'user', content: 'hm' }] })).text,
    });
    expect(await call([thinks], 'thinks', {}, { model: scriptedModel([text('aha')]) })).toBe('aha');
    expect(await failure(call([thinks], 'thinks', {}))).toMatchObject({ code: 'TOOL_FAILED' });
  });

  it('refuse two that would have one name', () => {
    const named = (id: string): AnyTool => tool({ id, description: 'x', run: () => 1 });
    expect(() => toAiSdkTools([named('a:b'), named('a.b')])).toThrowError(
      expect.objectContaining({ code: 'TOOL_DUPLICATE' }),
    );
  });
});
