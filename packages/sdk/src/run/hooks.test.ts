import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, planOf } from '../../test/lib/engine.ts';
import { InputClarification, UserVerificationClarification } from '../core/clarification.ts';
import { PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { isInMemory } from '../core/output.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { object, text, toolCall, together } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import type { ExecutionHooks } from './hooks.ts';

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });
const broken = tool({
  id: 'broken',
  description: 'fails',
  run: () => {
    throw new ToolHardError('broken');
  },
});
const plan = planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b' });

/** Hooks that write down when they are called; `but` does more. */
function noting(log: string[], but: Partial<ExecutionHooks> = {}): ExecutionHooks {
  return {
    beforePlanRun: (...args) => {
      log.push('before run');
      return but.beforePlanRun?.(...args);
    },
    beforeStepExecution: (...args) => {
      log.push(`before ${args[2].output}`);
      return but.beforeStepExecution?.(...args);
    },
    beforeToolCall: (...args) => {
      log.push(`before call ${args[0].id}`);
      return but.beforeToolCall?.(...args);
    },
    afterToolCall: (...args) => {
      log.push(`after call ${args[0].id}: ${JSON.stringify(args[1])}`);
      return but.afterToolCall?.(...args);
    },
    afterStepExecution: (...args) => {
      const output = args[3];
      log.push(`after ${args[2].output}: ${isInMemory(output) ? 'in memory' : JSON.stringify(output.value)}`);
      return but.afterStepExecution?.(...args);
    },
    afterPlanRun: (...args) => {
      const output = args[2];
      log.push(
        `after run ${args[1].state}: ${output && !isInMemory(output) ? JSON.stringify(output.value) : 'nothing'}`,
      );
      return but.afterPlanRun?.(...args);
    },
  };
}

const boom = (): never => {
  throw new Error('boom');
};
const ownCode = (): never => {
  throw new PortiaError({ code: 'INPUT_INVALID', message: 'not these' });
};

