import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloudStorage, Config, diskStorage, Plan, type PlanRunUUID, type PlanUUID, Portia, tool } from 'portia-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overTheWire, type RawAnswer, type RawAsk } from '../../../test/lib/raw-http.ts';
import { refunds } from '../../../test/lib/refunds.ts';
import { until } from '../../../test/lib/asking.ts';
import { type TestServer, testServer } from '../../../test/lib/server-for-tests.ts';

let server: TestServer;
let wire: Awaited<ReturnType<typeof overTheWire>>;
let ask: RawAsk;
beforeAll(async () => {
  server = await testServer(refunds());
  wire = await overTheWire(server.send);
  ask = wire.as(await server.key('driver'));
});
afterAll(async () => {
  await wire.close();
  await server.close();
});

const uuid = '0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10';
const planId = `plan-${uuid}`;
/** As A client writes it: tool ids unsorted, extras in steps, values of inputs. */
const planText = `{"id":"${planId}","query":"Email the sales total","tool_ids":["mailer","crm_lookup"],"steps":[{"task":"Look up sales","inputs":[{"name":"$region","description":""}],"tool_id":"crm_lookup","output":"$sales","condition":null,"colour":"blue"},{"task":"Mail it","inputs":[{"name":"$sales","description":"rows"}],"tool_id":"mailer","output":"$receipt","condition":null}],"plan_inputs":[{"name":"$region","description":null,"value":{"code":"EMEA"}}]}`;

const outputsOf = (outputs: object = {}): object => ({
  clarifications: [],
  step_outputs: {},
  final_output: null,
  ...outputs,
});
const runText = (fields: object = {}): string =>
  JSON.stringify({
    current_step_index: 0,
    state: 'IN_PROGRESS',
    end_user: 'portia:default_user',
    outputs: outputsOf(),
    plan_id: planId,
    plan_run_inputs: {},
    ...fields,
  });

/** A form as httpx makes it: a text, then a file. */
function form(summary: string, value: string): { readonly body: Buffer; readonly headers: Record<string, string> } {
  const boundary = 'b2d5f2e4e1c94f1fa1f1';
  const body = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="summary"\r\n\r\n${summary}\r\n` +
      `--${boundary}\r\nContent-Disposition: form-data; name="value"; filename="output"\r\n` +
      `Content-Type: application/octet-stream\r\n\r\n${value}\r\n--${boundary}--\r\n`,
    'utf8',
  );
  return { body, headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` } };
}

const newRun = async (fields: object = {}): Promise<string> => {
  const id = `prun-${randomUUID()}`;
  await ask('POST', '/api/v0/plans/', planText);
  expect((await ask('PUT', `/api/v0/plan-runs/${id}/`, runText(fields))).status).toBe(200);
  return id;
};

