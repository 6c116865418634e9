import { PortiaError } from '../../core/errors.ts';
import type { RunError, StoredOutput } from '../../core/event.ts';
import type { JsonValue } from '../../core/json.ts';
import { isMarker, type Output, serializeValue, textOf } from '../../core/output.ts';
import { wholeRun } from '../../core/run-state.ts';
import { jsonSchemaOf, type Schema } from '../../core/schema.ts';
import { exitTarget } from '../../core/thread.ts';
import { BudgetBreak } from '../budget.ts';
import type { DrivenRun } from '../runtime.ts';
import { fullValue } from '../step-inputs.ts';
import { askStructured, type Questioner } from './ask-structured.ts';
import { finalSummaryPrompt, parseFinalSummary, parseStructuredFinalSummary } from './prompts/final-summary.ts';
import type { PromptValue } from './prompts/prompt-data.ts';
import { resultSchema } from './prompts/with-summary.ts';
import { checked, fit, isModelTrouble } from './step-result.ts';

/** A text up to this many characters is its own summary. */
const readableText = 2_000;

/**
 * The final output: the value of the last step that made one, in the schema the caller asked for, and a summary.
 * A value that is an answer people can read, or that has a summary already, costs no model call.
 */
export async function makeFinalOutput(run: DrivenRun): Promise<StoredOutput | RunError | undefined> {
  const { state } = run.driver;
  const last = state.lastOutput === undefined ? undefined : state.stepOutputs.get(state.lastOutput);
  if (!last) return undefined;
  const value = await fullValue(run.runtime.storage, state, last);
  // Of a run that met an exit, the message is the outcome, whatever the plan would have given else.
  const exited = [...state.threads.values()].some(({ next }) => next === exitTarget);
  const schema = exited ? undefined : run.outputSchema;
  try {
    if (!schema) return await withSummary(run, value, last);
    const fitting = await fit(schema, value, 'its value');
    return fitting ? await withSummary(run, fitting.value, last) : await structured(run, schema);
  } catch (error) {
    if (!PortiaError.isInstance(error) || run.driver.ending) throw error;
    if (!isModelTrouble(error) && error.code !== 'OUTPUT_INVALID') throw error;
    return { code: error.code, message: `the final output could not be made: ${error.message}` };
  }
}

async function withSummary(run: DrivenRun, value: JsonValue, last: Output): Promise<StoredOutput> {
  const { finalSummary } = run.driver.state.program;
  if (finalSummary !== 'always' && last.summary) return { value, summary: last.summary };
  if (finalSummary === 'never') return { value };
  if (finalSummary === 'where-needed' && isReadable(value)) return { value };
  try {
    const messages = prompt(run, false);
    const summary = await askStructured(questioner(run), {
      model: run.runtime.models.get('summarizer'),
      purpose: 'final-summary',
      messages,
      read: parseFinalSummary,
    });
    return { value, summary };
  } catch (error) {
    // The work is done: a budget that leaves no room for words about it fails nothing.
    const unpaid = error instanceof BudgetBreak && error.scope === 'run';
    if (!PortiaError.isInstance(error) || !(unpaid || isModelTrouble(error)) || run.driver.ending) throw error;
    run.runtime.logger.warn('the run could not be summarised', { planRunId: run.driver.id, error: error.message });
    return { value };
  }
}

/** A text, number or truth value that people can read as it is. */
function isReadable(value: JsonValue): boolean {
  return value === null || (typeof value !== 'object' && textOf(value).length <= readableText);
}

function structured(run: DrivenRun, schema: Schema): Promise<StoredOutput> {
  return askStructured(questioner(run), {
    model: run.runtime.models.get('summarizer'),
    purpose: 'final-summary',
    messages: prompt(run, true),
    schema: resultSchema(jsonSchemaOf(schema, 'the final output', 'output')),
    read: async (answer) => {
      const { result, summary } = parseStructuredFinalSummary(answer);
      return { value: await checked(schema, result, 'its value'), summary };
    },
  });
}

function questioner(run: DrivenRun): Questioner {
  return { driver: run.driver, step: wholeRun, visit: 0, asked: 0 };
}

function prompt(run: DrivenRun, isStructured: boolean): ReturnType<typeof finalSummaryPrompt> {
  const { state } = run.driver;
  const outputs: PromptValue[] = [];
  for (const { task, output: name } of run.plan.steps) {
    const output = state.stepOutputs.get(name);
    if (!output || outputs.some((known) => known.name === name)) continue;
    const summary = output.summary ?? undefined;
    outputs.push({
      name,
      description: task,
      text: isMarker(output) ? (summary ?? '') : serializeValue(output),
      summary,
    });
  }
  return finalSummaryPrompt({
    query: run.plan.planContext.query,
    outputs,
    structured: isStructured,
    contextWindow: run.runtime.models.get('summarizer').contextWindow,
  });
}