describe('hooks', () => {
  it('are called in order', async () => {
    const log: string[] = [];
    await clientOf({ tools: [one], hooks: noting(log) }).runPlan(plan);
    expect(log).toEqual([
      'before run',
      ...['$a', '$b'].flatMap((output) => [
        `before ${output}`,
        'before call one',
        'after call one: 1',
        `after ${output}: 1`,
      ]),
      'after run COMPLETE: 1',
    ]);
  });

  it('are called after the condition was judged, and not at all for a step that it skips', async () => {
    const log: string[] = [];
    const model = scriptedModel((_request, n) => {
      log.push(`model ${n}`);
      return object({ outcome: n === 1 ? 'CONTINUE' : 'SKIP', reason: 'so' });
    });
    await clientOf({ tools: [one], model, hooks: noting(log) }).runPlan(
      planOf({ toolId: 'one', output: '$a', condition: 'yes' }, { toolId: 'one', output: '$b', condition: 'no' }),
    );
    expect(log).toEqual([
      'before run',
      'model 1',
      'before $a',
      'before call one',
      'after call one: 1',
      'after $a: 1',
      'model 2',
      'after run COMPLETE: 1',
    ]);
  });

  it('hear of a failed step with its error, and then of the end', async () => {
    const log: string[] = [];
    await clientOf({ tools: [one, broken], hooks: noting(log) }).runPlan(
      planOf({ toolId: 'one', output: '$a' }, { toolId: 'broken', output: '$b' }),
    );
    expect(log.slice(-4)).toEqual([
      'before $b',
      'before call broken',
      'after $b: "broken"',
      'after run FAILED: "broken"',
    ]);
  });

  it('around tool calls are called for each call, soft failures with none after', async () => {
    const log: string[] = [];
    const add = tool({
      id: 'add',
      description: 'x',
      argsSchema: z.object({ a: z.number() }),
      run({ a }) {
        if (a === 1) throw new ToolSoftError('not 1');
        return a;
      },
    });
    const model = scriptedModel([
      toolCall('add', { a: 1 }),
      together(toolCall('add', { a: 2 }), toolCall('add', { a: 3 })),
      text('sum'),
    ]);
    await clientOf({ tools: [add], model, hooks: noting(log) }).runPlan(planOf({ toolId: 'add', output: '$a' }));
    expect(log).toEqual([
      'before run',
      'before $a',
      'before call add',
      'before call add',
      'before call add',
      'after call add: 2',
      'after call add: 3',
      'after $a: [2,3]',
      'after run COMPLETE: [2,3]',
    ]);
  });

  it('are not called again for what the record shows as passed, when a waiting run is resumed elsewhere', async () => {
    const storage = memoryStorage();
    const log: string[] = [];
    const charge = tool({ id: 'charge', description: 'x', argsSchema: z.object({ n: z.number() }), run: ({ n }) => n });
    const model = scriptedModel([together(toolCall('charge', { n: 1 }), toolCall('charge', { n: 2 })), text('sum')]);
    const hooks = (): ExecutionHooks =>
      noting(log, {
        beforeToolCall: (_tool, args) =>
          args['n'] === 2 ? UserVerificationClarification({ userGuidance: 'ok?' }) : undefined,
      });
    const waiting = await clientOf({ tools: [charge], model, storage, hooks: hooks() }).runPlan(
      planOf({ toolId: 'charge', output: '$a' }),
    );
    expect(log).toEqual(['before run', 'before $a', 'before call charge', 'before call charge']);
    log.length = 0;
    await answerAndResume(clientOf({ tools: [charge], model, storage, hooks: hooks() }), waiting, true);
    expect(log).toEqual([
      'after call charge: 1',
      'after call charge: 2',
      'after $a: [1,2]',
      'after run COMPLETE: [1,2]',
    ]);
  });

  it('after a call are not called again either when the agent went on to ask a person', async () => {
    const log: string[] = [];
    const charge = tool({ id: 'charge', description: 'x', argsSchema: z.object({ n: z.number() }), run: ({ n }) => n });
    const asksPerson = toolCall('clarification_tool', { argument_name: 'n' });
    const model = scriptedModel([together(toolCall('charge', { n: 1 }), asksPerson), text('sum')]);
    const portia = clientOf({ tools: [charge], model, hooks: noting(log) });
    const waiting = await portia.runPlan(planOf({ toolId: 'charge', output: '$a' }));
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    await answerAndResume(portia, waiting, 3);
    expect(log.filter((line) => line.startsWith('after call'))).toEqual(['after call charge: 1']);
  });

  it('may be called again for the beginning while nothing of the run is on record', async () => {
    const log: string[] = [];
    let throws = true;
    const hooks = noting(log, { beforePlanRun: () => (throws ? boom() : undefined) });
    const portia = clientOf({ tools: [one], hooks });
    const failed = await portia.runPlan(plan);
    expect(failed.error).toEqual({ code: 'HOOK_FAILED', message: 'a hook threw Error: boom' });
    expect(failed.outputs.stepOutputs).toEqual({});
    throws = false;
    expect((await portia.retry({ planRun: failed })).state).toBe('COMPLETE');
    expect(log.filter((line) => line === 'before run')).toHaveLength(2);
  });

  it('for the beginning are called once for a run that waits in its first step', async () => {
    const log: string[] = [];
    const asker = tool<JsonObject, JsonValue>({
      id: 'asker',
      description: 'x',
      run: (_args, { clarifications }) =>
        clarifications[0]?.response ?? InputClarification({ userGuidance: '?', argumentName: 'a' }),
    });
    const portia = clientOf({ tools: [asker], hooks: noting(log) });
    await answerAndResume(portia, await portia.runPlan(planOf({ toolId: 'asker', output: '$a' })), 1);
    expect(log.filter((line) => line === 'before run')).toHaveLength(1);
    expect(log.filter((line) => line === 'before $a')).toHaveLength(1);
  });
});