describe('plans', () => {
  it('are stored, stored again, and read with what their steps held beside', async () => {
    expect((await ask('POST', '/api/v0/plans/', planText)).status).toBe(200);
    expect((await ask('POST', '/api/v0/plans/', planText)).status).toBe(200);
    const { status, json } = await ask('GET', `/api/v0/plans/${planId}/`);
    expect(status).toBe(200);
    const sent = JSON.parse(planText);
    expect(json).toEqual({ ...sent, tool_ids: ['crm_lookup', 'mailer'] });
  });

  it('are never changed: another content under the same id is refused, what was read may be said again', async () => {
    const sent = JSON.parse(planText);
    await ask('POST', '/api/v0/plans/', planText);
    const other = { ...sent, steps: [{ ...sent.steps[0], task: 'Pay everybody' }] };
    const { status, json } = await ask('POST', '/api/v0/plans/', JSON.stringify(other));
    expect([status, Object.keys(json)]).toEqual([409, ['detail']]);
    expect((await ask('GET', `/api/v0/plans/${planId}/`)).json.steps).toEqual(sent.steps);
    // A plan of the builder holds more than its document says.
    await server.ask('POST', '/api/v1/runs', {
      as: await server.key('admin'),
      body: { plan: 'refund', planRunInputs: { amount: 7 }, endUser: 'ada' },
    });
    const builder = (await server.ask('GET', '/api/v1/plans', { as: await server.key('admin') })).body.items.find(
      ({ name }: { name: string | null }) => name === 'refund',
    );
    const read = await ask('GET', `/api/v0/plans/${builder.id}/`);
    expect(read.status).toBe(200);
    expect((await ask('POST', '/api/v0/plans/', read.text)).status).toBe(200);
    const changed = { ...read.json, query: 'Something else' };
    expect((await ask('POST', '/api/v0/plans/', JSON.stringify(changed))).status).toBe(409);
  });

  it('are found by exactly their query, newest first, and by one that is like it', async () => {
    const make = async (query: string): Promise<string> => {
      const id = `plan-${randomUUID()}`;
      await ask('POST', '/api/v0/plans/', JSON.stringify({ id, query, tool_ids: [], steps: [], plan_inputs: [] }));
      return id;
    };
    const first = await make('Book a flight from Paris to Rome');
    const second = await make('Book a flight from Paris to Rome');
    const other = await make('Book a flight from Paris to Oslo');
    await make('Water the plants');
    const search = async (body: object): Promise<string[]> => {
      const { status, json } = await ask('POST', '/api/v0/plans/embeddings/search/', JSON.stringify(body));
      expect(status).toBe(200);
      return json.map(({ id }: { id: string }) => id);
    };
    const query = 'Book a flight from Paris to Rome';
    expect(await search({ query, threshold: 1.0, limit: 1 })).toEqual([second]);
    expect(await search({ query: 'book a flight from paris to rome', threshold: 1.0, limit: 1 })).toEqual([]);
    expect(await search({ query: 'flights from Paris to Rome, please', threshold: 0.5, limit: 5 })).toEqual([
      second,
      first,
      other,
    ]);
    expect(await search({ query: 'flights from Paris to Rome', threshold: 0.5, limit: 2 })).toEqual([second, first]);
    expect(await search({ query: 'Solve a riddle', threshold: 0.5, limit: 5 })).toEqual([]);
  });
});

