import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, questionOf } from '../../../test/lib/engine.ts';
import { Portia } from '../../client.ts';
import { Config } from '../../config/config.ts';
import { contentText } from '../../core/content.ts';
import type { Model } from '../../core/model.ts';
import { Input } from '../../core/reference.ts';
import type { AnyTool } from '../../core/tool.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import { memoryStorage } from '../../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../storage/storage-backend.ts';
import { crashingStorage } from '../../testing/crashing-storage.ts';
import { text, toolCall, together } from '../../testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../../testing/scripted-model.ts';
import { tool } from '../../tool/tool.ts';
import { clarifyOnAllToolCalls } from '../approval-hooks.ts';
import type { ExecutionHooks } from '../hooks.ts';

interface Setting {
  readonly model: Model;
  readonly tools: readonly AnyTool[];
  readonly storage?: StorageBackend;
  readonly hooks?: ExecutionHooks;
  readonly limit?: number;
  readonly asks?: boolean;
  readonly note?: string;
}

const planWith = ({ tools, limit = 25, asks = false, note = '' }: Setting) =>
  new PlanBuilderV2('find out')
    .input({ name: 'note', defaultValue: note })
    .reactAgentStep({
      stepName: 'found',
      task: 'Find out.',
      inputs: [Input('note')],
      tools: [...tools],
      toolCallLimit: limit,
      allowAgentClarifications: asks,
    })
    .build();

function client(setting: Setting): Portia {
  const { model, storage = memoryStorage(), hooks = {} } = setting;
  const config = new Config({ storage, models: { default: model } });
  return new Portia({ config, plans: [planWith(setting)], executionHooks: hooks });
}

const done = (result: string) => toolCall('final_result', { result });
const said = (model: ScriptedModel): readonly string[] =>
  (model.requests.at(-1)?.messages ?? []).flatMap((message) =>
    // An error has words of ours beside it, and is in a block for that.
    message.role === 'tool' ? [contentText(message.content).replace(/^<[^>]*>\n([\s\S]*?)\n<\/[\s\S]*/, '$1')] : [],
  );

/** A tool that looks something up, lower numbers after higher ones, and counts how many look at once. */
function lookup(readOnly = true) {
  const seen = { now: 0, most: 0, calls: [] as number[] };
  const open = new Set<number>();
  const made = tool({
    id: 'lookup',
    description: 'Looks a number up.',
    argsSchema: z.object({ n: z.number() }),
    readOnly,
    async run({ n }) {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      open.add(n);
      // Whoever is to look beside this one has begun by then.
      for (let turn = 0; turn < 5 || Math.max(...open) > n; turn += 1) await nextTurn();
      open.delete(n);
      seen.now -= 1;
      seen.calls.push(n);
      return `number ${n}`;
    },
  });
  return { tool: made, seen };
}

const ask = (n: number) => toolCall('lookup', { n });

describe('calls of one turn', () => {
  it('run at once where no tool has effects, and read as if they had been in order', async () => {
    const { tool: one, seen } = lookup();
    const model = scriptedModel([together(ask(1), ask(5), ask(9)), done('all three')]);
    const portia = client({ model, tools: [one] });
    const run = await portia.runPlan(planWith({ model, tools: [one] }));
    expect([run.state, run.outputs.finalOutput?.value, seen.most, seen.calls]).toEqual([
      'COMPLETE',
      'all three',
      3,
      [9, 5, 1],
    ]);
    expect(said(model)).toEqual(['number 1', 'number 5', 'number 9']);
    const ledger = await portia.storage.getToolCalls(run.id);
    expect(ledger.map(({ callId, args }) => [callId, args])).toEqual([
      ['found.0.1', { n: 1 }],
      ['found.0.2', { n: 5 }],
      ['found.0.3', { n: 9 }],
    ]);
  });

  it('run one after the other where one of them may have effects', async () => {
    const { tool: one, seen } = lookup(false);
    const model = scriptedModel([together(ask(1), ask(5), ask(9)), done('all three')]);
    const run = await client({ model, tools: [one] }).runPlan(planWith({ model, tools: [one] }));
    expect([run.state, seen.most, seen.calls]).toEqual(['COMPLETE', 1, [1, 5, 9]]);
  });

  it('each wait for an approval, and run once with the arguments that were approved, whichever comes first', async () => {
    const { tool: one, seen } = lookup();
    const model = scriptedModel([together(ask(1), ask(5)), done('both')]);
    const setting = {
      model,
      tools: [one],
      storage: memoryStorage(),
      hooks: { beforeToolCall: clarifyOnAllToolCalls() },
    };
    const waiting = await client(setting).runPlan(planWith(setting));
    const [first, second] = waiting.getOutstandingClarifications();
    expect([first?.userGuidance, second?.userGuidance, seen.calls]).toEqual([
      expect.stringContaining('1'),
      expect.stringContaining('5'),
      [],
    ]);
    const operator = { id: 'maria', as: 'operator' } as const;
    const other = client(setting);
    await other.resolveClarification({ planRun: waiting, clarification: second, response: true, resolvedBy: operator });
    const half = await other.resume({ planRun: waiting });
    expect([half.state, seen.calls]).toEqual(['NEED_CLARIFICATION', [5]]);
    await other.resolveClarification({ planRun: waiting, clarification: first, response: true, resolvedBy: operator });
    const run = await other.resume({ planRun: waiting });
    expect([run.state, seen.calls, model.requests.length]).toEqual(['COMPLETE', [5, 1], 2]);
  });

  it.each(['no', null, 0, false])('are refused by the answer %j, and not made', async (response) => {
    const { tool: one, seen } = lookup(false);
    const model = scriptedModel([ask(1), done('it')]);
    const setting = { model, tools: [one], hooks: { beforeToolCall: clarifyOnAllToolCalls() } };
    const portia = client(setting);
    const waiting = await portia.runPlan(planWith(setting));
    const given = portia.resolveClarification({
      planRun: waiting,
      clarification: questionOf(waiting),
      response,
      resolvedBy: { id: 'maria', as: 'operator' },
    });
    const refused = await given.then(
      () => portia.resume({ planRun: waiting }),
      (error: unknown) => error,
    );
    expect(refused).toMatchObject(
      response === false ? { error: { code: 'APPROVAL_REFUSED' } } : { code: 'CLARIFICATION_RESPONSE_INVALID' },
    );
    expect(seen.calls).toEqual([]);
  });
});

