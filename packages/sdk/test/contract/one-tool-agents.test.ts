// What the contract says of steps with one tool (B 3.1 to 3.3, facts 55 to 75), over each protocol.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ActionClarification, UserVerificationClarification } from '../../src/core/clarification.ts';
import { ToolHardError, ToolSoftError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { Plan, type StepInit } from '../../src/core/plan.ts';
import { object, text, together, toolCall } from '../../src/testing/script.ts';
import { tool } from '../../src/tool/tool.ts';
import { answerAndResume, codeOf, planOf, planWith, questionOf } from '../lib/engine.ts';
import { allWires, clientOver, offered, type WireOptions, words } from './wires.ts';

const long = 'word '.repeat(3_000);

function bench() {
  const made: JsonObject[] = [];
  const argsSchema = z.object({ to: z.string(), body: z.union([z.string(), z.array(z.string())]).optional() });
  const tools = [
    tool({
      id: 'mail',
      description: 'Sends a mail',
      argsSchema,
      run(args) {
        made.push(args as JsonObject);
        if (args.to === 'nobody') throw new ToolSoftError('there is no such address');
        if (args.to === 'shut') throw new ToolHardError('the box is shut');
        return `sent to ${args.to}`;
      },
    }),
    tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 }),
    tool({ id: 'long', description: 'gives a lot', readOnly: true, run: () => long }),
  ];
  return { made, tools };
}

const mail = (to: string, more: JsonObject = {}) => toolCall('mail', { to, ...more } as JsonObject);
const mailing = (options: Partial<Omit<StepInit, 'inputs'>> = {}) =>
  planOf({ toolId: 'mail', task: 'Mail Bo', ...options });
const known = (value: unknown, made_up = false) => ({ explanation: 'as given', value: value as string, made_up });

