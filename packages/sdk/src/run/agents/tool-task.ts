import type { Model } from '../../core/model.ts';
import type { AnyTool } from '../../core/tool.ts';
import { toolToModelTool } from '../../tool/tool.ts';
import { earlierOutputs, type StepInput } from '../step-inputs.ts';
import type { CallResult } from '../tool-call.ts';
import type { VisitRun } from '../visit-run.ts';
import type { ExecutionPromptInput } from './prompts/execution.ts';

/** Soft errors in a row after which a step fails, as in Portia 0.9: four attempts in all. */
export const maxSoftErrors = 4;

/** A step with one tool, whose arguments an agent settles. */
export interface ToolTask {
  readonly tool: AnyTool;
  readonly task: string;
  readonly inputs: readonly StepInput[];
  readonly model: Model;
}

/** What the prompts of a step with a tool are made from. */
export function promptInput(visit: VisitRun, { tool, task, inputs, model }: ToolTask): ExecutionPromptInput {
  return {
    task,
    tool: toolToModelTool(tool),
    inputs: inputs.map(({ name, description, text, summary }) => ({
      name,
      description,
      text,
      summary: summary ?? undefined,
    })),
    earlier: earlierOutputs(visit),
    answers: answersSoFar(visit),
    endUser: visit.run.endUser,
    now: visit.driver.now(),
    contextWindow: model.contextWindow,
    oneCall: tool.readOnly !== true,
  };
}

/** What people said to questions of this step that ask for a value. */
export function answersSoFar(visit: VisitRun): ExecutionPromptInput['answers'] {
  return visit.clarifications().flatMap((clarification) => {
    const { category, resolved, userGuidance: question, response } = clarification;
    const asksValue = category === 'Input' || category === 'Multiple Choice' || category === 'Value Confirmation';
    return resolved && asksValue ? [{ argumentName: clarification.argumentName, question, response }] : [];
  });
}

/** The end of a step whose tool failed softly as often as it may. */
export function outOfAttempts(
  visit: VisitRun,
  tool: AnyTool,
  { error: { code, message, toolCallId } }: Extract<CallResult, { ok: false }>,
): CallResult {
  const last = code === 'TOOL_ARGS_INVALID' || code === 'TOOL_TIMEOUT' ? code : 'TOOL_RETRIES_EXHAUSTED';
  return {
    ok: false,
    soft: false,
    error: visit.error(last, `${tool.id} failed after retries: ${message}`, toolCallId),
  };
}
