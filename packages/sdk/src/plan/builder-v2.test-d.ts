import { describe, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { ValueOf } from '../client.ts';
import { InputClarification } from '../core/clarification.ts';
import type { JsonValue } from '../core/json.ts';
import type { PlanV2 } from '../core/plan-v2.ts';
import { FirstOf } from '../core/plan-v2-steps.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import type { ToolRunContext } from '../core/tool.ts';
import { tool } from '../tool/tool.ts';
import { PlanBuilderV2 } from './builder-v2.ts';
import type { InputsOf, OutputOf, StepsOf } from './builder-v2-types.ts';

const Price = z.object({ amount: z.number(), currency: z.string(), history: z.array(z.object({ day: z.string() })) });
type Price = z.infer<typeof Price>;

const codecOfDates = { decode: (written: string) => new Date(written), encode: (date: Date) => date.toISOString() };

const createRefund = tool({
  id: 'create_refund',
  description: 'Refunds a charge.',
  argsSchema: z.object({ charge: z.string(), amount: z.number(), reason: z.enum(['fraud', 'error']).default('error') }),
  run: async ({ charge, amount }) => ({ refund: `re_${charge}`, amount }),
});

const base = new PlanBuilderV2('Buy some gold')
  .input({ name: 'country', schema: z.string(), defaultValue: 'UK' })
  .input({ name: 'limit', defaultValue: 100 })
  .input({ name: 'anything' })
  .llmStep({ stepName: 'price', task: 'What is the price?', outputSchema: Price })
  .llmStep({ stepName: 'summary', task: 'Summarise it.' });

/** What a step with these arguments is given. */
describe('references', () => {
  it('carry the type of the step or input', () => {
    base.functionStep({
      args: {
        price: StepOutput('price'),
        summary: StepOutput('summary'),
        country: Input('country'),
        limit: Input('limit'),
        anything: Input('anything'),
        literal: 5,
        message: text`In ${Input('country')}: ${StepOutput('price', { path: 'amount' })} ${'plain'} ${5}`,
      },
      function: (args, context) => {
        expectTypeOf(args.price).toEqualTypeOf<Price>();
        expectTypeOf(args.summary).toEqualTypeOf<string>();
        expectTypeOf(args.country).toEqualTypeOf<string>();
        expectTypeOf(args.limit).toEqualTypeOf<number>();
        expectTypeOf(args.anything).toEqualTypeOf<JsonValue>();
        expectTypeOf(args.literal).toEqualTypeOf<5>();
        expectTypeOf(args.message).toEqualTypeOf<string>();
        expectTypeOf(context).toEqualTypeOf<ToolRunContext>();
      },
    });
  });

  it('carry it through paths, full, optional, objects and lists', () => {
    base.functionStep({
      args: {
        amount: StepOutput('price', { path: 'amount' }),
        day: StepOutput('price', { path: 'history.0.day' }),
        all: StepOutput('price', { full: true }),
        amounts: StepOutput('price', { path: 'amount', full: true }),
        perhaps: StepOutput('price', { path: 'amount', optional: true }),
        deep: { list: [StepOutput('summary'), 1], inner: { country: Input('country') } },
        byIndex: StepOutput(0),
        byDefaultName: StepOutput('step_0'),
        fromEnd: StepOutput(-1, { full: true }),
      },
      function: (args) => {
        expectTypeOf(args.amount).toEqualTypeOf<number>();
        expectTypeOf(args.day).toEqualTypeOf<string>();
        expectTypeOf(args.all).toEqualTypeOf<Price[]>();
        expectTypeOf(args.amounts).toEqualTypeOf<number[]>();
        expectTypeOf(args.perhaps).toEqualTypeOf<number | undefined>();
        expectTypeOf(args.deep.list).toEqualTypeOf<[string, 1]>();
        expectTypeOf(args.deep.inner.country).toEqualTypeOf<string>();
        expectTypeOf(args.byIndex).toEqualTypeOf<JsonValue>();
        expectTypeOf(args.byDefaultName).toEqualTypeOf<JsonValue>();
        expectTypeOf(args.fromEnd).toEqualTypeOf<JsonValue[]>();
      },
    });
  });

  it('to nothing do not compile, wherever they stand', () => {
    // @ts-expect-error no step is called prise
    base.functionStep({ args: { a: StepOutput('prise') }, function: () => 1 });
    // @ts-expect-error no step is called prise
    base.functionStep({ args: { a: { b: [1, StepOutput('prise')] } }, function: () => 1 });
    // @ts-expect-error no step is called prise
    base.functionStep({ args: { a: text`${StepOutput('prise')}` }, function: () => 1 });
    // @ts-expect-error no step is called prise, also beside one that is
    base.llmStep({ task: text`${StepOutput('price')} ${StepOutput('prise')}` });
    // @ts-expect-error no step is called prise, also in a text in a text
    base.llmStep({ task: text`${text`${StepOutput('prise')}`}` });
    // @ts-expect-error no step is called prise
    base.llmStep({ task: 'x', inputs: [StepOutput('price'), StepOutput('prise')] });
    // @ts-expect-error no input is called contry
    base.userVerify({ message: text`${Input('contry')}` });
    // @ts-expect-error no input is called contry
    base.invokeToolStep({ tool: 'search', args: { query: Input('contry') } });
    // @ts-expect-error no step is called prise
    base.if({ condition: () => true, args: { a: StepOutput('prise') } });
    // @ts-expect-error no step is called prise
    base.if({ condition: text`${StepOutput('prise')} is high` });
    // @ts-expect-error no step is called prise
    base.loop({ over: StepOutput('prise') });
    // @ts-expect-error no step is called prise
    base.sleep({ ms: StepOutput('prise') });
    // @ts-expect-error a tool that needs arguments
    base.invokeToolStep({ tool: createRefund });
    const path: string = 'amount';
    base.functionStep({
      args: { later: StepOutput('price', { path }) },
      function: ({ later }) => expectTypeOf(later).toEqualTypeOf<JsonValue>(),
    });
    // @ts-expect-error a text is no time
    base.sleep({ ms: Input('country') });
    // @ts-expect-error nothing to choose from
    base.userInput({ message: 'which?', options: Input('country') });
    // @ts-expect-error no step is called prise
    base.exit({ message: text`${StepOutput('prise')}` });
    // @ts-expect-error no step is called prise
    base.waitFor({ message: text`${StepOutput('prise')}` });
    // @ts-expect-error no step is called prise
    base.userInput({ message: 'which?', options: [StepOutput('prise')] });
    // @ts-expect-error no step is called prise
    base.reactAgentStep({ task: text`${StepOutput('prise')}` });
    // @ts-expect-error no step is called prise
    base.singleToolAgentStep({ tool: 'search', task: 'x', inputs: [StepOutput('prise')] });
    // @ts-expect-error no step is called prise
    base.functionStep({ function: () => 1, approval: { message: text`${StepOutput('prise')}` } });
    // @ts-expect-error no step is called prise
    base.addStep({ args: { a: StepOutput('prise') }, run: () => 1 });
  });

  it('to steps without a stepName are by index or default name, and left to build()', () => {
    const unnamed = new PlanBuilderV2()
      .functionStep({ function: () => 1 })
      .functionStep({ stepName: 'step_1', function: () => 2 });
    unnamed.llmStep({ task: text`${StepOutput('step_0')} ${StepOutput('step_0', { path: 'a.b' })}` });
    unnamed.functionStep({
      args: { own: StepOutput('step_1'), other: StepOutput('step_0', { full: true }) },
      function: ({ own, other }) => {
        expectTypeOf(own).toEqualTypeOf<number>();
        expectTypeOf(other).toEqualTypeOf<JsonValue[]>();
      },
    });
    // @ts-expect-error no step is called so, nor would be without a name
    unnamed.llmStep({ task: text`${StepOutput('step_x')}` });
    // @ts-expect-error an input has no default name
    unnamed.llmStep({ task: text`${Input('step_0')}` });
  });

  it('to later steps do not compile', () => {
    // @ts-expect-error the step comes after
    base.llmStep({ task: text`${StepOutput('later')}` }).llmStep({ stepName: 'later', task: 'x' });
    // @ts-expect-error it is the step itself
    base.llmStep({ stepName: 'same', task: text`${StepOutput('same')}` });
  });

  it('to nothing in a value do not compile', () => {
    // @ts-expect-error a price has no amout
    base.functionStep({ args: { a: StepOutput('price', { path: 'amout' }) }, function: () => 1 });
    // @ts-expect-error a list has no such key
    base.functionStep({ args: { a: StepOutput('price', { path: 'history.day' }) }, function: () => 1 });
    // @ts-expect-error a text has nothing inside
    base.llmStep({ task: text`${StepOutput('summary', { path: 'length' })}` });
    // @ts-expect-error a number has nothing inside
    base.llmStep({ task: text`${Input('limit', { path: 'x' })}` });
    base.llmStep({ task: text`${Input('anything', { path: 'x.0.y' })}` });
  });

  it('stand beside data of any type, also of types that go round in circles', () => {
    interface Tree {
      name: string;
      children: Tree[];
    }
    const tree: Tree = { name: 'root', children: [] };
    const json: JsonValue = null;
    base.functionStep({
      args: { tree, json, at: new Date(0), price: StepOutput('price') },
      function: (args) => {
        expectTypeOf(args.tree.children[0]).toExtend<Tree | undefined>();
        expectTypeOf(args.json).toExtend<JsonValue>();
        expectTypeOf(args.at).toEqualTypeOf<string>();
      },
    });
  });

  it('whose name is known only at run time are left to build()', () => {
    const name: string = 'price';
    const builder = new PlanBuilderV2();
    for (const item of ['a', 'b']) builder.llmStep({ stepName: item, task: 'x' });
    builder.functionStep({
      args: { a: StepOutput(name) },
      function: ({ a }) => expectTypeOf(a).toEqualTypeOf<JsonValue>(),
    });
  });
});

describe('functions', () => {
  it('must fit their arguments', () => {
    base.functionStep({ args: { a: StepOutput('price') }, function: ({ a }: { a: { amount: number } }) => a.amount });
    base.functionStep({ function: async ({ a }: { a: string }) => a, args: { a: StepOutput('summary') } });
    // @ts-expect-error a is a price
    base.functionStep({ args: { a: StepOutput('price') }, function: ({ a }: { a: number }) => a });
    // @ts-expect-error there is no b
    base.functionStep({ args: { a: StepOutput('price') }, function: ({ b }) => b });
    // @ts-expect-error there are no arguments
    base.functionStep({ function: ({ a }: { a: number }) => a });
    // @ts-expect-error a condition gives a boolean
    base.if({ condition: ({ a }) => a.amount, args: { a: StepOutput('price') } });
    // @ts-expect-error a is a text
    base.if({ condition: ({ a }) => a > 1, args: { a: StepOutput('summary') } });
  });

  it('give the type of what they return, as it is stored', () => {
    interface Receipt {
      id: string;
      note?: string;
    }
    const built = base
      .functionStep({ stepName: 'number', function: () => 1 })
      .functionStep({ stepName: 'nothing', function: () => {} })
      .functionStep({ stepName: 'later', function: async () => ({ at: new Date(), list: [1, undefined] }) })
      .functionStep({ stepName: 'receipt', function: (): Receipt => ({ id: 'a' }) })
      .functionStep({
        stepName: 'asking',
        function: (_args, { clarifications }) =>
          clarifications.length > 0
            ? clarifications.length
            : InputClarification({ userGuidance: '?', argumentName: 'a' }),
      })
      .functionStep({ stepName: 'any', args: { a: Input('anything') }, function: ({ a }) => a })
      .functionStep({
        stepName: 'questions',
        function: async () => [InputClarification({ userGuidance: '?', argumentName: 'a' })],
      })
      .functionStep({ stepName: 'empty', function: () => [] })
      .functionStep({ stepName: 'shaped', function: () => 1 as unknown, outputSchema: Price })
      .addStep({ stepName: 'own', args: { n: StepOutput('number') }, run: ({ n }) => [n] })
      .build();
    type Steps = StepsOf<typeof built>;
    expectTypeOf<Steps['number']>().toEqualTypeOf<number>();
    expectTypeOf<Steps['nothing']>().toEqualTypeOf<null>();
    expectTypeOf<Steps['later']>().toEqualTypeOf<{ at: string; list: (number | null)[] }>();
    expectTypeOf<Steps['receipt']>().toEqualTypeOf<Receipt>();
    expectTypeOf<Steps['asking']>().toEqualTypeOf<number>();
    expectTypeOf<Steps['any']>().toEqualTypeOf<JsonValue>();
    expectTypeOf<Steps['questions']>().toEqualTypeOf<never>();
    expectTypeOf<Steps['empty']>().toEqualTypeOf<never[]>();
    expectTypeOf<Steps['shaped']>().toEqualTypeOf<Price>();
    expectTypeOf<Steps['own']>().toEqualTypeOf<number[]>();
  });

  it('see what a schema makes as it is stored', () => {
    const Visit = z.object({
      at: z.string().transform((written) => new Date(written)),
      note: z.string().optional(),
      stays: z.array(z.object({ until: z.codec(z.iso.datetime(), z.date(), codecOfDates) })),
    });
    interface Stored {
      at: string;
      note?: string | undefined;
      stays: { until: string }[];
    }
    const built = new PlanBuilderV2()
      .input({ name: 'visit', schema: Visit })
      .input({ name: 'anything', schema: z.unknown() })
      .llmStep({ stepName: 'asked', task: 'When?', outputSchema: Visit })
      .userInput({ stepName: 'told', message: 'When?', schema: Visit })
      .functionStep({
        stepName: 'both',
        args: { asked: StepOutput('asked', { path: 'at' }), told: StepOutput('told'), anything: Input('anything') },
        function: ({ asked, told, anything }) => {
          expectTypeOf(asked).toEqualTypeOf<string>();
          expectTypeOf(told).toEqualTypeOf<Stored>();
          expectTypeOf(anything).toEqualTypeOf<JsonValue>();
        },
      })
      .finalOutput({ outputSchema: Visit })
      .build();
    expectTypeOf<InputsOf<typeof built>['visit']>().toEqualTypeOf<Stored>();
    expectTypeOf<StepsOf<typeof built>['asked']>().toEqualTypeOf<Stored>();
    expectTypeOf<OutputOf<typeof built>>().toEqualTypeOf<Stored>();
    expectTypeOf<ValueOf<typeof Visit>>().toEqualTypeOf<Stored>();
  });

  it('that decide about an approval see the arguments', () => {
    base.functionStep({
      args: { price: StepOutput('price') },
      function: () => 1,
      approval: { message: text`Pay ${StepOutput('price')}?`, when: ({ price }) => price.amount > 10 },
    });
    base.functionStep({
      args: { price: StepOutput('price') },
      function: () => 1,
      // @ts-expect-error an amount is a number
      approval: { message: 'Pay?', when: ({ price }) => price.amount.startsWith('1') },
    });
  });
});

describe('tools', () => {
  it('must be given what their schema accepts', () => {
    base.invokeToolStep({
      tool: createRefund,
      args: { charge: StepOutput('summary'), amount: StepOutput('price', { path: 'amount' }) },
    });
    base.invokeToolStep({ tool: createRefund, args: { charge: 'ch_1', amount: 5, reason: 'fraud' } });
    base.invokeToolStep({ tool: createRefund, args: { charge: text`ch_${Input('country')}`, amount: 5 } });
    // @ts-expect-error the amount is a number
    base.invokeToolStep({ tool: createRefund, args: { charge: 'ch_1', amount: StepOutput('summary') } });
    // @ts-expect-error the amount is missing
    base.invokeToolStep({ tool: createRefund, args: { charge: 'ch_1' } });
    // @ts-expect-error there is no such reason
    base.invokeToolStep({ tool: createRefund, args: { charge: 'ch_1', amount: 5, reason: 'mistake' } });
    // @ts-expect-error there is no such argument
    base.invokeToolStep({ tool: createRefund, args: { charge: 'ch_1', amount: 5, reson: 'fraud' } });
    // @ts-expect-error no step is called prise
    base.invokeToolStep({ tool: createRefund, args: { charge: 'ch_1', amount: StepOutput('prise') } });
  });

  it('give the type of their output', () => {
    const built = base
      .invokeToolStep({ stepName: 'refund', tool: createRefund, args: { charge: 'ch_1', amount: 5 } })
      .invokeToolStep({ stepName: 'byId', tool: 'search', args: { query: 'x' } })
      .invokeToolStep({ stepName: 'shaped', tool: 'search', outputSchema: Price })
      .singleToolAgentStep({ stepName: 'agent', tool: createRefund, task: 'Refund it.' })
      .reactAgentStep({ stepName: 'react', tools: ['search', createRefund], task: 'Refund it.', outputSchema: Price })
      .reactAgentStep({ stepName: 'words', task: 'Refund it.' })
      .build();
    type Steps = StepsOf<typeof built>;
    expectTypeOf<Steps['refund']>().toEqualTypeOf<{ refund: string; amount: number }>();
    expectTypeOf<Steps['byId']>().toEqualTypeOf<JsonValue>();
    expectTypeOf<Steps['shaped']>().toEqualTypeOf<Price>();
    expectTypeOf<Steps['agent']>().toEqualTypeOf<{ refund: string; amount: number }>();
    expectTypeOf<Steps['react']>().toEqualTypeOf<Price>();
    expectTypeOf<Steps['words']>().toEqualTypeOf<string>();
  });
});

describe('questions', () => {
  it('give the type of the answer', () => {
    const built = base
      .userInput({ stepName: 'ounces', message: 'How many?', options: [50, 100, 200] })
      .userInput({ stepName: 'day', message: 'Which?', options: StepOutput('price', { path: 'history' }) })
      .userInput({ stepName: 'either', message: 'Which?', options: [Input('country'), 'none'] })
      .userInput({ stepName: 'age', message: 'How old?', schema: z.number() })
      .userInput({ stepName: 'free', message: text`Anything about ${Input('country')}?` })
      .userVerify({ stepName: 'sure', message: 'Sure?' })
      .waitFor({ stepName: 'paid', message: 'Payment', schema: Price, expiresIn: 1000, onExpiry: 'fail' })
      .build();
    type Steps = StepsOf<typeof built>;
    expectTypeOf<Steps['ounces']>().toEqualTypeOf<50 | 100 | 200>();
    expectTypeOf<Steps['day']>().toEqualTypeOf<{ day: string }>();
    expectTypeOf<Steps['either']>().toEqualTypeOf<string>();
    expectTypeOf<Steps['age']>().toEqualTypeOf<number>();
    expectTypeOf<Steps['free']>().toEqualTypeOf<JsonValue>();
    expectTypeOf<Steps['sure']>().toEqualTypeOf<true>();
    expectTypeOf<Steps['paid']>().toEqualTypeOf<Price>();
  });

  it('are answered by their default as by a person', () => {
    const cheap = { amount: 1, currency: 'EUR', history: [] };
    base
      .userInput({ message: 'How many?', options: [50, 100], onExpiry: { default: 100 } })
      .userInput({ message: 'Which?', options: [Input('country'), 'none'], onExpiry: { default: 'none' } })
      .userInput({ message: 'How old?', schema: z.number().default(1), onExpiry: { default: 18 } })
      .userInput({ message: 'How many?', options: [50, 100], schema: z.number(), onExpiry: { default: 50 } })
      .userInput({ message: 'What else?', onExpiry: { default: ['nothing'] } })
      .userVerify({ message: 'Sure?', expiresIn: 1000, onExpiry: { default: true } })
      .waitFor({ message: 'Payment', schema: Price, onExpiry: { default: cheap } })
      .waitFor({ message: 'Payment', onExpiry: { default: null } })
      .functionStep({ function: () => 1, approval: { message: 'x', onExpiry: { default: false } } })
      .userInput({ message: 'What else?', onExpiry: 'fail' })
      .userVerify({ message: 'Sure?', onExpiry: 'refuse' })
      .functionStep({ function: () => 1, approval: { message: 'x', onExpiry: 'refuse' } })
      .build();
    // @ts-expect-error there is nothing to refuse
    base.userInput({ message: 'How many?', options: [50, 100], onExpiry: 'refuse' });
    // @ts-expect-error there is nothing to refuse
    base.waitFor({ message: 'Payment', schema: Price, onExpiry: 'refuse' });
    // @ts-expect-error 70 is no option
    base.userInput({ message: 'How many?', options: [50, 100], onExpiry: { default: 70 } });
    // @ts-expect-error an age is a number
    base.userInput({ message: 'How old?', schema: z.number(), onExpiry: { default: 'old' } });
    // @ts-expect-error 70 is no option, though a number
    base.userInput({ message: 'How many?', options: [50, 100], schema: z.number(), onExpiry: { default: 70 } });
    // @ts-expect-error a country is a text
    base.userInput({ message: 'Which?', options: [Input('country'), 'none'], onExpiry: { default: 1 } });
    // @ts-expect-error it is a yes or a no
    base.userVerify({ message: 'Sure?', onExpiry: { default: 'yes' } });
    // @ts-expect-error a payment is a price
    base.waitFor({ message: 'Payment', schema: Price, onExpiry: { default: { amount: 1 } } });
    // @ts-expect-error it is a yes or a no
    base.functionStep({ function: () => 1, approval: { message: 'x', onExpiry: { default: 'yes' } } });
  });
});

describe('names', () => {
  it('cannot be used twice', () => {
    // @ts-expect-error price is taken
    base.llmStep({ stepName: 'price', task: 'x' });
    // @ts-expect-error price is taken
    base.sleep({ stepName: 'price', ms: 1 });
    // @ts-expect-error price is taken
    base.exit({ stepName: 'price' });
    base.sleep({ stepName: 'pause', ms: Input('limit') }).exit({ stepName: 'end', message: 'x', error: true });
    // @ts-expect-error country is taken
    base.input({ name: 'country' });
    base
      .if({ condition: 'x' })
      .llmStep({ stepName: 'inner', task: 'x' })
      .else()
      // @ts-expect-error inner is taken in the other branch
      .exit({ stepName: 'inner' });
    base
      .parallel()
      .branch()
      .llmStep({ stepName: 'inner', task: 'x' })
      .branch()
      // @ts-expect-error inner is taken in the other branch
      .llmStep({ stepName: 'inner', task: 'x' });
  });
});

describe('branches', () => {
  const branched = base
    .if({ condition: ({ price }) => price.amount > 10, args: { price: StepOutput('price') } })
    .llmStep({ stepName: 'long', task: text`${StepOutput('price')}`, outputSchema: Price })
    .elseIf({ condition: ({ limit }) => limit > 10, args: { limit: Input('limit') } })
    .functionStep({ stepName: 'short', function: () => 1 })
    .else()
    .functionStep({ stepName: 'none', function: () => 'none' as const });

  it('know what they made inside, and what may be missing after', () => {
    base
      .if({ condition: 'it rains' })
      .llmStep({ stepName: 'inside', task: 'x' })
      .functionStep({ args: { a: StepOutput('inside') }, function: ({ a }) => expectTypeOf(a).toEqualTypeOf<string>() })
      .endIf()
      .functionStep({
        args: {
          all: StepOutput('inside', { full: true }),
          maybe: StepOutput('inside', { optional: true }),
        },
        function: ({ all, maybe }) => {
          expectTypeOf(all).toEqualTypeOf<string[]>();
          expectTypeOf(maybe).toEqualTypeOf<string | undefined>();
        },
      });
    // @ts-expect-error what another branch made is not known
    branched.functionStep({ args: { a: StepOutput('long') }, function: () => 1 });
    branched
      .endIf()
      // @ts-expect-error the tool needs an amount, and this one may be missing
      .invokeToolStep({ tool: createRefund, args: { charge: 'x', amount: StepOutput('short') } });
  });

  it('are merged by FirstOf', () => {
    const merged = branched.endIf({ stepName: 'answer', value: FirstOf('long', 'short', 'none') }).build();
    expectTypeOf<StepsOf<typeof merged>['answer']>().toEqualTypeOf<Price | number | 'none'>();
    expectTypeOf<OutputOf<typeof merged>>().toEqualTypeOf<Price | number | 'none'>();
    const partly = branched.endIf({ stepName: 'answer', value: FirstOf('long', 'short') }).build();
    expectTypeOf<StepsOf<typeof partly>['answer']>().toEqualTypeOf<Price | number | undefined>();
    const fallback = branched.endIf({ stepName: 'answer', value: FirstOf('short', 'summary') }).build();
    expectTypeOf<StepsOf<typeof fallback>['answer']>().toEqualTypeOf<number | string>();
    // @ts-expect-error no step is called lang
    branched.endIf({ stepName: 'answer', value: FirstOf('lang', 'short') });
    // @ts-expect-error price is taken
    branched.endIf({ stepName: 'price', value: FirstOf('long', 'short') });
  });

  it('nest', () => {
    const nested = base
      .if({ condition: 'a' })
      .if({ condition: 'b' })
      .functionStep({ stepName: 'x', function: () => 1 })
      .else()
      .functionStep({ stepName: 'y', function: () => 'y' })
      .endIf({ stepName: 'xy', value: FirstOf('x', 'y') })
      .functionStep({
        args: { xy: StepOutput('xy') },
        function: ({ xy }) => expectTypeOf(xy).toEqualTypeOf<string | number>(),
      })
      .endIf()
      .build();
    expectTypeOf<StepsOf<typeof nested>['xy']>().toEqualTypeOf<string | number | undefined>();
  });

  it('must be open to be divided or closed', () => {
    // @ts-expect-error nothing is open
    base.endIf().build();
    // @ts-expect-error an else is the last branch
    branched.else().llmStep({ task: 'x' });
    // @ts-expect-error the innermost block is an if
    branched.endLoop().build();
  });
});

describe('loops', () => {
  it('over a list know the item inside', () => {
    const looped = base
      .loop({ stepName: 'entry', over: StepOutput('price', { path: 'history' }), concurrency: 4 })
      .functionStep({ stepName: 'day', args: { e: StepOutput('entry') }, function: ({ e }) => e.day })
      .endLoop()
      .functionStep({
        args: { last: StepOutput('day', { optional: true }), all: StepOutput('day', { full: true }) },
        function: ({ last, all }) => {
          expectTypeOf(last).toEqualTypeOf<string | undefined>();
          expectTypeOf(all).toEqualTypeOf<string[]>();
        },
      });
    expectTypeOf<StepsOf<ReturnType<typeof looped.build>>['entry']>().toEqualTypeOf<{ day: string } | undefined>();
    base.loop({ stepName: 'n', over: [1, 2, StepOutput('summary')] }).functionStep({
      args: { n: StepOutput('n') },
      function: ({ n }) => expectTypeOf(n).toEqualTypeOf<1 | 2 | string>(),
    });
    // @ts-expect-error a price is no list
    base.loop({ over: StepOutput('price') });
    // @ts-expect-error loops have no such option
    base.loop({ over: [1], maxIteration: 5 });
  });

  it('with a condition before see what was before, and initial values for what comes from the body', () => {
    base
      .loop({
        stepName: 'again',
        while: ({ n, limit }) => {
          expectTypeOf(n).toEqualTypeOf<number>();
          expectTypeOf(limit).toEqualTypeOf<number>();
          return n < limit;
        },
        args: { n: StepOutput('count'), limit: Input('limit') },
        initial: { n: 0 },
      })
      .functionStep({ stepName: 'count', function: () => 1 })
      .endLoop()
      .functionStep({
        args: { n: StepOutput('count', { optional: true }), again: StepOutput('again') },
        function: ({ n, again }) => {
          expectTypeOf(n).toEqualTypeOf<number | undefined>();
          expectTypeOf(again).toEqualTypeOf<boolean>();
        },
      });
    // @ts-expect-error count is not known before the loop
    base.loop({ while: () => true, args: { n: StepOutput('count') } });
    const wrongType = base
      .loop({ while: ({ n }) => n < 3, args: { n: StepOutput('count') }, initial: { n: 0 } })
      .functionStep({ stepName: 'count', function: () => 'one' });
    // @ts-expect-error the body makes text where the condition began with a number
    wrongType.endLoop().build();
    const missing = base
      .loop({ while: ({ n }) => n < 3, args: { n: StepOutput('count') }, initial: { n: 0 } })
      .llmStep({ task: 'x' });
    // @ts-expect-error the body has no step called count
    missing.endLoop().build();
    const branched = base
      .loop({ while: ({ n }) => n < 3, args: { n: StepOutput('count') }, initial: { n: 0 } })
      .if({ condition: 'x' })
      .functionStep({ stepName: 'count', function: () => 1 })
      .endIf();
    // @ts-expect-error after a round in which the branch was not taken there is no count
    branched.endLoop().build();
    base
      .loop({
        while: ({ n }) => {
          expectTypeOf(n).toEqualTypeOf<number | undefined>();
          return n === undefined || n < 3;
        },
        args: { n: StepOutput('count', { optional: true }) },
        initial: { n: 0 },
      })
      .if({ condition: 'x' })
      .functionStep({ stepName: 'count', function: () => 1 })
      .endIf()
      .endLoop()
      .build();
  });

  it('with a condition at the end see what the body made', () => {
    base
      .loop({ stepName: 'again' })
      .functionStep({ stepName: 'count', function: () => 1 })
      .endLoop({ while: ({ count }) => count < 3, args: { count: StepOutput('count') } })
      .functionStep({ args: { n: StepOutput('count') }, function: ({ n }) => expectTypeOf(n).toEqualTypeOf<number>() });
    base
      .loop({ doWhile: ({ n }) => n !== 3, args: { n: StepOutput('count') } })
      .functionStep({ stepName: 'count', function: () => 1 })
      .endLoop()
      .functionStep({ args: { n: StepOutput('count') }, function: ({ n }) => expectTypeOf(n).toEqualTypeOf<number>() });
    base
      .loop()
      .functionStep({ stepName: 'count', function: () => 1 })
      // @ts-expect-error no step is called cuont
      .endLoop({ while: () => true, args: { count: StepOutput('cuont') } });
    const misspelt = base
      .loop({ doWhile: () => true, args: { n: StepOutput('cuont') } })
      .functionStep({ stepName: 'count', function: () => 1 });
    // @ts-expect-error the body has no step called cuont
    misspelt.endLoop().build();
    const judged = base
      .loop({ doWhile: text`${StepOutput('count')} is low` })
      .functionStep({ stepName: 'count', function: () => 1 });
    judged.endLoop().build();
    const misjudged = base
      .loop({ doWhile: text`${StepOutput('cuont')} is low` })
      .functionStep({ stepName: 'count', function: () => 1 });
    // @ts-expect-error the body has no step called cuont
    misjudged.endLoop().build();
  });
});

describe('parallel blocks', () => {
  it('have all run after, and their branches do not see each other', () => {
    const first = base
      .parallel({ concurrency: 2 })
      .branch()
      .functionStep({ stepName: 'a', function: () => 1 })
      .branch();
    // @ts-expect-error a is in another branch
    first.functionStep({ args: { a: StepOutput('a') }, function: () => 1 });
    first
      .functionStep({ stepName: 'b', args: { p: StepOutput('price') }, function: ({ p }) => p.currency })
      .endParallel()
      .functionStep({
        args: { a: StepOutput('a'), b: StepOutput('b') },
        function: ({ a, b }) => {
          expectTypeOf(a).toEqualTypeOf<number>();
          expectTypeOf(b).toEqualTypeOf<string>();
        },
      });
  });
});

describe('sub-plans', () => {
  const sub = new PlanBuilderV2('sub')
    .input({ name: 'city', defaultValue: 'London' })
    .input({ name: 'days', schema: z.number() })
    .functionStep({ args: { c: Input('city') }, function: ({ c }) => ({ weather: c }) })
    .build();

  it('give their final output and ask for their inputs', () => {
    const built = base
      .addSubPlan({ stepName: 'weather', plan: sub, inputValues: { city: StepOutput('summary') } })
      .build();
    expectTypeOf<StepsOf<typeof built>['weather']>().toEqualTypeOf<{ weather: string }>();
    expectTypeOf<InputsOf<typeof built>['days']>().toEqualTypeOf<number>();
    // @ts-expect-error the city is bound
    expectTypeOf<InputsOf<typeof built>['city']>();
    // @ts-expect-error there is no such input
    base.addSubPlan({ plan: sub, inputValues: { town: 'x' } });
    // @ts-expect-error a city is a text
    base.addSubPlan({ plan: sub, inputValues: { city: StepOutput('price') } });
    // @ts-expect-error no step is called prise
    base.addSubPlan({ plan: sub, inputValues: { city: StepOutput('prise') } });
  });
});

describe('a plan', () => {
  it('knows its inputs and what it gives in the end', () => {
    const built = base.build();
    expectTypeOf<OutputOf<typeof built>>().toEqualTypeOf<string>();
    expectTypeOf<InputsOf<typeof built>['limit']>().toEqualTypeOf<number>();
    expectTypeOf(base.finalOutput({ outputSchema: Price }).build()).toExtend<PlanV2<unknown, unknown, Price>>();
    expectTypeOf(base.finalOutput({ summarize: true }).build()).toExtend<PlanV2<unknown, unknown, string>>();
    expectTypeOf(built).toExtend<PlanV2<unknown, unknown, unknown>>();
    expectTypeOf(new PlanBuilderV2().build()).toExtend<PlanV2<unknown, unknown, null>>();
  });

  it('gives the message when it exits', () => {
    const exiting = base
      .if({ condition: 'x' })
      .exit({ message: text`Too dear: ${StepOutput('price')}` })
      .endIf()
      .finalOutput({ outputSchema: Price })
      .build();
    expectTypeOf<OutputOf<typeof exiting>>().toEqualTypeOf<Price | string>();
    const failing = base
      .if({ condition: 'x' })
      .exit({ message: 'x', error: true })
      .endIf()
      .finalOutput({ outputSchema: Price })
      .build();
    expectTypeOf<OutputOf<typeof failing>>().toEqualTypeOf<Price>();
  });

  it('gives what the last branch made, or what was made before', () => {
    const perhaps = base
      .if({ condition: 'x' })
      .functionStep({ function: () => 1 })
      .endIf()
      .build();
    expectTypeOf<OutputOf<typeof perhaps>>().toEqualTypeOf<string | number>();
    const sure = base
      .if({ condition: 'x' })
      .functionStep({ function: () => 1 })
      .else()
      .functionStep({ function: () => true })
      .endIf()
      .build();
    expectTypeOf<OutputOf<typeof sure>>().toEqualTypeOf<boolean | number>();
    const looped = base
      .loop({ over: [1] })
      .functionStep({ function: () => 1 })
      .endLoop()
      .build();
    expectTypeOf<OutputOf<typeof looped>>().toEqualTypeOf<string | number>();
  });
});
