import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import { ToolHardError } from '../../src/core/errors.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { Input, StepOutput, text } from '../../src/core/reference.ts';
import { type PortiaMcpServer, portiaMcpServer } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { object } from '../../src/testing/script.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { tool } from '../../src/tool/tool.ts';
import { type FetchServer, serveFetch } from '../lib/fetch-server.ts';

let paid: number[] = [];
const pay = tool({
  id: 'pay',
  description: 'pays',
  argsSchema: z.object({ amount: z.number() }),
  run: ({ amount }) => {
    paid.push(amount);
    return `paid ${amount}`;
  },
});

const gold = new PlanBuilderV2('Buy gold')
  .input({ name: 'country', schema: z.string(), defaultValue: 'UK' })
  .userInput({ stepName: 'ounces', message: text`How many ounces in ${Input('country')}?`, options: [50, 100] })
  .functionStep({
    stepName: 'total',
    args: { ounces: StepOutput('ounces') },
    function: ({ ounces }) => Number(ounces) * 2,
    readOnly: true,
  })
  .build();
const refund = new PlanBuilderV2('Refund')
  .input({ name: 'amount', schema: z.number() })
  .invokeToolStep({
    stepName: 'paid',
    tool: 'pay',
    args: { amount: Input('amount') },
    approval: { message: 'Pay it back?' },
  })
  .build();
const consent = new PlanBuilderV2('Consent')
  .userVerify({ message: 'May we write to you?', audience: 'endUser' })
  .functionStep({ stepName: 'sent', args: {}, function: () => 'sent', readOnly: true })
  .build();
const broken = new PlanBuilderV2('Broken')
  .userInput({ stepName: 'name', message: 'Who?' })
  .functionStep({
    stepName: 'sent',
    args: {},
    function: () => {
      throw new ToolHardError('the mailbox is full');
    },
    readOnly: true,
  })
  .build();
const plans = { gold, refund, consent, broken };

let portia: Portia;
let server: PortiaMcpServer;
let http: FetchServer;
const clients: Client[] = [];
beforeEach(async () => {
  paid = [];
  portia = new Portia({ config: new Config({ storageClass: 'MEMORY' }), tools: [pay], plans: Object.values(plans) });
  server = await portiaMcpServer(portia, {
    plans,
    endUser: (request) => request.headers.get('x-user') ?? undefined,
  });
  http = await serveFetch((request) => server.fetch(request));
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await server.close();
  await http.close();
  await portia.close();
});

type Answering = (params: JsonObject) => JsonObject;

/** A host of one end user; with `answering`, one that shows questions to the person. */
async function host(user: string, answering?: Answering, url: string = http.url): Promise<Client> {
  const client = new Client(
    { name: 'host', version: '1' },
    { capabilities: answering ? { elicitation: { form: {}, url: {} } } : {}, versionNegotiation: { mode: 'auto' } },
  );
  if (answering) client.setRequestHandler('elicitation/create', ({ params }) => answering(params as never) as never);
  const headers = { 'x-user': user };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  clients.push(client);
  return client;
}

interface Report {
  readonly run_id: string;
  readonly state: string;
  readonly output?: unknown;
  readonly questions?: readonly { readonly id: string; readonly question: string; readonly kind: string }[];
  readonly waits_for_others?: number;
}

async function call(client: Client, name: string, args: JsonObject = {}, options = {}): Promise<Report> {
  const result = await client.callTool({ name, arguments: args as Record<string, unknown> }, options);
  if (result.isError) throw new Error(JSON.stringify(result.content));
  return result.structuredContent as unknown as Report;
}

