// The step comes later in the plan.
import { PlanBuilderV2, StepOutput } from 'portia-ts';

export const plan = new PlanBuilderV2('Buy gold')
  .llmStep({ stepName: 'advice', task: 'Is this a good price?', inputs: [StepOutput('price')] })
  .llmStep({ stepName: 'price', task: 'What does gold cost?' })
  .build();
