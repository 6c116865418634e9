import { describe, expect, it } from 'vitest';
import { type ProviderName, ask, scriptedFor } from '../../test/lib/model-servers.ts';
import type { ContentPart } from '../core/content.ts';
import type { ModelMessage } from '../core/model.ts';
import { text } from '../testing/script.ts';
import { fromAiSdk } from './ai-sdk/index.ts';

const png = 'iVBORw0KGgo=';
const pdf = 'JVBERi0xLjQ=';
const parts: readonly ContentPart[] = [
  { type: 'text', text: 'What is this?' },
  { type: 'image', data: png, mediaType: 'image/png' },
  { type: 'file', data: pdf, mediaType: 'application/pdf', filename: 'invoice.pdf' },
];

// Where each provider has the bytes, in the body it is sent.
const places: Readonly<Partial<Record<ProviderName, readonly [image: object, file: object]>>> = {
  openai: [
    { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
    { type: 'file', file: { filename: 'invoice.pdf', file_data: `data:application/pdf;base64,${pdf}` } },
  ],
  'azure-openai': [
    { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
    { type: 'file', file: { filename: 'invoice.pdf', file_data: `data:application/pdf;base64,${pdf}` } },
  ],
  anthropic: [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
    { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: pdf } },
  ],
  google: [
    { inlineData: { mimeType: 'image/png', data: png } },
    { inlineData: { mimeType: 'application/pdf', data: pdf } },
  ],
  mistralai: [
    { type: 'image_url', image_url: `data:image/png;base64,${png}` },
    { type: 'document_url', document_url: `data:application/pdf;base64,${pdf}` },
  ],
  amazon: [
    { image: { format: 'png', source: { bytes: png } } },
    { document: { format: 'pdf', source: { bytes: pdf } } },
  ],
};

/** The content of the user's message as it was sent. */
function sent(body: Record<string, unknown>): readonly unknown[] {
  const messages = (body['messages'] ?? body['contents']) as readonly {
    role: string;
    content?: unknown;
    parts?: unknown;
  }[];
  const { content, parts: own } = messages.find(({ role }) => role === 'user') ?? {};
  return (content ?? own) as readonly unknown[];
}

describe('images and files', () => {
  it.each(Object.keys(places) as ProviderName[])('reach %s as its package sends them', async (name) => {
    const { model, server } = await scriptedFor(name, [text('An invoice.')]);
    await model.generate({ messages: [{ role: 'user', content: parts }] });
    const [image, file] = places[name] ?? [];
    const content = sent(server.requests[0]?.body ?? {});
    expect(content).toHaveLength(3);
    expect(content[1]).toMatchObject(image ?? {});
    expect(content[2]).toMatchObject(file ?? {});
  });

  it.each(['openai', 'openrouter', 'grok', 'groq', 'anthropic'] as const)('reach %s by their address', async (name) => {
    const { model, server } = await scriptedFor(name, [text('A cat.')]);
    const url = 'https://pictures.example/cat.png';
    await model.generate({ messages: [{ role: 'user', content: [{ type: 'image', url }] }] });
    expect(JSON.stringify(server.requests[0]?.body)).toContain(url);
  });

  it('are read from an address that holds them', async () => {
    const { model, server } = await scriptedFor('anthropic', [text('A cat.')]);
    await model.generate({
      messages: [{ role: 'user', content: [{ type: 'image', url: `data:image/png;base64,${png}` }] }],
    });
    expect(sent(server.requests[0]?.body ?? {})[0]).toMatchObject(places.anthropic?.[0] ?? {});
  });

  it('are refused by an address that the provider does not fetch; nothing is fetched here', async () => {
    const { model, server } = await scriptedFor('google', []);
    const made = model.generate({
      messages: [{ role: 'user', content: [{ type: 'image', url: 'http://169.254.169.254/secret.png' }] }],
    });
    await expect(made).rejects.toMatchObject({ code: 'MODEL_FAILED', hint: expect.stringContaining('base64') });
    expect(server.requests).toHaveLength(0);
  });

  it('are refused when they cannot be read', async () => {
    const { model } = await scriptedFor('openai', []);
    const content = [{ type: 'image', data: '<svg>' }] as const;
    await expect(model.generate({ messages: [{ role: 'user', content }] })).rejects.toMatchObject({
      message: 'a message for openai/gpt-4.1 cannot be sent: part 0 has data that is not base64',
    });
  });

  it('may be what a tool gave', async () => {
    const turn: readonly ModelMessage[] = [
      ...ask('What is on the page?').messages,
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'screenshot', args: {} }] },
      { role: 'tool', callId: 'a', toolName: 'screenshot', content: parts },
    ];
    const { model, server } = await scriptedFor('anthropic', [text('An invoice.'), text('No.')]);
    await model.generate({ messages: turn });
    expect(server.requests[0]?.body).toHaveProperty('messages.2.content.0.content', [
      { type: 'text', text: 'What is this?' },
      expect.objectContaining(places.anthropic?.[0]),
      expect.objectContaining({ type: 'document' }),
    ]);
    await model.generate({
      messages: [...turn.slice(0, 3), { ...(turn[3] as ModelMessage & { role: 'tool' }), isError: true }],
    });
    expect(JSON.stringify(server.requests[1]?.body)).toContain('[invoice.pdf: application/pdf]');
  });
});

