// A refund: a mail is read and reviewed, the customer and the payment are looked up, a person approves, the money goes
// back and the customer is told. As a plan of six tools, and as a builder plan.
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { Model } from '../../src/core/model.ts';
import type { AnyTool } from '../../src/core/tool.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { StepOutput, text } from '../../src/core/reference.ts';
import type { Plan } from '../../src/core/plan.ts';
import { clarifyOnToolCalls, combineHooks } from '../../src/run/approval-hooks.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { object, text as words, toolCall } from '../../src/testing/script.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { tool } from '../../src/tool/tool.ts';
import { planOf } from '../lib/engine.ts';
import { acting, lookUp, type Pages, read } from '../lib/outside-world.ts';
import type { Scenario } from '../lib/scenario.ts';

/** What the payment server knows. */
export const payments: Pages = (path, query) => {
  if (path === '/customers') return [{ id: 'cus_7', email: query.get('email') }];
  if (path === '/payment_intents') return [{ id: `pi_of_${query.get('customer')}`, amount: 4200 }];
  return undefined;
};

const Refund = z.object({ payment_intent: z.string(), amount: z.number() });

/** The tools. `findsRefunds`: whether refunds can be looked up by their key. */
function tools(url: string, findsRefunds: boolean): AnyTool[] {
  const refund = acting(url, 'create_refund', Refund);
  return [
    tool({
      id: 'file_reader',
      description: 'reads a file',
      readOnly: true,
      argsSchema: z.object({ filename: z.string() }),
      run: ({ filename }) => `${filename}: the shoes do not fit, I want my money back. ada@example.com`,
    }),
    tool({
      id: 'refund_reviewer',
      description: 'reviews a claim against the policy',
      readOnly: true,
      argsSchema: z.object({ claim: z.string() }),
      async run({ claim }, context) {
        const { text } = await context.model().generate({ messages: [{ role: 'user', content: `review: ${claim}` }] });
        return text;
      },
    }),
    tool<{ email: string }, JsonValue>({
      id: 'list_customers',
      description: 'finds customers',
      readOnly: true,
      argsSchema: z.object({ email: z.string() }),
      run: ({ email }) => read(url, `/customers?email=${encodeURIComponent(email)}`),
    }),
    tool<{ customer: string }, JsonValue>({
      id: 'list_payment_intents',
      description: 'finds payments of a customer',
      readOnly: true,
      argsSchema: z.object({ customer: z.string() }),
      run: ({ customer }) => read(url, `/payment_intents?customer=${customer}`),
    }),
    findsRefunds
      ? {
          ...refund,
          reconcile: async (_args: never, { idempotencyKey }) => (await lookUp(url, idempotencyKey)) ?? 'not-happened',
        }
      : refund,
    acting(url, 'email', z.object({ to: z.string(), body: z.string() })),
  ];
}

/** A model that takes what it needs from what it is shown. */
function model(verdict: string): Model {
  return scriptedModel(({ messages, tools: offered = [], schema }) => {
    const all = JSON.stringify(messages);
    if (all.includes('review: ')) return words(`${verdict}: as the policy says`);
    if (schema && JSON.stringify(schema).includes('"outcome"')) {
      return object({ reason: 'the review says so', outcome: all.includes('APPROVED: ') ? 'CONTINUE' : 'SKIP' });
    }
    const found = (pattern: RegExp): string => pattern.exec(all)?.[0] ?? 'nothing';
    const args: Readonly<Record<string, JsonValue>> = {
      file_reader: { filename: 'inbox.txt' },
      refund_reviewer: { claim: found(/the shoes do not fit/) },
      list_customers: { email: found(/[a-z]+@example\.com/) },
      list_payment_intents: { customer: found(/cus_\d+/) },
      create_refund: { payment_intent: found(/pi_of_cus_\d+/), amount: 4200 },
      email: {
        to: found(/[a-z]+@example\.com/),
        body: all.includes('create_refund_1') ? 'Your money is on its way' : 'We are sorry',
      },
    };
    const [first] = offered;
    return first ? toolCall(first.name, args[first.name] ?? {}) : words('nothing to say');
  });
}

