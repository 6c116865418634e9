import { type JsonObject, type JsonValue, toJson } from '../../core/json.ts';
import type { ModelAnswer } from '../../core/model.ts';
import { isInMemory, textOf } from '../../core/output.ts';
import type { WorkStep } from '../../core/program.ts';
import { isReference } from '../../core/reference.ts';
import { jsonSchemaOf, type Schema, validate } from '../../core/schema.ts';
import { valueSeen } from '../../core/thread.ts';
import type { AnyTool } from '../../core/tool.ts';
import { answerInvalid, jsonOf, whyNot, wordsOf } from '../../model/json-answer.ts';
import { withRepair } from '../../model/repair.ts';
import { llmToolId } from '../../plan/compile.ts';
import { runToolAgent } from '../agents/tool-agent.ts';
import { llmToolPrompt, parseLlmToolAnswer } from '../agents/prompts/llm-tool.ts';
import { runReActAgent } from '../agents/react.ts';
import { shapeResult, wordsFor } from '../agents/step-result.ts';
import { describeReference, resolve, resolveText, stepOf } from '../references.ts';
import type { Performed } from './performed.ts';
import type { StepInput } from '../step-inputs.ts';
import { callTool } from '../tool-call.ts';
import type { VisitRun } from '../visit-run.ts';
import { waiting } from '../waiting.ts';
import { askForStep } from './people.ts';
import { toolOf, withTimeout } from './step-tools.ts';

type Llm = Extract<WorkStep, { kind: 'llm' }>;
type SingleToolAgent = Extract<WorkStep, { kind: 'single-tool-agent' }>;
type ReAct = Extract<WorkStep, { kind: 'react-agent' }>;

/** One model call: the answer as text, or in the step's schema. It goes through the ledger as the LLM tool. */
export async function performLlm(visit: VisitRun, work: Llm): Promise<Performed> {
  const task = await resolveText(visit, work.task);
  const inputs = await stepInputs(visit, work.inputs);
  const refused = await askForStep(visit, work, { task }, '');
  if (refused) return refused;
  const data: Record<string, JsonValue> = {};
  for (const { name, value } of inputs) data[name] = value;
  const args: JsonObject = { task, task_data: inputs.length === 0 ? null : data };
  const tool = withTimeout(llmStepTool(visit, work, inputs), work.timeoutMs);
  const result = await callTool(visit, tool, args);
  if (result === waiting) return waiting;
  if (!result.ok) return { kind: 'failed', error: result.error, soft: result.soft };
  return {
    kind: 'output',
    raw: result.value,
    // The tool has brought it into the schema already, which may make another thing of what it made before.
    result: await shapeResult(visit, tool, result.value, {
      task,
      model: work.model === undefined ? undefined : visit.run.runtime.models.get(work.model),
    }),
  };
}

/** The LLM tool with this step's prompt, model and schema. */
function llmStepTool(visit: VisitRun, work: Llm, inputs: readonly StepInput[]): AnyTool {
  const { outputSchema: schema, systemPrompt: toolContext, model: name } = work;
  return {
    id: llmToolId,
    name: 'LLM Tool',
    description: 'Answers from its task and data alone',
    readOnly: true,
    timeoutMs: 300_000,
    async run({ task }: { readonly task: string }, context) {
      const model = context.model(name);
      const data = inputs.map(({ name: input, description, text, summary }) => ({
        name: input,
        description,
        text,
        summary: summary ?? undefined,
      }));
      const messages = llmToolPrompt({
        task,
        data,
        now: visit.driver.now(),
        contextWindow: model.contextWindow,
        toolContext,
      });
      if (!schema) return parseLlmToolAnswer(await model.generate({ messages }));
      const jsonSchema = jsonSchemaOf(schema, `step ${visit.instruction.key}`, 'input');
      return withRepair(
        (asked) => model.generate({ ...asked, schema: { name: 'result', jsonSchema } }),
        messages,
        (answer) => valueIn(schema, answer, wordsFor(visit)),
      );
    },
  };
}

/** The value of an answer, in its schema. @throws PortiaError `MODEL_ANSWER_INVALID` */
async function valueIn(schema: Schema, answer: ModelAnswer, what: string): Promise<JsonValue> {
  const json = jsonOf(answer);
  const validation = await validate(schema, json === undefined ? wordsOf(answer, 'the LLM tool') : json);
  if (validation.ok) return toJson(validation.value, what);
  throw answerInvalid('the LLM tool', `an answer that does not fit (${validation.issues.join('; ')})${whyNot(answer)}`);
}

/** One tool, its arguments settled by one model call. */
export async function performSingleToolAgent(visit: VisitRun, work: SingleToolAgent): Promise<Performed> {
  const task = await resolveText(visit, work.task);
  const inputs = await stepInputs(visit, work.inputs);
  const refused = await askForStep(visit, work, { task }, '');
  if (refused) return refused;
  const tool = withTimeout(toolOf(visit.run.runtime.tools, work.tool), work.timeoutMs);
  const model = visit.run.runtime.models.get(work.model ?? 'execution');
  const result = await runToolAgent(visit, tool, inputs, task, model);
  if (result === waiting) return waiting;
  if (!result.ok) return { kind: 'failed', error: result.error, soft: result.soft };
  return {
    kind: 'output',
    raw: result.value,
    result: await shapeResult(visit, tool, result.value, {
      task,
      schema: work.outputSchema,
      model,
      calls: result.calls,
    }),
  };
}

/** Several tools, in turns, until there is a result. */
export async function performReAct(visit: VisitRun, work: ReAct): Promise<Performed> {
  const task = await resolveText(visit, work.task);
  const inputs = await stepInputs(visit, work.inputs);
  const refused = await askForStep(visit, work, { task }, '');
  if (refused) return refused;
  const result = await runReActAgent(visit, {
    task,
    inputs: inputs.map(({ name, description, text, summary }) => ({
      name,
      description,
      text,
      summary: summary ?? undefined,
    })),
    values: new Map(inputs.map(({ name, value }) => [name, value])),
    tools: work.tools.map((tool) => withTimeout(toolOf(visit.run.runtime.tools, tool), work.timeoutMs)),
    outputSchema: work.outputSchema,
    allowClarifications: work.allowAgentClarifications,
    toolCallLimit: work.toolCallLimit,
    model: visit.run.runtime.models.get(work.model ?? 'planning'),
  });
  if (result === waiting) return waiting;
  if (!result.ok) return { kind: 'failed', error: result.error };
  return { kind: 'output', result: { value: result.value, summary: null } };
}

/** The inputs of an agent step: references with their values, literals as they are; what is optional and missing is left out. */
async function stepInputs(visit: VisitRun, inputs: readonly unknown[]): Promise<readonly StepInput[]> {
  const found: StepInput[] = [];
  for (const [index, input] of inputs.entries()) {
    const value = await resolve(visit, input);
    if (value === undefined) continue;
    found.push({ ...describeReference(input, index), value, text: textOf(value), summary: summaryOf(visit, input) });
  }
  return found;
}

function summaryOf(visit: VisitRun, input: unknown): string | null {
  if (!isReference(input) || input.reference !== 'step' || input.path !== '' || input.full) return null;
  const step = stepOf(visit.scope, input.name);
  const { program } = visit.driver.state;
  const output = step === undefined ? undefined : valueSeen(program, visit.thread, visit.step, step);
  return output && isInMemory(output) ? output.summary : (output?.summary ?? null);
}
