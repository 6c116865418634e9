import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, questionOf } from '../../../test/lib/engine.ts';
import { allProviders, configFor, modelNames, serve } from '../../../test/lib/model-servers.ts';
import { Portia } from '../../client.ts';
import { UserVerificationClarification } from '../../core/clarification.ts';
import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { PlanV2 } from '../../core/plan-v2.ts';
import type { PlanRun } from '../../core/plan-run.ts';
import type { AnyTool } from '../../core/tool.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import { memoryStorage } from '../../storage/memory/memory-storage.ts';
import { crashingStorage } from '../../testing/crashing-storage.ts';
import { fails, type Script, text, together, toolCall } from '../../testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../../testing/scripted-model.ts';
import { tool } from '../../tool/tool.ts';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecutionHooks } from '../hooks.ts';

const done = (result: JsonValue): ReturnType<typeof toolCall> => toolCall('final_result', { result });

interface World {
  readonly calls: string[];
  /** How many reads are under way, and the most there were at once. */
  now: number;
  most: number;
}

function toolsOf(world: World): AnyTool[] {
  const argsSchema = z.object({ id: z.string(), ms: z.number().optional() });
  return [
    tool({
      id: 'read',
      description: 'Reads',
      argsSchema,
      readOnly: true,
      async run({ id, ms = 1 }) {
        world.calls.push(`read ${id}`);
        world.now += 1;
        world.most = Math.max(world.most, world.now);
        await pause(ms);
        world.now -= 1;
        if (id === 'gone') throw new ToolSoftError('there is no such thing');
        if (id === 'shut') throw new ToolHardError('access denied');
        return `value of ${id}`;
      },
    }),
    tool({
      id: 'pay',
      description: 'Pays',
      argsSchema,
      run({ id }) {
        world.calls.push(`pay ${id}`);
        return `paid ${id}`;
      },
      reconcile: ({ id }) => (world.calls.includes(`pay ${id}`) ? `paid ${id}` : 'not-happened'),
    }),
  ];
}

type Options = Partial<Parameters<PlanBuilderV2['reactAgentStep']>[0]>;

function planWith(options: Options = {}): PlanV2 {
  const builder = new PlanBuilderV2('The books').input({ name: 'letter', defaultValue: 'none' });
  return builder
    .reactAgentStep({ stepName: 'work', task: 'Settle the books', tools: ['read', 'pay'], ...options } as never)
    .build() as unknown as PlanV2;
}

interface Bench {
  readonly portia: Portia;
  readonly world: World;
  readonly model: ScriptedModel;
}

function bench(script: Script, hooks: ExecutionHooks = {}): Bench {
  const world: World = { calls: [], now: 0, most: 0 };
  const model = scriptedModel(script);
  return { portia: clientOf({ tools: toolsOf(world), model, hooks }), world, model };
}

function told(model: ScriptedModel, n: number): string {
  return JSON.stringify(model.requests[n - 1]?.messages);
}

const finalValue = (run: PlanRun): JsonValue | undefined => run.outputs.finalOutput?.value as JsonValue | undefined;

