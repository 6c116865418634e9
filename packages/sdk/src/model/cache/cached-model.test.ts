import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, configFor, serve } from '../../../test/lib/model-servers.ts';
import { Portia } from '../../client.ts';
import { Config } from '../../config/config.ts';
import type { ConfigOptions } from '../../config/config-options.ts';
import type { ModelRequest } from '../../core/model.ts';
import type { LogFields, Logger } from '../../observe/logger.ts';
import { silentLogger } from '../../observe/logger.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { invalidJson, object, status, text, toolCall } from '../../testing/script.ts';
import { scriptedModel } from '../../testing/scripted-model.ts';
import { modelSet } from '../models.ts';
import { memoryModelCache } from './memory-cache.ts';
import type { ModelCache } from './model-cache.ts';
import { openModelCache } from './open-cache.ts';

/** A model of a server, with a cache; answers are numbered. */
async function cached(more: ConfigOptions = {}, cache: ModelCache = memoryModelCache()) {
  const server = await serve((_request, n) => text(`Answer ${n}.`));
  const models = modelSet(configFor(server, { modelCache: cache, ...more }), { cache });
  return { server, models, model: models.get('openai/gpt-4.1') };
}

const ada = { ...ask('Hi'), tenant: 'ada' };

describe('a cached answer', () => {
  it('is the one that was given, marked, and costs nothing', async () => {
    const { model, server } = await cached();
    expect((await model.generate(ada)).usage).toMatchObject({ inputTokens: 10, outputTokens: 5 });
    expect(await model.generate(ada)).toEqual({
      text: 'Answer 1.',
      finishReason: 'stop',
      usage: { inputTokens: 0, outputTokens: 0 },
      cached: true,
    });
    expect(server.requests).toHaveLength(1);
  });

  it.each<[string, Partial<ModelRequest>]>([
    ['messages', ask('Ho')],
    ['tools', { tools: [{ name: 'look', description: '', argsSchema: { type: 'object' } }] }],
    ['a choice of tools', { toolChoice: 'none' }],
    ['a limit', { maxOutputTokens: 9 }],
    ['another tenant', { tenant: 'bob' }],
  ])('is not given for other %s', async (_what, more) => {
    const { model } = await cached();
    await model.generate(ada);
    expect((await model.generate({ ...ada, ...more })).cached).toBeUndefined();
    expect((await model.generate({ ...ada, ...more })).cached).toBe(true);
    expect((await model.generate(ada)).text).toBe('Answer 1.');
  });

  it('is not given for another model, another address or another schema', async () => {
    const cache = memoryModelCache();
    const first = await cached({}, cache);
    await first.model.generate(ada);
    expect((await first.models.get('openai/gpt-4o').generate(ada)).cached).toBeUndefined();
    const elsewhere = await cached({}, cache);
    expect((await elsewhere.model.generate(ada)).cached).toBeUndefined();
    const server = await serve(() => object({ a: 1 }));
    const model = modelSet(configFor(server), { cache }).get('openai/gpt-4.1');
    const schema = (name: string) => ({ name, jsonSchema: { type: 'object', properties: { [name]: {} } } });
    const answers = [];
    for (const name of ['a', 'b', 'a']) answers.push(await model.generate({ ...ada, schema: schema(name) }));
    expect(answers.map(({ cached: hit, object: value }) => [hit, value])).toEqual([
      [undefined, { a: 1 }],
      [undefined, { a: 1 }],
      [true, { a: 1 }],
    ]);
  });

  it('is never given to a request that belongs to nobody, unless all share a namespace', async () => {
    const { model, server } = await cached();
    await model.generate(ask('Hi'));
    await model.generate(ask('Hi'));
    expect(server.requests).toHaveLength(2);
    const shared = await cached({ modelCacheNamespace: 'support' });
    await shared.model.generate(ada);
    expect((await shared.model.generate({ ...ada, tenant: 'bob' })).cached).toBe(true);
    expect((await shared.model.generate(ask('Hi'))).cached).toBe(true);
  });

  it('is passed over by a request for a fresh one, which takes its place', async () => {
    const { model } = await cached();
    await model.generate(ada);
    expect((await model.generate({ ...ada, fresh: true })).text).toBe('Answer 2.');
    expect(await model.generate(ada)).toMatchObject({ text: 'Answer 2.', cached: true });
  });

  it('is heard at once by whoever listens', async () => {
    const { model } = await cached();
    await model.generate(ada);
    const heard: [string, boolean][] = [];
    await model.generate({ ...ada, onText: (words, again) => heard.push([words, again]) });
    expect(heard).toEqual([['Answer 1.', false]]);
  });
});