describe.each(allWires)('a step with one tool, over %s', (wire) => {
  const over = (script: Parameters<typeof clientOver>[1], options: WireOptions = {}) =>
    clientOver(wire, script, options);

  it('is the one-shot agent’s in one call (55, 67), and the LLM tool is asked by itself', async () => {
    const { made, tools } = bench();
    const { portia, requests } = await over([mail('bo'), 'In words.'], { tools });
    const run = await portia.runPlan(planOf({ toolId: 'mail', task: 'Mail Bo' }, { task: 'Say it' }));
    expect([run.error, made, requests.map(offered)]).toEqual([undefined, [{ to: 'bo' }], [['mail'], []]]);
  });

  it('names a tool that is there, or is not run (56)', async () => {
    const { portia, requests } = await over([]);
    expect(await codeOf(portia.runPlan(planOf({ toolId: 'gone' })))).toBe('PLAN_INVALID');
    expect(requests).toEqual([]);
  });

  it('is told its task, the date, inputs, earlier outputs and the end user, as far as there are any (57, 66)', async () => {
    const { tools } = bench();
    const { portia, requests } = await over([mail('bo'), mail('bo')], { tools });
    const plan = planWith(
      [{ name: '$note', description: 'A note' }],
      { toolId: 'mail', task: 'Mail Bo', output: '$first' },
      { toolId: 'mail', task: 'Mail Bo again', inputs: ['$note'], output: '$second' },
    );
    const endUser = { externalId: 'ana', name: 'Ana', additionalData: { team: 'sales' } };
    expect((await portia.runPlan(plan, { planRunInputs: { $note: 'hello' }, endUser })).error).toBeUndefined();
    const [first, second] = requests.map(words);
    for (const said of [first, second]) expect(said).toContain('Mon 2025-01-06');
    expect(first).toContain('<step_task>\nMail Bo\n');
    expect(first).not.toMatch(/<step_input |<earlier_output /);
    expect(second).toMatch(/<step_input name="\$note"[^>]*>\nhello\n/);
    expect(second).toMatch(/<earlier_output name="\$first"[^>]*>\nsent to bo\n/);
    expect(second).toMatch(/<end_user>\n.*"team":"sales".*"name":"Ana"/);
  });

  it('shows the description of an input that does not fit into the window, and passes it whole by its name (58, 60)', async () => {
    const { made, tools } = bench();
    const script = [mail('bo', { body: ['{{$note}}', 'and {{ note }}'] })];
    const { portia, requests } = await over(script, { tools, contextWindow: 2_000 });
    const inputs = [{ name: '$note', description: 'The long note' }];
    const plan = new Plan({
      planContext: { query: 'the query', toolIds: [] },
      planInputs: inputs,
      steps: [{ task: 'Mail it', toolId: 'mail', inputs, output: '$sent' }],
    });
    expect((await portia.runPlan(plan, { planRunInputs: { $note: long } })).error).toBeUndefined();
    expect(words(requests[0])).toContain('shown="summary">\nThe long note\n');
    expect(words(requests[0])).not.toContain('word word');
    expect(made).toEqual([{ to: 'bo', body: [long, `and ${long}`] }]);
  });

  it('tells the model of a name that stands for nothing, and of soft errors, four times in all (60, 61)', async () => {
    const { made, tools } = bench();
    const script = [mail('{{$bo}}'), mail('nobody'), mail('nobody'), mail('nobody'), mail('bo')];
    const { portia, requests } = await over(script, { tools });
    const run = await portia.runPlan(mailing());
    expect([run.error?.code, made.length, requests.length]).toEqual(['TOOL_RETRIES_EXHAUSTED', 3, 4]);
    expect(words(requests[1])).toContain('nothing is named $bo');
    for (const said of requests.slice(2).map(words)) expect(said).toContain('there is no such address');
  });

  it('ends with a hard error at once (61)', async () => {
    const { made, tools } = bench();
    const { portia, requests } = await over([mail('shut'), mail('bo')], { tools });
    const run = await portia.runPlan(mailing());
    expect([run.error?.message.includes('the box is shut'), made.length, requests.length]).toEqual([true, 1, 1]);
  });

  it('waits when the hook after its tool asks, and does not call again (62)', async () => {
    const { made, tools } = bench();
    const hooks = {
      afterToolCall: () => ActionClarification({ userGuidance: 'Look', actionUrl: 'https://example.org/' }),
    };
    const { portia, requests } = await over([mail('bo')], { tools, hooks });
    const run = await answerAndResume(portia, await portia.runPlan(mailing()), true);
    expect([run.state, made.length, requests.length]).toEqual(['COMPLETE', 1, 1]);
  });

  it('is summarised where its output is large, or has to get a form (63, 87)', async () => {
    const { tools } = bench();
    const large = await over(['Many words.', 'In the end.'], { tools });
    const run = await large.portia.runPlan(planOf({ toolId: 'long', output: '$a' }));
    expect(run.outputs.stepOutputs['$a']?.summary).toBe('Many words.');
    const typed = await over([mail('bo'), object({ result: { sent: true }, summary: 'Sent.' })], { tools });
    const done = await typed.portia.runPlan(mailing({ structuredOutputSchema: z.object({ sent: z.boolean() }) }));
    expect(done.outputs.finalOutput).toEqual({ value: { sent: true }, summary: 'Sent.' });
  });

  it('gives a list where the model made several calls (64)', async () => {
    const { tools } = bench();
    const { portia } = await over([together(mail('bo'), mail('cy'))], { tools });
    const run = await portia.runPlan(mailing({ output: '$a' }));
    expect(run.outputs.stepOutputs['$a']).toMatchObject({ value: ['sent to bo', 'sent to cy'] });
  });

  it('asks once more for a call, and fails without one (65)', async () => {
    const { tools } = bench();
    const { portia, requests } = await over(() => text('I would rather not.'), { tools });
    const run = await portia.runPlan(mailing());
    expect([run.error?.code, requests.length]).toEqual(['AGENT_FAILED', 2]);
    expect(run.error?.message).toContain('I would rather not.');
  });

  it('may ask a person for an argument only where the config lets it, and goes on with the answer (66, 69)', async () => {
    const { made, tools } = bench();
    const never = await over([mail('bo')], { tools });
    await never.portia.runPlan(mailing());
    expect(never.requests.map(offered)).toEqual([['mail']]);
    const asking = await over([toolCall('clarification_tool', { argument_name: 'to' }), mail('cy')], {
      tools,
      config: { argumentClarificationsEnabled: true },
    });
    const waiting = await asking.portia.runPlan(mailing());
    expect(questionOf(waiting)).toMatchObject({ category: 'Input', argumentName: 'to' });
    const run = await answerAndResume(asking.portia, waiting, 'cy');
    expect([run.state, made]).toEqual(['COMPLETE', [{ to: 'bo' }, { to: 'cy' }]]);
    expect(asking.requests.map(offered)).toEqual([
      ['mail', 'clarification_tool'],
      ['mail', 'clarification_tool'],
    ]);
    expect(words(asking.requests[1])).toContain('<person_answer');
  });

  it('has its hook see the real arguments of each call, which it may change, and runs none that is not approved (68)', async () => {
    const { made, tools } = bench();
    const seen: unknown[] = [];
    const hooks = {
      beforeToolCall(_tool: unknown, args: Record<string, unknown>) {
        seen.push({ ...args });
        args['body'] = 'checked';
        return UserVerificationClarification({ userGuidance: 'Send it?' });
      },
    };
    const { portia, requests } = await over([mail('bo')], { tools, hooks });
    const waiting = await portia.runPlan(mailing());
    expect(made).toEqual([]);
    const run = await answerAndResume(portia, waiting, true);
    expect([run.state, seen, made, requests.length]).toEqual([
      'COMPLETE',
      [{ to: 'bo' }],
      [{ to: 'bo', body: 'checked' }],
      1,
    ]);
  });
});

