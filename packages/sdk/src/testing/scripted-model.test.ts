import { afterEach, describe, expect, it } from 'vitest';
import { PortiaError } from '../core/errors.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { ModelRequest } from '../core/model.ts';
import { systemClock } from '../run/system-clock.ts';
import {
  fails,
  fakeClock,
  fakeIds,
  hangs,
  invalidJson,
  object,
  type ScriptedModelServer,
  scriptedModel,
  scriptedModelServer,
  status,
  text,
  together,
  toolCall,
} from './index.ts';

const ask = (content: string): ModelRequest => ({ messages: [{ role: 'user', content }] });
const price = { name: 'price', jsonSchema: { type: 'object' } };

describe('scriptedModel', () => {
  it('answers from a list, in order', async () => {
    const model = scriptedModel([
      'One.',
      text('Two.', { usage: { inputTokens: 1 } }),
      toolCall('add', { a: 1 }),
      object({ n: 4 }),
    ]);
    expect(await model.generate(ask('1'))).toEqual({
      text: 'One.',
      finishReason: 'stop',
      usage: { inputTokens: 10, outputTokens: 5 },
    });
    expect((await model.generate(ask('2'))).usage).toEqual({ inputTokens: 1 });
    expect(await model.generate(ask('3'))).toMatchObject({
      text: '',
      toolCalls: [{ id: 'call_3_1', name: 'add', args: { a: 1 } }],
      finishReason: 'tool-calls',
    });
    expect(await model.generate({ ...ask('4'), schema: price })).toMatchObject({ text: '{"n":4}', object: { n: 4 } });
  });

  it('gives an object only when one was asked for, and text only when it is JSON', async () => {
    const model = scriptedModel([object({ n: 1 }), text('{"n":2}'), text('no')]);
    expect('object' in (await model.generate(ask('1')))).toBe(false);
    expect((await model.generate({ ...ask('2'), schema: price })).object).toEqual({ n: 2 });
    expect('object' in (await model.generate({ ...ask('3'), schema: price }))).toBe(false);
  });

  it('answers from a function of the request and its number', async () => {
    const model = scriptedModel(({ messages }, n) => `${n}: ${messages[0]?.content}`);
    await model.generate(ask('a'));
    expect((await model.generate(ask('b'))).text).toBe('2: b');
  });

  it('puts several answers into one turn', async () => {
    const model = scriptedModel([together(text('Both.'), toolCall('a'), toolCall('b', {}, { id: 'mine' }))]);
    expect(await model.generate(ask('x'))).toMatchObject({
      text: 'Both.',
      toolCalls: [{ id: 'call_1_1' }, { id: 'mine' }],
    });
  });

  it('remembers what it was asked, as it was then', async () => {
    const model = scriptedModel(() => text('ok'));
    const messages = [...ask('first').messages];
    await model.generate({ messages });
    messages.push({ role: 'user', content: 'second' });
    await model.generate({ messages });
    expect(model.requests.map((request) => request.messages.length)).toEqual([1, 2]);
  });

  it('shows the request that came after its last answer', async () => {
    const model = scriptedModel([text('only')]);
    await model.generate(ask('a'));
    await expect(model.generate(ask('what is this?'))).rejects.toThrow(
      expect.objectContaining({
        code: 'MODEL_FAILED',
        message: expect.stringMatching(/request 2 .* only 1 answer; .*what is this\?/),
      }),
    );
  });

  it('fails as it is told', async () => {
    const error = new PortiaError({ code: 'MODEL_TIMEOUT', message: 'slow' });
    const model = scriptedModel([fails(error), fails('bad'), status(429), invalidJson()]);
    await expect(model.generate(ask('1'))).rejects.toBe(error);
    for (const words of ['bad', 'status 429', 'cannot be read'])
      await expect(model.generate(ask('x'))).rejects.toThrow(words);
  });

  it('hangs until it is aborted', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const made = scriptedModel([hangs()]).generate({ ...ask('1'), signal: stop.signal });
    expect(await Promise.race([made, systemClock.sleep(20).then(() => 'waiting')])).toBe('waiting');
    stop.abort(reason);
    await expect(made).rejects.toBe(reason);
  });
});

