// One plan over 1,000 items, stopped in the middle and given again. No key and no network: a scripted model stands in
// for the LLM. Run it with `node examples/batch.mjs` after `npm run build`.
//
// Each item has a run key, so an item that has a run gets no second one: the second call finds the finished runs,
// goes on with those that were stopped, and begins the rest.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Config, Plan, Portia, tool } from 'portia-ts';
import { scriptedModel, toolCall } from 'portia-ts/testing';
import { z } from 'zod';

const count = 1_000;
let checked = 0;

const checkInvoice = tool({
  id: 'check_invoice',
  description: 'Says whether an invoice is overdue.',
  argsSchema: z.object({ invoice: z.object({ id: z.string(), daysOpen: z.number() }) }),
  readOnly: true,
  run({ invoice }) {
    checked += 1;
    return invoice.daysOpen > 30 ? 'overdue' : 'in time';
  },
});

const plan = new Plan({
  planContext: { query: 'Check an invoice', toolIds: ['check_invoice'] },
  planInputs: [{ name: '$invoice', description: 'The invoice to check' }],
  steps: [{ task: 'Check the invoice', inputs: [{ name: '$invoice' }], toolId: 'check_invoice', output: '$verdict' }],
});

// The model passes the input by its name; its value is put in place with its type.
const model = scriptedModel(() => toolCall('check_invoice', { invoice: '{{$invoice}}' }));

/** Made one after the other, so the list may be longer than memory. */
function* invoices() {
  for (let n = 1; n <= count; n += 1) {
    const invoice = { id: `inv-${n}`, daysOpen: (n * 7) % 45 };
    yield { runKey: `invoices/${invoice.id}`, planRunInputs: { $invoice: invoice } };
  }
}

async function main(file) {
  const portia = new Portia({
    config: new Config({ storage: `sqlite:${file}`, defaultModel: model }),
    tools: [checkInvoice],
  });
  const options = { concurrency: 10, labels: { batch: 'invoices' } };

  const stop = new AbortController();
  let ended = 0;
  const onItem = () => {
    ended += 1;
    if (ended === count / 2) stop.abort();
  };
  console.log(
    'First call, stopped half-way:',
    await portia.runMany(plan, invoices(), { ...options, signal: stop.signal, onItem }),
  );

  const verdicts = {};
  const tally = (_item, outcome) => {
    if (!('run' in outcome)) return;
    const verdict = String(outcome.run.outputs.finalOutput?.value);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  };
  console.log('Second call, the same items:', await portia.runMany(plan, invoices(), { ...options, onItem: tally }));
  console.log('Verdicts:', verdicts);
  console.log(`The model was asked ${model.requests.length} times; the tool ran ${checked} times.`);
  console.log('Go on: docs/nightly-batches.md.');
  await portia.close();
}

const folder = mkdtempSync(join(tmpdir(), 'portia-batch-'));
try {
  await main(join(folder, 'portia.db'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
