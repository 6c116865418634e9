// A refund that a person has to approve. No key and no network: a scripted model stands in for the LLM, a plain object
// for the payment service. Run it with `node examples/refund-approval.mjs` after `npm run build`.
//
// One client plans and runs; a second one, which shares only the SQLite file, answers. In real life they are two
// processes: a web server and an office tool. The money moves once, with exactly the amount that was approved.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clarifyOnToolCalls, Config, Portia, tool } from 'portia-ts';
import { object, scriptedModel, toolCall } from 'portia-ts/testing';
import { z } from 'zod';

/** A payment service that moves money once per idempotency key, as the real ones do. */
const bank = {
  refunds: new Map(),
  async refund({ charge, amount }, idempotencyKey) {
    const known = this.refunds.get(idempotencyKey);
    if (known) return known;
    const refund = { id: `re_${this.refunds.size + 1}`, charge, amount };
    this.refunds.set(idempotencyKey, refund);
    return refund;
  },
};

const createRefund = tool({
  id: 'create_refund',
  description: 'Pays a charge back to the customer, in whole or in part.',
  argsSchema: z.object({ charge: z.string(), amount: z.number().positive() }),
  run: (args, ctx) => bank.refund(args, ctx.idempotencyKey),
  // After a crash in the middle of a call nobody has to look: the service knows the key or it does not.
  reconcile: (_args, ctx) => bank.refunds.get(ctx.idempotencyKey) ?? 'not-happened',
});

const planning = object({
  steps: [
    {
      task: 'Refund 25 of the charge ch_1042',
      inputs: [],
      tool_id: 'create_refund',
      output: '$refund',
      condition: null,
    },
  ],
  error: null,
});
const execution = toolCall('create_refund', { charge: 'ch_1042', amount: 25 });

/** A client of its own, as another process would have it. Only the file is shared. */
function client(file, script) {
  return new Portia({
    config: new Config({ storage: `sqlite:${file}`, defaultModel: scriptedModel(script) }),
    tools: [createRefund],
    executionHooks: { beforeToolCall: clarifyOnToolCalls('create_refund') },
  });
}

async function main(folder) {
  const file = join(folder, 'portia.db');

  const shop = client(file, [planning, execution]);
  const plan = await shop.plan('Refund 25 of charge ch_1042');
  console.log(`${plan.prettyPrint()}\n`);
  const waiting = await shop.runPlan(plan, { endUser: 'cust_1', runKey: 'refund-ch_1042' });
  console.log(`${waiting.state}; refunds made so far: ${bank.refunds.size}\n`);
  await shop.close();

  // Minutes or months later, somewhere else. Its script is empty: no model is asked twice for the same answer.
  const office = client(file, []);
  const { items } = await office.storage.listRuns({ states: ['NEED_CLARIFICATION'] });
  for (const { header } of items) {
    for (const { clarification, audience } of await office.storage.getClarifications(header.id)) {
      console.log(`For ${audience}: ${clarification.userGuidance}`);
      const answer = { planRunId: header.id, clarificationId: clarification.id, response: true };
      await office.resolveClarification({ ...answer, resolvedBy: 'cust_1' }).catch(({ code, message }) => {
        console.log(`${code}: ${message}`);
      });
      await office.resolveClarification({ ...answer, resolvedBy: { id: 'maria', as: 'operator' } });
      console.log('Approved by maria.\n');
    }
    const done = await office.resume({ planRunId: header.id });
    console.log(`${done.state}: ${JSON.stringify(done.outputs.finalOutput?.value)}`);
    const again = await office.resume({ planRunId: header.id });
    console.log(`Resumed once more: ${again.state}; refunds made in all: ${bank.refunds.size}`);
  }
  await office.close();
}

const folder = mkdtempSync(join(tmpdir(), 'portia-refund-'));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
