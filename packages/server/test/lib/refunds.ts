import {
  type AnyTool,
  clarifyOnToolCalls,
  type ExecutionHooks,
  Input,
  PlanBuilderV2,
  type PlanV2,
  tool,
} from 'portia-ts';
import { z } from 'zod';

/** A server that pays money back: a customer says why, an operator approves, and then it happens. */
export interface Refunds {
  readonly tools: readonly AnyTool[];
  readonly plans: {
    readonly refund: PlanV2<unknown, unknown, unknown>;
    readonly lost: PlanV2<unknown, unknown, unknown>;
  };
  readonly executionHooks: ExecutionHooks;
  /** What was paid. */
  readonly paid: number[];
}

/** A plan that asks its customer, then an operator; and one that fails. */
export function refunds(): Refunds {
  const paid: number[] = [];
  const refund = tool({
    id: 'refund',
    description: 'Pays money back.',
    argsSchema: z.object({ amount: z.number() }),
    run: ({ amount }) => {
      paid.push(amount);
      return `refunded ${amount}`;
    },
  });
  return {
    paid,
    tools: [refund],
    executionHooks: { beforeToolCall: clarifyOnToolCalls('refund') },
    plans: {
      refund: new PlanBuilderV2('Refund a customer')
        .input({ name: 'amount', schema: z.number() })
        .userInput({ stepName: 'reason', message: 'Why do you want your money back?' })
        .invokeToolStep({ stepName: 'pay', tool: 'refund', args: { amount: Input('amount') } })
        .build(),
      lost: new PlanBuilderV2('Fail once')
        .functionStep({
          stepName: 'fail',
          args: {},
          readOnly: true,
          function: () => {
            if (paid.length === 0) throw new Error('nothing was paid yet');
            return 'fine';
          },
        })
        .build(),
    },
  };
}
