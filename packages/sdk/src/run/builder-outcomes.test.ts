import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { scriptedModel } from '../testing/scripted-model.ts';

const client = (): Portia =>
  new Portia({ config: new Config({ storage: memoryStorage(), defaultModel: scriptedModel([]) }) });

describe('the outcome of a builder run', () => {
  it('is the message of an exit, also where the plan says what its output must be', async () => {
    const plan = new PlanBuilderV2('exits')
      .if({ condition: () => true })
      .exit({ message: 'too dear' })
      .endIf()
      .functionStep({ function: () => ({ price: 1 }), readOnly: true })
      .finalOutput({ outputSchema: z.object({ price: z.number() }) })
      .build();
    const run = await client().runPlan(plan);
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'too dear']);
  });

  it('is the message of an exit in one of several branches', async () => {
    const plan = new PlanBuilderV2('exits')
      .parallel()
      .branch()
      .exit({ message: 'enough' })
      .branch()
      .functionStep({
        function: () => new Promise<string>((resolve) => setTimeout(resolve, 10, 'late')),
        readOnly: true,
      })
      .endParallel()
      .finalOutput({ outputSchema: z.object({ price: z.number() }) })
      .build();
    const run = await client().runPlan(plan);
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'enough']);
  });

  it('of a step of one’s own that is idempotent needs no person when it fails: it is called again', async () => {
    const keys: string[] = [];
    const plan = new PlanBuilderV2('own')
      .addStep({
        idempotent: true,
        run(_args, { idempotencyKey }) {
          keys.push(idempotencyKey);
          if (keys.length === 1) throw new Error('the line broke');
          return 'done';
        },
      })
      .build();
    const portia = client();
    const first = await portia.runPlan(plan);
    const run = first.state === 'FAILED' ? await portia.retry({ planRunId: first.id }) : first;
    expect([run.state, run.outputs.finalOutput?.value, new Set(keys).size, run.outputs.clarifications]).toEqual([
      'COMPLETE',
      'done',
      1,
      [],
    ]);
  });
});