describe.each(allWires)('several calls of a turn, over %s', (wire) => {
  it('are none of them made while the hook asks about one, and then exactly once each (68)', async () => {
    const { made, tools } = bench();
    const seen: unknown[] = [];
    const hooks = {
      beforeToolCall(_tool: unknown, args: Record<string, unknown>) {
        seen.push(args['to']);
        args['body'] = `for ${String(args['to'])}`;
        return args['to'] === 'cy' ? UserVerificationClarification({ userGuidance: 'Send it?' }) : undefined;
      },
    };
    const script = [together(mail('bo'), mail('cy'), mail('di'))];
    const { portia, requests } = await clientOver(wire, script, { tools, hooks });
    const waiting = await portia.runPlan(mailing());
    expect([waiting.state, made, seen]).toEqual(['NEED_CLARIFICATION', [], ['bo', 'cy', 'di']]);
    const run = await answerAndResume(portia, waiting, true);
    expect([run.state, seen.length]).toEqual(['COMPLETE', 3]);
    expect(requests.filter((one) => offered(one).length > 0)).toHaveLength(1);
    expect(made).toEqual(['bo', 'cy', 'di'].map((to) => ({ to, body: `for ${to}` })));
    const ledger = await portia.storage.getToolCalls(run.id);
    expect(ledger.map(({ status }) => status)).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
  });

  it('run at once where the tool has no effects, and read as if they had been in order (64)', async () => {
    let under = 0;
    let most = 0;
    const look = tool({
      id: 'look',
      description: 'Looks',
      readOnly: true,
      argsSchema: z.object({ q: z.string() }),
      async run({ q }) {
        under += 1;
        most = Math.max(most, under);
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
        under -= 1;
        return `all of ${q}`;
      },
    });
    const { portia } = await clientOver(wire, [together(toolCall('look', { q: 'a' }), toolCall('look', { q: 'b' }))], {
      tools: [look],
    });
    const run = await portia.runPlan(planOf({ toolId: 'look', task: 'Look up both', output: '$a' }));
    expect([run.outputs.stepOutputs['$a'], most]).toMatchObject([{ value: ['all of a', 'all of b'] }, 2]);
  });

  it('are none of them made where the hook lets one not pass (68)', async () => {
    const { made, tools } = bench();
    const hooks = {
      beforeToolCall(_tool: unknown, args: Record<string, unknown>) {
        if (args['to'] === 'cy') throw new Error('not to cy');
      },
    };
    const { portia } = await clientOver(wire, [together(mail('bo'), mail('cy'))], { tools, hooks });
    expect([(await portia.runPlan(mailing())).error?.code, made]).toEqual(['HOOK_FAILED', []]);
  });
});

describe.each(allWires)('the verifying agent, over %s', (wire) => {
  const config = { executionAgentType: 'DEFAULT' } as const;

  it('settles arguments that stand in the data in one structured call (70, 71)', async () => {
    const { made, tools } = bench();
    const { portia, requests } = await clientOver(wire, [object({ to: known('Bo'), body: known(null) })], {
      tools,
      config,
    });
    expect((await portia.runPlan(mailing())).error).toBeUndefined();
    expect([made, requests.length]).toEqual([[{ to: 'Bo' }], 1]);
  });

  it('has others judged, and asks a person for each that is made up; the answer takes its place (72, 73, 74)', async () => {
    const { made, tools } = bench();
    const script = [
      object({ to: known('eve@example.org', true), body: known(null) }),
      object({ to: { explanation: 'nobody said so', made_up: true } }),
    ];
    const { portia, requests } = await clientOver(wire, script, { tools, config });
    const waiting = await portia.runPlan(mailing());
    expect(questionOf(waiting)).toMatchObject({ category: 'Input', argumentName: 'to' });
    expect(made).toEqual([]);
    const run = await answerAndResume(portia, waiting, 'bo@example.org');
    expect([run.state, made]).toEqual(['COMPLETE', [{ to: 'bo@example.org' }]]);
    // What was settled before the question is not settled again (75).
    expect(requests.length).toBeLessThanOrEqual(2);
  });

  it('gives arguments that do not fit back with what is wrong (71)', async () => {
    const { made, tools } = bench();
    const script = [
      object({ to: known(7 as never), body: known(null) }),
      object({ to: known('Bo'), body: known(null) }),
    ];
    const { portia, requests } = await clientOver(wire, script, { tools, config });
    expect((await portia.runPlan(mailing())).error).toBeUndefined();
    expect([made, requests.length]).toEqual([[{ to: 'Bo' }], 2]);
  });
});
