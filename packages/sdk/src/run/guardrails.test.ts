import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, planOf, questionOf } from '../../test/lib/engine.ts';
import type { Portia } from '../client.ts';
import { InputClarification, UserVerificationClarification } from '../core/clarification.ts';
import { ToolSoftError } from '../core/errors.ts';
import type { PlanV2 } from '../core/plan-v2.ts';
import type { AnyTool } from '../core/tool.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { text, toolCall } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import { combineHooks } from './approval-hooks.ts';
import { allowTools, redactPatterns } from './guardrails.ts';
import type { ExecutionHooks } from './hooks.ts';

const card = /\b\d{4}-\d{4}\b/;
const plan = planOf(
  { toolId: 'account', output: '$a', task: 'Look up 1111-2222' },
  { inputs: ['$a'], output: '$b', task: 'Say it' },
);

function account(calls: unknown[] = []): AnyTool {
  return tool({
    id: 'account',
    description: 'Looks up an account',
    argsSchema: z.object({ id: z.string() }),
    run(args) {
      calls.push(args);
      if (args.id === 'bad') throw new ToolSoftError('no account 9999-8888');
      return { owner: 'Ana', number: '3333-4444' };
    },
  });
}

async function journal(portia: Portia, id: string): Promise<string> {
  const events: unknown[] = [];
  for await (const event of portia.events(id)) events.push(event);
  return JSON.stringify(events);
}

describe('a hook before a model call', () => {
  it('sees what is sent, and what it changes is sent and stored', async () => {
    const seen: unknown[] = [];
    const model = scriptedModel([toolCall('account', { id: 'x' }), text('Ana'), text('Ana has an account')]);
    const hooks: ExecutionHooks = {
      beforeModelCall(call) {
        seen.push([call.purpose, call.step, call.model, call.tools.map(({ name }) => name)]);
        call.messages.push({ role: 'user', content: 'Be kind.' });
      },
    };
    const portia = clientOf({ tools: [account()], model, hooks });
    const run = await portia.runPlan(plan);
    expect(run.state).toBe('COMPLETE');
    expect(seen.slice(0, 2)).toEqual([
      ['execution', 0, 'scripted/model', ['account']],
      ['tool', 1, 'scripted/model', []],
    ]);
    for (const { messages } of model.requests) expect(messages.at(-1)).toEqual({ role: 'user', content: 'Be kind.' });
    expect((await journal(portia, run.id)).split('Be kind.')).toHaveLength(model.requests.length + 1);
  });

  it('may ask a person; after a yes the call is made once, after a no the step fails', async () => {
    for (const [response, state, calls] of [
      [true, 'COMPLETE', 2],
      [false, 'FAILED', 0],
    ] as const) {
      let asked = 0;
      const storage = memoryStorage();
      const model = scriptedModel([toolCall('account', { id: 'x' }), text('Ana')]);
      const hooks: ExecutionHooks = {
        beforeModelCall({ step }) {
          asked += 1;
          return step === 0 ? UserVerificationClarification({ userGuidance: 'May it be sent?' }) : undefined;
        },
      };
      const waiting = await clientOf({ tools: [account()], model, hooks, storage }).runPlan(plan);
      expect([waiting.state, model.requests.length, asked]).toEqual(['NEED_CLARIFICATION', 0, 1]);
      const run = await answerAndResume(clientOf({ tools: [account()], model, hooks, storage }), waiting, response);
      expect([run.state, run.error?.code, model.requests.length]).toEqual([
        state,
        response ? undefined : 'APPROVAL_REFUSED',
        calls,
      ]);
    }
  });

  it('is asked within the LLM tool too, and again after any other answer', async () => {
    const model = scriptedModel([text('done')]);
    let known = false;
    const hooks: ExecutionHooks = {
      beforeModelCall(call, run) {
        known = (run?.outputs.clarifications ?? []).some(({ resolved }) => resolved);
        if (!known) return InputClarification({ userGuidance: 'Which tone?', argumentName: 'tone' });
        call.messages.push({ role: 'user', content: 'kind' });
        return undefined;
      },
    };
    const portia = clientOf({ model, hooks });
    const waiting = await portia.runPlan(planOf({ output: '$x' }));
    expect(questionOf(waiting).userGuidance).toBe('Which tone?');
    expect((await answerAndResume(portia, waiting, 'kind')).state).toBe('COMPLETE');
    expect(model.requests).toHaveLength(1);
  });

  it('stops the step by throwing, with nothing sent', async () => {
    const model = scriptedModel([]);
    const hooks: ExecutionHooks = {
      beforeModelCall() {
        throw new Error('not today');
      },
    };
    const run = await clientOf({ tools: [account()], model, hooks }).runPlan(plan);
    expect([run.error?.code, model.requests.length]).toEqual(['HOOK_FAILED', 0]);
  });
});

