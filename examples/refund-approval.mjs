// A refund that an LLM plans and a person has to approve. No key: a scripted model stands in for the LLM, an HTTP
// server of this process for the payment service. Run it with `node examples/refund-approval.mjs` after
// `npm run build`.
//
// One client plans and runs; a second one, which shares only the SQLite file, answers. In real life they are two
// processes: a web server and an office tool. The money moves once, with exactly the amount that was approved.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clarifyOnToolCalls, Config, Portia, tool } from 'portia-ts';
import { object, scriptedModel, toolCall } from 'portia-ts/testing';
import { createFileReaderTool } from 'portia-ts/tools';
import { z } from 'zod';

const charges = [{ id: 'ch_1042', customer: 'cus_7', amount: 25 }];

/** A payment service that moves money once per idempotency key, as the real ones do. */
async function paymentServer() {
  const refunds = new Map();
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://payments');
    const send = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (pathname === '/customers') return send(200, [{ id: 'cus_7', name: 'Ada', email: 'ada@example.com' }]);
    if (pathname === '/charges')
      return send(
        200,
        charges.filter(({ customer }) => customer === searchParams.get('customer')),
      );
    const key = request.headers['idempotency-key'];
    if (request.method === 'GET')
      return refunds.has(key) ? send(200, refunds.get(key)) : send(404, { error: 'unknown key' });
    let body = '';
    for await (const chunk of request) body += chunk;
    if (!refunds.has(key)) refunds.set(key, { id: `re_${refunds.size + 1}`, ...JSON.parse(body) });
    return send(200, refunds.get(key));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, refunds, close: () => server.close() };
}

/** The tools of the shop; what they reach is given. */
function shopTools({ url, root, mails }) {
  const get = async (path, signal) => (await fetch(url + path, { signal })).json();
  const reviewer = tool({
    id: 'refund_reviewer',
    description: 'Reviews a request for a refund against the policy. Gives APPROVED or REJECTED, with a reason.',
    argsSchema: z.object({ policy: z.string(), request: z.string() }),
    readOnly: true,
    async run({ policy, request }, ctx) {
      const content = `Policy: ${policy}\nRequest: ${request}\nAPPROVED or REJECTED, and why?`;
      return (await ctx.model().generate({ messages: [{ role: 'user', content }] })).text;
    },
  });
  const listCustomers = tool({
    id: 'list_customers',
    description: 'Lists the customers.',
    readOnly: true,
    run: (_args, ctx) => get('/customers', ctx.signal),
  });
  const listCharges = tool({
    id: 'list_charges',
    description: 'Lists the charges of a customer.',
    argsSchema: z.object({ customer: z.string() }),
    readOnly: true,
    run: ({ customer }, ctx) => get(`/charges?customer=${encodeURIComponent(customer)}`, ctx.signal),
  });
  const createRefund = tool({
    id: 'create_refund',
    description: 'Pays a charge back to the customer, in whole or in part.',
    argsSchema: z.object({ charge: z.string(), amount: z.number().positive() }),
    async run(args, { idempotencyKey, signal }) {
      const headers = { 'idempotency-key': idempotencyKey, 'content-type': 'application/json' };
      return (await fetch(`${url}/refunds`, { method: 'POST', headers, body: JSON.stringify(args), signal })).json();
    },
    // After a crash in the middle of a call nobody has to look: the service knows the key or it does not.
    async reconcile(_args, { idempotencyKey }) {
      const response = await fetch(`${url}/refunds`, { headers: { 'idempotency-key': idempotencyKey } });
      return response.ok ? response.json() : 'not-happened';
    },
  });
  const sendMail = tool({
    id: 'send_mail',
    description: 'Sends a mail.',
    argsSchema: z.object({ to: z.string(), text: z.string() }),
    run(mail) {
      mails.push(mail);
      return 'sent';
    },
  });
  return [createFileReaderTool({ root }), reviewer, listCustomers, listCharges, createRefund, sendMail];
}

