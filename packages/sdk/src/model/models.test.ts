import { createOpenAI } from '@ai-sdk/openai';
import type { Server } from 'node:http';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { Config } from '../config/config.ts';
import { PortiaError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Model, ModelMessage } from '../core/model.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { fails, hangs, invalidJson, object, status, text, together, toolCall, truncated } from '../testing/script.ts';
import { scriptedModelServer } from '../testing/scripted-model-server.ts';
import {
  allProviders,
  ask,
  configFor,
  modelNames,
  type ProviderName,
  scriptedFor,
  secret,
  serve,
} from '../../test/lib/model-servers.ts';
import { fromAiSdk } from './ai-sdk/index.ts';
import { createModel, modelSet } from './models.ts';
import { contextWindowOf, providers } from './providers.ts';

const weather = {
  name: 'weather',
  description: 'Tells the weather.',
  argsSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const price: JsonObject = {
  type: 'object',
  properties: { amount: { type: 'number' }, note: { type: 'string', maxLength: 20 } },
  required: ['amount'],
};

async function codeOf(made: Promise<unknown>): Promise<PortiaError> {
  const error = await made.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!PortiaError.isInstance(error)) throw new Error(`expected a PortiaError, got ${inspect(error)}`);
  return error;
}

describe.each(allProviders)('a model of %s, through its real package', (name) => {
  it('answers in words, with what it cost', async () => {
    const { model, server } = await scriptedFor(name, [
      text('Hello.', { usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: 4 } }),
    ]);
    expect(await model.generate(ask('Hi'))).toEqual({
      text: 'Hello.',
      finishReason: 'stop',
      usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: 4 },
    });
    expect(server.requests[0]?.messages).toEqual(ask('Hi').messages);
    expect(server.requests[0]?.model).toBe(modelNames[name].slice(modelNames[name].indexOf('/') + 1));
  });

  it('calls tools, and is told what they gave', async () => {
    const { model, server } = await scriptedFor(name, [
      together(text('Let me see.'), toolCall('weather', { city: 'Rome' }), toolCall('weather', { city: 'Oslo' })),
      text('Sunny and cold.'),
    ]);
    const first = await model.generate({ ...ask('Weather?'), tools: [weather], toolChoice: 'required' });
    expect(first).toMatchObject({ text: 'Let me see.', finishReason: 'tool-calls' });
    expect(first.toolCalls?.map(({ name: tool, args }) => ({ tool, args }))).toEqual([
      { tool: 'weather', args: { city: 'Rome' } },
      { tool: 'weather', args: { city: 'Oslo' } },
    ]);
    const results = (first.toolCalls ?? []).map(
      (call, index): ModelMessage => ({
        role: 'tool',
        callId: call.id,
        toolName: call.name,
        content: index === 0 ? 'sunny' : 'cold',
        ...(index === 1 && { isError: true }),
      }),
    );
    await model.generate({
      messages: [
        ...ask('Weather?').messages,
        { role: 'assistant', content: first.text, ...(first.toolCalls && { toolCalls: first.toolCalls }) },
        ...results,
      ],
      tools: [weather],
    });
    expect(server.requests[0]?.tools?.[0]).toMatchObject({ name: 'weather', description: 'Tells the weather.' });
    const second = server.requests[1]?.messages.slice(2) ?? [];
    expect(second[0]).toMatchObject({ role: 'assistant', content: 'Let me see.' });
    expect(second[0]).toHaveProperty('toolCalls.1.args', { city: 'Oslo' });
    expect(second.slice(1).map((message) => [message.role, message.content])).toEqual([
      ['tool', 'sunny'],
      // Packages differ in how they say that it is an error.
      ['tool', expect.stringContaining('cold')],
    ]);
  });

  it('gives a structured answer', async () => {
    const { model, server } = await scriptedFor(name, [object({ amount: 3 })]);
    const answer = await model.generate({ ...ask('How much?'), schema: { name: 'price', jsonSchema: price } });
    expect(answer.object).toEqual({ amount: 3 });
    expect(server.requests[0]?.schema?.jsonSchema).toMatchObject({
      type: 'object',
      properties: { amount: { type: 'number' } },
    });
  });

  it('gives a structured answer that is no object', async () => {
    const { model } = await scriptedFor(name, [object({ value: [1, 2] })]);
    const schema = { name: 'numbers', jsonSchema: { type: 'array', items: { type: 'number' } } };
    expect((await model.generate({ ...ask('Which?'), schema })).object).toEqual([1, 2]);
  });

  it('leaves out the object when the answer is not JSON', async () => {
    const { model } = await scriptedFor(name, [text('I would rather not.')]);
    const answer = await model.generate({ ...ask('How much?'), schema: { name: 'price', jsonSchema: price } });
    expect(answer.text).toBe('I would rather not.');
    expect('object' in answer).toBe(false);
  });

  it('says that it was cut off', async () => {
    const { model, server } = await scriptedFor(name, [text('And th', { finishReason: 'length' })]);
    expect((await model.generate({ ...ask('Hi'), maxOutputTokens: 7 })).finishReason).toBe('length');
    expect(JSON.stringify(server.requests[0]?.body)).toContain(':7');
  });

  it('is asked again after a rate limit, when the server says so', async () => {
    const { model, server, clock } = await scriptedFor(name, [status(429, { retryAfterSeconds: 7 }), text('Now.')]);
    expect((await model.generate(ask('Hi'))).text).toBe('Now.');
    expect(server.requests).toHaveLength(2);
    expect(clock.now()).toBe(7000);
  });

  it('is asked again after trouble on its side, with growing pauses, and then given up', async () => {
    const { model, server, clock } = await scriptedFor(name, () => status(503, { message: 'overloaded' }));
    const error = await codeOf(model.generate(ask('Hi')));
    expect(error.code).toBe('MODEL_FAILED');
    expect(error.message).toContain(modelNames[name]);
    expect(error.message).toContain('status 503: overloaded');
    expect(error.details).toMatchObject({ status: 503, retryable: true });
    expect(server.requests).toHaveLength(4);
    expect(clock.now()).toBeGreaterThanOrEqual(1750);
    expect(clock.now()).toBeLessThanOrEqual(3500);
  });

  it('is asked again after a lost connection', async () => {
    const { model, server } = await scriptedFor(name, [fails('gone'), truncated(), text('Back.')]);
    expect((await model.generate(ask('Hi'))).text).toBe('Back.');
    expect(server.requests).toHaveLength(3);
  });

  it('is not asked again when the request was refused', async () => {
    const { model, server } = await scriptedFor(name, [status(400, { message: 'no such thing' })]);
    const error = await codeOf(model.generate(ask('Hi')));
    expect([error.code, error.details?.['status']]).toEqual(['MODEL_FAILED', 400]);
    expect(server.requests).toHaveLength(1);
  });

  it('fails when what it sends is not JSON', async () => {
    const { model, server } = await scriptedFor(name, [invalidJson()]);
    const error = await codeOf(model.generate(ask('Hi')));
    expect(error.code).toBe('MODEL_FAILED');
    expect(error.message).toContain('cannot be read');
    expect(server.requests).toHaveLength(1);
  });

  it('is given up when it does not answer in time', async () => {
    const { model } = await scriptedFor(name, [hangs()], { modelTimeoutMs: 60 });
    const error = await codeOf(model.generate(ask('Hi')));
    expect(error.code).toBe('MODEL_TIMEOUT');
    expect(error.message).toBe(`${modelNames[name]} did not answer within 0.06 s`);
  });

  it('stops at once when the caller aborts, with the caller’s reason', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const { model } = await scriptedFor(name, () => {
      stop.abort(reason);
      return hangs();
    });
    await expect(model.generate({ ...ask('Hi'), signal: stop.signal })).rejects.toBe(reason);
    await expect(model.generate({ ...ask('Hi'), signal: stop.signal })).rejects.toBe(reason);
  });

  it('never shows its key', async () => {
    const { model, server } = await scriptedFor(name, () =>
      status(401, { message: `Incorrect API key provided: ${secret}, not sk-live-abcdefgh99` }),
    );
    const error = await codeOf(model.generate(ask('Hi')));
    const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(server.requests);
    expect(error.message).toContain('Incorrect API key provided: [redacted], not [redacted]');
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain('sk-live');
    const places: Partial<Record<ProviderName, string>> = { ollama: 'the server', amazon: 'credentials of AWS' };
    expect(error.hint).toContain(places[name] ?? 'API_KEY');
  });
});

