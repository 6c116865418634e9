import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { tool } from '../tool/tool.ts';
import { PlanV2 } from './plan-v2.ts';
import { FirstOf } from './plan-v2-steps.ts';
import { Input, StepOutput, text } from './reference.ts';

const Price = z.object({ amount: z.number(), currency: z.string() });
const pay = tool({ id: 'pay', description: 'x', run: () => 1 });
const one = (): number => 1;
const yes = (): boolean => true;
const linesOf = (plan: { prettyPrint(): string }): string[] => plan.prettyPrint().split('\n');

describe('prettyPrint of a builder plan', () => {
  it('says what is given, what each step does by its name, and what comes out', () => {
    const plan = new PlanBuilderV2('Buy gold')
      .input({ name: 'country', description: 'Where to buy', schema: z.string(), defaultValue: 'UK' })
      .input({ name: 'day' })
      .invokeToolStep({ stepName: 'news', tool: 'search', args: { query: text`Gold in ${Input('country')}`, most: 5 } })
      .reactAgentStep({
        stepName: 'price',
        task: `Find the price, on ${Input('day')}.\nBe quick.`,
        inputs: [StepOutput('news'), 'a hint'],
        tools: ['search', pay],
        outputSchema: Price,
      })
      .userInput({ stepName: 'ounces', message: 'How many ounces?', options: [50, 100] })
      .functionStep({
        stepName: 'total',
        args: { price: StepOutput('price', { path: 'amount' }), ounces: StepOutput(2) },
        function: one,
      })
      .userVerify({ message: text`Pay ${StepOutput('total')} ${StepOutput('price', { path: 'currency' })}?` })
      .singleToolAgentStep({
        tool: pay,
        task: 'Pay.',
        approval: { message: text`Pay ${StepOutput('total')}?`, when: yes },
        outputSchema: z.number(),
      })
      .llmStep({ stepName: 'receipt', task: 'Write a receipt.', outputSchema: z.string().meta({ title: 'Receipt' }) })
      .finalOutput({ outputSchema: Price, summarize: true })
      .build();
    expect(linesOf(plan)).toEqual([
      'Buy gold',
      'Inputs:',
      '  country: Where to buy ("UK" unless given)',
      '  day',
      'Steps:',
      '  news: call search with query = "Gold in {inputs.country}", most = 5',
      '  price: an agent with search, pay: Find the price, on {inputs.day}.',
      '    Be quick. (uses news, "a hint"; gives { amount, currency })',
      '  ounces: ask: How many ounces? (one of 50, 100)',
      '  total: a function of price = price.amount, ounces',
      '  step_4: ask to confirm: Pay {total} {price.currency}?',
      '  step_5: an agent calls pay: Pay. (gives number; where its function says so, approved before: Pay {total}?)',
      '  receipt: a model: Write a receipt. (gives Receipt)',
      'Final output: { amount, currency }, with a summary',
    ]);
  });

  it('indents branches, rounds and what runs at once, and prints no step that only closes a block', () => {
    const plan = new PlanBuilderV2('Blocks')
      .functionStep({ stepName: 'ids', function: () => [1] })
      .loop({ over: StepOutput('ids'), concurrency: 3, stepName: 'id' })
      .if({ condition: yes, args: { id: StepOutput('id') } })
      .functionStep({ stepName: 'long', function: one })
      .elseIf({ condition: text`${StepOutput('id')} is odd` })
      .parallel({ concurrency: 2 })
      .branch()
      .sleep({ ms: 5 })
      .branch()
      .waitFor({ message: 'the bank' })
      .endParallel()
      .else()
      .functionStep({ stepName: 'short', function: one })
      .endIf({ stepName: 'either', value: FirstOf('long', 'short') })
      .endLoop()
      .exit({ message: text`${StepOutput('either', { full: true, optional: true })}`, error: true })
      .build();
    expect(linesOf(plan).slice(1)).toEqual([
      'Steps:',
      '  ids: a function',
      '  id: for each of ids, 3 at once:',
      '    step_2: if a function of id is true:',
      '      long: a function',
      '    step_4: else, if a model agrees: {id} is odd:',
      '      step_5: at the same time, at most 2:',
      '        step_6: branch:',
      '          step_7: wait 5 ms',
      '        step_8: branch:',
      '          step_9: wait for: the bank',
      '    step_11: else:',
      '      short: a function',
      '    either: what was made of long, short',
      '  step_15: end the run with an error: {every either?}',
    ]);
  });

  it('prints the other kinds of loops, and what they are repeated for', () => {
    const plan = new PlanBuilderV2('Loops')
      .loop({ while: yes, args: { last: StepOutput('made') }, initial: { last: 1 }, maxIterations: 3 })
      .functionStep({ stepName: 'made', function: one })
      .endLoop()
      .loop({ doWhile: 'it is dark' })
      .endLoop()
      .loop({})
      .endLoop({ while: yes, args: { at: StepOutput(1, { optional: true }) } })
      .loop({ over: [StepOutput('made', { optional: true }), { a: [null, 'b'] }] })
      .endLoop()
      .loop({})
      .endLoop({ while: 'it is cold' })
      .parallel()
      .branch()
      .endParallel()
      .exit({ message: 'Done.' })
      .build();
    expect(linesOf(plan).slice(2)).toEqual([
      '  step_0: while a function of last = made is true, at first of last = 1, at most 3 times:',
      '    made: a function',
      '  step_3: once, and again while a model agrees: it is dark:',
      '  step_5: repeat:',
      '  step_6: again while a function of at = made? is true',
      '  step_7: for each of [made?, { a = [null, "b"] }]:',
      '  step_9: repeat:',
      '  step_10: again while a model agrees: it is cold',
      '  step_11: at the same time:',
      '    step_12: branch:',
      '  step_14: end the run: Done.',
    ]);
  });

  it('prints a condition without arguments', () => {
    const plan = new PlanV2({
      steps: [
        { kind: 'loop', name: 'again', type: 'do-while', args: {}, maxIterations: 2 },
        { kind: 'end-loop', name: 'enough', condition: yes },
      ],
    });
    expect(linesOf(plan).slice(2)).toEqual([
      '  again: repeat, at most 2 times:',
      '  enough: again while a function is true',
    ]);
  });

  it('prints the steps of a plan inside a plan, whose references are its own', () => {
    const inner = new PlanBuilderV2('Inner')
      .input({ name: 'who' })
      .functionStep({ stepName: 'first', args: { who: Input('who', { path: 'name' }) }, function: one })
      .addStep({ stepName: 'own', run: one, args: { first: StepOutput(0) }, approval: { message: 'Sure?' } })
      .build();
    const plan = new PlanBuilderV2('Outer')
      .functionStep({ stepName: 'people', function: () => ['Ada'] })
      .userInput({ stepName: 'who', message: 'Who?', options: StepOutput('people') })
      .addSubPlan({ plan: inner, stepName: 'inner', inputValues: { who: StepOutput('who') } })
      .reactAgentStep({ stepName: 'agent', task: 'Think.', outputSchema: z.union([z.string(), z.number()]) })
      .finalOutput({ summarize: true })
      .build();
    expect(linesOf(plan).slice(2)).toEqual([
      '  people: a function',
      '  who: ask: Who? (one of people)',
      '  inner: the plan "Inner" with who',
      '    first: a function of who = inputs.who.name',
      '    own: a custom step with first (approved before: Sure?)',
      '  agent: an agent with no tools: Think. (gives what its schema says)',
      'Final output: a summary',
    ]);
  });
});
