import { jsonSchema, tool as aiTool } from '@ai-sdk/provider-utils';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../client.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { toolContext } from '../testing/tool-context.ts';
import { testTool } from '../testing/tool-contract.ts';
import { fromAiSdkTools } from './from-ai-sdk-tools.ts';
import { ToolRegistry } from './registry.ts';
import { argsJsonSchemaOf } from './tool.ts';

const seen: unknown[] = [];
const add = aiTool({
  description: 'Adds two numbers.',
  inputSchema: z.object({ a: z.number(), b: z.number().default(1) }),
  execute: ({ a, b }, { toolCallId }) => {
    seen.push(toolCallId);
    return a + b;
  },
});
const count = aiTool({
  description: 'Counts.',
  inputSchema: jsonSchema<{ to: number }>(
    { type: 'object', properties: { to: { type: 'integer' } }, required: ['to'] },
    {
      validate: (value) =>
        typeof (value as { to?: unknown }).to === 'number'
          ? { success: true, value: value as { to: number } }
          : { success: false, error: new Error('to is not a number') },
    },
  ),
  async *execute({ to }) {
    for (let n = 1; n <= to; n += 1) yield n;
  },
});

describe('tools of the AI SDK', () => {
  it('are called in a run, with the arguments their schema gives', async () => {
    const tools = new ToolRegistry(fromAiSdkTools({ add }));
    const plan = new PlanBuilderV2('Add').invokeToolStep({ tool: 'add', args: { a: 2 } }).build();
    const portia = new Portia({ tools });
    const run = await portia.runPlan(plan);
    expect([run.state, run.outputs.finalOutput?.value, seen.at(-1)]).toEqual(['COMPLETE', 3, 'step_0.0.1']);
    await portia.close();
  });

  it('show what they stream as progress, and give the last of it', async () => {
    const [tool] = fromAiSdkTools({ count });
    const progress: unknown[] = [];
    const context = toolContext({ onProgress: (value) => progress.push(value) });
    expect(await tool?.run({ to: 3 }, context)).toBe(3);
    expect(progress).toEqual([1, 2, 3]);
    expect(tool && argsJsonSchemaOf(tool)).toMatchObject({ properties: { to: { type: 'integer' } } });
  });

  it('end their stream when the call was given up', async () => {
    let closed = false;
    const endless = aiTool({
      inputSchema: z.object({}),
      async *execute() {
        try {
          for (let n = 0; ; n += 1) yield await Promise.resolve(n);
        } finally {
          closed = true;
        }
      },
    });
    const [tool] = fromAiSdkTools({ endless });
    const giving = new AbortController();
    const context = toolContext({
      signal: giving.signal,
      onProgress: (n) => n === 3 && giving.abort(new Error('over')),
    });
    await expect(tool?.run({}, context)).rejects.toThrow('over');
    expect(closed).toBe(true);
  });

  it('have effects unless they are marked', () => {
    const [plain] = fromAiSdkTools({ add });
    const [marked] = fromAiSdkTools({ add }, { add: { readOnly: true, timeoutMs: 5 } });
    expect([plain?.readOnly, marked?.readOnly, marked?.timeoutMs]).toEqual([undefined, true, 5]);
  });

  it('are refused without execute, and with a schema nobody can read', () => {
    expect(() => fromAiSdkTools({ x: aiTool({ inputSchema: z.object({}) }) })).toThrowError(/"x" cannot be used/);
    expect(() => fromAiSdkTools({ x: { inputSchema: 7, execute: () => 1 } })).toThrowError(/inputSchema/);
  });

  const [first, second] = fromAiSdkTools({ add, count }, { add: { readOnly: true } });
  if (first) testTool(first, { valid: [{ a: 1 }], invalid: [{}, { a: 'x' }] }, { describe, it, expect });
  if (second) testTool(second, { valid: [{ to: 2 }], invalid: [{ to: 'x' }, 7] }, { describe, it, expect });
});
