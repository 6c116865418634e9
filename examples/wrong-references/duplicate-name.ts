// Two steps have one name.
import { PlanBuilderV2 } from 'portia-ts';

export const plan = new PlanBuilderV2('Buy gold')
  .llmStep({ stepName: 'price', task: 'What does gold cost?' })
  .llmStep({ stepName: 'price', task: 'What does silver cost?' })
  .build();
