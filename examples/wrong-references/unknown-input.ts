// The plan has no such input.
import { Input, PlanBuilderV2, text } from 'portia-ts';

export const plan = new PlanBuilderV2('Buy gold')
  .input({ name: 'country', defaultValue: 'Spain' })
  .llmStep({ task: text`What does gold cost in ${Input('contry')}?` })
  .build();