describe('each version of the specification', () => {
  const formOf = async (specificationVersion: string): Promise<[user: unknown, tool: unknown]> => {
    let prompt: { readonly content: readonly Record<string, unknown>[] }[] = [];
    const model = fromAiSdk({
      specificationVersion,
      provider: 'own.chat',
      modelId: 'm',
      doGenerate: async (options) => {
        prompt = options.prompt;
        return { content: [{ type: 'text', text: 'Yes.' }], finishReason: 'stop' };
      },
    });
    const url = 'https://pictures.example/cat.png';
    const content: readonly ContentPart[] = [parts[1] as ContentPart, { type: 'image', url }];
    await model.generate({
      messages: [
        { role: 'user', content },
        { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'look', args: {} }] },
        { role: 'tool', callId: 'a', toolName: 'look', content },
      ],
    });
    const result = prompt[2]?.content[0]?.['output'] as { readonly value: unknown };
    return [prompt[0]?.content, result.value];
  };
  const url = new URL('https://pictures.example/cat.png');

  it('gets files in its own form', async () => {
    const untagged = [
      { type: 'file', mediaType: 'image/png', data: png },
      { type: 'file', mediaType: 'image/*', data: url },
    ];
    const tagged = [
      { type: 'file', mediaType: 'image/png', data: { type: 'data', data: png } },
      { type: 'file', mediaType: 'image/*', data: { type: 'url', url } },
    ];
    const byAddress = { type: 'image-url', url: url.href, mediaType: 'image/*' };
    expect(await formOf('v2')).toEqual([untagged, [{ type: 'media', data: png, mediaType: 'image/png' }, byAddress]]);
    expect(await formOf('v3')).toEqual([
      untagged,
      [{ type: 'image-data', data: png, mediaType: 'image/png' }, byAddress],
    ]);
    expect(await formOf('v4')).toEqual([tagged, tagged]);
  });
});

describe('the beginning of a prompt', () => {
  const tools = [{ name: 'look', description: 'Looks.', argsSchema: { type: 'object', properties: {} } }];
  const grown: readonly ModelMessage[] = [
    ...ask('Look.').messages,
    { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'look', args: {} }] },
    { role: 'tool', callId: 'a', toolName: 'look', content: 'Nothing.' },
  ];

  it('is marked for Anthropic’s cache: the rules, and the end of a conversation that grows', async () => {
    const { model, server } = await scriptedFor('anthropic', () => text('Nothing.'));
    await model.generate({ ...ask('Look.'), tools });
    await model.generate({ messages: grown, tools });
    const cache_control = { type: 'ephemeral' };
    const [first, second] = server.requests.map(({ body }) => body);
    expect(first).toHaveProperty('system.0.cache_control', cache_control);
    expect(JSON.stringify(first?.['messages'])).not.toContain('cache_control');
    expect(second).toHaveProperty('messages.2.content.0.cache_control', cache_control);
  });

  it('is marked for models of Bedrock that cache, and for no others', async () => {
    const points = async (name: string): Promise<number> => {
      const { model, server } = await scriptedFor(name, [text('Nothing.')]);
      await model.generate({ messages: grown, tools });
      return JSON.stringify(server.requests[0]?.body).split('cachePoint').length - 1;
    };
    expect(await points('amazon')).toBe(2);
    expect(await points('amazon/meta.llama3-1-70b-instruct-v1:0')).toBe(0);
    expect(await points('openai')).toBe(0);
  });

  it('stays the same, byte by byte, when a conversation grows', async () => {
    const { model, server } = await scriptedFor('openai', () => text('Nothing.'));
    await model.generate({ ...ask('Look.'), tools });
    await model.generate({ messages: grown, tools });
    const [first, second] = server.requests.map(({ body }) => body);
    expect(JSON.stringify(second?.['tools'])).toBe(JSON.stringify(first?.['tools']));
    const before = JSON.stringify(first?.['messages']).slice(0, -1);
    expect(JSON.stringify(second?.['messages']).startsWith(before)).toBe(true);
  });
});
