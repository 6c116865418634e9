// A batch in a process of its own, on SQLite: 5,000 items, some of which fail at first. Prints how far it is, and what
// it came to in the end. With `good` the other side works again, and what failed is retried.
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import { ToolHardError } from '../../src/core/errors.ts';
import { Input, StepOutput } from '../../src/core/reference.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import type { BatchItem } from '../../src/run/run-many.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { z } from 'zod';

const [path = '', side = 'bad', total = '0'] = process.argv.slice(2);
const size = Number(total);

const plan = new PlanBuilderV2('nightly')
  .input({ name: 'n', schema: z.number() })
  .functionStep({ stepName: 'double', readOnly: true, args: { n: Input('n') }, function: ({ n }) => n * 2 })
  .functionStep({
    stepName: 'send',
    idempotent: true,
    args: { n: Input('n'), double: StepOutput('double') },
    function({ n, double }) {
      if (side === 'bad' && n % 100 === 7) throw new ToolHardError('the other side is down');
      return { n, double };
    },
  })
  .build();

function* items(): Generator<BatchItem> {
  for (let n = 0; n < size; n += 1) yield { runKey: `item ${n}`, planRunInputs: { n }, labels: { batch: 'nightly' } };
}

const storage = await sqliteStorage(path);
const portia = new Portia({ config: new Config({ storage, models: {} }), plans: [plan] });

/** Bytes that are really in use. */
function inUse(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

let done = 0;
const memory: number[] = [];
const onItem = (): void => {
  done += 1;
  if (done % 250 === 0) {
    memory.push(inUse());
    process.stdout.write(`done ${done}\n`);
  }
};

if (side === 'bad') {
  const counts = await portia.runMany(plan, items(), { concurrency: 20, onItem });
  process.stdout.write(`${JSON.stringify({ counts, memory })}\n`);
} else {
  const { items: failed } = await portia.storage.listRuns({
    labels: { batch: 'nightly' },
    codes: ['TOOL_FAILED'],
    limit: 1000,
  });
  for (const { header } of failed) await portia.retry({ planRunId: header.id });
  process.stdout.write(`${JSON.stringify({ retried: failed.length })}\n`);
}
await portia.close();