describe('what is never cached', () => {
  it('are failures, half answers, and answers that are not what was asked for', async () => {
    const cache = memoryModelCache();
    const answers = [
      status(400),
      invalidJson(),
      text('And th', { finishReason: 'length' }),
      text('', { finishReason: 'content-filter' }),
      text('At last.'),
    ];
    const server = await serve(answers);
    const model = modelSet(configFor(server), { cache }).get('openai/gpt-4.1');
    const given = [];
    for (let n = 0; n < 6; n += 1) given.push(await model.generate(ada).catch(() => 'failed'));
    expect(given.slice(-2)).toMatchObject([{ text: 'At last.' }, { text: 'At last.', cached: true }]);
    expect(server.requests).toHaveLength(5);
    const schema = { name: 'a', jsonSchema: { type: 'object' } };
    const wordy = await serve([text('I would rather not.'), object({ a: 1 })]);
    const structured = modelSet(configFor(wordy), { cache }).get('openai/gpt-4.1');
    expect(await structured.generate({ ...ada, schema })).not.toHaveProperty('object');
    expect((await structured.generate({ ...ada, schema })).object).toEqual({ a: 1 });
  });

  it('are texts without a canonical form', async () => {
    const { model, server } = await cached();
    for (let n = 0; n < 2; n += 1) await model.generate({ ...ada, ...ask('\ud800') });
    expect(server.requests).toHaveLength(2);
  });
});

describe('a cache with trouble', () => {
  const warned: (LogFields | undefined)[] = [];
  const logger: Logger = { ...silentLogger, warn: (_message, fields) => void warned.push(fields) };

  it('costs a call, and nothing else; what is told of it holds no address', async () => {
    const broken: ModelCache = {
      name: 'redis',
      get: () => Promise.reject(new Error('redis://:hush@example failed')),
      set: () => {
        throw new TypeError('hush');
      },
      close: () => undefined,
    };
    const server = await serve(() => text('Yes.'));
    const model = modelSet(configFor(server), { cache: broken, logger }).get('openai/gpt-4.1');
    expect((await model.generate(ada)).text).toBe('Yes.');
    expect(warned).toEqual([
      { cache: 'redis', error: 'Error' },
      { cache: 'redis', error: 'TypeError' },
    ]);
  });

  it('is not waited for when it hangs, and what it gives that is no answer is none', async () => {
    const server = await serve(() => text('Yes.'));
    const gives = ['not JSON', '7', '{"text":1}'];
    const odd: ModelCache = { name: 'odd', get: () => gives.shift(), set: () => undefined, close: () => undefined };
    const model = modelSet(configFor(server), { cache: odd }).get('openai/gpt-4.1');
    for (let n = 0; n < 3; n += 1)
      expect(await model.generate(ada)).toEqual(expect.not.objectContaining({ cached: true }));
    const hanging: ModelCache = { ...odd, get: () => new Promise(() => undefined) };
    expect((await modelSet(configFor(server), { cache: hanging }).get('openai/gpt-4.1').generate(ada)).text).toBe(
      'Yes.',
    );
  });
});