describe('a hook that throws', () => {
  it.each([
    ['beforePlanRun', ['before run', 'after run FAILED: "a hook threw Error: boom"'], undefined],
    [
      'beforeStepExecution',
      [
        'before run',
        'before $a',
        'after $a: "a hook threw Error: boom"',
        'after run FAILED: "a hook threw Error: boom"',
      ],
      0,
    ],
    [
      'beforeToolCall',
      ['before run', 'before $a', 'before call one', 'after $a: "boom"', 'after run FAILED: "boom"'],
      0,
    ],
    [
      'afterToolCall',
      [
        'before run',
        'before $a',
        'before call one',
        'after call one: 1',
        'after $a: "boom"',
        'after run FAILED: "boom"',
      ],
      0,
    ],
    [
      'afterStepExecution',
      [
        'before run',
        'before $a',
        'before call one',
        'after call one: 1',
        'after $a: 1',
        'after run FAILED: "a hook threw Error: boom"',
      ],
      undefined,
    ],
  ] as const)('in %s fails the run with HOOK_FAILED', async (name, expected, step) => {
    const log: string[] = [];
    const run = await clientOf({ tools: [one], hooks: noting(log, { [name]: boom }) }).runPlan(plan);
    expect(run.error).toMatchObject({ code: 'HOOK_FAILED', ...(step !== undefined && { step }) });
    expect(log).toEqual(expected);
  });

  it.each(['beforePlanRun', 'beforeStepExecution', 'beforeToolCall', 'afterToolCall', 'afterStepExecution'] as const)(
    'an error with a code in %s fails the run with that code',
    async (name) => {
      const run = await clientOf({ tools: [one], hooks: { [name]: ownCode } }).runPlan(plan);
      expect(run.error).toMatchObject({ code: 'INPUT_INVALID', message: 'not these' });
    },
  );

  it('an error of the store fails the run, too: it says nothing about the store of the run', async () => {
    const hooks: ExecutionHooks = {
      beforeStepExecution: () => {
        throw new PortiaError({ code: 'STORAGE_FAILED', message: 'my own database' });
      },
    };
    expect((await clientOf({ tools: [one], hooks }).runPlan(plan)).error).toMatchObject({
      code: 'STORAGE_FAILED',
      message: 'my own database',
    });
  });

  it('in afterPlanRun changes nothing any more', async () => {
    expect((await clientOf({ tools: [one], hooks: { afterPlanRun: boom } }).runPlan(plan)).state).toBe('COMPLETE');
    const failed = await clientOf({ tools: [broken], hooks: { afterPlanRun: boom, afterStepExecution: boom } }).runPlan(
      planOf({ toolId: 'broken', output: '$a' }),
    );
    expect(failed.error?.code).toBe('TOOL_FAILED');
  });

  it('in afterStepExecution leaves the output of the step, and a retry goes on after it', async () => {
    let throws = true;
    const portia = clientOf({ tools: [one], hooks: { afterStepExecution: () => (throws ? boom() : undefined) } });
    const failed = await portia.runPlan(plan);
    expect(failed.outputs.stepOutputs).toEqual({ $a: { value: 1, summary: null } });
    throws = false;
    const done = await portia.retry({ planRun: failed });
    expect(done.state).toBe('COMPLETE');
    expect(Object.keys(done.outputs.stepOutputs)).toEqual(['$a', '$b']);
  });
});

describe('beforeStepExecution', () => {
  it('may leave a step out: no output, no hook after it', async () => {
    const log: string[] = [];
    const hooks = noting(log, {
      beforeStepExecution: (_plan, _run, step) => (step.output === '$a' ? 'SKIP' : undefined),
    });
    const run = await clientOf({ tools: [one], hooks }).runPlan(plan);
    expect(run.outputs.stepOutputs).toEqual({ $b: { value: 1, summary: null } });
    expect(log).toEqual([
      'before run',
      'before $a',
      'before $b',
      'before call one',
      'after call one: 1',
      'after $b: 1',
      'after run COMPLETE: 1',
    ]);
  });

  it('that leaves every step out leaves a run without a final output, and afterPlanRun is not called', async () => {
    const log: string[] = [];
    const run = await clientOf({ tools: [one], hooks: noting(log, { beforeStepExecution: () => 'SKIP' }) }).runPlan(
      plan,
    );
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.finalOutput).toBeNull();
    expect(log).toEqual(['before run', 'before $a', 'before $b']);
  });

  it('that leaves out what a later step needs makes that step fail early', async () => {
    const hooks: ExecutionHooks = {
      beforeStepExecution: (_plan, _run, step) => (step.output === '$a' ? 'SKIP' : 'CONTINUE'),
    };
    const run = await clientOf({ tools: [one], hooks }).runPlan(
      planOf({ toolId: 'one', output: '$a' }, { output: '$b', inputs: ['$a'] }),
    );
    expect(run.error).toMatchObject({ code: 'INPUT_MISSING', step: 1, message: expect.stringContaining('$a') });
  });
});