describe('what providers attach to an answer', () => {
  it('is kept and sent back to the same provider, in order', async () => {
    const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'signed' };
    const bodies: JsonObject[] = [];
    const server = await rawServer((body) => {
      bodies.push(body);
      return {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude',
        content: [
          thinking,
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'Rome' } },
        ],
        stop_reason: 'tool_use',
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 1 },
      };
    });
    const model = createModel(modelNames.anthropic, configFor(server));
    const answer = await model.generate({ ...ask('Weather?'), tools: [weather] });
    expect(answer.text).toBe('Let me see.');
    const turn: ModelMessage = JSON.parse(
      JSON.stringify({
        role: 'assistant',
        content: answer.text,
        toolCalls: answer.toolCalls,
        providerParts: answer.providerParts,
      }),
    );
    const result: ModelMessage = { role: 'tool', callId: 'a', toolName: 'weather', content: 'sunny' };
    await model.generate({ messages: [...ask('Weather?').messages, turn, result], tools: [weather] });
    expect(bodies[1]?.['messages']).toMatchObject([
      { role: 'user' },
      {
        role: 'assistant',
        content: [
          thinking,
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'Rome' } },
        ],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a' }] },
    ]);

    const other = await serve([text('Fine.')]);
    await createModel(modelNames.ollama, configFor(other)).generate({
      messages: [...ask('Weather?').messages, turn, result],
    });
    expect(other.requests[0]?.messages[2]).toMatchObject({ role: 'assistant', content: 'Let me see.' });
    expect(JSON.stringify(other.requests[0]?.body)).not.toContain('Hm.');
  });

  it('includes signatures of tool calls', async () => {
    const bodies: JsonObject[] = [];
    const server = await rawServer((body) => {
      bodies.push(body);
      const part = { functionCall: { name: 'weather', args: { city: 'Rome' } }, thoughtSignature: 'signed' };
      return { candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP' }] };
    });
    const model = createModel(modelNames.google, configFor(server));
    const {
      text: content,
      toolCalls = [],
      providerParts = null,
    } = await model.generate({ ...ask('Weather?'), tools: [weather] });
    await model.generate({
      messages: [
        ...ask('Weather?').messages,
        { role: 'assistant', content, toolCalls, providerParts },
        { role: 'tool', callId: toolCalls[0]?.id ?? '', toolName: 'weather', content: 'sunny' },
      ],
      tools: [weather],
    });
    expect(bodies[1]).toHaveProperty('contents.1.parts.0.thoughtSignature', 'signed');
  });

  it('is not missed where arguments are not JSON', async () => {
    const { model, server } = await scriptedFor('openai', [toolCall('weather', '{"city": "Ro'), text('Sorry.')]);
    const answer = await model.generate({ ...ask('Weather?'), tools: [weather] });
    expect(answer.toolCalls?.[0]?.args).toBe('{"city": "Ro');
    await model.generate({
      messages: [
        ...ask('Weather?').messages,
        { role: 'assistant', content: '', ...(answer.toolCalls && { toolCalls: answer.toolCalls }) },
        {
          role: 'tool',
          callId: answer.toolCalls?.[0]?.id ?? '',
          toolName: 'weather',
          content: 'not JSON',
          isError: true,
        },
      ],
    });
    expect(server.requests[1]?.messages[2]).toHaveProperty('toolCalls.0.args', { unreadable: '{"city": "Ro' });
  });
});

