// What a branch makes may be missing after it.
import { PlanBuilderV2, StepOutput } from 'portia-ts';

export const plan = new PlanBuilderV2('Buy gold')
  .if({ condition: 'It is a weekday' })
  .functionStep({ stepName: 'price', function: () => 2_000 })
  .endIf()
  .functionStep({ args: { price: StepOutput('price') }, function: ({ price }) => price * 2 })
  .build();