describe('a ReAct step with six tool calls', () => {
  const script = (requests: { count: number }): ScriptedModel =>
    scriptedModel((request) => {
      requests.count += 1;
      const results = request.messages.filter(({ role }) => role === 'tool').length;
      if (results === 0) return together(ask(1), ask(2));
      if (results === 2) return toolCall('send', { n: 3 });
      if (results === 3) return together(toolCall('send', { n: 4 }), ask(5));
      return results === 5 ? ask(6) : done('six');
    });

  it('that dies at any write ends with six calls in the ledger, each made once, and no stored answer asked for again', async () => {
    const crashes = { n: 0, asked: 0 };
    for (let write = 1; write < 60; write += 1) {
      for (const when of ['before', 'after'] as const) {
        const storage = memoryStorage();
        const sent: number[] = [];
        const send = tool({
          id: 'send',
          description: 'Sends a number.',
          argsSchema: z.object({ n: z.number() }),
          run: ({ n }) => {
            sent.push(n);
            return `sent ${n}`;
          },
        });
        const requests = { count: 0 };
        const setting = { model: script(requests), tools: [lookup().tool, send], storage: storage as StorageBackend };
        const crashing = crashingStorage(storage, { write, when });
        const whole = await client({ ...setting, storage: crashing })
          .runPlan(planWith(setting))
          .catch(() => undefined);
        if (!crashing.crashed) {
          expect(whole?.state).toBe('COMPLETE');
          expect(crashes.n).toBeGreaterThan(15);
          return;
        }
        crashes.n += 1;
        const before = (await storage.listRuns({})).items[0]?.header.id;
        const portia = client(setting);
        let run = before ? await portia.resume({ planRunId: before }) : await portia.runPlan(planWith(setting));
        // A call with effects whose receipt was lost is a person's to judge: it did happen.
        for (let round = 0; run.state === 'NEED_CLARIFICATION' && round < 3; round += 1) {
          crashes.asked += 1;
          const question = questionOf(run);
          expect(question.source).toBe('Effects ledger');
          const unknown = (await portia.storage.getToolCalls(run.id)).find(({ status }) => status === 'UNKNOWN');
          const happened = sent.includes(unknown?.args['n'] as number);
          const choice = happened ? 'use a given result' : 'call again';
          const response =
            question.category === 'Multiple Choice' ? choice : JSON.stringify(`sent ${unknown?.args['n']}`);
          run = await answerAndResume(portia, run, response);
        }
        expect([write, when, run.state, run.outputs.finalOutput?.value]).toEqual([write, when, 'COMPLETE', 'six']);
        expect([...sent].sort()).toEqual([3, 4]);
        const calls = await portia.storage.getToolCalls(run.id);
        expect(calls.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'SUCCESS'));
        const answers = (await portia.storage.getEvents(run.id)).filter(({ type }) => type === 'model-call-end');
        expect(answers).toHaveLength(5);
        // Only the answer whose write was lost is paid again.
        expect(requests.count).toBeLessThanOrEqual(6);
      }
    }
    throw new Error('the run has more writes than were tried');
  });
});

describe('an agent that does not come to an end', () => {
  it.each([
    ['a tool that is not there', toolCall('loockup', { n: 1 })],
    ['arguments that are no object', toolCall('lookup', 'n')],
    ['no result in its result', toolCall('final_result', {})],
    ['the same question', toolCall('clarification_tool', { guidance: 'well?' })],
  ])('by %s stops at its limit', async (_what, answer) => {
    const model = scriptedModel(() => answer);
    const setting = { model, tools: [lookup().tool], limit: 4, hooks: {}, asks: false };
    const run = await client(setting).runPlan(planWith(setting));
    expect(run.error?.code).toBe('AGENT_LIMIT');
    expect(model.requests.length).toBeLessThanOrEqual(5);
  });
});

describe('a long input', () => {
  it('is passed whole by its name, and a name that stands for nothing is told to the model', async () => {
    const seen: string[] = [];
    const save = tool({
      id: 'save',
      description: 'Saves text.',
      argsSchema: z.object({ words: z.string() }),
      run: ({ words }) => {
        seen.push(words);
        return words.length;
      },
    });
    const note = 'word '.repeat(2_000);
    const model = scriptedModel([
      toolCall('save', { words: '{{$other}}' }),
      toolCall('save', { words: 'Note: {{note}}' }),
      text('saved'),
    ]);
    const setting = { model, tools: [save], note };
    const run = await client(setting).runPlan(planWith(setting));
    expect([run.state, seen]).toEqual(['COMPLETE', [`Note: ${note}`]]);
    expect(said(model)[0]).toBe('nothing is named $other');
    const [failed, worked] = (model.requests.at(-1)?.messages ?? []).filter(({ role }) => role === 'tool');
    expect(contentText(failed?.content)).toContain('Change what this names, or use another way.');
    expect(contentText(worked?.content)).not.toContain('Change what this names');
    const first = model.requests[0]?.messages.map(({ content }) => contentText(content)).join('\n');
    expect(first).toContain('write {{note}} (its name) in the argument');
  });
});