describe('a ReAct step', () => {
  it('makes calls without effects at once, and puts them on record in order', async () => {
    const { portia, world } = bench([
      together(
        toolCall('read', { id: 'a', ms: 60 }),
        toolCall('read', { id: 'b', ms: 30 }),
        toolCall('read', { id: 'c' }),
      ),
      done('all read'),
    ]);
    const run = await portia.runPlan(planWith());
    expect([finalValue(run), world.most]).toEqual(['all read', 3]);
    const ledger = await portia.storage.getToolCalls(run.id);
    expect(ledger.map(({ args }) => args['id'])).toEqual(['a', 'b', 'c']);
  });

  it('comes to rest only when every call of a turn has, also where a budget has no room for one of them', async () => {
    const { portia, world } = bench([together(toolCall('read', { id: 'a', ms: 60 }), toolCall('read', { id: 'b' }))]);
    const run = await portia.runPlan(planWith(), { budget: { maxToolCalls: 1 } });
    expect([run.error?.code, world.calls, world.now]).toEqual(['BUDGET_EXCEEDED', ['read a'], 0]);
    expect(await portia.storage.getToolCalls(run.id)).toMatchObject([{ status: 'SUCCESS' }]);
  });

  it('makes calls one after the other as soon as one of them has effects', async () => {
    const { portia, world } = bench([
      together(toolCall('read', { id: 'a', ms: 20 }), toolCall('pay', { id: 'b' }), toolCall('read', { id: 'c' })),
      done('ok'),
    ]);
    await portia.runPlan(planWith());
    expect([world.calls, world.most]).toEqual([['read a', 'pay b', 'read c'], 1]);
  });

  it('feeds soft and hard errors back, of calls made at once too', async () => {
    const { portia, model } = bench([
      together(toolCall('read', { id: 'gone' }), toolCall('read', { id: 'shut' }), toolCall('read', { id: 'c' })),
      done('ok'),
    ]);
    const run = await portia.runPlan(planWith());
    expect(finalValue(run)).toBe('ok');
    for (const words of ['no such thing', 'access denied', 'value of c']) expect(told(model, 2)).toContain(words);
  });

  it('tells the model of unknown tools, arguments that are none, and misspelt placeholders', async () => {
    const { portia, model, world } = bench([
      together(
        toolCall('steal', {}),
        toolCall('read', 'id=a'),
        toolCall('read', { id: '{{$lettr}}' }),
        toolCall('read', { id: 7 }),
      ),
      done('ok'),
    ]);
    expect((await portia.runPlan(planWith())).state).toBe('COMPLETE');
    for (const words of ['there is no tool steal', 'must be a JSON object', 'nothing is named $lettr', 'do not fit'])
      expect(told(model, 2)).toContain(words);
    expect(world.calls).toEqual([]);
  });

  it('passes an input whole by its name', async () => {
    const letter = 'x'.repeat(30_000);
    const { portia, world, model } = bench([toolCall('pay', { id: '{{letter}}' }), done('ok')]);
    const { Input } = await import('../../core/reference.ts');
    await portia.runPlan(planWith({ inputs: [Input('letter')] } as Options), { planRunInputs: { letter } });
    expect(world.calls).toEqual([`pay ${letter}`]);
    expect(told(model, 1)).toContain('{{letter}} (its name)');
  });

  it('counts all it asks for, also what cannot be done, towards its limit', async () => {
    const limited = planWith({ toolCallLimit: 3 });
    const reads = bench(() => together(toolCall('read', { id: 'a' }), toolCall('read', { id: 'b' })));
    expect((await reads.portia.runPlan(limited)).error?.code).toBe('AGENT_LIMIT');
    expect(reads.world.calls).toHaveLength(3);
    const nonsense = bench(() => toolCall('steal', {}));
    expect((await nonsense.portia.runPlan(limited)).error?.code).toBe('AGENT_LIMIT');
    expect(nonsense.model.requests).toHaveLength(4);
    const misfits = bench(() => done('many'));
    const typed = planWith({ toolCallLimit: 3, outputSchema: z.object({ total: z.number() }) } as Options);
    expect((await misfits.portia.runPlan(typed)).error?.code).toBe('AGENT_LIMIT');
    expect(misfits.model.requests).toHaveLength(4);
    const exact = bench([
      toolCall('read', { id: 'a' }),
      toolCall('read', { id: 'b' }),
      toolCall('read', { id: 'c' }),
      done('ok'),
    ]);
    expect(finalValue(await exact.portia.runPlan(limited))).toBe('ok');
  });

  it('takes a reply without a call as the result, or asks for one', async () => {
    expect(finalValue(await bench([text('42')]).portia.runPlan(planWith()))).toBe('42');
    const typed = planWith({ outputSchema: z.object({ total: z.number() }) } as Options);
    const { portia, model } = bench([text('hm'), done({ total: 'x' }), done({ total: 3 })]);
    expect(finalValue(await portia.runPlan(typed))).toEqual({ total: 3 });
    expect(model.requests).toHaveLength(3);
    expect((await bench(() => text('hm')).portia.runPlan(typed)).error?.code).toBe('AGENT_FAILED');
  });

  it('offers a tool for its result only where it must have a form: else words end it, and nothing less', async () => {
    const beside = together(text('I look it up.'), toolCall('read', { id: 'a' }));
    const { portia, world, model } = bench([beside, text('  '), text('It is a.')]);
    expect(finalValue(await portia.runPlan(planWith()))).toBe('It is a.');
    expect(world.calls).toEqual(['read a']);
    for (const { tools = [] } of model.requests) expect(tools.map(({ name }) => name)).toEqual(['read', 'pay']);
    expect(model.requests.at(-1)?.messages.at(-1)).toEqual({ role: 'user', content: 'Give the result.' });
    expect((await bench([text(''), text('')]).portia.runPlan(planWith())).error?.code).toBe('AGENT_FAILED');
    const typed = bench([done({ total: 3 })]);
    await typed.portia.runPlan(planWith({ outputSchema: z.object({ total: z.number() }) } as Options));
    expect(typed.model.requests[0]?.tools?.map(({ name }) => name)).toEqual(['read', 'pay', 'final_result']);
  });

  it('takes the result of a step that began when there was a tool for it, also in a tool of that name', async () => {
    // What an earlier release asked is on record, and goes on with the answer it was given.
    expect(finalValue(await bench([done('old')]).portia.runPlan(planWith()))).toBe('old');
    const own = tool({ id: 'final_result', description: 'The last result', readOnly: true, run: () => 'won' });
    const model = scriptedModel([toolCall('final_result', {}), text('They won.')]);
    const portia = clientOf({ tools: [own], model });
    expect(finalValue(await portia.runPlan(planWith({ tools: ['final_result'] })))).toBe('They won.');
    expect(told(model, 2)).toContain('won');
  });

  it('goes on in the middle of its work with the answer of a person', async () => {
    const { portia, world, model } = bench([
      toolCall('pay', { id: 'a' }),
      toolCall('clarification_tool', { guidance: 'Which one?' }),
      done('ok'),
    ]);
    const waiting = await portia.runPlan(planWith({ allowAgentClarifications: true }));
    expect(questionOf(waiting)).toMatchObject({
      argumentName: 'react_agent_clarification',
      userGuidance: 'Which one?',
    });
    const run = await answerAndResume(portia, waiting, 'the second');
    expect([finalValue(run), world.calls, model.requests.length]).toEqual(['ok', ['pay a'], 3]);
    expect(told(model, 3)).toContain('<person_answer>\\nthe second');
  });

  it('goes on from what is on record when a model failed and the step is tried again', async () => {
    const { portia, world, model } = bench([toolCall('pay', { id: 'a' }), fails('overloaded'), done('ok')]);
    const run = await portia.runPlan(planWith({ retry: { maxAttempts: 2, delayMs: 1 } } as Options));
    expect([finalValue(run), world.calls, model.requests.length]).toEqual(['ok', ['pay a'], 3]);
  });

  it('speaks the protocols of all providers', async () => {
    const server = await serve((_request, n) =>
      n % 2 === 1 ? together(toolCall('read', { id: 'a' }), toolCall('read', { id: 'b' })) : done('ok'),
    );
    for (const provider of allProviders) {
      const world: World = { calls: [], now: 0, most: 0 };
      const config = configFor(server, { defaultModel: modelNames[provider], storage: memoryStorage() });
      const run = await new Portia({ config, tools: toolsOf(world) }).runPlan(planWith());
      expect([provider, run.error, finalValue(run), world.calls]).toEqual([
        provider,
        undefined,
        'ok',
        ['read a', 'read b'],
      ]);
    }
  });
});