describe('the request', () => {
  it('asks OpenAI for strict output only where the schema allows it', async () => {
    const { model, server } = await scriptedFor('openai', () => object({ amount: 1 }));
    const strict = {
      type: 'object',
      properties: { amount: { type: 'number' } },
      required: ['amount'],
      additionalProperties: false,
    };
    await model.generate({ ...ask('Hi'), schema: { name: 'a', jsonSchema: strict } });
    await model.generate({ ...ask('Hi'), schema: { name: 'a', jsonSchema: price } });
    expect(server.requests.map(({ body }) => body['response_format'])).toMatchObject([
      { json_schema: { strict: true } },
      { json_schema: { strict: false } },
    ]);
  });

  it('moves definitions along when a schema is wrapped', async () => {
    const { model, server } = await scriptedFor('ollama', [object({ value: [] })]);
    const jsonSchema = { type: 'array', items: { $ref: '#/$defs/n' }, $defs: { n: { type: 'number' } } };
    await model.generate({ ...ask('Hi'), schema: { name: 'a', jsonSchema } });
    expect(server.requests[0]?.schema?.jsonSchema).toMatchObject({
      properties: { value: { type: 'array', items: { $ref: '#/$defs/n' } } },
      $defs: { n: { type: 'number' } },
    });
  });

  it('carries the schema in words where the server takes none', async () => {
    const server = await serve([text('```json\n{"amount": 2}\n```')]);
    const model = createModel(
      'groq/llama-3.1-8b-instant',
      new Config({ groqApiKey: secret, groqBaseUrl: server.baseUrl }),
    );
    const answer = await model.generate({ ...ask('How much?'), schema: { name: 'price', jsonSchema: price } });
    expect(answer.object).toEqual({ amount: 2 });
    expect(server.requests[0]?.messages[0]?.content).toContain(`Be brief.\n\n`);
    expect(server.requests[0]?.messages[0]?.content).toContain(JSON.stringify(price));
    expect(server.requests[0]?.body['response_format']).toEqual({ type: 'json_object' });
  });

  it('asks reasoning models for medium effort, and others for no randomness', async () => {
    const server = await serve(() => text('Yes.'));
    const config = configFor(server);
    await createModel('openai/o3-mini', config).generate(ask('Hi'));
    await createModel('openai/gpt-4.1', config).generate(ask('Hi'));
    await createModel('openai/gpt-5', config).generate(ask('Hi'));
    expect(server.requests.map(({ body }) => [body['reasoning_effort'], body['temperature']])).toEqual([
      ['medium', undefined],
      [undefined, 0],
      [undefined, undefined],
    ]);
  });

  it('goes to the base URL as it is when it has a path', async () => {
    const server = await serve(() => text('Yes.'));
    await createModel(
      modelNames.anthropic,
      configFor(server, { anthropicBaseUrl: `${server.url}/proxy/v1/` }),
    ).generate(ask('Hi'));
    await createModel(modelNames.anthropic, configFor(server)).generate(ask('Hi'));
    expect(server.requests.map(({ path }) => path)).toEqual(['/proxy/v1/messages', '/v1/messages']);
  });
});

