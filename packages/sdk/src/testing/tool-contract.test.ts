import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputClarification } from '../core/clarification.ts';
import type { AnyTool, Tool } from '../core/tool.ts';
import { tool } from '../tool/tool.ts';
import { toolContext } from './tool-context.ts';
import { testTool, type ToolTestCases } from './tool-contract.ts';

/** Runs the suite in a framework of its own, and gives the names of the tests that failed. */
async function failuresOf(candidate: AnyTool, cases: Partial<ToolTestCases<unknown>> = {}): Promise<string[]> {
  const tests: [string, () => void | Promise<void>][] = [];
  const framework = {
    describe: (_name: string, body: () => void) => body(),
    it: (name: string, body: () => void | Promise<void>) => tests.push([name, body]),
    expect,
  };
  testTool(candidate as Tool<unknown, unknown>, { valid: [{ n: 1 }], invalid: [{ n: 'x' }], ...cases }, framework);
  const failed: string[] = [];
  for (const [name, body] of tests) {
    try {
      await body();
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

const argsSchema = z.object({ n: z.number() });
const good = tool({ id: 'good', description: 'Adds one.', argsSchema, readOnly: true, run: ({ n }) => n + 1 });
testTool(good, { valid: [{ n: 1 }], invalid: [{}, { n: '1' }] }, { describe, it, expect });

describe('the suite for tools', () => {
  it('passes tools that keep the contract, with their marks', async () => {
    const kept = new Map<string, number>();
    const pay = tool({
      id: 'pay',
      description: 'Pays once per key.',
      argsSchema,
      idempotent: true,
      run(_args, { idempotencyKey }) {
        if (!kept.has(idempotencyKey)) kept.set(idempotencyKey, kept.size);
        return kept.get(idempotencyKey) ?? -1;
      },
      reconcile: (_args, { idempotencyKey }) => kept.get(idempotencyKey) ?? 'not-happened',
    });
    const asking = tool({
      id: 'ask',
      description: 'Asks.',
      argsSchema,
      run: () => InputClarification({ userGuidance: '?', argumentName: 'n' }),
    });
    const foreign = tool({
      id: 'mcp',
      description: 'Foreign.',
      argsJsonSchema: { type: 'object', properties: { n: {} } },
      run: () => [],
    });
    expect(await failuresOf(pay)).toEqual([]);
    expect(await failuresOf(asking)).toEqual([]);
    expect(await failuresOf(foreign, { invalid: [{ other: 1 }] })).toEqual([]);
  });

  const registered = 'can be registered and shown to a model';
  const fits = 'refuses arguments that do not fit, and takes those that do';
  const json = 'gives JSON that fits its output schema, or clarifications';
  const stops = 'settles soon after it is told to stop';
  const marks = 'has marks that are true of it';
  let calls = 0;

  it.each<[string, AnyTool, string[]]>([
    ['an id with a comma', { ...good, id: 'a,b' }, [registered]],
    ['no description', { ...good, description: ' ' }, [registered]],
    ['a schema that takes anything', { ...good, argsSchema: z.object({ n: z.any() }), run: () => 1 }, [fits]],
    ['a schema that takes nothing', { ...good, argsSchema: z.object({ n: z.never() }), run: () => 1 }, [fits]],
    ['a result that is not JSON', { ...good, run: () => 1n }, [json]],
    ['a result that does not fit', { ...good, outputSchema: z.string() }, [json]],
    ['a tool that throws', { ...good, run: () => Promise.reject(new Error('no')) }, [json, marks]],
    ['a readOnly tool with reconcile', { ...good, reconcile: () => 'unknown' }, [marks]],
    [
      'an idempotent tool that counts',
      { ...good, readOnly: false, idempotent: true, run: () => (calls += 1) },
      [marks],
    ],
    ['a reconcile that denies what happened', { ...good, readOnly: false, reconcile: () => 'not-happened' }, [marks]],
    ['a readOnly tool that cannot be called twice', { ...good, run: onceOnly() }, [marks]],
  ])('fails %s', async (_what, candidate, failed) => {
    expect(await failuresOf(candidate)).toEqual(failed);
  });

  /** Takes a second call only with another key. */
  function onceOnly(): AnyTool['run'] {
    const seen = new Set<string>();
    return (_args, { idempotencyKey }) => {
      if (seen.has(idempotencyKey)) throw new Error('already called');
      seen.add(idempotencyKey);
      return 1;
    };
  }

  it('fails a tool that does not stop', async () => {
    let release = (): void => {};
    const late = (signal: AbortSignal): Promise<number> =>
      new Promise((resolve) => {
        release = () => resolve(1);
        if (!signal.aborted) signal.addEventListener('abort', () => setTimeout(release, 1_000).unref());
      });
    let n = 0;
    const stubborn: AnyTool = {
      ...good,
      run(_args, { signal }) {
        n += 1;
        return n === 2 ? late(signal) : 1;
      },
    };
    expect(await failuresOf(stubborn, { patienceMs: 100 })).toEqual([stops]);
    release();
  });
});

describe('toolContext', () => {
  it('is a context of its own run, with what is given', async () => {
    const seen: unknown[] = [];
    const context = toolContext({
      callId: '1.0.2',
      onProgress: (progress) => seen.push(progress),
      onUpdateEndUser: (data) => seen.push(data),
    });
    context.progress(0.5);
    context.updateEndUser({ city: 'Rome' });
    expect(seen).toEqual([0.5, { city: 'Rome' }]);
    expect(context.callId).toBe('1.0.2');
    expect(context.endUser.externalId).toBe('portia:default_user');
    expect(context.idempotencyKey).not.toBe(toolContext({ callId: '1.0.2' }).idempotencyKey);
    expect(() => context.model()).toThrow('this context has no model');
  });
});