describe('a hook after a model call', () => {
  it('changes an answer before it is stored and used', async () => {
    const calls: unknown[] = [];
    const model = scriptedModel([toolCall('account', { id: 'x' }), text('Ana')]);
    const hooks: ExecutionHooks = {
      afterModelCall(answer) {
        const [call] = answer.toolCalls ?? [];
        if (call) answer.toolCalls = [{ ...call, args: { id: 'y' } }];
        else answer.text += '!';
      },
    };
    const run = await clientOf({ tools: [account(calls)], model, hooks }).runPlan(plan);
    expect([calls, run.outputs.finalOutput?.value]).toEqual([[{ id: 'y' }], 'Ana!']);
  });

  it('may have a person look at an answer, which is paid once', async () => {
    for (const response of [true, false]) {
      const calls: unknown[] = [];
      let heard = 0;
      const model = scriptedModel([toolCall('account', { id: 'x' }), text('Ana')]);
      const hooks: ExecutionHooks = {
        afterModelCall(_answer, { step }) {
          heard += 1;
          return step === 0 ? UserVerificationClarification({ userGuidance: 'Good?' }) : undefined;
        },
      };
      const portia = clientOf({ tools: [account(calls)], model, hooks });
      const waiting = await portia.runPlan(plan);
      expect(calls).toEqual([]);
      const run = await answerAndResume(portia, waiting, response);
      expect([run.error?.code, calls.length, model.requests.length, heard]).toEqual(
        response ? [undefined, 1, 2, 2] : ['APPROVAL_REFUSED', 0, 1, 1],
      );
    }
  });
});

describe('redactPatterns', () => {
  it('keeps what it finds out of the record, of prompts and of outputs', async () => {
    const model = scriptedModel([
      toolCall('account', { id: 'bad' }),
      toolCall('account', { id: 'x' }),
      text('Ana, 5555-6666'),
    ]);
    const hooks = redactPatterns(card, { modelAnswers: true });
    const portia = clientOf({ tools: [account()], model, hooks });
    const run = await portia.runPlan(plan);
    expect(run.outputs.finalOutput?.value).toBe('Ana, [redacted]');
    const sent = JSON.stringify(model.requests);
    expect(sent).toContain('no account [redacted]');
    for (const secret of ['9999-8888', '3333-4444', '1111-2222']) expect(sent).not.toContain(secret);
    const record = await journal(portia, run.id);
    for (const secret of ['9999-8888', '3333-4444', '1111-2222', '5555-6666']) expect(record).not.toContain(secret);
  });

  it('lets nothing through when a hook of its kind breaks', async () => {
    const hooks: ExecutionHooks = {
      toolOutput() {
        throw new Error('3333-4444');
      },
    };
    const portia = clientOf({ tools: [account()], model: scriptedModel([toolCall('account', { id: 'x' })]), hooks });
    const run = await portia.runPlan(plan);
    expect(run.error?.code).toBe('HOOK_FAILED');
    expect(await journal(portia, run.id)).not.toContain('3333-4444');
  });
});

describe('allowTools', () => {
  const calls: unknown[] = [];
  const inner = new PlanBuilderV2('Inner')
    .invokeToolStep({ stepName: 'look', tool: 'account', args: { id: 'x' } })
    .build();
  const nested = new PlanBuilderV2('Outer').addSubPlan({ stepName: 'sub', plan: inner }).build() as unknown as PlanV2;
  const local = new PlanBuilderV2('Local')
    .functionStep({ stepName: 'own', args: {}, function: () => calls.push('own') })
    .build() as unknown as PlanV2;

  it('holds for every kind of step, and for whoever is not named', async () => {
    const hooks = combineHooks(allowTools({ ana: ['account'] }), { beforeToolCall: () => undefined });
    const portia = clientOf({ tools: [account(calls)], hooks });
    expect((await portia.runPlan(nested, { endUser: 'ana' })).state).toBe('COMPLETE');
    expect((await portia.runPlan(nested, { endUser: 'bo' })).error?.code).toBe('TOOL_NOT_ALLOWED');
    expect((await portia.runPlan(nested, { endUser: 'constructor' })).error?.code).toBe('TOOL_NOT_ALLOWED');
    expect((await portia.runPlan(local, { endUser: 'ana' })).error?.code).toBe('TOOL_NOT_ALLOWED');
    expect(calls).toEqual([{ id: 'x' }]);
  });

  it('is not for an agent to get round', async () => {
    const react = new PlanBuilderV2('React')
      .reactAgentStep({ stepName: 'work', task: 'Look', tools: ['account'] })
      .build() as unknown as PlanV2;
    const model = scriptedModel([toolCall('account', { id: 'x' }), toolCall('final_result', { result: 'got round' })]);
    const portia = clientOf({ tools: [account(calls)], model, hooks: allowTools(async () => []) });
    expect((await portia.runPlan(react)).error?.code).toBe('TOOL_NOT_ALLOWED');
    expect(model.requests).toHaveLength(1);
  });
});

describe('several hooks of a kind', () => {
  it('are asked in order, each sees what those before it changed', async () => {
    const model = scriptedModel([text('four 3333-4444')]);
    const hooks = combineHooks(
      redactPatterns(card, { modelAnswers: true }),
      {
        beforeModelCall: (call) => void call.messages.push({ role: 'user', content: 'one' }),
        afterModelCall: (answer) => void (answer.text += '!'),
        toolOutput: (_tool, output) => `${String(output)}?`,
      },
      { beforeModelCall: (call) => void call.messages.push({ role: 'user', content: 'two' }) },
    );
    const run = await clientOf({ model, hooks }).runPlan(planOf({ output: '$x' }));
    expect(run.outputs.finalOutput?.value).toBe('four [redacted]!?');
    expect(model.requests[0]?.messages.slice(-2).map(({ content }) => content)).toEqual(['one', 'two']);
  });
});