describe('a model by name', () => {
  it('names the variable when its key is missing, at the first call and not before', async () => {
    const missing = await codeOf(createModel('openai/gpt-4.1', new Config()).generate(ask('Hi')));
    expect(missing.code).toBe('MODEL_KEY_MISSING');
    expect(missing.message).toContain('OPENAI_API_KEY');
    const grok = await codeOf(createModel('grok/grok-4-0709', new Config()).generate(ask('Hi')));
    expect(grok.message).toContain('XAI_API_KEY');
  });

  it('needs no key for a server of one’s own', async () => {
    const server = await serve([text('Yes.')]);
    const model = createModel('openai/my-model', new Config({ openaiBaseUrl: server.baseUrl }));
    expect((await model.generate(ask('Hi'))).text).toBe('Yes.');
  });

  it('names the one command when its package is missing', async () => {
    const entry = { ...providers.openai, package: '@ai-sdk/not-there' };
    const model = createModel('openai/gpt-4.1', new Config({ openaiApiKey: secret }), { providers: { openai: entry } });
    const error = await codeOf(model.generate(ask('Hi')));
    expect([error.code, error.hint]).toEqual(['PACKAGE_MISSING', 'npm i @ai-sdk/not-there']);
    const other = { ...providers.openai, factory: 'createNothing' };
    const unfit = createModel('openai/gpt-4.1', new Config({ openaiApiKey: secret }), { providers: { openai: other } });
    expect((await codeOf(unfit.generate(ask('Hi')))).message).toContain('another version of @ai-sdk/openai');
  });

  it.each(['gpt-4.1', '', '/x', 'openai/', 'nobody/x'])(
    'is refused as %j, and the known providers are listed',
    (name) => {
      expect(() => createModel(name, new Config())).toThrow(
        expect.objectContaining({
          code: 'MODEL_UNKNOWN',
          hint: expect.stringContaining('openai, anthropic, mistralai, google'),
        }),
      );
    },
  );

  it('is split at the first slash and trimmed', () => {
    expect(createModel(' openrouter/moonshotai/kimi-k2 ', new Config())).toMatchObject({
      id: 'openrouter/moonshotai/kimi-k2',
      contextWindow: 131_072,
    });
    expect(createModel('GOOGLE_GENERATIVE_AI/gemini-2.5-pro', new Config()).id).toBe('google/gemini-2.5-pro');
  });

  it('has 100,000 tokens of context when nothing is known of it', () => {
    expect([contextWindowOf('gpt-4.1'), contextWindowOf('gpt-4o-mini'), contextWindowOf('something-new')]).toEqual([
      1_047_576, 128_000, 100_000,
    ]);
  });

  it('is not waited for when the server asks for a very long pause', async () => {
    const { model, server, clock } = await scriptedFor('openai', [status(429, { retryAfterSeconds: 3600 })]);
    const error = await codeOf(model.generate(ask('Hi')));
    expect(error.details).toMatchObject({ status: 429, retryAfterMs: 3_600_000 });
    expect([server.requests.length, clock.now()]).toEqual([1, 0]);
  });

  it('is not asked again when the account has no credit', async () => {
    const requests: JsonObject[] = [];
    const server = await rawServer((body) => {
      requests.push(body);
      return { error: { message: 'You exceeded your quota', type: 'insufficient_quota', code: 'insufficient_quota' } };
    }, 429);
    const error = await codeOf(createModel(modelNames.openai, configFor(server)).generate(ask('Hi')));
    expect(error.hint).toBe('check the credit of the account');
    expect(requests).toHaveLength(1);
  });

  it('can be aborted while it waits to be asked again', async () => {
    const server = await serve(() => status(500));
    const clock = fakeClock();
    const stop = new AbortController();
    const made = createModel(modelNames.openai, configFor(server), { clock }).generate({
      ...ask('Hi'),
      signal: stop.signal,
    });
    made.catch(() => undefined);
    while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort(new Error('enough'));
    await expect(made).rejects.toThrow('enough');
    expect(server.requests).toHaveLength(1);
  });

  it('says that nobody answers at an address', async () => {
    const server = await scriptedModelServer([]);
    await server.close();
    const model = createModel(modelNames.ollama, configFor(server), { clock: fakeClock(0, { autoAdvance: true }) });
    const error = await codeOf(model.generate(ask('Hi')));
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.hint).toContain('base URL');
  });
});