const whenApproved = 'if the $review is APPROVED';

export const refundPlan: Plan = planOf(
  { toolId: 'file_reader', task: 'read inbox.txt', output: '$mail' },
  { toolId: 'refund_reviewer', task: 'review the claim', output: '$review', inputs: ['$mail'] },
  {
    toolId: 'list_customers',
    task: 'find the customer',
    output: '$customers',
    inputs: ['$mail', '$review'],
    condition: whenApproved,
  },
  {
    toolId: 'list_payment_intents',
    task: 'find the payment',
    output: '$payments',
    inputs: ['$customers', '$review'],
    condition: whenApproved,
  },
  {
    toolId: 'create_refund',
    task: 'refund it',
    output: '$refund',
    inputs: ['$payments', '$review'],
    condition: whenApproved,
  },
  { toolId: 'email', task: 'tell the customer', output: '$told', inputs: ['$mail', '$refund'] },
);

const Customers = z.array(z.object({ id: z.string(), email: z.string() }));
const Payments = z.array(z.object({ id: z.string(), amount: z.number() }));

/** The same as a builder plan, with the approval on the step. */
export const refundBuilderPlan: PlanV2 = new PlanBuilderV2('Refund')
  .invokeToolStep({ stepName: 'mail', tool: 'file_reader', args: { filename: 'inbox.txt' } })
  .invokeToolStep({ stepName: 'review', tool: 'refund_reviewer', args: { claim: StepOutput('mail') } })
  .if({ condition: ({ review }) => String(review).startsWith('APPROVED'), args: { review: StepOutput('review') } })
  .invokeToolStep({
    stepName: 'customers',
    tool: 'list_customers',
    args: { email: 'ada@example.com' },
    outputSchema: Customers,
  })
  .invokeToolStep({
    stepName: 'payments',
    tool: 'list_payment_intents',
    args: { customer: StepOutput('customers', { path: '0.id' }) },
    outputSchema: Payments,
  })
  .invokeToolStep({
    stepName: 'refund',
    tool: 'create_refund',
    args: {
      payment_intent: StepOutput('payments', { path: '0.id' }),
      amount: StepOutput('payments', { path: '0.amount' }),
    },
    approval: {
      message: text`Refund ${StepOutput('payments', { path: '0.amount' })} to ${StepOutput('customers', { path: '0.email' })}?`,
    },
  })
  .endIf()
  .invokeToolStep({
    stepName: 'told',
    tool: 'email',
    args: { to: 'ada@example.com', body: text`Our answer: ${StepOutput('review')}` },
  })
  .build();

export interface RefundOptions {
  readonly kind: 'planned' | 'built';
  readonly verdict?: 'APPROVED' | 'REJECTED';
  readonly approved?: boolean;
  readonly findsRefunds?: boolean;
}

export function refund({ kind, verdict = 'APPROVED', approved = true, findsRefunds = false }: RefundOptions): Scenario {
  return {
    client(storage: StorageBackend, url: string, hooks: ExecutionHooks = {}): Portia {
      const executionHooks =
        kind === 'planned' ? combineHooks({ beforeToolCall: clarifyOnToolCalls('create_refund') }, hooks) : hooks;
      const config = new Config({ storage, models: { default: model(verdict) } });
      return new Portia({ config, tools: tools(url, findsRefunds), executionHooks, plans: [refundBuilderPlan] });
    },
    begin: (portia) =>
      kind === 'planned'
        ? portia.runPlan(refundPlan, { runKey: 'refund' })
        : portia.runPlan(refundBuilderPlan, { runKey: 'refund' }),
    answer: () => approved,
  };
}