describe('runs', () => {
  it('stand as they were written, with the plan as an object, whatever form the id has', async () => {
    const clarifications = [
      {
        id: `clar-${randomUUID()}`,
        plan_run_id: null,
        category: 'Multiple Choice',
        response: null,
        step: 0,
        user_guidance: 'Größe?',
        resolved: false,
        source: null,
        argument_name: 'size',
        options: ['S', 'M'],
      },
    ];
    const outputs = outputsOf({
      clarifications,
      step_outputs: { $sales: { value: '[1]', summary: null } },
    });
    const inputs = { $region: { value: '{"code": "EMEA"}', summary: null } };
    const id = await newRun({ state: 'NEED_CLARIFICATION', outputs, plan_run_inputs: inputs });
    const wanted = {
      id,
      plan: { id: planId },
      end_user: 'portia:default_user',
      current_step_index: 0,
      state: 'NEED_CLARIFICATION',
      outputs,
      plan_run_inputs: inputs,
    };
    for (const path of [id, id.slice(5), id.toUpperCase()])
      expect((await ask('GET', `/api/v0/plan-runs/${path}/`)).json).toEqual(wanted);
  });

  it('may ask what somebody derived in Python, which comes without what its category has of its own', async () => {
    const question = (category: string): object => ({
      id: `clar-${randomUUID()}`,
      plan_run_id: null,
      category,
      response: null,
      step: 0,
      user_guidance: 'Which colour?',
      resolved: false,
      source: null,
    });
    const clarifications = ['Action', 'Input', 'Multiple Choice', 'Value Confirmation', 'Custom'].map(question);
    const fields = { state: 'NEED_CLARIFICATION', outputs: outputsOf({ clarifications }) };
    const id = await newRun(fields);
    expect((await ask('GET', `/api/v0/plan-runs/${id}/`)).json.outputs.clarifications).toEqual(clarifications);
    const as = await server.key('admin');
    const { body } = await server.ask('GET', `/api/v1/runs/${id}`, { as });
    expect(body.clarifications.map(({ category, name }: Record<string, string>) => [category, name])).toEqual(
      ['Action', 'Input', 'Multiple Choice', 'Value Confirmation', 'Custom'].map((name) => ['Custom', name]),
    );
    const path = `/api/v1/runs/${id}/clarifications/${body.clarifications[0].id}/answer`;
    expect((await server.ask('POST', path, { as, body: { response: 'blue' } })).status).toBe(200);
    expect((await ask('GET', `/api/v0/plan-runs/${id}/`)).json.outputs.clarifications[0]).toEqual({
      ...clarifications[0],
      response: 'blue',
      resolved: true,
    });
  });

  it('keep their types when they come back as text', async () => {
    const value = { rows: [1, 2.5, null], größe: true };
    const id = await newRun({ outputs: outputsOf({ step_outputs: { $sales: { value, summary: null } } }) });
    const text = '{"rows": [1, 2.5, null], "größe": true}';
    const again = outputsOf({
      step_outputs: { $sales: { value: text, summary: 's' }, $receipt: { value: '12', summary: null } },
    });
    await ask('PUT', `/api/v0/plan-runs/${id}/`, runText({ current_step_index: 1, outputs: again }));
    const { json } = await ask('GET', `/api/v0/plan-runs/${id}/`);
    expect(json.outputs.step_outputs).toEqual({
      $sales: { value, summary: 's' },
      $receipt: { value: '12', summary: null },
    });
  });

  it('are listed in numbered pages, by state, also after a bare question mark', async () => {
    const own = wire.as(await server.keyOf('pages', 'driver'));
    await own('POST', '/api/v0/plans/', planText);
    const ids: string[] = [];
    for (let n = 0; n < 23; n += 1) {
      const id = `prun-${randomUUID()}`;
      ids.unshift(id);
      const fields = n < 3 ? { state: 'COMPLETE', current_step_index: 1 } : {};
      await own('PUT', `/api/v0/plan-runs/${id}/`, runText(fields));
    }
    const first = await own('GET', '/api/v0/plan-runs/?');
    expect(first.status).toBe(200);
    expect(Object.keys(first.json).sort()).toEqual(['count', 'current_page', 'results', 'total_pages']);
    expect(first.json).toMatchObject({ count: 23, current_page: 1, total_pages: 2 });
    const second = await own('GET', '/api/v0/plan-runs/?page=2');
    expect(second.json.current_page).toBe(2);
    expect([...first.json.results, ...second.json.results].map(({ id }: { id: string }) => id)).toEqual(ids);
    const done = await own('GET', '/api/v0/plan-runs/?page=1&run_state=COMPLETE');
    expect(done.json).toMatchObject({ count: 3, total_pages: 1 });
    expect((await own('GET', '/api/v0/plan-runs/?page=9')).json).toMatchObject({ results: [], current_page: 9 });
  });

  it('are listed beside those whose contents were erased', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-erased-'));
    const config = { encryptRuns: true, secretKey: Buffer.alloc(32, 7).toString('base64') };
    const start = (): Promise<TestServer> => testServer({ config }, { work: false, folder });
    let sealed = await start();
    const as = await sealed.key('driver');
    const plan = JSON.parse(planText);
    await sealed.ask('POST', '/api/v0/plans/', { as, body: plan });
    const ids = [`prun-${randomUUID()}`, `prun-${randomUUID()}`] as const;
    for (const [n, end_user] of ['ada', 'bob'].entries()) {
      const body = JSON.parse(runText({ end_user, state: 'COMPLETE', current_step_index: 1 }));
      expect((await sealed.ask('PUT', `/api/v0/plan-runs/${ids[n]}/`, { as, body })).status).toBe(200);
    }
    await sealed.close();
    const storage = `sqlite:${join(folder, 'portia.db')}`;
    const portia = new Portia({ config: Config.fromDefault({ ...config, storage, env: {} }) });
    await portia.storage.eraseEndUser('ada');
    await portia.close();
    sealed = await start();
    expect((await sealed.ask('GET', `/api/v0/plan-runs/${ids[0]}/`, { as })).status).toBe(410);
    const { status, body } = await sealed.ask('GET', '/api/v0/plan-runs/?', { as });
    expect([status, body.count]).toEqual([200, 2]);
    expect(body.results[1]).toEqual({
      id: ids[0],
      plan: { id: planId },
      end_user: 'ada',
      current_step_index: 0,
      state: 'COMPLETE',
      outputs: outputsOf(),
      plan_run_inputs: {},
    });
    await sealed.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are not driven, and not written, by two: what this server drives cannot be changed, but may be said again', async () => {
    const started = await server.ask('POST', '/api/v1/runs', {
      as: await server.key('admin'),
      body: { plan: 'refund', planRunInputs: { amount: 7 }, endUser: 'ada' },
    });
    const path = `/api/v0/plan-runs/${started.body.id}/`;
    const run = await until(async () => {
      const { json } = await ask('GET', path);
      return json.state === 'NEED_CLARIFICATION' && json;
    }, 'a question');
    const { plan, id, ...rest } = run;
    const asRead = JSON.parse(JSON.stringify({ ...rest, plan_id: plan.id }));
    for (const name of Object.keys(asRead.plan_run_inputs)) asRead.plan_run_inputs[name].value = '7';
    expect((await ask('PUT', path, JSON.stringify(asRead))).status).toBe(200);
    const { status, json } = await ask('PUT', path, JSON.stringify({ ...asRead, state: 'COMPLETE' }));
    expect([status, Object.keys(json)]).toEqual([409, ['detail']]);
    expect((await ask('GET', path)).json).toEqual(run);
    const foreign = runText({ plan_id: plan.id });
    expect((await ask('PUT', `/api/v0/plan-runs/prun-${randomUUID()}/`, foreign)).status).toBe(409);
    const { body, headers } = form('', 'x');
    expect((await ask('PUT', `/api/v0/agent-memory/plan-runs/${id}/outputs/$x/`, body, headers)).status).toBe(409);
  });
});

