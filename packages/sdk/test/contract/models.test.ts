// What the contract says of models (B 4, facts 89 to 94), over each protocol.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createModel } from '../../src/model/models.ts';
import { memoryModelCache } from '../../src/model/cache/memory-cache.ts';
import { modelSet } from '../../src/model/models.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { Config } from '../../src/config/config.ts';
import { object, text, toolCall } from '../../src/testing/script.ts';
import { tool } from '../../src/tool/tool.ts';
import { planOf } from '../lib/engine.ts';
import { ask, configFor, modelNames, serve } from '../lib/model-servers.ts';
import { allWires, clientOver, modelOver, words } from './wires.ts';

const price = { type: 'object', properties: { amount: { type: 'number' } }, required: ['amount'] } as const;

describe.each(allWires)('a model over %s', (wire) => {
  it('takes system, user and assistant messages, and images (89)', async () => {
    const server = await serve(() => text('A cat.'));
    const image = { type: 'file', mediaType: 'image/png', data: 'aGVsbG8=' } as const;
    const answer = await modelOver(wire, server).generate({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello.' },
        { role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] },
      ],
    });
    expect(answer.text).toBe('A cat.');
    const said = words(server.requests[0]);
    for (const part of ['Be brief.', 'Hi', 'Hello.', 'What is it?']) expect(said).toContain(part);
    expect(JSON.stringify(server.requests[0]?.body)).toContain('aGVsbG8=');
  });

  it('gives an answer in a schema, and is told once what does not fit (89)', async () => {
    const schema = z.object({ amount: z.number() });
    const { portia, requests } = await clientOver(wire, [object({ amount: 'two' }), object({ amount: 2 })]);
    const plan = new PlanBuilderV2('q').llmStep({ task: 'How much?', outputSchema: schema }).build();
    const run = await portia.runPlan(plan);
    expect([run.error, run.outputs.finalOutput?.value, requests.length]).toEqual([undefined, { amount: 2 }, 2]);
    expect(requests.map(({ schema: asked }) => asked !== undefined)).toEqual([true, true]);
    expect(words(requests[1])).toContain('amount');
  });

  it('is not paid for an answer that is in the cache, and is for any other question (93)', async () => {
    const server = await serve((_request, n) => object({ amount: n }));
    const config = new Config({ modelCache: memoryModelCache(), defaultModel: modelOver(wire, server) });
    const model = modelSet(config, { cache: memoryModelCache() }).get('default');
    const asked = { ...ask('How much?'), tenant: 'ana', schema: { name: 'price', jsonSchema: price } };
    expect(await model.generate(asked)).toMatchObject({ object: { amount: 1 } });
    expect(await model.generate(asked)).toMatchObject({ object: { amount: 1 }, cached: true });
    expect(await model.generate({ ...asked, ...ask('And now?') })).toMatchObject({ object: { amount: 2 } });
    expect(server.requests).toHaveLength(2);
  });

  it('is on record with its name, its tokens and its answer (94)', async () => {
    const { portia } = await clientOver(wire, ['Words.']);
    const run = await portia.runPlan(planOf({ task: 'Say it' }));
    const calls = (await portia.storage.getEvents(run.id)).filter(({ type }) => type === 'model-call-end');
    expect(calls).toMatchObject([{ answer: { text: 'Words.', usage: { inputTokens: 10, outputTokens: 5 } } }]);
    expect(Object.values(run.executionContext.models)).toMatchObject([{ modelCalls: 1, inputTokens: 10 }]);
  });
});