describe('beforeToolCall', () => {
  it('asked first and answered is asked again, and sees the answer', async () => {
    const calls: unknown[] = [];
    const pay = tool({
      id: 'pay',
      description: 'x',
      argsSchema: z.object({ to: z.string() }),
      run: (args) => calls.push(args),
    });
    const hooks: ExecutionHooks = {
      beforeToolCall(_tool, args, planRun) {
        const answered = planRun.outputs.clarifications.find(({ resolved }) => resolved);
        if (!answered) return InputClarification({ userGuidance: 'to whom really?', argumentName: 'to' });
        args['to'] = answered.response as JsonValue;
        return undefined;
      },
    };
    const portia = clientOf({ tools: [pay], model: scriptedModel([toolCall('pay', { to: 'x' })]), hooks });
    const waiting = await portia.runPlan(planOf({ toolId: 'pay', output: '$a' }));
    expect((await answerAndResume(portia, waiting, 'bob')).state).toBe('COMPLETE');
    expect(calls).toEqual([{ to: 'bob' }]);
  });

  it('may change arguments in place; what does not fit any more never reaches the tool', async () => {
    const calls: unknown[] = [];
    const pay = tool({
      id: 'pay',
      description: 'x',
      argsSchema: z.object({ to: z.string() }),
      run: (args) => calls.push(args),
    });
    const portia = clientOf({
      tools: [pay],
      model: scriptedModel((_request, n) => toolCall('pay', { to: `x${n}` })),
      hooks: { beforeToolCall: (_tool, args) => void (args['to'] = 7) },
    });
    const run = await portia.runPlan(planOf({ toolId: 'pay', output: '$a' }));
    expect(run.error?.code).toBe('TOOL_ARGS_INVALID');
    expect(calls).toEqual([]);
  });
});

describe('what hooks see', () => {
  it('cannot be changed by them', async () => {
    const attempts: string[] = [];
    const attempt = (what: string, change: () => void): void => {
      try {
        change();
        attempts.push(`${what} was changed`);
      } catch {
        attempts.push(what);
      }
    };
    const hooks: ExecutionHooks = {
      afterStepExecution(seenPlan, run, step, output) {
        attempt('plan', () => void ((seenPlan.steps as unknown[])[0] = null));
        attempt('run', () => void ((run as { state: string }).state = 'COMPLETE'));
        attempt('outputs', () => void ((run.outputs.stepOutputs as Record<string, unknown>)['$a'] = null));
        attempt('step', () => void ((step as { task: string }).task = 'other'));
        attempt('output', () => void ((output as { value: unknown }).value = 'other'));
      },
    };
    const list = tool({
      id: 'list',
      description: 'x',
      readOnly: true,
      argsSchema: z.object({ n: z.number() }),
      run: ({ n }) => [n],
    });
    const model = scriptedModel([together(toolCall('list', { n: 1 }), toolCall('list', { n: 2 })), text('two')]);
    await clientOf({
      tools: [list],
      model,
      hooks: {
        ...hooks,
        afterPlanRun: (_plan, run) =>
          attempt('a list', () => void (run.outputs.stepOutputs['$a'] as unknown as { value: number[] }).value.push(3)),
      },
    }).runPlan(planOf({ toolId: 'list', output: '$a' }));
    expect(attempts).toEqual(['plan', 'run', 'outputs', 'step', 'output', 'a list']);
  });
});
