import type { WorkStep } from '../../core/program.ts';
import type { AnyTool } from '../../core/tool.ts';
import { derive } from '../../tool/foreign.ts';
import type { ToolRegistry } from '../../tool/registry.ts';

/** The tool a step names, from the registry or as the plan brought it. @throws PortiaError `TOOL_NOT_FOUND`. */
export function toolOf(tools: ToolRegistry, tool: string | AnyTool): AnyTool {
  return typeof tool === 'string' ? tools.getTool(tool) : tool;
}

type FunctionStep = Extract<WorkStep, { kind: 'function' | 'custom' }>;

/** A function of a plan as a tool, so that its calls stand in the ledger like all others. */
export function functionTool(key: string, work: FunctionStep): AnyTool {
  const { name, readOnly, idempotent } = work;
  const run = work.kind === 'function' ? work.function : work.run;
  return {
    id: `local_function_${run.name || name}`,
    name,
    description: `The function of step ${key}`,
    readOnly,
    idempotent,
    run,
  };
}

const timed = new WeakMap<AnyTool, Map<number, AnyTool>>();

/** The tool with a time-out of the step's own. */
export function withTimeout(tool: AnyTool, timeoutMs: number | undefined): AnyTool {
  if (timeoutMs === undefined) return tool;
  const known = timed.get(tool) ?? new Map<number, AnyTool>();
  timed.set(tool, known);
  let derived = known.get(timeoutMs);
  if (!derived) {
    derived = derive(tool, { timeoutMs });
    known.set(timeoutMs, derived);
  }
  return derived;
}
