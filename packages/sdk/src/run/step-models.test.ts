import { describe, expect, it } from 'vitest';
import { configFor, modelNames, serve } from '../../test/lib/model-servers.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import type { ConfigOptions } from '../config/config-options.ts';
import type { RunEvent, RunNotice } from '../core/event.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { hangs, status, text, toolCall } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import type { ScriptedServerRequest } from '../testing/scripted-model-server.ts';
import { createLlmTool } from '../tool/library/llm-tool.ts';
import { tool } from '../tool/tool.ts';
import { z } from 'zod';

const look = tool({
  id: 'look',
  description: 'Looks something up',
  argsSchema: z.object({ what: z.string() }),
  readOnly: true,
  run: ({ what }) => `All about ${what}.`,
});

async function client(answer: (request: ScriptedServerRequest) => ReturnType<typeof text>, more: ConfigOptions = {}) {
  const server = await serve(answer);
  const config = configFor(server, { defaultModel: modelNames.openai, ...more });
  const clock = fakeClock(Date.UTC(2026, 0, 5), { autoAdvance: true });
  return { server, portia: new Portia({ config, tools: [look], clock }) };
}

async function eventsOf(portia: Portia, { id }: PlanRun): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of portia.events(id)) if (event.seq !== undefined) events.push(event as RunEvent);
  return events;
}

describe('the model a step names', () => {
  it('is the one it asks, of whatever kind the step is', async () => {
    const { portia, server } = await client(({ tools = [], messages }) => {
      const looks = tools.length > 0 && !JSON.stringify(messages).includes('dogs');
      return looks ? toolCall('look', { what: 'cats' }) : text('Words.');
    });
    const own = createLlmTool({ id: 'own_llm', model: 'google/gemini-2.5-flash' });
    const plan = new PlanBuilderV2('Four models')
      .llmStep({ task: 'Say something', model: 'anthropic/claude-sonnet-4-5' })
      .singleToolAgentStep({ task: 'Look up cats', tool: look, model: 'groq/moonshotai/kimi-k2-instruct' })
      .reactAgentStep({ task: 'Look up dogs', tools: [look], model: ['grok/grok-4-0709', 'openai/gpt-4o'] })
      .invokeToolStep({ tool: own, args: { task: 'Say something' } })
      .llmStep({ task: 'Say it again' })
      .build();
    expect((await portia.runPlan(plan)).state).toBe('COMPLETE');
    expect(server.requests.map(({ model }) => model)).toEqual([
      'claude-sonnet-4-5',
      'moonshotai/kimi-k2-instruct',
      'grok-4-0709',
      'gemini-2.5-flash',
      'gpt-4.1',
    ]);
    await portia.close();
  });
});

describe('a list of models', () => {
  it('is on record with the one that answered, and with those that did not', async () => {
    const { portia } = await client(
      ({ protocol }) => (protocol === 'openai-chat' ? (status(503) as never) : text('From the second.')),
      { defaultModel: ['openai/gpt-4.1', 'anthropic/claude-sonnet-4-5'] },
    );
    const run = await portia.runPlan(new PlanBuilderV2('Ask').llmStep({ task: 'Say something' }).build());
    expect(run.outputs.finalOutput?.value).toBe('From the second.');
    const [end] = (await eventsOf(portia, run)).filter(({ type }) => type === 'model-call-end');
    expect(end).toMatchObject({
      model: 'anthropic/claude-sonnet-4-5',
      answer: { failed: [{ model: 'openai/gpt-4.1', code: 'MODEL_FAILED' }] },
    });
    await portia.close();
  });
});

describe('an image in a message', () => {
  it('reaches the model, and is on record with the conversation', async () => {
    const content = [
      { type: 'text', text: 'What is the total?' },
      { type: 'image', mediaType: 'image/png', data: 'iVBORw0KGgo=' },
    ] as const;
    const read = tool({
      id: 'read_receipt',
      description: 'Reads a receipt',
      argsSchema: z.object({}),
      readOnly: true,
      run: async (_args, context) => (await context.model().generate({ messages: [{ role: 'user', content }] })).text,
    });
    const { portia, server } = await client(() => text('42'));
    const run = await portia.runPlan(new PlanBuilderV2('Read').invokeToolStep({ tool: read, args: {} }).build());
    expect(run.outputs.finalOutput?.value).toBe('42');
    expect(server.requests[0]?.body).toHaveProperty(
      'messages.0.content.1.image_url.url',
      'data:image/png;base64,iVBORw0KGgo=',
    );
    const [end] = (await eventsOf(portia, run)).filter(({ type }) => type === 'model-call-end');
    expect(end).toMatchObject({ messages: [{ role: 'user', content }] });
    await portia.close();
  });
});

describe('a step that took too long', () => {
  it('lets go of the model it asked', async () => {
    const model = scriptedModel([hangs()]);
    const portia = new Portia({ config: new Config({ defaultModel: model }) });
    const plan = new PlanBuilderV2('Ask').llmStep({ task: 'Say something', timeoutMs: 60 }).build();
    const run = await portia.runPlan(plan);
    expect(run.error?.code).toBe('TOOL_TIMEOUT');
    expect(model.requests[0]?.signal?.aborted).toBe(true);
    await portia.close();
  });
});

describe('words as they come', () => {
  const plan = new PlanBuilderV2('Ask').llmStep({ task: 'Say something' }).build();

  it('reach whoever follows the run, and are not stored', async () => {
    const { portia, server } = await client(() => text('All is well.'));
    const { planRunId } = await portia.start(plan);
    const seen: (RunEvent | RunNotice)[] = [];
    const following = (async () => {
      for await (const event of portia.events(planRunId)) seen.push(event);
    })();
    const run = await portia.resume({ planRunId });
    await following;
    const deltas = seen.flatMap((event) => (event.type === 'text-delta' ? [event.text] : []));
    expect(deltas).toEqual(['All ', 'is ', 'well.']);
    expect(run.outputs.finalOutput?.value).toBe('All is well.');
    expect(server.requests[0]?.body['stream']).toBe(true);
    expect(JSON.stringify(await eventsOf(portia, run))).not.toContain('text-delta');
    await portia.close();
  });

  it('are not asked for while nobody follows, also when there is a log', async () => {
    const { portia, server } = await client(() => text('All is well.'), { defaultLogLevel: 'CRITICAL' });
    await portia.runPlan(plan);
    expect(server.requests[0]?.body['stream']).toBeUndefined();
    await portia.close();
  });
});
