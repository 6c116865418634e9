// An assistant for questions about vehicles: an agent finds out what is wanted, asks back where it cannot know, and
// one branch of the plan does the work. No key and no network: a scripted model stands in for the LLM. Run it with
// `node examples/vehicle-assistant.mjs` after `npm run build`.
//
// Each message of the person is handled by a client of its own, as the requests of a chat are by different processes.
// The run knows where it stands: also in the middle of a branch.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Config, FirstOf, Input, PlanBuilderV2, Portia, StepOutput, text, tool } from 'portia-ts';
import { scriptedModel, toolCall } from 'portia-ts/testing';
import { z } from 'zod';

const searchRules = tool({
  id: 'search_rules',
  description: 'Searches the rules for vehicles and drivers.',
  argsSchema: z.object({ query: z.string() }),
  readOnly: true,
  run: () => 'A new address must be registered within two weeks.',
});

const Intent = z.object({ wants: z.enum(['instructions', 'licence', 'tax', 'other']) });
const Form = z.object({ name: z.string(), number: z.string() });

const plan = new PlanBuilderV2('Vehicle assistant')
  .input({ name: 'conversation', description: 'What was said so far', schema: z.array(z.string()) })
  .reactAgentStep({
    stepName: 'intent',
    task: text`Find out what the person wants: ${Input('conversation')}. Ask when it is not clear.`,
    outputSchema: Intent,
    allowAgentClarifications: true,
  })
  .if({ condition: ({ wants }) => wants === 'instructions', args: { wants: StepOutput('intent', { path: 'wants' }) } })
  .reactAgentStep({ stepName: 'rules', task: text`Answer: ${Input('conversation')}`, tools: [searchRules] })
  .elseIf({ condition: ({ wants }) => wants === 'licence', args: { wants: StepOutput('intent', { path: 'wants' }) } })
  .reactAgentStep({
    stepName: 'licence_form',
    task: 'Collect what is needed to renew a driving licence.',
    outputSchema: Form,
    allowAgentClarifications: true,
  })
  .functionStep({
    stepName: 'licence',
    args: { form: StepOutput('licence_form') },
    function: ({ form }) => `The licence ${form.number} of ${form.name} is renewed.`,
  })
  .elseIf({ condition: ({ wants }) => wants === 'tax', args: { wants: StepOutput('intent', { path: 'wants' }) } })
  .reactAgentStep({
    stepName: 'tax_form',
    task: 'Collect what is needed to pay the vehicle tax.',
    outputSchema: Form,
    allowAgentClarifications: true,
  })
  .functionStep({
    stepName: 'tax',
    args: { form: StepOutput('tax_form') },
    function: ({ form }) => `The tax for ${form.number} is paid.`,
  })
  .else()
  .functionStep({ stepName: 'sorry', function: () => 'I know about vehicles only.', readOnly: true })
  .endIf({ stepName: 'reply', value: FirstOf('rules', 'licence', 'tax', 'sorry') })
  .build();

/** What an LLM would say: the form needs a name and a number, which only the person knows. */
function model() {
  return scriptedModel(({ tools, messages }) => {
    const task = messages.find(({ role }) => role === 'user').content;
    // What people and tools say stands in a block of data.
    const inBlock = ({ content }) => content.replace(/^<[^>]*>\n|\n<\/[^>]*>$/g, '');
    const answers = messages.filter(({ role }) => role === 'tool').map(inBlock);
    const ask = (guidance) => toolCall('clarification_tool', { guidance });
    const give = (result) => toolCall('final_result', { result });
    if (tools.some(({ name }) => name === 'search_rules')) {
      return answers.length === 0 ? toolCall('search_rules', { query: 'address' }) : give(answers[0]);
    }
    if (task.includes('Collect')) {
      return answers.length === 0
        ? ask('Your name and the number, please?')
        : give({ name: 'Ada', number: answers[0].split(', ')[1] });
    }
    const said = [task, ...answers].join(' ');
    if (said.includes('moved')) return give({ wants: 'instructions' });
    if (said.includes('licence')) return give({ wants: 'licence' });
    return answers.length === 0
      ? ask('Is it about your licence, the tax, or something else?')
      : give({ wants: 'other' });
  });
}

/** A client of its own, as another process would have it. */
async function withClient(file, work) {
  const config = new Config({ storage: `sqlite:${file}`, defaultModel: model() });
  const portia = new Portia({ config, plans: [plan] });
  try {
    return await work(portia);
  } finally {
    await portia.close();
  }
}

/** A chat: the first message begins a run, every later one answers what the run asks. */
async function chat(file, first, ...later) {
  console.log(`Ada: ${first}`);
  const begin = (portia) => portia.runPlan(plan, { planRunInputs: { conversation: [first] }, endUser: 'ada' });
  let run = await withClient(file, begin);
  for (const response of later) {
    const [clarification] = run.getOutstandingClarifications();
    console.log(`  assistant: ${clarification.userGuidance}\nAda: ${response}`);
    run = await withClient(file, async (portia) => {
      await portia.resolveClarification({ planRun: run, clarification, response, resolvedBy: 'ada' });
      return portia.resume({ planRunId: run.id });
    });
  }
  console.log(`  assistant: ${run.outputs.finalOutput?.value ?? run.error?.message}`);
  console.log(`  (${run.state}; outputs: ${Object.keys(run.outputs.stepOutputs).join(', ')})\n`);
}

const folder = mkdtempSync(join(tmpdir(), 'portia-vehicle-'));
try {
  const file = join(folder, 'portia.db');
  await chat(file, 'Renew my licence?', 'Ada, B-1234');
  await chat(file, 'I moved. What now?');
  await chat(file, 'Hello!', 'My licence', 'Ada, B-1234');
  await chat(file, 'Hello!', 'The weather');
  console.log('Go on: docs/control-flow.md, and docs/plans-in-a-web-app.md for the requests of a real chat.');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