it('a run that Portia 0.9 left paused on disk goes on under its own client, unless this server has it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portia-left-'));
  const write = (name: string, content: object): void => writeFileSync(join(folder, name), JSON.stringify(content));
  const { query, tool_ids, ...plan } = JSON.parse(planText);
  write(`${planId}.json`, { ...plan, plan_context: { query, tool_ids } });
  const clarification = {
    id: `clar-${randomUUID()}`,
    plan_run_id: null,
    category: 'Input',
    response: null,
    step: 1,
    user_guidance: 'Who?',
    resolved: false,
    source: null,
    argument_name: 'who',
  };
  const outputs = outputsOf({
    clarifications: [clarification],
    step_outputs: { $sales: { value: '[1]', summary: null } },
  });
  const left = { current_step_index: 1, state: 'NEED_CLARIFICATION', outputs, plan_run_inputs: {} };
  const payId = `plan-${randomUUID()}`;
  const pay = { task: 'Pay', inputs: [], tool_id: 'refund', output: '$paid', condition: null };
  write(`${payId}.json`, { id: payId, plan_context: { query, tool_ids: ['refund'] }, steps: [pay], plan_inputs: [] });
  const ids = [`prun-${randomUUID()}`, `prun-${randomUUID()}`, `prun-${randomUUID()}`] as const;
  for (const id of ids.slice(0, 2)) write(`${id}.json`, { id, plan_id: planId, end_user_id: 'ada', ...left });
  const ready = { ...left, current_step_index: 0, state: 'READY_TO_RESUME', outputs: outputsOf() };
  write(`${ids[2]}.json`, { id: ids[2], plan_id: payId, end_user_id: 'ada', ...ready });
  const [disk, here] = [
    diskStorage(folder),
    await cloudStorage({ endpoint: wire.url, apiKey: await server.key('driver') }),
  ];
  for (const id of [planId, payId]) await here.savePlan((await disk.getPlan(id as PlanUUID)) as never);
  for (const id of ids) await here.importRun((await disk.loadRun(id as PlanRunUUID)) as never, []);
  const [theirs, answeredHere, ours] = ids;
  const save = (id: string, fields: object): Promise<RawAnswer> =>
    ask('PUT', `/api/v0/plan-runs/${id}/`, runText({ ...left, end_user: 'ada', ...fields }));
  const answered = { ...clarification, resolved: true, response: 'bob' };
  const done = { ...outputs, clarifications: [answered], final_output: { value: 'sent', summary: null } };
  for (const state of ['READY_TO_RESUME', 'IN_PROGRESS', 'COMPLETE'])
    expect([state, (await save(theirs, { state, outputs: done })).status]).toEqual([state, 200]);
  expect((await ask('GET', `/api/v0/plan-runs/${theirs}/`)).json).toMatchObject({ state: 'COMPLETE', outputs: done });
  const as = await server.key('admin');
  expect((await server.ask('GET', `/api/v1/runs/${theirs}`, { as })).body).toMatchObject({
    state: 'COMPLETE',
    finalOutput: { value: 'sent' },
    clarifications: [{ response: 'bob' }],
  });
  // Answered here, and no worker has its tools: it is still its client's.
  const path = `/api/v1/runs/${answeredHere}/clarifications/${clarification.id}/answer`;
  expect((await server.ask('POST', path, { as, body: { response: 'eve' } })).status).toBe(200);
  const read = (await ask('GET', `/api/v0/plan-runs/${answeredHere}/`)).json;
  expect([read.state, read.outputs.clarifications[0].response]).toEqual(['READY_TO_RESUME', 'eve']);
  expect((await save(answeredHere, { state: 'IN_PROGRESS', outputs: read.outputs })).status).toBe(200);
  // A worker that has its tools took this one up.
  await until(async () => (await server.ask('GET', `/api/v1/runs/${ours}`, { as })).body.state === 'FAILED', 'its end');
  expect((await save(ours, { state: 'IN_PROGRESS', plan_id: payId })).status).toBe(409);
  await disk.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('agent memory', () => {
  it.each([
    ['$sales', '$sales'],
    ['two%20words', 'two words'],
    ['%C3%A4rger%25', 'ärger%'],
  ])('keeps the output %s', async (path, name) => {
    const id = await newRun();
    const at = `/api/v0/agent-memory/plan-runs/${id}/outputs/${path}/`;
    // A byte order mark is a part of it, too.
    const value = '\ufeff{"größe": "– 12 –\r\n"}';
    const { body, headers } = form('412 rows', value);
    expect((await ask('PUT', at, body, headers)).status).toBe(200);
    const { json } = await ask('GET', at);
    expect(json.summary).toBe('412 rows');
    expect(decodeURIComponent(json.url)).toContain(`/outputs/${name}/`);
    const blob = await ask('GET', json.url);
    expect([blob.status, blob.headers['content-type'], blob.text]).toEqual([200, 'text/plain; charset=utf-8', value]);
  });

  it('takes an output without a summary, and one that stands there already anew', async () => {
    const id = await newRun();
    const at = `/api/v0/agent-memory/plan-runs/${id}/outputs/$o/`;
    for (const value of ['first', 'second']) {
      const { body, headers } = form('', value);
      await ask('PUT', at, body, headers);
    }
    const { json } = await ask('GET', at);
    expect(json.summary).toBe('');
    expect((await ask('GET', json.url)).text).toBe('second');
  });
});

