// W3 for a comparison with other libraries: search A and B with a tool whose arguments a model chooses, then compare.
// It needs a model server behind an OpenAI-compatible address, which the kit that compares brings; `run.mjs` leaves it out.
import { Config, memoryStorage, Plan, PlanBuilderV2, Portia, StepOutput, tool } from 'portia-ts';
import { z } from 'zod';

const search = tool({
  id: 'search',
  description: 'Search the web',
  readOnly: true,
  argsSchema: z.object({ query: z.string() }),
  run: async ({ query }) => `result for ${query}: 42 items`,
});

const compare = 'Compare the two results.';
const found = [StepOutput('a'), StepOutput('b')];

const plans = {
  /** As a planner writes it: the two searches have nothing to do with each other, so the engine runs them at once. */
  steps: () =>
    new Plan({
      planContext: { query: 'search A and B, then compare', toolIds: ['search'] },
      steps: [
        { task: 'search: A', toolId: 'search', output: '$a' },
        { task: 'search: B', toolId: 'search', output: '$b' },
        { task: compare, inputs: [{ name: '$a' }, { name: '$b' }], output: '$compared' },
      ],
    }),
  /** One model call for the arguments of each search, none after it. */
  oneshot: () =>
    new PlanBuilderV2('search A and B, then compare')
      .parallel()
      .branch()
      .singleToolAgentStep({ stepName: 'a', tool: search, task: 'search: A' })
      .branch()
      .singleToolAgentStep({ stepName: 'b', tool: search, task: 'search: B' })
      .endParallel()
      .llmStep({ stepName: 'compared', task: compare, inputs: found })
      .build(),
  /** The arguments stand in the plan: no model call for the searches. */
  'fixed-args': () =>
    new PlanBuilderV2('search A and B, then compare')
      .parallel()
      .branch()
      .invokeToolStep({ stepName: 'a', tool: search, args: { query: 'A' } })
      .branch()
      .invokeToolStep({ stepName: 'b', tool: search, args: { query: 'B' } })
      .endParallel()
      .llmStep({ stepName: 'compared', task: compare, inputs: found })
      .build(),
  /** One agent that calls tools until it is done. */
  single: () =>
    new PlanBuilderV2('search A and B, then compare')
      .reactAgentStep({ stepName: 'compared', tools: [search], task: 'search: A,B then compare the two results' })
      .build(),
};

/** `baseURL` is that of an OpenAI-compatible server. `run` gives the final text. */
export async function agent(baseURL, variant) {
  const config = new Config({
    openaiApiKey: 'x',
    openaiBaseUrl: baseURL,
    defaultModel: 'openai/fake',
    storage: memoryStorage(),
  });
  const portia = new Portia({ config, tools: [search] });
  const plan = plans[variant]();
  return {
    async run() {
      const planRun = await portia.runPlan(plan);
      if (planRun.state !== 'COMPLETE') throw new Error(`the run is ${planRun.state}: ${planRun.error?.message}`);
      return planRun.outputs.finalOutput.value;
    },
  };
}
