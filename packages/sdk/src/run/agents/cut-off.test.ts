// Half an answer is none: words, JSON and tool calls that were cut off at the output limit, or by a content filter, are
// never a result, through the real packages of providers that say so in different ways.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configFor, modelNames, type ProviderName, serve } from '../../../test/lib/model-servers.ts';
import { planOf } from '../../../test/lib/engine.ts';
import { Portia } from '../../client.ts';
import type { ConfigOptions } from '../../config/config-options.ts';
import type { LocalDataValue } from '../../core/output.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import { object, type Script, text, toolCall, together } from '../../testing/script.ts';
import type { ScriptedServerRequest } from '../../testing/scripted-model-server.ts';
import { tool } from '../../tool/tool.ts';
import type { AnyPlan } from '../create-run.ts';

const providers: readonly ProviderName[] = ['openai', 'anthropic', 'google'];
const cut = { finishReason: 'length' } as const;
const filtered = { finishReason: 'content-filter' } as const;

/** Every argument is optional: a call of which nothing has come looks whole. */
function mailer(shouldSummarize = false) {
  const sent: unknown[] = [];
  const made = tool({
    id: 'send',
    description: 'Sends a mail.',
    argsSchema: z.object({ to: z.string().optional(), words: z.string().optional() }),
    shouldSummarize,
    run: (args) => {
      sent.push(args);
      return `sent to ${args.to}`;
    },
  });
  return { made, sent };
}

const whole = { to: 'bo@example.org', words: 'Dear Bo, all is well.' };

async function runWith(
  provider: ProviderName,
  plan: AnyPlan,
  script: Script<ScriptedServerRequest>,
  more: ConfigOptions = {},
  tools = [mailer().made],
) {
  const server = await serve(script);
  const config = configFor(server, { defaultModel: modelNames[provider], ...more });
  const portia = new Portia({ config, tools });
  const run = await portia.runPlan(plan);
  const calls = await portia.storage.getToolCalls(run.id);
  await portia.close();
  return { run, calls, requests: server.requests };
}

const said = (requests: readonly ScriptedServerRequest[]): string => JSON.stringify(requests.at(-1)?.messages);