describe('the cache of a client', () => {
  const plan = new PlanBuilderV2('Greet').llmStep({ stepName: 'greeting', task: 'Say hello.' }).build();

  it('serves the next run of the same end user, and its events say so', async () => {
    const model = scriptedModel((_request, n) => text(`Hello ${n}.`), { id: 'own/model' });
    const clock = fakeClock(Date.UTC(2026, 0, 5));
    const portia = new Portia({ config: new Config({ defaultModel: model, modelCache: 'memory' }), clock });
    const run = async (endUser: string) => {
      const made = await portia.runPlan(plan, { endUser });
      const events = [];
      for await (const event of portia.events(made.id)) events.push(event);
      const answers = events.flatMap((event) => (event.type === 'model-call-end' ? [event.answer] : []));
      return [made.outputs.finalOutput?.value, answers[0]?.cached, made.executionContext.totals.inputTokens];
    };
    expect(await run('ada')).toEqual(['Hello 1.', undefined, 10]);
    expect(await run('ada')).toEqual(['Hello 1.', true, 0]);
    expect(await run('bob')).toEqual(['Hello 2.', undefined, 10]);
    await portia.close();
  });

  it('does not give a run that is tried again the answers that it failed with', async () => {
    let broken = true;
    const model = scriptedModel(() => object({ amount: broken ? 'three' : 3 }), { id: 'own/model' });
    const typed = new PlanBuilderV2('Count')
      .llmStep({ task: 'How many?', outputSchema: z.object({ amount: z.number() }) })
      .build();
    const config = new Config({ defaultModel: model, modelCache: 'memory' });
    const portia = new Portia({ config, plans: [typed], clock: fakeClock(Date.UTC(2026, 0, 5)) });
    const failed = await portia.runPlan(typed);
    expect(failed.error?.code).toBe('MODEL_ANSWER_INVALID');
    broken = false;
    expect((await portia.retry({ planRunId: failed.id })).outputs.finalOutput?.value).toEqual({ amount: 3 });
    // The next run is given the better answer.
    expect((await portia.runPlan(typed)).state).toBe('COMPLETE');
    expect(model.requests).toHaveLength(3);
    await portia.close();
  });

  it('may be a file, which outlives it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-cache-'));
    const file = join(folder, 'answers.db');
    const model = scriptedModel((_request, n) => toolCall('llm', { n }), { id: 'own/model' });
    try {
      for (const hit of [undefined, true]) {
        const config = new Config({ defaultModel: model, modelCache: `sqlite:${file}` });
        const cache = await openModelCache(config);
        const models = modelSet(config, { cache });
        expect(await models.get('default').generate(ada)).toMatchObject({
          toolCalls: [{ args: { n: 1 } }],
          ...(hit && { cached: hit }),
        });
        await models.close();
      }
      expect(model.requests).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is off unless it is named, and named in one of several ways', async () => {
    expect(await openModelCache(new Config())).toBeUndefined();
    const choice = (options: ConfigOptions) => Config.fromDefault({ env: {}, ...options }).modelCache;
    expect(choice({ env: { PORTIA_MODEL_CACHE: 'memory' } })).toMatchObject({ kind: 'memory', ttlMs: 86_400_000 });
    expect(choice({ modelCache: 'sqlite', storageDir: 'x', modelCacheTtlMs: 5 })).toMatchObject({
      name: `sqlite:${join('x', 'answers.db')}`,
      ttlMs: 5,
    });
    const redis = choice({ env: { LLM_REDIS_CACHE_URL: 'redis://:hush@cache.example:6380/1' } });
    expect(redis).toMatchObject({ kind: 'redis', name: 'redis:cache.example:6380' });
    expect(choice({ llmRedisCacheUrl: 'rediss://a.example', env: { PORTIA_MODEL_CACHE: 'memory' } })?.kind).toBe(
      'redis',
    );
    for (const wrong of ['file:x', 'redis', 7, {}])
      expect(() => choice({ modelCache: wrong as never })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('keeps the password of its address to itself', () => {
    const config = new Config({ modelCache: 'redis://:hush%21hush@cache.example', defaultModel: 'openai/a' });
    expect(JSON.stringify(config)).toContain('"modelCache":"redis:cache.example"');
    expect(JSON.stringify(config)).not.toContain('hush');
    expect(config.secrets).toEqual(['hush%21hush', 'hush!hush']);
  });

  it('is closed by its owner when it was given as an object', async () => {
    let closed = 0;
    const cache: ModelCache = { ...memoryModelCache(), close: () => void (closed += 1) };
    const models = modelSet(new Config({ modelCache: cache }), { cache });
    await models.close();
    expect(closed).toBe(0);
  });
});