describe('the models of a client', () => {
  const idOf = (config: Config, which: string): string => modelSet(config).get(which).id;

  it('are the provider’s own choice where none is named', () => {
    const config = new Config({ openaiApiKey: secret });
    expect(
      ['default', 'planning', 'execution', 'introspection', 'summarizer'].map((agent) => idOf(config, agent)),
    ).toEqual(['openai/gpt-4.1', 'openai/o3-mini', 'openai/gpt-4.1', 'openai/o4-mini', 'openai/gpt-4.1']);
  });

  it('are the default model where one is named', () => {
    const config = new Config({
      openaiApiKey: secret,
      defaultModel: 'ollama/llama3.1',
      summarizerModel: 'google/gemini-2.5-flash',
    });
    expect(['planning', 'introspection', 'summarizer'].map((agent) => idOf(config, agent))).toEqual([
      'ollama/llama3.1',
      'ollama/llama3.1',
      'google/gemini-2.5-flash',
    ]);
  });

  it('may be objects, and any other by name', () => {
    const own: Model = { id: 'own/model', contextWindow: 1, generate: () => Promise.reject(new Error('never')) };
    const models = modelSet(new Config({ models: { planning: own } }));
    expect(models.get('planning')).toBe(own);
    expect(models.get(own)).toBe(own);
    expect(models.get('openai/gpt-4o')).toBe(models.get('openai/gpt-4o'));
  });

  it('need no key until one is asked', async () => {
    const error = await codeOf(modelSet(new Config()).get('planning').generate(ask('Hi')));
    expect(error.code).toBe('MODEL_KEY_MISSING');
    expect(error.hint).toContain('OPENAI_API_KEY, ANTHROPIC_API_KEY or the key of another provider');
    expect(error.hint).not.toContain('COHERE');
    expect(error.details?.['variables']).toContain('MISTRAL_API_KEY');
    const ollama = await codeOf(
      modelSet(new Config({ llmProvider: 'ollama' }))
        .get('default')
        .generate(ask('Hi')),
    );
    expect([ollama.code, ollama.hint]).toEqual([
      'CONFIG_NOT_FOUND',
      expect.stringContaining("defaultModel: 'ollama/llama3.1'"),
    ]);
  });
});