describe('what providers are told beside the question (90)', () => {
  const look: JsonObject = { type: 'object', properties: {} };
  const tools = [{ name: 'look', description: 'Looks', argsSchema: look }];

  async function sent(name: string, more: object = {}): Promise<JsonObject> {
    const server = await serve(() => object({ amount: 1 }));
    await createModel(name, configFor(server)).generate({ ...ask('Hi'), ...more });
    return server.requests[0]?.body as JsonObject;
  }

  it('is a seed and no randomness for OpenAI, and medium effort where it reasons', async () => {
    for (const name of ['openai/gpt-4.1', 'azure-openai/gpt-4.1'])
      expect(await sent(name)).toMatchObject({ seed: 343, temperature: 0 });
    for (const name of ['openai/o3-mini', 'openai/o4-mini', 'azure-openai/o4-mini']) {
      const body = await sent(name, { tools, parallelToolCalls: false });
      expect(body).toMatchObject({ seed: 343, reasoning_effort: 'medium' });
      expect(body).not.toHaveProperty('temperature');
      expect(body).not.toHaveProperty('parallel_tool_calls');
    }
    expect(await sent('openai/gpt-5')).not.toHaveProperty('temperature');
    expect(await sent('custom/my-model')).not.toHaveProperty('seed');
  });

  it('is a budget to think for Claude 3.7, save for answers in a schema; none for others', async () => {
    const thinking = { type: 'enabled', budget_tokens: 3_000 };
    const body = await sent('anthropic/claude-3-7-sonnet-latest', { tools });
    expect(body['thinking']).toEqual(thinking);
    expect(body).not.toHaveProperty('temperature');
    const schema = { name: 'price', jsonSchema: price };
    const structured = await sent('anthropic/claude-3-7-sonnet-latest', { schema });
    expect(structured).not.toHaveProperty('thinking');
    expect(structured['temperature']).toBe(0);
    expect(await sent('anthropic/claude-sonnet-4-5')).not.toHaveProperty('thinking');
    const bedrock = await sent('amazon/eu.anthropic.claude-3-7-sonnet-20250219-v1:0');
    expect(JSON.stringify(bedrock['additionalModelRequestFields'])).toContain('3000');
  });

  it('counts what a model thinks in the limit of its answer, and has none think whose answer is short', async () => {
    const model = 'anthropic/claude-3-7-sonnet-latest';
    expect(await sent(model, { tools, maxOutputTokens: 5_000 })).toMatchObject({
      max_tokens: 5_000,
      thinking: { budget_tokens: 3_000 },
    });
    const short = await sent(model, { tools, maxOutputTokens: 3_100 });
    expect(short['max_tokens']).toBe(3_100);
    expect(short).not.toHaveProperty('thinking');
    const bedrock = await sent('amazon/eu.anthropic.claude-3-7-sonnet-20250219-v1:0', { maxOutputTokens: 5_000 });
    expect(bedrock['inferenceConfig']).toMatchObject({ maxTokens: 5_000 });
  });

  it('is that one call at a time is to be made of a tool with effects, and of no other', async () => {
    const ways = {
      openai: (body: JsonObject) => body['parallel_tool_calls'] === false,
      'azure-openai': (body: JsonObject) => body['parallel_tool_calls'] === false,
      mistralai: (body: JsonObject) => body['parallel_tool_calls'] === false,
      groq: (body: JsonObject) => body['parallel_tool_calls'] === false,
      anthropic: (body: JsonObject) => JSON.stringify(body).includes('"disable_parallel_tool_use":true'),
    } as const;
    const argsSchema = z.object({ id: z.string() });
    const pay = tool({ id: 'pay', description: 'Pays', argsSchema, run: ({ id }) => `paid ${id}` });
    const read = tool({ id: 'read', description: 'Reads', argsSchema, readOnly: true, run: ({ id }) => id });
    const plan = new PlanBuilderV2('q')
      .singleToolAgentStep({ stepName: 'p', tool: pay, task: 'Pay it' })
      .singleToolAgentStep({ stepName: 'r', tool: read, task: 'Read it' })
      .reactAgentStep({ stepName: 'b', tools: [pay, read], task: 'Do both' })
      .build();
    for (const [provider, isOne] of Object.entries(ways)) {
      const server = await serve(({ tools: given = [] }) =>
        given.length === 1 ? toolCall(given[0]?.name ?? '', { id: 'a' }) : text('Done.'),
      );
      const config = configFor(server, { defaultModel: modelNames[provider as keyof typeof ways] });
      const portia = new Portia({ config, tools: [pay, read] });
      expect((await portia.runPlan(plan)).error).toBeUndefined();
      expect([provider, server.requests.map(({ body }) => isOne(body))]).toEqual([provider, [true, false, false]]);
      expect(words(server.requests[0])).toContain('once. If it takes several calls, do not call: say so.');
      expect(words(server.requests[1])).toContain('all at once where it plainly asks for several');
      await portia.close();
    }
  });
});

describe('the models of a client (91)', () => {
  it('are each asked for what they are for: planning, execution, conditions, summaries, and all else', async () => {
    const server = await serve(({ schema, tools = [] }) => {
      if (schema?.name === 'plan')
        return object({
          steps: [
            { task: 'Read', tool_id: 'read', inputs: [], output: '$a', condition: 'if it is so' },
            { task: 'Say it', tool_id: 'llm_tool', inputs: [], output: '$b', condition: null },
          ],
          error: null,
        });
      if (schema) return object({ reason: 'so', outcome: 'CONTINUE' });
      return tools.length > 0 ? toolCall('read', { id: 'a' }) : text('word '.repeat(500));
    });
    const argsSchema = z.object({ id: z.string() });
    const read = tool({ id: 'read', description: 'Reads', argsSchema, readOnly: true, run: ({ id }) => id });
    const config = configFor(server, {
      defaultModel: 'openai/gpt-4.1',
      planningModel: 'openai/o3-mini',
      executionModel: 'openai/gpt-4o',
      introspectionModel: 'openai/o4-mini',
      summarizerModel: 'openai/gpt-4.1-mini',
      largeOutputThresholdTokens: 5_000,
    });
    const portia = new Portia({ config, tools: [read] });
    const run = await portia.run('Read it and say it');
    expect(run.error).toBeUndefined();
    expect(server.requests.map(({ model }) => model)).toEqual([
      'o3-mini',
      'o4-mini',
      'gpt-4o',
      'gpt-4.1',
      'gpt-4.1-mini',
    ]);
    await portia.close();
  });
});
