import { isPlainObject, type JsonValue } from '../../core/json.ts';
import { textOf } from '../../core/output.ts';
import { jsonSchemaOf, type Schema, validate } from '../../core/schema.ts';
import type { Tool } from '../../core/tool.ts';
import { answerInvalid, jsonOf, whyNot } from '../../model/json-answer.ts';
import { withRepair } from '../../model/repair.ts';
import { llmToolPrompt, parseLlmToolAnswer } from '../../run/agents/prompts/llm-tool.ts';
import type { PromptValue } from '../../run/agents/prompts/prompt-data.ts';
import { tool } from '../tool.ts';
import { anyJson, argsOf, text } from './args.ts';

/** The arguments of the LLM tool. */
export type LlmToolArgs = { readonly task: string; readonly task_data?: JsonValue };

/** Options of {@link createLlmTool}. */
export interface LlmToolOptions<Out = string> {
  /** `llm_tool` unless given. */
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** What the model is told about its role, before the task. */
  readonly toolContext?: string | undefined;
  /** A model by name, or a list of which the first that answers is used; the run's default model unless given. */
  readonly model?: string | readonly string[] | undefined;
  /** The shape of the answer; text unless given. */
  readonly outputSchema?: Schema<Out> | undefined;
}

/** A tool that gives a task to a model: one call, with the data that is given and nothing else. */
export function createLlmTool<Out = string>(options: LlmToolOptions<Out> = {}): Tool<LlmToolArgs, Out> {
  const { id = 'llm_tool', outputSchema, toolContext } = options;
  return tool<LlmToolArgs, Out>({
    id,
    name: options.name ?? (id === 'llm_tool' ? 'LLM Tool' : undefined),
    description:
      options.description ??
      'Does a task that needs only language and judgement: summarising, writing, comparing, extracting, classifying, using general knowledge. It sees only the task and the data it is given, and can neither look things up nor act.',
    argsSchema: argsOf({ task: text('What to do, in full'), task_data: anyJson('What to do it with: any JSON value') }),
    outputSchema,
    outputDescription: outputSchema ? ['object', 'the answer'] : ['string', 'the answer'],
    readOnly: true,
    timeoutMs: 300_000,
    async run({ task, task_data }, context) {
      const model = context.model(options.model);
      const messages = llmToolPrompt({
        task,
        data: promptValues(task_data),
        now: Date.now(),
        contextWindow: model.contextWindow,
        toolContext,
      });
      if (!outputSchema) return parseLlmToolAnswer(await model.generate({ messages, signal: context.signal })) as Out;
      const schema = { name: id, jsonSchema: jsonSchemaOf(outputSchema, `the output of tool "${id}"`, 'output') };
      return withRepair(
        (asked) => model.generate({ ...asked, schema, signal: context.signal }),
        messages,
        async (answer) => {
          const checked = await validate(outputSchema, jsonOf(answer));
          if (checked.ok) return checked.value;
          throw answerInvalid(id, `an answer that does not fit (${checked.issues.join('; ')})${whyNot(answer)}`);
        },
      );
    },
  });
}

/** An object's members one by one, a list as lines, all else as it is. */
function promptValues(data: JsonValue | undefined): PromptValue[] {
  if (data === undefined || data === null || data === '') return [];
  if (Array.isArray(data)) return [{ name: 'task_data', text: data.map((item: JsonValue) => textOf(item)).join('\n') }];
  if (isPlainObject(data))
    return Object.entries(data).map(([name, value]) => ({ name, text: textOf(value as JsonValue) }));
  return [{ name: 'task_data', text: textOf(data) }];
}

/** Gives a task to the run's default model. */
export const llmTool: Tool<LlmToolArgs, string> = createLlmTool();
