// The function takes a number, and the step before gives text.
import { PlanBuilderV2, StepOutput } from 'portia-ts';

export const plan = new PlanBuilderV2('Buy gold')
  .llmStep({ stepName: 'price', task: 'What does gold cost?' })
  .functionStep({
    args: { price: StepOutput('price') },
    function: ({ price }: { price: number }) => price * 2,
  })
  .build();
