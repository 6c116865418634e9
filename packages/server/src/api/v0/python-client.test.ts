import { randomUUID } from 'node:crypto';
import { ActionClarification, InputClarification, tool } from 'portia-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { overTheWire, type RawAnswer, type RawAsk } from '../../../test/lib/raw-http.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

const signedIn = new Set<string>();
const remote = [
  tool({ id: 'portia:acme::export', name: 'Acme Export', description: 'Exports', run: () => 'ü'.repeat(20_000) }),
  tool({
    id: 'portia:mail:send_email',
    name: 'Send Email',
    description: 'Sends a mail.',
    argsSchema: z.object({ to: z.string(), text: z.string() }),
    ready: ({ endUser: { externalId } }) =>
      signedIn.has(externalId)
        ? { ready: true }
        : {
            ready: false,
            clarifications: [ActionClarification({ userGuidance: 'Sign in', actionUrl: 'https://example.org/auth' })],
          },
    run: ({ to }) => `sent to ${to}`,
  }),
  tool({
    id: 'portia:desk:ask',
    name: 'Ask',
    description: 'Asks.',
    run: () => InputClarification({ userGuidance: 'Who?', argumentName: 'who' }),
  }),
];

let server: TestServer;
let wire: Awaited<ReturnType<typeof overTheWire>>;
beforeAll(async () => {
  server = await testServer({ tools: remote });
  wire = await overTheWire(server.send);
});
afterAll(async () => {
  await wire.close();
  await server.close();
});