describe('end users', () => {
  const blank = { name: '', email: '', phone_number: '', additional_data: {} };

  it('are never missing, and never hold nothing', async () => {
    for (const id of ['portia:default_user', 'nobody-yet', 'with%20space']) {
      const { status, json } = await ask('GET', `/api/v0/end-user/${id}/`);
      expect([status, json]).toEqual([200, { external_id: decodeURIComponent(id), ...blank }]);
    }
  });

  it('are merged key by key, and what is not sent stays', async () => {
    const at = '/api/v0/end-user/acme:17/';
    const ada = {
      external_id: 'acme:17',
      name: 'Ada',
      email: 'ada@example.org',
      phone_number: '',
      additional_data: { team: 'ops', old: 'x' },
    };
    expect((await ask('PUT', at, JSON.stringify(ada))).json).toEqual(ada);
    const change = { ...ada, name: 'Ada L.', additional_data: { old: null, mood: 'good' } };
    const merged = { ...change, additional_data: { team: 'ops', old: null, mood: 'good' } };
    expect((await ask('PUT', at, JSON.stringify(change))).json).toEqual(merged);
    expect((await ask('PUT', at, '{"external_id":"acme:17"}')).json).toEqual(merged);
    expect((await ask('GET', at)).json).toEqual(merged);
  });
});

