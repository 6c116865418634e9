// Buying gold: a price is found by an agent, a person chooses how much and confirms, and what is too expensive is left.
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import type { Clarification } from '../../src/core/clarification.ts';
import type { Model } from '../../src/core/model.ts';
import { Input, StepOutput, text } from '../../src/core/reference.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { object, text as words, toolCall } from '../../src/testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../../src/testing/scripted-model.ts';
import { tool } from '../../src/tool/tool.ts';
import { act, acting } from '../lib/outside-world.ts';
import type { Scenario } from '../lib/scenario.ts';

const Price = z.object({ price: z.number(), currency: z.string() });
const Receipt = z.object({ paid: z.number(), words: z.string() });

/** The plan, for the world where orders and mails go. */
export const goldPlan = (url: string): PlanV2 =>
  new PlanBuilderV2('Buy some gold')
    .input({ name: 'country', description: 'where to buy', schema: z.string(), defaultValue: 'UK' })
    .invokeToolStep({
      stepName: 'currency',
      tool: 'search_tool',
      args: { search_query: text`What is the currency in ${Input('country')}?` },
    })
    .reactAgentStep({
      stepName: 'price',
      tools: ['search_tool', 'calculator_tool'],
      inputs: [StepOutput('currency')],
      task: text`What is the price of gold per ounce in ${Input('country')}?`,
      outputSchema: Price,
    })
    .userInput({ stepName: 'ounces', message: 'How many ounces?', options: [50, 100, 200] })
    .functionStep({
      stepName: 'total',
      args: { price: StepOutput('price'), ounces: StepOutput('ounces') },
      readOnly: true,
      function: ({ price, ounces }) => price.price * ounces,
    })
    .userVerify({ message: text`Buy ${StepOutput('ounces')} ounces for ${StepOutput('total')}?` })
    .if({ condition: ({ total }) => total > 100, args: { total: StepOutput('total') } })
    .exit({ message: text`${StepOutput('total')} is too expensive` })
    .else()
    .functionStep({
      stepName: 'order',
      args: { ounces: StepOutput('ounces') },
      function: (args, context) => act(url, 'order', args, context),
    })
    .endIf()
    .llmStep({
      stepName: 'receipt',
      task: 'Write a receipt',
      inputs: [StepOutput('total'), StepOutput('order', { optional: true })],
    })
    .singleToolAgentStep({ stepName: 'mail', tool: 'email', task: 'Send the receipt', inputs: [StepOutput('receipt')] })
    .finalOutput({ outputSchema: Receipt })
    .build();

/** A model that finds gold at this price. */
export function goldModel(price: number): ScriptedModel {
  return scriptedModel(({ messages, tools = [], schema }) => {
    const names = tools.map(({ name }) => name);
    if (names.includes('final_result')) {
      const found = messages.some(({ role }) => role === 'tool');
      return found
        ? toolCall('final_result', { result: { price, currency: 'EUR' } })
        : toolCall('search_tool', { search_query: 'price of gold' });
    }
    if (names.includes('email')) return toolCall('email', { to: 'ada@example.com', body: 'Paid: 50' });
    if (schema) return object({ result: { paid: 50, words: 'Paid: 50' }, summary: 'Gold was bought.' });
    return words('Paid: 50');
  });
}

export interface GoldOptions {
  readonly price: number;
  readonly accepted?: boolean;
  readonly searches?: string[];
  readonly model?: Model;
}

export function gold({ price, accepted = true, searches = [], model = goldModel(price) }: GoldOptions): Scenario {
  const search = tool({
    id: 'search_tool',
    description: 'searches',
    readOnly: true,
    argsSchema: z.object({ search_query: z.string() }),
    run({ search_query }) {
      searches.push(search_query);
      return `found: ${search_query}`;
    },
  });
  const calculator = tool({
    id: 'calculator_tool',
    description: 'calculates',
    readOnly: true,
    argsSchema: z.object({ math_question: z.string() }),
    run: () => 1,
  });
  let where = '';
  return {
    client(storage, url, executionHooks = {}) {
      where = url;
      const config = new Config({ storage, models: { default: model } });
      const tools = [search, calculator, acting(url, 'email', z.object({ to: z.string(), body: z.string() }))];
      return new Portia({ config, tools, executionHooks, plans: [goldPlan(url)] });
    },
    begin: (portia) => portia.runPlan(goldPlan(where), { planRunInputs: { country: 'Spain' }, runKey: 'gold' }),
    answer: (asked: Clarification) => (asked.category === 'Multiple Choice' ? 50 : accepted),
  };
}