const step = (task, tool_id, output, inputs = [], condition = null) => ({
  task,
  tool_id,
  output,
  inputs: inputs.map((name) => ({ name, description: '' })),
  condition,
});
const approved = 'if $review says APPROVED';
const planning = object({
  steps: [
    step('Read the policy in policy.txt', 'file_reader_tool', '$policy'),
    step('Review the request: the hat of charge ch_1042 was too small', 'refund_reviewer', '$review', ['$policy']),
    step('List the customers', 'list_customers', '$customers', [], approved),
    step('List the charges of Ada', 'list_charges', '$charges', ['$customers'], approved),
    step('Refund the charge ch_1042', 'create_refund', '$refund', ['$charges'], approved),
    step('Mail the outcome to Ada', 'send_mail', '$mail', ['$review']),
  ],
  error: null,
});

/** What an LLM would say in the shop. */
function shopModel(verdict) {
  const args = {
    file_reader_tool: { filename: 'policy.txt' },
    refund_reviewer: { policy: '{{$policy}}', request: 'The hat of charge ch_1042 was too small' },
    list_charges: { customer: 'cus_7' },
    create_refund: { charge: 'ch_1042', amount: 25 },
    send_mail: { to: 'ada@example.com', text: `Your request was ${verdict.toLowerCase()}.` },
  };
  return scriptedModel(({ schema, tools, messages }) => {
    if (schema?.name === 'plan') return planning;
    if (schema?.name === 'introspection') {
      return object({ reason: `the review says ${verdict}`, outcome: verdict === 'APPROVED' ? 'CONTINUE' : 'SKIP' });
    }
    if (messages.at(-1).content.endsWith('and why?')) return `${verdict}: see the policy.`;
    const [offered] = tools ?? [];
    return offered ? toolCall(offered.name, args[offered.name]) : 'Done.';
  });
}

/** A client of its own, as another process would have it. Only the file is shared. */
function client(world, verdict) {
  return new Portia({
    config: new Config({ storage: `sqlite:${join(world.root, 'portia.db')}`, defaultModel: shopModel(verdict) }),
    tools: shopTools(world),
    executionHooks: { beforeToolCall: clarifyOnToolCalls('create_refund') },
  });
}

async function shop(world, verdict) {
  const portia = client(world, verdict);
  const plan = await portia.plan('Ada wants her money back for ch_1042. Review it, refund it, and mail her.');
  if (verdict === 'APPROVED') console.log(`${plan.prettyPrint()}\n`);
  const run = await portia.runPlan(plan, { endUser: 'cust_1', runKey: `refund-${verdict}` });
  console.log(`The reviewer says ${verdict}: the run is ${run.state}.`);
  console.log(`  refunds: ${world.payments.refunds.size}, mails: ${world.mails.length}\n`);
  await portia.close();
}

/** Minutes or months later, somewhere else. */
async function office(world) {
  const portia = client(world, 'APPROVED');
  const { items } = await portia.storage.listRuns({ states: ['NEED_CLARIFICATION'] });
  for (const { header } of items) {
    for (const { clarification, audience } of await portia.storage.getClarifications(header.id)) {
      console.log(`For ${audience}: ${clarification.userGuidance}`);
      const answer = { planRunId: header.id, clarificationId: clarification.id, response: true };
      await portia.resolveClarification({ ...answer, resolvedBy: 'cust_1' }).catch(({ code, message }) => {
        console.log(`${code}: ${message}`);
      });
      await portia.resolveClarification({ ...answer, resolvedBy: { id: 'maria', as: 'operator' } });
      console.log('Approved by maria.\n');
    }
    const done = await portia.resume({ planRunId: header.id });
    console.log(`${done.state}: ${JSON.stringify([...world.payments.refunds.values()])}`);
    const again = await portia.resume({ planRunId: header.id });
    console.log(`Resumed once more: ${again.state}; refunds made in all: ${world.payments.refunds.size}\n`);
  }
  await portia.close();
}

const root = mkdtempSync(join(tmpdir(), 'portia-refund-'));
const payments = await paymentServer();
try {
  writeFileSync(join(root, 'policy.txt'), 'What does not fit is refunded within 30 days.');
  const world = { root, payments, url: payments.url, mails: [] };
  await shop(world, 'APPROVED');
  await office(world);
  await shop(world, 'REJECTED');
  console.log('Go on: docs/clarifications.md, docs/tools.md and docs/effects-ledger.md.');
} finally {
  payments.close();
  rmSync(root, { recursive: true, force: true });
}
