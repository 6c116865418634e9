import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { Model } from '../../core/model.ts';
import type { AnyTool } from '../../core/tool.ts';
import { llmToolId } from '../../plan/compile.ts';
import type { Awaitable } from '../../storage/storage-backend.ts';
import { toolToModelTool } from '../../tool/tool.ts';
import type { StepInput } from '../step-inputs.ts';
import { type CallResult, callTool } from '../tool-call.ts';
import type { VisitRun } from '../visit-run.ts';
import { argumentNames } from './argument-check.ts';
import { runOneShotAgent } from './one-shot.ts';
import { maxSoftErrors, type ToolTask } from './tool-task.ts';
import { runVerifyingAgent } from './verifying.ts';

/**
 * Executes a step that has a tool. Arguments that are known are used as they are: a tool without arguments and the
 * LLM tool cost no model call for them. For all else the agent that the config names settles them.
 */
export function runToolAgent(
  visit: VisitRun,
  tool: AnyTool,
  inputs: readonly StepInput[],
  task: string,
  model?: Model,
): Awaitable<CallResult> {
  const known = knownArgs(tool, inputs, task);
  if (known) return callTool(visit, tool, known, maxSoftErrors);
  const { config, models } = visit.run.runtime;
  const work: ToolTask = { tool, task, inputs, model: model ?? models.get('execution') };
  const verifies = config.executionAgentType === 'DEFAULT' && argumentNames(toolToModelTool(tool)).length > 0;
  return verifies ? runVerifyingAgent(visit, work) : runOneShotAgent(visit, work);
}

function knownArgs(tool: AnyTool, inputs: readonly StepInput[], task: string): JsonObject | undefined {
  if (!tool.argsSchema && !tool.argsJsonSchema) return {};
  if (tool.id !== llmToolId) return undefined;
  const data: Record<string, JsonValue> = {};
  for (const { name, value } of inputs) data[name] = value;
  return { task, task_data: inputs.length === 0 ? null : data };
}