describe('approvals in a ReAct step', () => {
  const approving = (seen: JsonObject[]): ExecutionHooks => ({
    beforeToolCall(_tool, args) {
      args['id'] = `${String(args['id'])}!`;
      seen.push({ ...args });
      return UserVerificationClarification({ userGuidance: JSON.stringify(args) });
    },
  });

  it('of calls made at once are asked together, and exactly what was seen runs, once', async () => {
    const seen: JsonObject[] = [];
    const { portia, world, model } = bench(
      [
        together(toolCall('read', { id: 'a' }), toolCall('read', { id: 'b' }), toolCall('read', { id: 'c' })),
        done('ok'),
      ],
      approving(seen),
    );
    let run = await portia.runPlan(planWith());
    const asked = run.getOutstandingClarifications();
    expect(asked).toHaveLength(3);
    expect(world.calls).toEqual([]);
    for (const clarification of asked) {
      await portia.resolveClarification({ planRun: run, clarification, response: true });
      run = await portia.resume({ planRun: run });
    }
    expect(run.state).toBe('COMPLETE');
    expect(world.calls).toEqual(['read a!', 'read b!', 'read c!']);
    expect(seen).toEqual([{ id: 'a!' }, { id: 'b!' }, { id: 'c!' }]);
    expect(asked.map(({ userGuidance }) => userGuidance)).toEqual(seen.map((args) => JSON.stringify(args)));
    expect(model.requests).toHaveLength(2);
  });

  it('that are refused end the step, and the call that was refused is never made', async () => {
    const { portia, world } = bench(
      [together(toolCall('read', { id: 'a' }), toolCall('read', { id: 'b' })), done('ok')],
      approving([]),
    );
    let run = await portia.runPlan(planWith());
    for (const [index, clarification] of run.getOutstandingClarifications().entries())
      await portia.resolveClarification({ planRun: run, clarification, response: index === 0 });
    run = await portia.resume({ planRun: run });
    expect([run.error?.code, world.calls]).toEqual(['APPROVAL_REFUSED', ['read a!']]);
  });

  it('take nothing but true and false for an answer', async () => {
    const { portia, world } = bench([toolCall('pay', { id: 'a' }), done('ok')], approving([]));
    const run = await portia.runPlan(planWith());
    for (const response of ['no', 'yes', 'true', null, 0, 1]) {
      const given = portia.resolveClarification({ planRun: run, clarification: questionOf(run), response });
      await expect(given).rejects.toMatchObject({ code: 'CLARIFICATION_RESPONSE_INVALID' });
    }
    expect(world.calls).toEqual([]);
    expect((await answerAndResume(portia, run, false)).error?.code).toBe('APPROVAL_REFUSED');
    expect(world.calls).toEqual([]);
  });

  it('hold in a sub-plan, for functions and tools alike', async () => {
    const seen: JsonObject[] = [];
    const made: unknown[] = [];
    const inner = new PlanBuilderV2('Inner')
      .invokeToolStep({ stepName: 'pay', tool: 'pay', args: { id: 'a' } })
      .functionStep({ stepName: 'note', args: { id: 'b' }, function: (args) => made.push(args) })
      .build();
    const outer = new PlanBuilderV2('Outer').addSubPlan({ stepName: 'sub', plan: inner }).build();
    const world: World = { calls: [], now: 0, most: 0 };
    const portia = clientOf({ tools: toolsOf(world), hooks: approving(seen) });
    let run = await portia.runPlan(outer as unknown as PlanV2);
    run = await answerAndResume(portia, run, true);
    run = await answerAndResume(portia, run, true);
    expect([run.state, world.calls, made]).toEqual(['COMPLETE', ['pay a!'], [{ id: 'b!' }]]);
    expect(seen).toEqual([{ id: 'a!' }, { id: 'b!' }]);
  });
});