describe('fromAiSdk', () => {
  it('takes a provider package’s own models, the responses route too', async () => {
    const server = await serve([toolCall('weather', { city: 'Rome' }), object({ amount: 2 })]);
    const openai = createOpenAI({ apiKey: secret, baseURL: server.baseUrl });
    const model = fromAiSdk(openai('gpt-4.1'));
    expect([model.id, model.contextWindow]).toEqual(['openai/gpt-4.1', 1_047_576]);
    const first = await model.generate({ ...ask('Weather?'), tools: [weather] });
    expect(first.toolCalls).toMatchObject([{ name: 'weather', args: { city: 'Rome' } }]);
    const second = await model.generate({
      messages: [
        ...ask('Weather?').messages,
        {
          role: 'assistant',
          content: '',
          toolCalls: first.toolCalls ?? [],
          providerParts: first.providerParts ?? null,
        },
        { role: 'tool', callId: first.toolCalls?.[0]?.id ?? '', toolName: 'weather', content: 'sunny' },
      ],
      schema: { name: 'price', jsonSchema: price },
    });
    expect(second.object).toEqual({ amount: 2 });
    expect(server.requests.map(({ protocol }) => protocol)).toEqual(['openai-responses', 'openai-responses']);
    expect(server.requests[1]?.schema?.jsonSchema).toEqual(price);
  });

  it('reads the shapes of all specification versions', async () => {
    const content = [{ type: 'text', text: 'Yes.' }];
    const results = [
      {
        specificationVersion: 'v2',
        finishReason: 'unknown',
        usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5, cachedInputTokens: 1 },
      },
      {
        specificationVersion: 'v3',
        finishReason: { unified: 'stop', raw: 'end' },
        usage: { inputTokens: { total: 3, cacheRead: 1 }, outputTokens: { total: 2 } },
      },
      {
        specificationVersion: 'v4',
        finishReason: { unified: 'interrupted' },
        usage: { inputTokens: { total: 3, cacheRead: 1 }, outputTokens: { total: 2 } },
        structuredOutputText: '{"amount":1}',
      },
    ];
    const answers = results.map(({ specificationVersion, ...result }) =>
      fromAiSdk(
        { specificationVersion, provider: 'own.chat', modelId: 'm', doGenerate: async () => ({ content, ...result }) },
        { id: 'own/model' },
      ).generate({ ...ask('Hi'), schema: { name: 'price', jsonSchema: price } }),
    );
    const usage = { inputTokens: 3, outputTokens: 2, cachedInputTokens: 1 };
    expect(await Promise.all(answers)).toEqual([
      { text: 'Yes.', finishReason: 'other', usage },
      { text: 'Yes.', finishReason: 'stop', usage },
      { text: 'Yes.', object: { amount: 1 }, finishReason: 'other', usage },
    ]);
  });

  it('refuses what is not such a model', () => {
    for (const wrong of [undefined, {}, { specificationVersion: 'v1', doGenerate: () => undefined }]) {
      expect(() => fromAiSdk(wrong as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    }
  });
});

const raw: Server[] = [];
afterAll(() => {
  for (const server of raw) server.close().closeAllConnections();
});

/** A server that answers with what `answer` makes of the body, as it is. */
async function rawServer(
  answer: (body: JsonObject) => JsonObject,
  code = 200,
): Promise<{ url: string; baseUrl: string }> {
  const { createServer } = await import('node:http');
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    response
      .writeHead(code, { 'content-type': 'application/json' })
      .end(JSON.stringify(answer(JSON.parse(body) as JsonObject)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  raw.push(server);
  return { url, baseUrl: `${url}/v1` };
}