describe('scriptedModelServer', () => {
  const servers: ScriptedModelServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  const post = (url: string, body: string): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { authorization: 'Bearer sk-secret', 'content-type': 'application/json' },
    });

  it('says what it cannot do', async () => {
    const server = await scriptedModelServer([]);
    servers.push(server);
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hello?' }] });
    const chat = `${server.baseUrl}/chat/completions`;
    const spent = await post(chat, body);
    expect([spent.status, await spent.text()]).toEqual([400, expect.stringContaining('hello?')]);
    expect((await post(`${server.url}/nowhere`, body)).status).toBe(404);
    expect((await post(chat, 'not json')).status).toBe(400);
    expect(await (await post(chat, '{"stream":true}')).text()).toContain('the script has only 0 answers');
  });

  it('keeps no secrets of what it was sent', async () => {
    const server = await scriptedModelServer([text('ok')]);
    servers.push(server);
    await post(`${server.baseUrl}/chat/completions`, '{"model":"m","messages":[]}');
    expect(server.requests).toMatchObject([
      { protocol: 'openai-chat', path: '/v1/chat/completions', model: 'm', headers: { authorization: '[redacted]' } },
    ]);
    expect(JSON.stringify(server.requests)).not.toContain('sk-secret');
  });

  it('closes although a request hangs', async () => {
    const server = await scriptedModelServer([hangs()]);
    const hanging = post(`${server.baseUrl}/chat/completions`, '{"model":"m","messages":[]}').catch(() => 'cut');
    while (server.requests.length === 0) await systemClock.sleep(5);
    await server.close();
    expect(await hanging).toBe('cut');
  });
});

describe('fakeClock', () => {
  it('stands still until it is moved, and wakes sleepers in order', async () => {
    const clock = fakeClock(1000);
    const woken: string[] = [];
    void clock.sleep(20).then(() => woken.push(`b at ${clock.now()}`));
    void clock
      .sleep(10)
      .then(() => woken.push(`a at ${clock.now()}`))
      .then(() => clock.sleep(5))
      .then(() => woken.push(`c at ${clock.now()}`));
    await clock.advance(9);
    expect([clock.now(), clock.sleeping, woken]).toEqual([1009, 2, []]);
    await clock.advance(100);
    expect([clock.now(), clock.sleeping, woken]).toEqual([1109, 0, ['a at 1010', 'c at 1015', 'b at 1020']]);
  });

  it('ends a sleep that is aborted', async () => {
    const clock = fakeClock();
    const stop = new AbortController();
    const sleep = clock.sleep(10, stop.signal);
    stop.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    await expect(clock.sleep(10, stop.signal)).rejects.toThrow('enough');
    expect(clock.sleeping).toBe(0);
  });
});

describe('the system clock', () => {
  it('sleeps, and wakes when it is aborted', async () => {
    const before = systemClock.now();
    await systemClock.sleep(20);
    expect(systemClock.now() - before).toBeGreaterThanOrEqual(15);
    const stop = new AbortController();
    const sleep = systemClock.sleep(60_000, stop.signal);
    stop.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow('enough');
  });
});

describe('fakeIds', () => {
  it('count, and are ids', () => {
    const ids = fakeIds();
    expect([ids.planRun(), ids.planRun(), ids.plan()]).toEqual([
      'prun-00000000-0000-4000-8000-000000000001',
      'prun-00000000-0000-4000-8000-000000000002',
      'plan-00000000-0000-4000-8000-000000000001',
    ]);
    expect(PlanRunUUID.is(ids.planRun())).toBe(true);
  });
});