describe('a ReAct step whose process dies', () => {
  const turns = [
    together(toolCall('read', { id: 'a' }), toolCall('read', { id: 'b' }), toolCall('read', { id: 'c' })),
    toolCall('pay', { id: 'd' }),
    together(toolCall('pay', { id: 'e' }), toolCall('read', { id: 'f' })),
    done('settled'),
  ];
  /** The next turn is found by what was said so far, as a model would. */
  const script: Script = ({ messages }) =>
    turns[messages.filter(({ role }) => role === 'assistant').length] ?? text('?');
  const six = ['read a', 'read b', 'read c', 'pay d', 'pay e', 'read f'];

  it('at any write ends with six calls in the ledger, each effect once, and no stored answer paid again', async () => {
    const counting = crashingStorage(memoryStorage());
    const whole: World = { calls: [], now: 0, most: 0 };
    await clientOf({ tools: toolsOf(whole), model: scriptedModel(script), storage: counting }).runPlan(planWith());
    expect(whole.calls).toEqual(six);
    expect(counting.writes).toBeGreaterThan(8);
    for (const when of ['before', 'after'] as const) {
      for (let write = 3; write <= counting.writes; write += 1) {
        const where = `${when} write ${write}`;
        const storage = memoryStorage();
        const world: World = { calls: [], now: 0, most: 0 };
        const model = scriptedModel(script);
        const doomed = crashingStorage(storage, { write, when });
        await clientOf({ tools: toolsOf(world), model, storage: doomed })
          .runPlan(planWith())
          .catch(() => undefined);
        expect(doomed.crashed, where).toBe(true);
        const portia = clientOf({ tools: toolsOf(world), model, storage });
        const [known] = (await portia.storage.listRuns()).items;
        const run = known ? await portia.resume({ planRunId: known.header.id }) : await portia.runPlan(planWith());
        expect([where, run.error, finalValue(run)]).toEqual([where, undefined, 'settled']);
        const ledger = await portia.storage.getToolCalls(run.id);
        expect(ledger.map(({ toolId, args, status }) => `${toolId} ${String(args['id'])} ${status}`)).toEqual(
          six.map((call) => `${call} SUCCESS`),
        );
        expect(world.calls.filter((call) => call.startsWith('pay'))).toEqual(['pay d', 'pay e']);
        // Only the one answer that was being stored may be asked for again.
        expect(model.requests.length, where).toBeLessThanOrEqual(turns.length + 1);
      }
    }
  });
});
