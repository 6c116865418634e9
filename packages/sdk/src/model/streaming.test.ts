import { describe, expect, it } from 'vitest';
import { type ProviderName, ask, scriptedFor, secret, serve } from '../../test/lib/model-servers.ts';
import { createOpenAI } from '@ai-sdk/openai';
import type { Model, ModelRequest } from '../core/model.ts';
import { status, text, together, toolCall, truncated } from '../testing/script.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { fromAiSdk } from './ai-sdk/index.ts';

const streaming: readonly (ProviderName | 'responses')[] = [
  'openai',
  'responses',
  'anthropic',
  'google',
  'mistralai',
  'amazon',
  'azure-openai',
  'grok',
  'groq',
  'openrouter',
  'ollama',
];
const weather = { name: 'weather', description: 'Tells the weather.', argsSchema: { type: 'object', properties: {} } };

async function modelFor(name: ProviderName | 'responses', script: Parameters<typeof serve>[0]) {
  if (name !== 'responses') return scriptedFor(name, script);
  const server = await serve(script);
  const clock = fakeClock(0, { autoAdvance: true });
  const openai = createOpenAI({ apiKey: secret, baseURL: server.baseUrl });
  return { server, clock, model: fromAiSdk(openai('gpt-4.1'), { clock }) };
}

/** What was heard: a new attempt begins a new text. */
async function hear(model: Model, request: ModelRequest) {
  const heard: string[][] = [[]];
  const answer = await model.generate({
    ...request,
    onText: (words, again) => {
      if (again) heard.push([]);
      heard.at(-1)?.push(words);
    },
  });
  return { answer, heard };
}

describe.each(streaming)('an answer of %s that somebody hears', (name) => {
  it('comes in pieces, and is the same as a whole one', async () => {
    const said = together(
      text('Let me see about it.', { usage: { inputTokens: 12, outputTokens: 3 } }),
      toolCall('weather', { city: 'Rome' }, { id: 'call_abc12' }),
    );
    const { model, server } = await modelFor(name, [said, said]);
    const request = { ...ask('Weather?'), tools: [weather] };
    const { answer, heard } = await hear(model, request);
    const { providerParts: _streamed, ...whole } = await model.generate(request);
    const { providerParts: _whole, ...pieces } = answer;
    if (name === 'google') {
      // It gives no ids to calls, so the package makes them up.
      expect(pieces).toMatchObject({ ...whole, toolCalls: [{ name: 'weather', args: { city: 'Rome' } }] });
    } else expect(pieces).toEqual(whole);
    expect(pieces.usage).toMatchObject({ inputTokens: 12, outputTokens: 3 });
    expect(heard).toEqual([['Let ', 'me ', 'see ', 'about ', 'it.']]);
    expect(server.requests.map(({ body, path }) => body['stream'] === true || /:stream|-stream$/.test(path))).toEqual([
      true,
      false,
    ]);
  });

  it('begins again after it broke off, and says so', async () => {
    const { model, server } = await modelFor(name, [truncated(), status(503), text('All is well.')]);
    const { answer, heard } = await hear(model, ask('Hi'));
    expect(answer.text).toBe('All is well.');
    expect(heard.at(-1)?.join('')).toBe('All is well.');
    expect(heard).toHaveLength(2);
    expect(server.requests).toHaveLength(3);
  });
});

describe('a heard answer', () => {
  it('comes whole when it has a schema', async () => {
    const { model, server } = await scriptedFor('openai', [text('{"a":1}')]);
    const { answer, heard } = await hear(model, {
      ...ask('Hi'),
      schema: { name: 'a', jsonSchema: { type: 'object', properties: { a: { type: 'number' } } } },
    });
    expect([answer.object, heard]).toEqual([{ a: 1 }, [[]]]);
    expect(server.requests[0]?.body['stream']).toBeUndefined();
  });

  it('keeps what the provider wants back', async () => {
    const parts = [
      { type: 'reasoning-start', id: '1' },
      { type: 'reasoning-delta', id: '1', delta: 'Hm.' },
      { type: 'reasoning-delta', id: '1', delta: '', providerMetadata: { own: { signature: 'signed' } } },
      { type: 'reasoning-end', id: '1' },
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'Yes.' },
      { type: 'text-end', id: '1' },
      { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage: { inputTokens: { total: 1 } } },
    ];
    const model = fromAiSdk({
      specificationVersion: 'v3',
      provider: 'own.chat',
      modelId: 'm',
      doGenerate: () => Promise.reject(new Error('not asked')),
      doStream: async () => ({ stream: ReadableStream.from(parts) }),
    });
    const { answer, heard } = await hear(model, ask('Hi'));
    expect(heard).toEqual([['Yes.']]);
    expect(answer).toMatchObject({
      text: 'Yes.',
      usage: { inputTokens: 1 },
      providerParts: { parts: [{ type: 'reasoning', text: 'Hm.', data: { own: { signature: 'signed' } } }, {}] },
    });
  });

  it('fails like any other when an error comes in the middle, and tries again after overload', async () => {
    const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    const streams: object[][] = [
      [overloaded],
      [
        { type: 'text-start', id: '1' },
        { type: 'text-delta', id: '1', delta: 'Yes.' },
        { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' } },
      ],
      [{ type: 'error', error: new Error('no such thing') }],
    ];
    const model = fromAiSdk(
      {
        specificationVersion: 'v3',
        provider: 'own.chat',
        modelId: 'm',
        doGenerate: () => Promise.reject(new Error('not asked')),
        doStream: async () => ({ stream: ReadableStream.from(streams.shift() ?? []) }),
      },
      { clock: fakeClock(0, { autoAdvance: true }), retries: 1 },
    );
    expect((await hear(model, ask('Hi'))).answer.text).toBe('Yes.');
    await expect(hear(model, ask('Hi'))).rejects.toMatchObject({ code: 'MODEL_FAILED', message: /no such thing/ });
    await expect(hear(model, ask('Hi'))).rejects.toMatchObject({ message: expect.stringContaining('ECONNRESET') });
  });
});
