import type { RunError } from '../core/event.ts';
import type { Instruction } from '../core/program.ts';
import type { AnyTool, ReadyResponse } from '../core/tool.ts';
import { defaultTimeoutMs } from './call-outcome.ts';
import { guard } from './guard.ts';
import type { ToolRegistry } from '../tool/registry.ts';
import type { DrivenRun } from './runtime.ts';
import { VisitRun } from './visit-run.ts';
import { toolOf } from './work/step-tools.ts';

/** A tool that says whether it is ready, where a program names it. */
export interface AskedTool {
  readonly instruction: Instruction;
  readonly tool: AnyTool;
}

/**
 * The tools of a program that say whether they are ready, in the order of its steps.
 * @throws PortiaError `TOOL_NOT_FOUND` for one that nobody has; the run stays as it is.
 */
export function findAsked(instructions: readonly Instruction[], tools: ToolRegistry): readonly AskedTool[] {
  return instructions.flatMap((instruction) =>
    toolsOf(instruction)
      .map((named) => toolOf(tools, named))
      .filter(({ ready }) => ready)
      .map((tool) => ({ instruction, tool })),
  );
}

/**
 * Asks the tools that are still ahead whether they are ready. What they need from a person is raised as
 * clarifications, once; what a tool asked for and now has is resolved. Not ready without a question is an error.
 */
export async function checkReadiness(run: DrivenRun, tools: readonly AskedTool[]): Promise<RunError | undefined> {
  const { next } = run.driver.state.root;
  const asked = new Set<string>();
  for (const { instruction, tool } of tools) {
    if (instruction.index < next || asked.has(tool.id)) continue;
    asked.add(tool.id);
    const answer = await askReady(run, tool);
    const problem = take(new VisitRun(run, instruction, 0), tool, answer);
    if (problem) return problem;
  }
  return undefined;
}

/** The tools an instruction may call, by id or as the plan brought them. */
export function toolsOf(instruction: Instruction): readonly (string | AnyTool)[] {
  if (instruction.op === 'agent') return [instruction.toolId];
  if (instruction.op !== 'work') return [];
  const { work } = instruction;
  if (work.kind === 'react-agent') return work.tools;
  return work.kind === 'invoke-tool' || work.kind === 'single-tool-agent' ? [work.tool] : [];
}

async function askReady(run: DrivenRun, tool: AnyTool): Promise<ReadyResponse> {
  const { driver } = run;
  const { timeoutMs = defaultTimeoutMs } = tool;
  const asking = (async () => tool.ready?.({ planRunId: driver.id, endUser: run.endUser, signal: driver.signal }))();
  const guarded = await guard(driver, asking, {
    timeoutMs,
    started: performance.now(),
    onTimeout: () => {},
    late: () => {},
    read: (outcome) => outcome,
  });
  if (guarded.kind === 'value') return guarded.value ?? { ready: true };
  if (guarded.kind !== 'error') return { ready: false, reason: `it did not say within ${timeoutMs} ms` };
  return { ready: false, reason: guarded.error instanceof Error ? guarded.error.message : String(guarded.error) };
}

function take(visit: VisitRun, tool: AnyTool, answer: ReadyResponse): RunError | undefined {
  const key = `ready:${tool.id}`;
  const outstanding = visit.questions(key).filter(({ clarification }) => !clarification.resolved);
  if (answer.ready) {
    for (const { clarification } of outstanding) {
      if (clarification.category !== 'Action' || clarification.requireConfirmation) continue;
      const { id } = clarification;
      visit.driver.emit({
        type: 'clarification-resolved',
        id,
        response: 'complete',
        resolvedBy: null,
        as: null,
        via: 'readiness',
      });
    }
    return undefined;
  }
  const clarifications = answer.clarifications ?? [];
  if (clarifications.length === 0 && outstanding.length === 0) {
    return visit.error(
      'TOOL_NOT_READY',
      `${tool.id} is not ready${answer.reason ? `: ${answer.reason}` : ' and does not say why'}`,
    );
  }
  if (outstanding.length === 0) {
    visit.raise(
      key,
      clarifications.map((clarification) => ({ clarification })),
      { audience: 'endUser', source: tool.name },
    );
  }
  return undefined;
}