describe.each(providers)('an answer of %s that was cut off', (provider) => {
  const step = planOf({ toolId: 'send', task: 'Write to bo@example.org: Dear Bo, all is well.' });

  it.each([
    ['limit', cut],
    ['filter', filtered],
  ])('is no tool call, however whole it looks (%s)', async (_, how) => {
    const { made, sent } = mailer();
    const script = [
      together(toolCall('send', { to: whole.to }, how), toolCall('send', {}, how)),
      toolCall('send', whole),
    ];
    const { run, requests } = await runWith(provider, step, script, { executionAgentType: 'ONE_SHOT' }, [made]);
    expect([run.error, sent]).toEqual([undefined, [whole]]);
    expect(said(requests).split('Not called: your answer is not whole')).toHaveLength(3);
  });

  it('fails a step when the call is cut off again, and says why', async () => {
    const { made, sent } = mailer();
    const script = () => toolCall('send', {}, cut);
    const { run, requests } = await runWith(provider, step, script, { executionAgentType: 'ONE_SHOT' }, [made]);
    expect(run.error).toMatchObject({ code: 'AGENT_FAILED' });
    expect(run.error?.message).toContain('did not call send (it was cut off at its output limit)');
    expect([sent, requests.length]).toEqual([[], 2]);
  });

  it('settles no arguments for the verifying agent', async () => {
    const { made, sent } = mailer();
    const settled = {
      to: { explanation: 'the task', value: whole.to, made_up: false },
      words: { explanation: 'the task', value: whole.words, made_up: false },
    };
    const half = JSON.stringify(settled).slice(0, -20);
    const { run } = await runWith(
      provider,
      step,
      [text(half, cut), object(settled)],
      { executionAgentType: 'DEFAULT' },
      [made],
    );
    expect([run.error, sent]).toEqual([undefined, [whole]]);
  });

  const react = new PlanBuilderV2('q').reactAgentStep({ stepName: 'r', tools: ['send'], task: 'Write to Bo.' }).build();

  it('is no result of a ReAct step, in words or through its tool, and no call of it', async () => {
    const { made, sent } = mailer();
    const script = [
      text('The mail was', cut),
      toolCall('send', whole),
      toolCall('send', {}, cut),
      toolCall('send', whole),
      toolCall('final_result', { result: 'The mail' }, cut),
      toolCall('final_result', { result: 'The mail was sent.' }),
    ];
    const { run } = await runWith(provider, react, script, {}, [made]);
    expect([run.error, run.outputs.finalOutput?.value, sent]).toEqual([
      undefined,
      'The mail was sent.',
      [whole, whole],
    ]);
  });

  it('fails a ReAct step when it is cut off again, and says why', async () => {
    const { run, requests } = await runWith(provider, react, () => text('The mail was', filtered));
    expect(run.error?.message).toContain("also when told to (the provider's content filter stopped it)");
    expect(requests).toHaveLength(2);
  });

  it('is no verdict on a condition, of a builder plan or of a planned one', async () => {
    const built = new PlanBuilderV2('q')
      .if({ condition: 'It is so' })
      .functionStep({ stepName: 'f', function: () => 'done' })
      .endIf()
      .build();
    const script = [text('{"reason":"so","holds":fal', cut), object({ reason: 'so', holds: true })];
    const first = await runWith(provider, built, script);
    expect([first.run.outputs.finalOutput?.value, first.requests.length]).toEqual(['done', 2]);

    const ping = tool({ id: 'ping', description: 'Says pong', run: () => 'pong' });
    const planned = planOf({ toolId: 'ping', output: '$p' }, { toolId: 'ping', condition: '$p is pong', output: '$q' });
    const answers = [text('{"reason":"so","outcome":"SK', cut), object({ reason: 'so', outcome: 'CONTINUE' })];
    const second = await runWith(provider, planned, answers, {}, [ping as never]);
    const output = second.run.outputs.stepOutputs['$q'] as LocalDataValue;
    expect([output.value, second.requests.length]).toEqual(['pong', 2]);
  });

  it('is no summary: it is asked for again, and then the beginning of the output stands in', async () => {
    const { made } = mailer(true);
    const call = toolCall('send', whole);
    const more = { executionAgentType: 'ONE_SHOT' } as const;
    const twice = await runWith(provider, step, [call, text('A mail was', cut), text('A mail was sent.')], more, [
      made,
    ]);
    expect(twice.run.outputs.finalOutput?.summary).toBe('A mail was sent.');
    const never = await runWith(provider, step, [call, text('A m', cut), text('A m', cut)], more, [made]);
    expect([never.run.state, never.run.outputs.finalOutput?.summary]).toEqual(['COMPLETE', 'sent to bo@example.org']);
  });

  it('is no final summary: the run completes without one', async () => {
    const list = tool({ id: 'list', description: 'Lists', run: () => ({ rows: [1, 2] }) });
    const script = [text('Two ro', cut), text('Two ro', cut)];
    const { run } = await runWith(provider, planOf({ toolId: 'list' }), script, {}, [list as never]);
    expect([run.state, run.outputs.finalOutput?.summary ?? null]).toEqual(['COMPLETE', null]);
  });

  it('is no number, although half a number is one', async () => {
    const plan = new PlanBuilderV2('q').llmStep({ stepName: 'n', task: 'How many?', outputSchema: z.number() }).build();
    const { run, requests } = await runWith(provider, plan, [text('12', cut), object({ value: 1234 })]);
    expect([run.error, run.outputs.finalOutput?.value, requests.length]).toEqual([undefined, 1234, 2]);
  });
});
