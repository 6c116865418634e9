// A plan written in code buys gold, and asks the buyer twice. No key and no network: a scripted model stands in for
// the LLM. Run it with `node examples/gold-purchase.mjs` after `npm run build`.
//
// Every question is answered by another client than the one that asked, after that one was closed; only the SQLite
// file is shared. The functions of the plan live in code, so each client is given the plan.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Config, Input, PlanBuilderV2, Portia, StepOutput, text, tool } from 'portia-ts';
import { object, scriptedModel, toolCall } from 'portia-ts/testing';
import { createCalculatorTool } from 'portia-ts/tools';
import { z } from 'zod';

/** The market and the post office: what the tools reach. */
const world = { price: 2_000, mails: [] };

const search = tool({
  id: 'search',
  description: 'Searches the market news.',
  argsSchema: z.object({ query: z.string() }),
  readOnly: true,
  run: ({ query }) => `${query}: ${world.price} EUR an ounce`,
});
const sendMail = tool({
  id: 'send_mail',
  description: 'Sends a mail to the buyer.',
  argsSchema: z.object({ subject: z.string(), body: z.string() }),
  run(mail) {
    world.mails.push(mail);
    return 'sent';
  },
});

const Price = z.object({ price: z.number(), currency: z.string() });

const plan = new PlanBuilderV2('Buy gold')
  .input({ name: 'country', description: 'Where to buy', schema: z.string(), defaultValue: 'UK' })
  .invokeToolStep({ stepName: 'news', tool: search, args: { query: text`Gold price in ${Input('country')}` } })
  .reactAgentStep({
    stepName: 'price',
    task: text`Find the price of gold in ${Input('country')}.`,
    inputs: [StepOutput('news')],
    tools: [search, createCalculatorTool()],
    outputSchema: Price,
  })
  .userInput({ stepName: 'ounces', message: 'How many ounces do you want?', options: [50, 100, 200] })
  .functionStep({
    stepName: 'total',
    args: { price: StepOutput('price', { path: 'price' }), ounces: StepOutput('ounces') },
    function: ({ price, ounces }) => price * ounces,
    readOnly: true,
  })
  .userVerify({ message: text`Pay ${StepOutput('total')} ${StepOutput('price', { path: 'currency' })}?` })
  .if({ condition: ({ total }) => total > 100, args: { total: StepOutput('total') } })
  .exit({ message: text`${StepOutput('total')} is above the limit: please call us.` })
  .else()
  .functionStep({ stepName: 'order', args: { ounces: StepOutput('ounces') }, function: placeOrder })
  .endIf()
  .llmStep({ stepName: 'receipt', task: text`Write a receipt for ${StepOutput('total')}.` })
  .singleToolAgentStep({ tool: sendMail, task: 'Mail the receipt to the buyer.', inputs: [StepOutput('receipt')] })
  .finalOutput({ outputSchema: z.object({ receipt: z.string() }) })
  .build();

function placeOrder({ ounces }) {
  console.log(`  (an order for ${ounces} ounces was placed)`);
  return `order for ${ounces} ounces`;
}

/** What an LLM would say: an agent's result, a tool call, the final output in its schema, or the receipt. */
function model() {
  return scriptedModel(({ tools = [], schema }) => {
    const offered = tools.map(({ name }) => name);
    if (offered.includes('final_result'))
      return toolCall('final_result', { result: { price: world.price, currency: 'EUR' } });
    if (offered.includes('send_mail')) return toolCall('send_mail', { subject: 'Your gold', body: 'Thank you.' });
    if (schema) return object({ result: { receipt: '50 ounces of gold' }, summary: 'You bought 50 ounces of gold.' });
    return 'Receipt: 50 ounces of gold. Thank you.';
  });
}

/** A client of its own, as another process would have it. */
function client(file) {
  return new Portia({
    config: new Config({ storage: `sqlite:${file}`, defaultModel: model() }),
    tools: [search, sendMail],
    plans: [plan],
  });
}

/** Answers the open question of a run from a client of its own, and goes on. */
async function answer(file, planRunId, response) {
  const portia = client(file);
  const waiting = await portia.storage.getPlanRun(planRunId);
  const [question] = waiting.getOutstandingClarifications();
  const options = question.options ? ` [${question.options.join(', ')}]` : '';
  console.log(`  ${question.userGuidance}${options} -> ${response}`);
  await portia.resolveClarification({ planRun: waiting, clarification: question, response, resolvedBy: 'cust_1' });
  const run = await portia.resume({ planRunId });
  await portia.close();
  return run;
}

async function buy(file, price) {
  world.price = price;
  console.log(`An ounce costs ${price} in Spain.`);
  const portia = client(file);
  const options = { planRunInputs: { country: 'Spain' }, endUser: 'cust_1', runKey: `gold-at-${price}` };
  let run = await portia.runPlan(plan, options);
  await portia.close();
  run = await answer(file, run.id, 50);
  run = await answer(file, run.id, true);
  console.log(`  ${run.state}: ${JSON.stringify(run.outputs.finalOutput?.value ?? run.error)}`);
  console.log(`  mails sent so far: ${world.mails.length}\n`);
}

const folder = mkdtempSync(join(tmpdir(), 'portia-gold-'));
try {
  console.log(`${plan.prettyPrint()}\n`);
  await buy(join(folder, 'portia.db'), 2_000);
  await buy(join(folder, 'portia.db'), 1);
  console.log('Go on: docs/build-a-plan.md, docs/control-flow.md and docs/resuming-and-deploying.md.');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