interface Question {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** As Python's own json.dumps writes, which bodies of tool calls are made with: with spaces, in ASCII. */
function dumps(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dumps).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, one]) => `${dumps(key)}: ${dumps(one)}`)
      .join(', ')}}`;
  return JSON.stringify(value).replace(/[^\0-\x7f]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The requests of a Portia 0.9 client, byte for byte as it sends them and in the order it does, for one run. */
class PythonClient {
  readonly planId = `plan-${randomUUID()}`;
  readonly query = `Mail the total of ${this.planId}`;
  readonly runId = `prun-${randomUUID()}`;
  readonly #ask: RawAsk;
  readonly endUser: string;
  readonly tools: readonly [id: string | null, output: string][];
  state = 'NOT_STARTED';
  index = 0;
  outputs: { clarifications: Question[]; step_outputs: Record<string, object>; final_output: object | null } = {
    clarifications: [],
    step_outputs: {},
    final_output: null,
  };

  constructor(
    ask: RawAsk,
    endUser = 'portia:default_user',
    tools: PythonClient['tools'] = [
      ['crm', '$sales'],
      ['mailer', '$receipt'],
    ],
  ) {
    this.#ask = ask;
    this.endUser = endUser;
    this.tools = tools;
  }

  /** `body`: as httpx writes JSON, unless it is bytes or text already. */
  async ask(
    method: string,
    path: string,
    body?: object | Buffer | string,
    headers?: Record<string, string>,
  ): Promise<RawAnswer> {
    const sent = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
    const answer = await this.#ask(method, `/api/v0${path}`, sent, headers);
    // Redirects are not followed, and anything but 2xx ends the program.
    expect([path, answer.status >= 200 && answer.status < 300]).toEqual([path, true]);
    return answer;
  }

  async save(): Promise<void> {
    await this.ask('PUT', `/plan-runs/${this.runId}/`, {
      current_step_index: this.index,
      state: this.state,
      end_user: this.endUser,
      outputs: this.outputs,
      plan_id: this.planId,
      plan_run_inputs: { $region: { value: '{"code": "EMEA"}', summary: null } },
    });
  }

  async become(state: string): Promise<void> {
    this.state = state;
    await this.save();
  }

  /** Another process takes the run up from what is stored. */
  async load(): Promise<void> {
    const { json } = await this.ask('GET', `/plan-runs/${this.runId}/`);
    expect(json.plan).toEqual({ id: this.planId });
    this.state = json.state;
    this.index = json.current_step_index;
    this.outputs = json.outputs;
  }

  async remember(name: string, summary: string, value: string): Promise<void> {
    const boundary = randomUUID().replaceAll('-', '');
    const text =
      `--${boundary}\r\nContent-Disposition: form-data; name="summary"\r\n\r\n${summary}\r\n` +
      `--${boundary}\r\nContent-Disposition: form-data; name="value"; filename="output"\r\n` +
      `Content-Type: application/octet-stream\r\n\r\n${value}\r\n--${boundary}--\r\n`;
    const headers = { 'Content-Type': `multipart/form-data; boundary=${boundary}` };
    await this.ask('PUT', `/agent-memory/plan-runs/${this.runId}/outputs/${name}/`, Buffer.from(text), headers);
    this.outputs.step_outputs[name] = { output_name: name, plan_run_id: this.runId, summary };
  }

  /** In two steps, the second at the address that the first one gave. */
  async recall(name: string): Promise<string> {
    const { json } = await this.ask('GET', `/agent-memory/plan-runs/${this.runId}/outputs/${name}/`);
    return (await this.ask('GET', json.url.replace('/api/v0', ''))).text;
  }

  async makePlan(): Promise<void> {
    const search = `{"query":${JSON.stringify(this.query)},"threshold":1.0,"limit":1}`;
    expect((await this.ask('POST', '/plans/embeddings/search/', search)).json).toEqual([]);
    const steps = this.tools.map(([tool_id, output], n) => ({
      task: `Step ${n}`,
      inputs: n === 0 ? [] : [{ name: this.tools[n - 1]?.[1], description: '' }],
      tool_id,
      output,
      condition: null,
    }));
    await this.ask('POST', '/plans/', {
      id: this.planId,
      query: this.query,
      tool_ids: steps.map(({ tool_id }) => tool_id).reverse(),
      steps,
      plan_inputs: [{ name: '$region', description: null, value: null }],
    });
  }

  /** As `run_plan` does: the plan is there already, the person may be new, the inputs come with the first write. */
  async begin(): Promise<void> {
    for (let n = 0; n < 2; n += 1)
      expect((await this.ask('GET', `/plans/${this.planId}/`)).json).toMatchObject({ query: this.query });
    const { json } = await this.ask('GET', `/end-user/${this.endUser}/`);
    await this.ask('PUT', `/end-user/${this.endUser}/`, json);
    await this.save();
    await this.save();
    await this.resume();
  }

  /** What it does before it drives: whether the tools that are to come can be called. Its clarifications are raised. */
  async resume(): Promise<void> {
    await this.ask('GET', `/plans/${this.planId}/`);
    const asked = await this.notReady(this.index);
    if (asked.length > 0) await this.raise(asked);
    else if (this.outputs.clarifications.every(({ resolved }) => resolved)) await this.become('IN_PROGRESS');
  }

  async notReady(from: number): Promise<Question[]> {
    await this.ask('GET', `/end-user/${this.endUser}/`);
    const ids = this.tools.slice(from).flatMap(([id]) => (id?.startsWith('portia:') ? [id] : []));
    if (ids.length === 0) return [];
    const execution_context = { end_user_id: this.endUser, plan_run_id: this.runId };
    const { json } = await this.ask('POST', '/tools/batch/ready/', { tool_ids: ids.sort(), execution_context });
    return json.ready ? [] : json.clarifications;
  }

  async raise(asked: readonly Question[]): Promise<void> {
    const known = this.outputs.clarifications.map(({ id }) => id);
    for (const one of asked)
      if (!known.includes(one.id)) this.outputs.clarifications.push({ ...one, step: this.index });
    await this.become('NEED_CLARIFICATION');
  }

  /** Once around the loop that waits for people: it reads the run, asks the tools, and settles what they no longer ask. */
  async poll(): Promise<void> {
    await this.load();
    if ((await this.notReady(this.index)).length > 0) return;
    this.outputs.clarifications = this.outputs.clarifications.map((one) =>
      one['category'] === 'Action' && one['step'] === this.index
        ? { ...one, resolved: true, response: 'complete' }
        : one,
    );
    if (this.outputs.clarifications.every(({ resolved }) => resolved)) await this.become('READY_TO_RESUME');
  }

  async remoteCall(step: number, name: string, args: object): Promise<unknown> {
    const id = this.tools[step]?.[0] ?? '';
    const { json: person } = await this.ask('GET', `/end-user/${this.endUser}/`);
    const { json } = await this.ask(
      'POST',
      `/tools/${id}/run/`,
      dumps({
        arguments: args,
        execution_context: {
          end_user_id: this.endUser,
          plan_run_id: this.runId,
          additional_data: person.additional_data,
        },
      }),
    );
    expect(json.soft_error).toBe(false);
    const { value } = json.output;
    const question = Array.isArray(value)
      ? { ...value[0], plan_run_id: this.runId, source: 'Portia remote tool' }
      : null;
    await this.toolCall(step, name, question ? 'NEED_CLARIFICATION' : 'SUCCESS', question ?? value, args);
    return question ?? value;
  }

  async toolCall(step: number, tool_name: string, status: string, output: unknown, input: object = {}): Promise<void> {
    await this.ask('POST', '/tool-calls/', {
      plan_run_id: this.runId,
      tool_name,
      step,
      end_user_id: this.endUser,
      input,
      output,
      status,
      latency_seconds: 0.050253,
    });
    const { json } = await this.ask('GET', `/end-user/${this.endUser}/`);
    await this.ask('PUT', `/end-user/${this.endUser}/`, json);
  }

  question(): Question {
    return {
      id: `clar-${randomUUID()}`,
      plan_run_id: this.runId,
      category: 'Input',
      response: null,
      step: this.index,
      user_guidance: 'Who should receive the mail?',
      resolved: false,
      source: 'mailer',
      argument_name: 'recipient',
    };
  }
}

/** What the other API says of the same run. */
async function v1(client: PythonClient): Promise<Record<string, unknown>> {
  const as = await server.key('admin');
  const { body } = await server.ask('GET', `/api/v1/runs/${client.runId}`, { as });
  const listed = await server.ask('GET', `/api/v1/runs?state=${body.state}`, { as });
  expect(listed.body.items.map(({ id }: { id: string }) => id)).toContain(client.runId);
  return body;
}

async function upToTheQuestion(): Promise<PythonClient> {
  const client = new PythonClient(wire.as(await server.key('driver')));
  await client.makePlan();
  await client.begin();
  expect(await v1(client)).toMatchObject({
    state: 'IN_PROGRESS',
    planRunInputs: { $region: { value: '{"code": "EMEA"}' } },
  });
  await client.toolCall(0, 'CRM', 'SUCCESS', [1, 2]);
  await client.remember('$sales', '412 rows', '[1, 2]');
  await client.save();
  client.index = 1;
  await client.save();
  expect(await v1(client)).toMatchObject({ state: 'IN_PROGRESS', currentStepIndex: 1 });
  const asked = client.question();
  await client.toolCall(1, 'Mailer', 'NEED_CLARIFICATION', [asked]);
  client.outputs.step_outputs['$receipt'] = { value: JSON.stringify([asked]), summary: null };
  await client.save();
  await client.raise([asked]);
  return client;
}

async function toTheEnd(client: PythonClient): Promise<void> {
  client.state = 'IN_PROGRESS';
  await client.save();
  expect((await v1(client))['state']).toBe('IN_PROGRESS');
  expect(await client.recall('$sales')).toBe('[1, 2]');
  await client.toolCall(1, 'Mailer', 'SUCCESS', 'sent');
  client.outputs.step_outputs['$receipt'] = { value: 'sent', summary: null };
  await client.save();
  client.outputs.final_output = { value: 'sent', summary: 'The total was mailed' };
  client.state = 'COMPLETE';
  await client.save();
  await client.save();
  const { json: page } = await client.ask('GET', '/plan-runs/?page=1&run_state=COMPLETE');
  expect(page.results.map(({ id }: { id: string }) => id)).toContain(client.runId);
  expect(await v1(client)).toMatchObject({
    state: 'COMPLETE',
    finalOutput: { value: 'sent', summary: 'The total was mailed' },
    stepOutputs: { $sales: { outputName: '$sales', summary: '412 rows' }, $receipt: { value: 'sent' } },
  });
}

it('plans, runs, asks, is answered, goes on and ends, and both APIs say the same of it at every step', async () => {
  const client = await upToTheQuestion();
  const [asked] = client.outputs.clarifications;
  expect(await v1(client)).toMatchObject({
    state: 'NEED_CLARIFICATION',
    clarifications: [{ id: asked?.id, resolved: false, step: 1 }],
  });
  const page = await client.ask('GET', '/plan-runs/?run_state=NEED_CLARIFICATION');
  expect(page.json.results[0].outputs.clarifications).toEqual([asked]);
  await client.load();
  expect(client.outputs.clarifications).toEqual([asked]);
  client.outputs.clarifications = [{ ...asked, response: 'bob@example.org', resolved: true } as Question];
  client.state = 'READY_TO_RESUME';
  await client.save();
  expect(await v1(client)).toMatchObject({
    state: 'READY_TO_RESUME',
    clarifications: [{ response: 'bob@example.org', resolved: true }],
  });
  await toTheEnd(client);
  const { body } = await server.ask('GET', `/api/v1/runs/${client.runId}/tool-calls`, {
    as: await server.key('admin'),
  });
  expect(body.items.map(({ status }: { status: string }) => status)).toEqual([
    'SUCCESS',
    'NEED_CLARIFICATION',
    'SUCCESS',
  ]);
});

it('learns of an answer that a person gave to this server, and the server leaves the run to it', async () => {
  const client = await upToTheQuestion();
  const [asked] = client.outputs.clarifications;
  const operator = await server.key('operator');
  const path = `/api/v1/runs/${client.runId}/clarifications/${asked?.id}/answer`;
  const { status } = await server.ask('POST', path, { as: operator, body: { response: 'eve@example.org' } });
  expect(status).toBe(200);
  await client.load();
  expect(client.state).toBe('READY_TO_RESUME');
  expect(client.outputs.clarifications).toEqual([{ ...asked, response: 'eve@example.org', resolved: true }]);
  await toTheEnd(client);
});

it('may say that a run failed, and that it goes on after all', async () => {
  const client = await upToTheQuestion();
  client.state = 'FAILED';
  client.outputs.final_output = { value: 'the mailer is gone', summary: null };
  await client.save();
  expect(await v1(client)).toMatchObject({ state: 'FAILED', error: { message: 'the mailer is gone' } });
  await client.load();
  expect(client.state).toBe('FAILED');
  client.outputs.final_output = null;
  await toTheEnd(client);
});

describe('with tools of this server', () => {
  const ids = ['portia:acme::export', 'portia:mail:send_email', 'portia:desk:ask'];

  it('waits for a sign-in, goes on, is asked by a call, is answered, and ends', async () => {
    const client = new PythonClient(wire.as(await server.key('driver')), `eve-${randomUUID()}`, [
      [ids[0] as string, '$o0'],
      [ids[1] as string, '$o1'],
      [ids[2] as string, '$o2'],
    ]);
    const { json: described } = await client.ask('GET', '/tools/descriptions-v2/');
    expect(described.tools.map(({ tool_id }: { tool_id: string }) => tool_id)).toEqual(ids);
    await client.makePlan();
    await client.begin();
    expect(await v1(client)).toMatchObject({ state: 'NEED_CLARIFICATION', currentStepIndex: 0 });
    const [signIn] = client.outputs.clarifications;
    expect(signIn).toMatchObject({
      category: 'Action',
      plan_run_id: client.runId,
      action_url: 'https://example.org/auth',
    });
    // However often it asks: one question.
    await client.resume();
    await client.poll();
    expect(client.outputs.clarifications).toEqual([signIn]);
    signedIn.add(client.endUser);
    await client.poll();
    expect(client.state).toBe('READY_TO_RESUME');
    await client.resume();
    const exported = await client.remoteCall(0, 'Acme Export', {});
    await client.remember('$o0', '', String(exported));
    await client.save();
    client.index = 1;
    expect(await client.remoteCall(1, 'Send Email', { to: 'bob', text: 'grüße "\u{1f600}"' })).toBe('sent to bob');
    client.outputs.step_outputs['$o1'] = { value: 'sent to bob', summary: null };
    await client.save();
    client.index = 2;
    const question = (await client.remoteCall(2, 'Ask', {})) as Question;
    expect(question).toMatchObject({ category: 'Input', argument_name: 'who' });
    expect(await client.notReady(3)).toEqual([]);
    await client.raise([question]);
    await client.load();
    expect(client.outputs.clarifications).toEqual([
      { ...signIn, resolved: true, response: 'complete' },
      { ...question, step: 2 },
    ]);
    expect(await client.recall('$o0')).toBe(exported);
    client.outputs.clarifications = client.outputs.clarifications.map((one) => ({
      ...one,
      resolved: true,
      response: 'bob',
    }));
    await client.become('READY_TO_RESUME');
    await client.resume();
    client.outputs.step_outputs['$o2'] = { value: 'bob', summary: null };
    client.outputs.final_output = { value: 'bob', summary: 'All of it' };
    await client.become('COMPLETE');
    expect(await v1(client)).toMatchObject({ state: 'COMPLETE', finalOutput: { value: 'bob', summary: 'All of it' } });
    const path = `/api/v1/runs/${client.runId}/tool-calls`;
    const { body } = await server.ask('GET', path, { as: await server.key('admin') });
    expect(body.items.map(({ status }: { status: string }) => status)).toEqual([
      'SUCCESS',
      'SUCCESS',
      'NEED_CLARIFICATION',
    ]);
  });
});
