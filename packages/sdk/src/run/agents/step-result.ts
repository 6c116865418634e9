import { PortiaError } from '../../core/errors.ts';
import { type JsonValue, toJson } from '../../core/json.ts';
import { textOf } from '../../core/output.ts';
import type { Model } from '../../core/model.ts';
import { jsonSchemaOf, type Schema, validate } from '../../core/schema.ts';
import type { AnyTool } from '../../core/tool.ts';
import { cutText, exceedsThreshold } from '../../model/tokens.ts';
import { llmToolId } from '../../plan/compile.ts';
import type { MadeCall } from '../tool-call.ts';
import type { VisitRun } from '../visit-run.ts';
import { askStructured } from './ask-structured.ts';
import { parseStepSummary, parseStructuredStepSummary, stepSummaryPrompt } from './prompts/step-summary.ts';
import { resultSchema, summaryLimit } from './prompts/with-summary.ts';

/** The value of a step, in its schema if it has one, and a summary where one is needed. */
export interface ShapedResult {
  readonly value: JsonValue;
  readonly summary: string | null;
}

/** What the result of a step is for. */
export interface ResultRequest {
  readonly task: string;
  readonly schema?: Schema | undefined;
  /** The model of the step's agent, which also summarises; that for execution unless given. */
  readonly model?: Model | undefined;
  /** The calls that the value is made of, where these are several. */
  readonly calls?: readonly MadeCall[] | undefined;
}

/**
 * Makes the output of a step from what its tool gave. A value that fits its schema already costs no call; a large
 * one, or one of a tool that says so, is summarised; one that does not fit its schema is brought into it.
 */
export function shapeResult(
  visit: VisitRun,
  tool: AnyTool,
  raw: JsonValue,
  asked: ResultRequest,
): ShapedResult | Promise<ShapedResult> {
  return asked.schema ? inSchema(visit, tool, asked.schema, raw, asked) : withSummary(visit, tool, raw, asked);
}

async function inSchema(
  visit: VisitRun,
  tool: AnyTool,
  schema: Schema,
  raw: JsonValue,
  asked: ResultRequest,
): Promise<ShapedResult> {
  const fitting = await fit(schema, raw, wordsFor(visit));
  return fitting ? withSummary(visit, tool, fitting.value, asked) : structured(visit, tool, schema, raw, asked);
}

function withSummary(
  visit: VisitRun,
  tool: AnyTool,
  value: JsonValue,
  asked: ResultRequest,
): ShapedResult | Promise<ShapedResult> {
  if (tool.shouldSummarize !== true && !isLarge(visit, value)) return { value, summary: null };
  return summarised(visit, tool, value, asked).then((summary) => ({ value, summary }));
}

function isLarge(visit: VisitRun, value: JsonValue): boolean {
  const { largeOutputThresholdTokens } = visit.run.runtime.config;
  if (typeof value === 'string' && value.length <= largeOutputThresholdTokens) return false;
  return exceedsThreshold(textOf(value), largeOutputThresholdTokens);
}

/** What an error calls the value of a step. */
export function wordsFor({ instruction }: VisitRun): string {
  return `the value of step ${instruction.key}`;
}

/**
 * The value in its schema, when it fits as it is or as the JSON it is the text of. `what` is what an error calls it.
 * @throws PortiaError `OUTPUT_NOT_JSON` when the schema makes of it what JSON cannot hold.
 */
export async function fit(
  schema: Schema,
  raw: JsonValue,
  what: string,
): Promise<{ readonly value: JsonValue } | undefined> {
  const direct = await validate(schema, raw);
  if (direct.ok) return { value: toJson(direct.value, what) };
  if (typeof raw !== 'string') return undefined;
  try {
    const parsed = await validate(schema, JSON.parse(raw));
    return parsed.ok ? { value: toJson(parsed.value, what) } : undefined;
  } catch {
    return undefined;
  }
}

async function structured(
  visit: VisitRun,
  tool: AnyTool,
  schema: Schema,
  raw: JsonValue,
  asked: ResultRequest,
): Promise<ShapedResult> {
  return askStructured(visit, {
    model: modelFor(visit, asked),
    purpose: 'step-summary',
    messages: prompt(visit, tool, raw, asked, true),
    schema: resultSchema(jsonSchemaOf(schema, `step ${visit.step}`, 'output')),
    read: async (answer) => {
      const { result, summary } = parseStructuredStepSummary(answer);
      return { value: await checked(schema, result, wordsFor(visit)), summary };
    },
  });
}

/** @throws PortiaError `OUTPUT_INVALID` with what does not fit, `OUTPUT_NOT_JSON` as {@link fit} does. */
export async function checked(schema: Schema, value: JsonValue, what: string): Promise<JsonValue> {
  const validation = await validate(schema, value);
  if (validation.ok) return toJson(validation.value, what);
  throw new PortiaError({
    code: 'OUTPUT_INVALID',
    message: `the value does not fit its schema: ${validation.issues.join('; ')}`,
  });
}

/** A summary that cannot be had fails nothing: the beginning of the value stands in for it. */
async function summarised(visit: VisitRun, tool: AnyTool, value: JsonValue, asked: ResultRequest): Promise<string> {
  try {
    return await askStructured(visit, {
      model: modelFor(visit, asked),
      purpose: 'step-summary',
      messages: prompt(visit, tool, value, asked, false),
      read: parseStepSummary,
    });
  } catch (error) {
    if (!PortiaError.isInstance(error) || visit.driver.ending || !isModelTrouble(error)) throw error;
    visit.run.runtime.logger.warn('a step could not be summarised; the beginning of its output stands in', {
      planRunId: visit.driver.id,
      step: visit.step,
      error: error.message,
    });
    return cutText(textOf(value), summaryLimit);
  }
}

/** Whether an error comes from a model rather than from storage or the driver. */
export function isModelTrouble({ code }: PortiaError): boolean {
  return code.startsWith('MODEL_') || code === 'PACKAGE_MISSING' || code === 'CONFIG_NOT_FOUND';
}

function modelFor(visit: VisitRun, { model }: ResultRequest): Model {
  return model ?? visit.run.runtime.models.get('execution');
}

function prompt(
  visit: VisitRun,
  tool: AnyTool,
  value: JsonValue,
  asked: ResultRequest,
  isStructured: boolean,
): ReturnType<typeof stepSummaryPrompt> {
  const calls = asked.calls ?? [{ args: visit.stored?.lastCall?.args, value }];
  return stepSummaryPrompt({
    task: asked.task,
    outputs: calls.map(({ args, value: given }) => ({
      name: tool.id,
      text: textOf(given),
      ...(args && tool.id !== llmToolId && { description: cutText(JSON.stringify(args), 500) }),
    })),
    toolDescription: cutText(tool.description, 500),
    structured: isStructured,
    contextWindow: modelFor(visit, asked).contextWindow,
  });
}