describe('an MCP host', () => {
  it('sees the plans as tools with their inputs, and nothing else it could start', async () => {
    const { tools } = await (await host('ada')).listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(
      ['answer', 'cancel_run', 'get_run', 'list_runs', 'run_broken', 'run_consent', 'run_gold', 'run_refund'].sort(),
    );
    expect(tools.find(({ name }) => name === 'run_gold')?.inputSchema).toMatchObject({
      properties: { country: { type: 'string', default: 'UK' } },
    });
    expect(tools.find(({ name }) => name === 'run_refund')?.inputSchema.required).toEqual(['amount']);
  });

  it('starts a plan, is told what it asks, answers, and has the result', async () => {
    const client = await host('ada');
    const seen: string[] = [];
    const waiting = await call(
      client,
      'run_gold',
      { country: 'Spain' },
      { onprogress: (p: JsonObject) => seen.push(String(p['message'])) },
    );
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    expect(waiting.questions).toMatchObject([{ question: expect.stringContaining('Spain'), kind: 'Multiple Choice' }]);
    const wrong = call(client, 'answer', {
      run_id: waiting.run_id,
      question_id: String(waiting.questions?.[0]?.id),
      answer: 7,
    });
    await expect(wrong).rejects.toThrow('CLARIFICATION_RESPONSE_INVALID');
    const done = await call(client, 'answer', {
      run_id: waiting.run_id,
      question_id: String(waiting.questions?.[0]?.id),
      answer: 100,
    });
    expect(done).toMatchObject({ state: 'COMPLETE', output: 200 });
    expect(await call(client, 'get_run', { run_id: waiting.run_id })).toEqual(done);
    expect(seen).toContain('step 1 begins');
    const resource = await client.readResource({ uri: `portia://runs/${waiting.run_id}` });
    expect(JSON.stringify(resource)).toContain('COMPLETE');
    const read = async (uri: string): Promise<JsonValue> => {
      const [content] = (await client.readResource({ uri })).contents;
      return JSON.parse(content && 'text' in content ? content.text : 'null') as JsonValue;
    };
    expect(await read('portia://plans')).toMatchObject([{ tool: 'run_gold' }, {}, {}, {}]);
    expect(await read('portia://runs')).toEqual([{ run_id: waiting.run_id, state: 'COMPLETE' }]);
    expect(await read(`portia://runs/${waiting.run_id}/clarifications`)).toEqual([]);
    const asking = await call(client, 'run_gold');
    expect(await read(`portia://runs/${asking.run_id}/clarifications`)).toEqual(asking.questions);
    const [record] = await portia.storage.getClarifications(waiting.run_id as never);
    expect(record).toMatchObject({ resolvedBy: 'ada', via: 'mcp' });
  });

  it('that can show questions asks the person within the call', async () => {
    const asked: JsonObject[] = [];
    const client = await host('ada', (params) => {
      asked.push(params);
      return { action: 'accept', content: { answer: '50' } };
    });
    expect(await call(client, 'run_gold')).toMatchObject({ state: 'COMPLETE', output: 100 });
    expect(asked).toMatchObject([{ message: expect.stringContaining('How many ounces in UK?') }]);
  });

  it('that is declined leaves the question open', async () => {
    const client = await host('ada', () => ({ action: 'decline' }));
    expect(await call(client, 'run_gold')).toMatchObject({ state: 'NEED_CLARIFICATION' });
  });

  it('is told of a run that failed as of a call that failed, with what failed and what to do', async () => {
    const client = await host('ada');
    const { run_id, questions } = await call(client, 'run_broken');
    const told = {
      isError: true,
      content: [
        { text: expect.stringMatching(/is FAILED\.\nIt failed: TOOL_FAILED: .*mailbox is full\n.*stays done/) },
      ],
      structuredContent: { run_id, state: 'FAILED', error: { code: 'TOOL_FAILED' } },
    };
    const answer = { run_id, question_id: String(questions?.[0]?.id), answer: 'Bob' };
    expect(await client.callTool({ name: 'answer', arguments: answer })).toMatchObject(told);
    expect(await client.callTool({ name: 'get_run', arguments: { run_id } })).toMatchObject(told);
    const asking = await host('ada', () => ({ action: 'accept', content: { answer: 'Bob' } }));
    expect(await asking.callTool({ name: 'run_broken', arguments: {} })).toMatchObject({ isError: true });
    const again = await client.callTool({ name: 'answer', arguments: { ...answer, answer: 'Ann' } });
    expect(again).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('CLARIFICATION_FORBIDDEN') }],
    });
  });

  it('is told that a refusal is a decision; that a run was cancelled is no error of the call that did it', async () => {
    const client = await host('ada', () => ({ action: 'accept', content: { answer: false } }));
    expect(await client.callTool({ name: 'run_consent', arguments: {} })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/APPROVAL_REFUSED[\s\S]*do not start it again unless/) }],
    });
    const { run_id } = await call(await host('ada'), 'run_gold');
    expect(await call(client, 'cancel_run', { run_id })).toMatchObject({ state: 'FAILED' });
    expect(await client.callTool({ name: 'get_run', arguments: { run_id } })).toMatchObject({ isError: true });
  });

  it('starts a run once, however often it repeats the call', async () => {
    const client = await host('ada');
    const [first, second] = [
      await call(client, 'run_gold', { run_key: 'mine' }),
      await call(client, 'run_gold', { run_key: 'mine' }),
    ];
    expect(second.run_id).toBe(first.run_id);
    expect((await call(await host('bob'), 'run_gold', { run_key: 'mine' })).run_id).not.toBe(first.run_id);
  });
});

