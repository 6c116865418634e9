// A vehicle assistant: what somebody wants is found out, by asking where it is not clear, and done in one of four ways.
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import { contentText } from '../../src/core/content.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { Model } from '../../src/core/model.ts';
import { Input, StepOutput, text } from '../../src/core/reference.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { toolCall } from '../../src/testing/script.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { tool } from '../../src/tool/tool.ts';
import { act } from '../lib/outside-world.ts';
import type { Scenario } from '../lib/scenario.ts';

const Wish = z.enum(['instructions', 'licence', 'tax', 'none']);
const Form = z.object({ name: z.string() });

/** The plan, for the world where forms are sent to. */
export const vehiclePlan = (url: string): PlanV2 =>
  new PlanBuilderV2('Vehicle assistant')
    .input({ name: 'previous_conversation', schema: z.string() })
    .reactAgentStep({
      stepName: 'wish',
      task: text`Find out what this person wants: ${Input('previous_conversation')}`,
      allowAgentClarifications: true,
      outputSchema: Wish,
    })
    .if({ condition: ({ wish }) => wish === 'instructions', args: { wish: StepOutput('wish') } })
    .reactAgentStep({
      stepName: 'answer',
      task: text`Answer: ${Input('previous_conversation')}`,
      tools: ['search_tool'],
    })
    .elseIf({ condition: ({ wish }) => wish === 'licence', args: { wish: StepOutput('wish') } })
    .reactAgentStep({
      stepName: 'licence_form',
      task: 'Collect the licence form',
      allowAgentClarifications: true,
      outputSchema: Form,
    })
    .functionStep({
      stepName: 'licence',
      args: { form: StepOutput('licence_form') },
      function: ({ form }, context) => act(url, 'licence', form, context),
    })
    .elseIf({ condition: ({ wish }) => wish === 'tax', args: { wish: StepOutput('wish') } })
    .reactAgentStep({
      stepName: 'tax_form',
      task: 'Collect the tax form',
      allowAgentClarifications: true,
      outputSchema: Form,
    })
    .functionStep({
      stepName: 'tax',
      args: { form: StepOutput('tax_form') },
      function: ({ form }, context) => act(url, 'tax', form, context),
    })
    .else()
    .functionStep({ stepName: 'sorry', readOnly: true, function: () => 'I can help with licences and vehicle tax.' })
    .endIf()
    .build();

function vehicleModel(): Model {
  return scriptedModel(({ messages }) => {
    const prompt = contentText(messages.find(({ role }) => role === 'user')?.content);
    const last = messages.at(-1);
    // What tools and people say comes as a block of data.
    const told = last?.role === 'tool' ? contentText(last.content).replace(/^<[^>]*>\n|\n<\/[^>]*>$/g, '') : undefined;
    const give = (result: JsonValue): ReturnType<typeof toolCall> => toolCall('final_result', { result });
    if (prompt.includes('Collect the'))
      return told === undefined
        ? toolCall('clarification_tool', { guidance: 'What is your name?' })
        : give({ name: told });
    if (prompt.includes('Answer: '))
      return told === undefined
        ? toolCall('search_tool', { search_query: 'renew a licence' })
        : give(`Here is how: ${told}`);
    const said = `${prompt} ${told ?? ''}`;
    if (said.includes('weather')) return give('none');
    if (said.includes('How do I')) return give('instructions');
    if (/I want .*licence/.test(said)) return give('licence');
    if (said.includes('I want to pay tax')) return give('tax');
    return toolCall('clarification_tool', { guidance: 'Do you want a licence, or to pay tax?' });
  });
}

export interface VehicleOptions {
  readonly said: string;
  /** What is said when asked what is wanted. */
  readonly wish?: string;
}

export function vehicle({ said, wish = 'I want to pay tax' }: VehicleOptions): Scenario {
  const search = tool({
    id: 'search_tool',
    description: 'searches',
    readOnly: true,
    argsSchema: z.object({ search_query: z.string() }),
    run: ({ search_query }) => `found ${search_query}`,
  });
  const model = vehicleModel();
  let where = '';
  return {
    client(storage, url, executionHooks = {}) {
      where = url;
      return new Portia({
        config: new Config({ storage, models: { default: model } }),
        tools: [search],
        executionHooks,
        plans: [vehiclePlan(url)],
      });
    },
    begin: (portia) =>
      portia.runPlan(vehiclePlan(where), { planRunInputs: { previous_conversation: said }, runKey: 'vehicle' }),
    answer: ({ userGuidance }) => (userGuidance.includes('name') ? 'Ada' : wish),
  };
}
