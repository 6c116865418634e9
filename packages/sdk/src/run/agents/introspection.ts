import { isInMemory, type Output, serializeValue, textOf } from '../../core/output.ts';
import { fullValue } from '../step-inputs.ts';
import type { VisitRun } from '../visit-run.ts';
import { askStructured } from './ask-structured.ts';
import {
  type Introspection,
  introspectionPrompt,
  introspectionSchema,
  parseIntrospection,
} from './prompts/introspection.ts';
import type { PromptValue } from './prompts/prompt-data.ts';

/** Judges the condition of a step: whether it runs, is skipped, or ends the run. One model call. */
export async function judgeCondition(visit: VisitRun, condition: string): Promise<Introspection> {
  const { runtime, plan } = visit.run;
  const { state } = visit.driver;
  const model = runtime.models.get('introspection');
  const outputs = await Promise.all([...state.stepOutputs].map((entry) => promptValue(visit, condition, entry)));
  const messages = introspectionPrompt({
    condition,
    stepIndex: visit.step,
    query: plan.planContext.query,
    steps: plan.steps.map(({ task, inputs, output, condition: when }) => ({
      task,
      inputs: inputs.map(({ name }) => name),
      output,
      condition: when,
    })),
    outputs,
    planInputs: Object.entries(state.header.inputs).map(([name, { value }]) => ({ name, text: textOf(value) })),
    now: visit.driver.now(),
    contextWindow: model.contextWindow,
  });
  return askStructured(visit, {
    model,
    purpose: 'introspection',
    messages,
    schema: introspectionSchema,
    read: parseIntrospection,
  });
}

/** Outputs the condition names are fetched from agent memory; of others their summary is enough. */
async function promptValue(
  visit: VisitRun,
  condition: string,
  [name, output]: readonly [string, Output],
): Promise<PromptValue> {
  const summary = output.summary ?? undefined;
  if (!isInMemory(output) || !condition.includes(name)) return { name, text: serializeValue(output), summary };
  const value = await fullValue(visit.run.runtime.storage, visit.driver.state, output);
  return { name, text: textOf(value), summary };
}