it('puts tool calls into the ledger of their run', async () => {
  const id = await newRun();
  const call = (fields: object): string =>
    JSON.stringify({
      plan_run_id: id,
      tool_name: 'Mailer',
      step: 1,
      end_user_id: '',
      input: { to: 'bob' },
      output: 'sent',
      status: 'SUCCESS',
      latency_seconds: 0.412,
      ...fields,
    });
  expect((await ask('POST', '/api/v0/tool-calls/', call({}))).status).toBe(201);
  expect((await ask('POST', '/api/v0/tool-calls/', call({ status: 'FAILED', output: 'no' }))).status).toBe(201);
  const { body } = await server.ask('GET', `/api/v1/runs/${id}/tool-calls`, { as: await server.key('admin') });
  expect(body.items).toMatchObject([
    { toolId: 'Mailer', step: 1, status: 'SUCCESS' },
    { toolId: 'Mailer', step: 1, status: 'FAILED' },
  ]);
});

describe('what cannot be done', () => {
  const nobody = randomUUID();
  it.each<[string, string, string, string | undefined, number]>([
    ['a plan that is not there', 'GET', `/api/v0/plans/plan-${nobody}/`, undefined, 404],
    ['a run that is not there', 'GET', `/api/v0/plan-runs/prun-${nobody}/`, undefined, 404],
    ['an output that is not there', 'GET', `/api/v0/agent-memory/plan-runs/prun-${nobody}/outputs/$x/`, undefined, 404],
    ['a path that is not there', 'GET', '/api/v0/nothing/', undefined, 404],
    [
      'a name that is none',
      'GET',
      `/api/v0/agent-memory/plan-runs/prun-${nobody}/outputs/portia-0.9%0Adocument/`,
      undefined,
      404,
    ],
    ['an id that is none', 'GET', '/api/v0/plans/nonsense/', undefined, 400],
    ['a page that is none', 'GET', '/api/v0/plan-runs/?page=x', undefined, 400],
    ['a state that is none', 'GET', '/api/v0/plan-runs/?run_state=DREAMING', undefined, 400],
    ['no JSON', 'POST', '/api/v0/plans/', '{"id":', 400],
    ['no object', 'POST', '/api/v0/plans/', '[]', 400],
    ['a plan without steps', 'POST', '/api/v0/plans/', '{"id":"plan-x"}', 400],
    ['a run of no plan', 'PUT', `/api/v0/plan-runs/prun-${nobody}/`, runText({ plan_id: `plan-${nobody}` }), 404],
    ['a run with too much in it', 'PUT', `/api/v0/plan-runs/prun-${nobody}/`, runText({ colour: 'blue' }), 400],
    [
      'outputs with too much in them',
      'PUT',
      `/api/v0/plan-runs/prun-${nobody}/`,
      runText({ outputs: { more: 1 } }),
      400,
    ],
    [
      'a value with too much beside it',
      'PUT',
      `/api/v0/plan-runs/prun-${nobody}/`,
      runText({ outputs: { step_outputs: { a: { value: '1', more: 1 } } } }),
      400,
    ],
    ['a run of nobody', 'PUT', `/api/v0/plan-runs/prun-${nobody}/`, runText({ end_user: null }), 400],
    ['nothing where there may not be nothing', 'PUT', '/api/v0/end-user/x/', '{"name":null}', 400],
    ['a number where a text has to be', 'PUT', '/api/v0/end-user/x/', '{"additional_data":{"a":1}}', 400],
    ['a tool call without a tool', 'POST', '/api/v0/tool-calls/', `{"plan_run_id":"prun-${nobody}"}`, 400],
    ['a search for nothing', 'POST', '/api/v0/plans/embeddings/search/', '{"query":1}', 400],
    ['a search for less than one', 'POST', '/api/v0/plans/embeddings/search/', '{"query":"q","limit":0}', 400],
  ])('%s', async (_what, method, path, body, status) => {
    await ask('POST', '/api/v0/plans/', planText);
    const answer = await ask(method, path, body);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/json']);
    expect(Object.keys(answer.json)).toEqual(['detail']);
  });

  it('a form that is none, and one without a value', async () => {
    const at = `/api/v0/agent-memory/plan-runs/${await newRun()}/outputs/$x/`;
    expect((await ask('PUT', at, '{}')).status).toBe(400);
    const { body, headers } = form('s', 'v');
    const without = Buffer.from(body.toString().replace('name="value"', 'name="other"'));
    expect((await ask('PUT', at, without, headers)).json).toEqual({ detail: 'value is not there' });
    expect((await ask('PUT', at, 'x'.repeat(1_100_000), headers)).status).toBe(413);
    expect((await ask('GET', at)).status).toBe(404);
  });

  it('without a key, with a wrong one, and with one that may not', async () => {
    const statuses = async (key: string | undefined): Promise<number> => {
      const { status, json } = await wire.as(key)('GET', '/api/v0/plan-runs/?');
      expect(Object.keys(json)).toEqual(['detail']);
      return status;
    };
    expect(await statuses(undefined)).toBe(401);
    expect(await statuses('prt_wrong')).toBe(401);
    for (const key of [await server.key('client'), await server.key('operator'), await server.tokenOf('ada')])
      expect(await statuses(key)).toBe(403);
  });

  it('anything with what belongs to another organisation', async () => {
    const id = await newRun();
    const memory = `/api/v0/agent-memory/plan-runs/${id}/outputs/$o/`;
    const { body, headers } = form('s', 'secret');
    await ask('PUT', memory, body, headers);
    await ask('PUT', '/api/v0/end-user/only-ours/', '{"name":"secret"}');
    const { url } = (await ask('GET', memory)).json;
    const stranger = wire.as(await server.keyOf('stranger', 'admin'));
    for (const path of [`/api/v0/plans/${planId}/`, `/api/v0/plan-runs/${id}/`, memory, url])
      expect((await stranger('GET', path)).status).toBe(404);
    expect((await stranger('GET', '/api/v0/plan-runs/?')).json.count).toBe(0);
    expect((await stranger('GET', '/api/v0/end-user/only-ours/')).json.name).toBe('');
    expect(
      (
        await stranger(
          'POST',
          '/api/v0/plans/embeddings/search/',
          '{"query":"Email the sales total","threshold":0.1,"limit":5}',
        )
      ).json,
    ).toEqual([]);
    expect((await stranger('PUT', memory, body, headers)).status).toBe(404);
    const put = await stranger('PUT', `/api/v0/plan-runs/${id}/`, runText({ state: 'FAILED' }));
    expect(put.status).toBe(404);
    expect((await ask('GET', `/api/v0/plan-runs/${id}/`)).json.state).toBe('IN_PROGRESS');
  });
});

