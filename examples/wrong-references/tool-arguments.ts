// A tool is given text where its schema wants a number.
import { PlanBuilderV2, StepOutput, tool } from 'portia-ts';
import { z } from 'zod';

const createRefund = tool({
  id: 'create_refund',
  description: 'Pays a charge back.',
  argsSchema: z.object({ charge: z.string(), amount: z.number() }),
  run: ({ charge, amount }) => ({ charge, amount }),
});

export const plan = new PlanBuilderV2('Refund')
  .llmStep({ stepName: 'amount', task: 'How much do we owe?' })
  .invokeToolStep({ tool: createRefund, args: { charge: 'ch_1', amount: StepOutput('amount') } })
  .build();