describe('a host that may ask in words', () => {
  it('has a query planned and run, once for each key, and sees why none could be made', async () => {
    const model = scriptedModel([
      object({ steps: [{ task: 'Pay', inputs: [], tool_id: 'greet', output: '$hello' }], error: null }),
      object({ steps: [], error: 'there is no tool for that' }),
    ]);
    const greet = tool({ id: 'greet', description: 'greets', readOnly: true, run: () => 'hello' });
    const asked = new Portia({ config: new Config({ storageClass: 'MEMORY', defaultModel: model }), tools: [greet] });
    const own = await portiaMcpServer(asked, { endUser: () => 'ada', queries: true });
    const address = await serveFetch((request) => own.fetch(request));
    try {
      const client = await host('ada', undefined, address.url);
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain('run');
      const first = await call(client, 'run', { query: 'Greet me', run_key: 'mine' });
      expect(first).toMatchObject({ state: 'COMPLETE', output: 'hello' });
      expect(await call(client, 'run', { query: 'Greet me', run_key: 'mine' })).toEqual(first);
      expect(model.requests).toHaveLength(1);
      expect(await client.callTool({ name: 'run', arguments: { query: 'Fly me to the moon' } })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringMatching(/PLANNING_FAILED: .*there is no tool for that[\s\S]*in other words/) }],
        structuredContent: {
          state: 'FAILED',
          error: { message: expect.stringContaining('there is no tool for that') },
        },
      });
    } finally {
      await own.close();
      await address.close();
      await asked.close();
    }
  });
});

describe('what a calling model cannot do', () => {
  it('approve: an operator’s question is neither shown nor answered, in any way', async () => {
    let shown = 0;
    const client = await host('ada', () => {
      shown += 1;
      return { action: 'accept', content: { answer: true } };
    });
    const waiting = await call(client, 'run_refund', { amount: 42 });
    expect(waiting).toMatchObject({ state: 'NEED_CLARIFICATION', waits_for_others: 1 });
    expect(JSON.stringify(waiting)).not.toContain('Pay it back');
    const [approval] = await portia.storage.getClarifications(waiting.run_id as never);
    const question_id = String(approval?.clarification.id);
    for (const answer of [true, 'true', { action: 'accept' }]) {
      await expect(call(client, 'answer', { run_id: waiting.run_id, question_id, answer })).rejects.toThrow(
        'CLARIFICATION_FORBIDDEN',
      );
    }
    expect(await call(client, 'get_run', { run_id: waiting.run_id, wait_seconds: 1 })).toMatchObject({
      state: 'NEED_CLARIFICATION',
    });
    expect([shown, paid]).toEqual([0, []]);
    await portia.resolveClarification({
      planRunId: waiting.run_id,
      clarificationId: question_id,
      response: true,
      resolvedBy: { id: 'op', as: 'operator' },
    });
    expect(await call(client, 'get_run', { run_id: waiting.run_id, wait_seconds: 10 })).toMatchObject({
      state: 'COMPLETE',
    });
    expect(paid).toEqual([42]);
  });

  it('say yes for the end user: that is asked in the host’s own window, or not at all', async () => {
    const mute = await host('ada');
    const waiting = await call(mute, 'run_consent');
    const question_id = String(waiting.questions?.[0]?.id);
    await expect(call(mute, 'answer', { run_id: waiting.run_id, question_id, answer: true })).rejects.toThrow(
      'CLARIFICATION_FORBIDDEN',
    );
    const showing = await host('ada', () => ({ action: 'accept', content: { answer: true } }));
    expect(await call(showing, 'get_run', { run_id: waiting.run_id, wait_seconds: 5 })).toMatchObject({
      state: 'COMPLETE',
    });
  });

  it('see or touch the runs of somebody else', async () => {
    const waiting = await call(await host('ada'), 'run_gold');
    const other = await host('bob');
    const run_id = waiting.run_id;
    for (const [name, args] of [
      ['get_run', { run_id }],
      ['cancel_run', { run_id }],
      ['answer', { run_id, question_id: String(waiting.questions?.[0]?.id), answer: 50 }],
    ] as const) {
      await expect(call(other, name, args)).rejects.toThrow('PLAN_RUN_NOT_FOUND');
    }
    await expect(other.readResource({ uri: `portia://runs/${run_id}` })).rejects.toThrow();
    expect(await call(other, 'list_runs')).toEqual({ runs: [] });
  });

  it('call at all when nobody knows for whom', async () => {
    expect((await fetch(http.url, { method: 'POST', body: '{}' })).status).toBe(401);
  });
});
