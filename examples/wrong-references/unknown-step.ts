// The name of a step is misspelt.
import { PlanBuilderV2, StepOutput, text } from 'portia-ts';

export const plan = new PlanBuilderV2('Buy gold')
  .llmStep({ stepName: 'price', task: 'What does gold cost?' })
  .llmStep({ stepName: 'advice', task: text`Is ${StepOutput('prise')} a good price?` })
  .build();
