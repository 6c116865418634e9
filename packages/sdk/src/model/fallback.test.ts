import { describe, expect, it } from 'vitest';
import { ask, configFor, serve } from '../../test/lib/model-servers.ts';
import { Config } from '../config/config.ts';
import { PortiaError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { hangs, type ScriptedAnswer, status, text, truncated } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { modelSet } from './models.ts';

const list = ['openai/gpt-4.1', 'anthropic/claude-sonnet-4-5'] as const;

async function listOf(first: (n: number) => ScriptedAnswer, models: readonly string[] = list, more = {}) {
  const server = await serve(({ protocol }, n) => (protocol === 'openai-chat' ? first(n) : text('From the second.')));
  const clock = fakeClock(0, { autoAdvance: true });
  const model = modelSet(configFor(server, more), { clock }).get(models);
  return { server, clock, model, protocols: () => server.requests.map(({ protocol }) => protocol) };
}

describe('a list of models', () => {
  it('is its first model as long as that answers', async () => {
    const { model, protocols } = await listOf(() => text('From the first.'));
    expect([model.id, model.contextWindow]).toEqual(['openai/gpt-4.1', 200_000]);
    expect(await model.generate(ask('Hi'))).not.toHaveProperty('model');
    expect(protocols()).toEqual(['openai-chat']);
  });

  it.each([
    ['overload', () => status(503), 2],
    ['a refused key', () => status(401), 1],
    ['a model that is not there', () => status(404), 1],
    ['a body that cannot be read', (): ScriptedAnswer => ({ kind: 'body', how: 'not-json' }), 1],
    ['a rate limit that asks for an hour', () => status(429, { retryAfterSeconds: 3600 }), 1],
  ] as const)('goes on to the next one after %s, and says which answered', async (_what, first, asked) => {
    const { model, protocols } = await listOf(first);
    const answer = await model.generate(ask('Hi'));
    expect(answer).toMatchObject({
      text: 'From the second.',
      model: 'anthropic/claude-sonnet-4-5',
      failed: [{ model: 'openai/gpt-4.1', code: 'MODEL_FAILED', message: expect.stringContaining('openai/gpt-4.1') }],
    });
    expect(protocols()).toEqual([...Array(asked).fill('openai-chat'), 'anthropic']);
  });

  it('goes on after a model that takes too long', async () => {
    const { model } = await listOf(() => hangs(), list, { modelTimeoutMs: 1_000 });
    expect((await model.generate(ask('Hi'))).failed).toMatchObject([{ code: 'MODEL_TIMEOUT' }]);
  });

  it('goes on after a model without a key or a package', async () => {
    const server = await serve(() => text('From the second.'));
    const config = new Config({ anthropicApiKey: 'k', anthropicBaseUrl: server.url });
    const answer = await modelSet(config).get(list).generate(ask('Hi'));
    expect(answer.failed).toMatchObject([{ code: 'MODEL_KEY_MISSING' }]);
  });

  it('fails at once when the request itself is refused', async () => {
    const { model, protocols } = await listOf(() => status(400, { message: 'no such tool choice' }));
    await expect(model.generate(ask('Hi'))).rejects.toMatchObject({
      code: 'MODEL_FAILED',
      details: { status: 400, fault: 'request' },
    });
    expect(protocols()).toEqual(['openai-chat']);
  });

  it('gives a request that is too long to a larger model only', async () => {
    const tooLong = () => status(400, { message: "This model's maximum context length is 8192 tokens" });
    const larger = await listOf(tooLong, ['openai/gpt-4', 'anthropic/claude-sonnet-4-5']);
    expect((await larger.model.generate(ask('Hi'))).text).toBe('From the second.');
    const smaller = await listOf(tooLong);
    await expect(smaller.model.generate(ask('Hi'))).rejects.toMatchObject({
      details: { fault: 'too-long' },
      hint: expect.stringContaining('larger context window'),
    });
    expect(smaller.protocols()).toEqual(['openai-chat']);
  });

  it('stops when the caller does', async () => {
    const stop = new AbortController();
    const { model, protocols } = await listOf(() => {
      stop.abort(new Error('enough'));
      return hangs();
    });
    await expect(model.generate({ ...ask('Hi'), signal: stop.signal })).rejects.toThrow('enough');
    expect(protocols()).toEqual(['openai-chat']);
  });

  it('tells of every failure when none answers', async () => {
    const server = await serve(() => status(500, { message: 'down' }));
    const model = modelSet(configFor(server), { clock: fakeClock(0, { autoAdvance: true }) }).get(list);
    const error = await model.generate(ask('Hi')).catch((thrown: unknown) => thrown);
    if (!PortiaError.isInstance(error)) throw error;
    expect(error.message).toBe(
      'anthropic/claude-sonnet-4-5 failed with status 500: down; before it: openai/gpt-4.1 failed with status 500: down',
    );
    expect(error.details?.['failed']).toHaveLength(1);
    // Twice the first, four times the last.
    expect(server.requests).toHaveLength(6);
  });

  it('begins its words anew with each model', async () => {
    const { model } = await listOf(() => truncated());
    const heard: string[][] = [[]];
    await model.generate({
      ...ask('Hi'),
      onText: (words, again) => {
        if (again) heard.push([]);
        heard.at(-1)?.push(words);
      },
    });
    expect(heard).toHaveLength(3);
    expect(heard.at(-1)?.join('')).toBe('From the second.');
  });

  it('may be names with commas between them, and models of one’s own', async () => {
    const own: Model = { id: 'own/model', contextWindow: 5, generate: () => Promise.reject(new Error('broken')) };
    const other = scriptedModel(['Yes.'], { id: 'other/model' });
    const models = modelSet(new Config({ defaultModel: [own, other] }));
    expect(await models.get('default').generate(ask('Hi'))).toMatchObject({
      text: 'Yes.',
      model: 'other/model',
      failed: [{ model: 'own/model', message: 'broken' }],
    });
    expect(models.get('openai/a, anthropic/b')).toBe(models.get(['openai/a', 'anthropic/b']));
    expect(() => models.get('openai/a, nobody/b')).toThrow('unknown provider');
    expect(() => models.get([])).toThrow('empty');
  });
});

describe('a deadline', () => {
  it('is waited beyond by no pause and no attempt', async () => {
    const server = await serve(() => status(429, { retryAfterSeconds: 5 }));
    const clock = fakeClock(0, { autoAdvance: true });
    const model = modelSet(configFor(server), { clock }).get('openai/gpt-4.1');
    await expect(model.generate({ ...ask('Hi'), deadline: 4000 })).rejects.toMatchObject({ details: { status: 429 } });
    expect([server.requests.length, clock.now()]).toEqual([1, 0]);
    await expect(model.generate({ ...ask('Hi'), deadline: 0 })).rejects.toMatchObject({ code: 'MODEL_TIMEOUT' });
    expect(server.requests).toHaveLength(1);
  });

  it('cuts short an attempt', async () => {
    const server = await serve(() => hangs());
    const model = modelSet(configFor(server)).get('openai/gpt-4.1');
    await expect(model.generate({ ...ask('Hi'), deadline: Date.now() + 80 })).rejects.toMatchObject({
      code: 'MODEL_TIMEOUT',
    });
  });
});
