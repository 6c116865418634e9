// The path leads to nothing in what the step makes.
import { PlanBuilderV2, StepOutput } from 'portia-ts';
import { z } from 'zod';

export const plan = new PlanBuilderV2('Buy gold')
  .llmStep({
    stepName: 'price',
    task: 'What does gold cost?',
    outputSchema: z.object({ amount: z.number(), currency: z.string() }),
  })
  .functionStep({
    args: { amount: StepOutput('price', { path: 'amout' }) },
    function: ({ amount }) => amount,
  })
  .build();