it("keeps the runs of this library's own client for a Portia cloud, as if it were one", async () => {
  const cloud = await overTheWire(async (request) =>
    request.url.includes('/api/v1/') ? Response.json({ detail: 'Not found.' }, { status: 404 }) : server.send(request),
  );
  const apiKey = await server.key('driver');
  const storage = await cloudStorage({ endpoint: cloud.url, apiKey });
  const go = tool({ id: 'go', description: 'goes', run: () => ({ a: [1, null] }) });
  const portia = new Portia({ config: Config.fromDefault({ storage, env: {} }), tools: [go] });
  const plan = new Plan({
    planContext: { query: 'Go', toolIds: ['go'] },
    steps: [{ task: 'go', toolId: 'go', output: '$a' }],
  });
  const { id, state } = await portia.runPlan(plan);
  expect(state).toBe('COMPLETE');
  await portia.close();
  const { json } = await ask('GET', `/api/v0/plan-runs/${id}/`);
  expect([json.state, json.outputs.final_output.value]).toEqual(['COMPLETE', { a: [1, null] }]);
  const { body } = await server.ask('GET', `/api/v1/runs/${id}`, { as: await server.key('admin') });
  expect(body).toMatchObject({ state: 'COMPLETE', finalOutput: { value: { a: [1, null] } } });
  await cloud.close();
});
