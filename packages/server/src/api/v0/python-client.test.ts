import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { overTheWire, type RawAnswer, type RawAsk } from '../../../test/lib/raw-http.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

let server: TestServer;
let wire: Awaited<ReturnType<typeof overTheWire>>;
beforeAll(async () => {
  server = await testServer({});
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

/** The requests of a Portia 0.9 client in the order it makes them, for one run that asks something. */
class PythonClient {
  readonly planId = `plan-${randomUUID()}`;
  readonly query = `Mail the total of ${this.planId}`;
  readonly runId = `prun-${randomUUID()}`;
  readonly #ask: RawAsk;
  state = 'NOT_STARTED';
  index = 0;
  outputs: { clarifications: Question[]; step_outputs: Record<string, object>; final_output: object | null } = {
    clarifications: [],
    step_outputs: {},
    final_output: null,
  };

  constructor(ask: RawAsk) {
    this.#ask = ask;
  }

  async ask(
    method: string,
    path: string,
    body?: object | Buffer,
    headers?: Record<string, string>,
  ): Promise<RawAnswer> {
    const sent = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const answer = await this.#ask(method, `/api/v0${path}`, sent, headers);
    // Redirects are not followed, and anything but 2xx ends the program.
    expect([path, answer.status >= 200 && answer.status < 300]).toEqual([path, true]);
    return answer;
  }

  async save(): Promise<void> {
    await this.ask('PUT', `/plan-runs/${this.runId}/`, {
      current_step_index: this.index,
      state: this.state,
      end_user: 'portia:default_user',
      outputs: this.outputs,
      plan_id: this.planId,
      plan_run_inputs: {},
    });
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
    const text =
      `--b\r\nContent-Disposition: form-data; name="summary"\r\n\r\n${summary}\r\n` +
      `--b\r\nContent-Disposition: form-data; name="value"; filename="output"\r\n` +
      `Content-Type: application/octet-stream\r\n\r\n${value}\r\n--b--\r\n`;
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    await this.ask('PUT', `/agent-memory/plan-runs/${this.runId}/outputs/${name}/`, Buffer.from(text), headers);
    this.outputs.step_outputs[name] = { output_name: name, plan_run_id: this.runId, summary };
  }

  async makePlan(): Promise<void> {
    const search = { query: this.query, threshold: 1.0, limit: 1 };
    expect((await this.ask('POST', '/plans/embeddings/search/', search)).json).toEqual([]);
    const step = (task: string, tool_id: string, output: string): object => ({
      task,
      inputs: [],
      tool_id,
      output,
      condition: null,
    });
    await this.ask('POST', '/plans/', {
      id: this.planId,
      query: this.query,
      tool_ids: ['mailer', 'crm'],
      steps: [step('Look up', 'crm', '$sales'), step('Mail', 'mailer', '$receipt')],
      plan_inputs: [],
    });
  }

  async toolCall(step: number, tool_name: string, status: string, output: unknown): Promise<void> {
    const record = {
      plan_run_id: this.runId,
      tool_name,
      step,
      end_user_id: 'portia:default_user',
      input: {},
      output,
      status,
      latency_seconds: 0.1,
    };
    await this.ask('POST', '/tool-calls/', record);
    const { json } = await this.ask('GET', '/end-user/portia:default_user/');
    await this.ask('PUT', '/end-user/portia:default_user/', json);
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
  await client.ask('GET', '/end-user/portia:default_user/');
  await client.save();
  expect((await v1(client))['state']).toBe('NOT_STARTED');
  client.state = 'IN_PROGRESS';
  await client.save();
  await client.toolCall(0, 'CRM', 'SUCCESS', [1, 2]);
  await client.remember('$sales', '412 rows', '[1, 2]');
  await client.save();
  client.index = 1;
  await client.save();
  expect(await v1(client)).toMatchObject({ state: 'IN_PROGRESS', currentStepIndex: 1 });
  const asked = client.question();
  await client.toolCall(1, 'Mailer', 'NEED_CLARIFICATION', [asked]);
  client.outputs.clarifications.push(asked);
  client.outputs.step_outputs['$receipt'] = { value: JSON.stringify([asked]), summary: null };
  client.state = 'NEED_CLARIFICATION';
  await client.save();
  return client;
}

async function toTheEnd(client: PythonClient): Promise<void> {
  client.state = 'IN_PROGRESS';
  await client.save();
  expect((await v1(client))['state']).toBe('IN_PROGRESS');
  const { json } = await client.ask('GET', `/agent-memory/plan-runs/${client.runId}/outputs/$sales/`);
  expect((await client.ask('GET', json.url.replace('/api/v0', ''))).text).toBe('[1, 2]');
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
