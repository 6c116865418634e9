import { Input, PlanBuilderV2, type PlanV2, remoteTools, tool } from 'portia-ts';
import { scriptedModelServer, text as says } from 'portia-ts/testing';
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { serveFetch } from '../../sdk/test/lib/fetch-server.ts';
import { until } from '../test/lib/asking.ts';
import { overTheWire } from '../test/lib/raw-http.ts';
import { testServer } from '../test/lib/server-for-tests.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server whose runs ask a model, call a tool of another server, and tell a webhook; and all traces that were seen. */
async function traced(lines: string[] = []) {
  const seen: { tool: string[]; remote: string[]; webhook: (string | null)[] } = { tool: [], remote: [], webhook: [] };
  const states: (string | null)[] = [];
  const elsewhere = await testServer({
    tools: [
      tool({
        id: 'far',
        description: 'Far away',
        run: (_args, context) => {
          seen.remote.push(context.traceparent);
          states.push(context.tracestate ?? null);
          return 'done';
        },
      }),
    ],
  });
  const wire = await overTheWire(elsewhere.send);
  const model = await scriptedModelServer(() => says('Hello'));
  const receiver = await serveFetch((request) => {
    seen.webhook.push(request.headers.get('traceparent'));
    states.push(request.headers.get('tracestate'));
    return new Response();
  });
  const near = tool({
    id: 'near',
    description: 'Here',
    argsSchema: z.object({ n: z.number() }),
    run: (_args, context) => {
      seen.tool.push(context.traceparent);
      states.push(context.tracestate ?? null);
      return 'done';
    },
  });
  const far = await remoteTools({ endpoint: wire.url, apiKey: await elsewhere.key('driver') });
  const server = await testServer(
    {
      tools: [near, far.getTool('far')],
      config: { openaiApiKey: 'k', openaiBaseUrl: model.baseUrl, defaultModel: 'openai/gpt-4.1' },
      plans: { trace: plan() },
    },
    { log: lines },
  );
  closing.push(
    () => elsewhere.close(),
    () => wire.close(),
    () => model.close(),
    () => receiver.close(),
    () => server.close(),
  );
  const key = await server.key('admin');
  await server.ask('POST', '/api/v1/webhooks', { as: key, body: { url: receiver.url, events: ['run-complete'] } });
  const run = async (headers: Record<string, string>) => {
    const body = { plan: 'trace', planRunInputs: { n: 1 } };
    const started = await server.ask('POST', '/api/v1/runs', { as: key, body, headers });
    await until(async () => seen.webhook.length > 0, 'a message');
    const events = await server.ask('GET', `/api/v1/runs/${started.body.id}/events`, { as: key });
    const models = model.requests.map((request) => request.headers['traceparent'] ?? null);
    return {
      run: started.body,
      events: events.body as string,
      states: [...states, ...model.requests.map(({ headers: sent }) => sent['tracestate'] ?? null)],
      sent: [...seen.tool, ...seen.remote, ...seen.webhook, ...models],
    };
  };
  return { run };
}

const plan = (): PlanV2<unknown, unknown, unknown> =>
  new PlanBuilderV2('Do what can be traced')
    .input({ name: 'n', schema: z.number() })
    .llmStep({ task: 'Say hello' })
    .invokeToolStep({ tool: 'near', args: { n: Input('n') } })
    .invokeToolStep({ tool: 'far', args: {} })
    .build();

it('goes from the request through the run to models, tools, other servers and webhooks, each with a span of its own', async () => {
  const lines: string[] = [];
  const { run, events, sent } = await (await traced(lines)).run({ traceparent });
  expect(run.traceId).toBe(traceId);
  expect(events).toContain(`"traceId":"${traceId}"`);
  expect(sent).toHaveLength(4);
  for (const one of sent) expect(one).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(new Set(sent).size).toBe(4);
  expect(sent).not.toContain(traceparent);
  const logged = lines.map((line) => JSON.parse(line));
  expect(logged).toContainEqual(expect.objectContaining({ msg: 'request', method: 'POST', traceId }));
  expect(logged).toContainEqual(expect.objectContaining({ msg: 'run in progress', planRunId: run.id, traceId }));
});

it('is made from the run where the request brings none, or one that is none', async () => {
  const { run, sent } = await (await traced()).run({ traceparent: `00-${traceId}-0000000000000000-01` });
  expect(run.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(run.traceId).not.toBe(traceId);
  expect(sent).toHaveLength(4);
  for (const one of sent) expect(one).toContain(`00-${run.traceId}-`);
});

it('takes the tracestate along, to all of them and unchanged', async () => {
  const { sent, states } = await (await traced()).run({ traceparent, tracestate: 'congo=t61rcWkgMzE,rojo=1' });
  expect(sent).toHaveLength(4);
  expect(states).toEqual(new Array(4).fill('congo=t61rcWkgMzE,rojo=1'));
});

it.each([
  ['is none', { traceparent, tracestate: 'a=1,a=2' }],
  ['is too long', { traceparent, tracestate: `a=${'x'.repeat(255)},b=${'x'.repeat(256)}` }],
  ['comes without a traceparent', { tracestate: 'a=1' }],
])('starts the run and drops a tracestate that %s', async (_what, headers) => {
  const { run, states } = await (await traced()).run(headers as Record<string, string>);
  expect(run.id).toMatch(/^prun-/);
  expect(states).toEqual(new Array(4).fill(null));
});
