import type { RunError } from '../core/event.ts';
import type { AnyTool, ReadyResponse } from '../core/tool.ts';
import { defaultTimeoutMs } from './call-outcome.ts';
import { guard } from './guard.ts';
import type { DrivenRun } from './runtime.ts';
import { VisitRun } from './visit-run.ts';

/** The tool of each instruction. @throws PortiaError `TOOL_NOT_FOUND`; the run stays as it is. */
export function resolveTools(run: DrivenRun): readonly AnyTool[] {
  const { tools } = run.runtime;
  const found = new Map<string, AnyTool>();
  return run.driver.state.program.instructions.map(({ toolId }) => {
    let tool = found.get(toolId);
    if (!tool) {
      tool = tools.getTool(toolId);
      found.set(toolId, tool);
    }
    return tool;
  });
}

/**
 * Asks the tools that are still ahead whether they are ready. What they need from a person is raised as
 * clarifications, once; what a tool asked for and now has is resolved. Not ready without a question is an error.
 */
export async function checkReadiness(run: DrivenRun, tools: readonly AnyTool[]): Promise<RunError | undefined> {
  const { driver } = run;
  const { instructions } = driver.state.program;
  const asked = new Set<string>();
  for (let index = driver.state.next; index < instructions.length; index += 1) {
    const tool = tools[index];
    const instruction = instructions[index];
    if (!tool?.ready || !instruction || asked.has(tool.id)) continue;
    asked.add(tool.id);
    const answer = await askReady(run, tool);
    const problem = take(new VisitRun(run, instruction, 0), tool, answer);
    if (problem) return problem;
  }
  return undefined;
}

async function askReady(run: DrivenRun, tool: AnyTool): Promise<ReadyResponse> {
  const { driver } = run;
  const { timeoutMs = defaultTimeoutMs } = tool;
  const asking = (async () => tool.ready?.({ planRunId: driver.id, endUser: run.endUser, signal: driver.signal }))();
  const guarded = await guard(driver, asking, { timeoutMs, onTimeout: () => {}, late: () => {} });
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
      visit.driver.emit({ type: 'clarification-resolved', id, response: 'complete', resolvedBy: null, as: null, via: 'readiness' });
    }
    return undefined;
  }
  const clarifications = answer.clarifications ?? [];
  if (clarifications.length === 0 && outstanding.length === 0) {
    return visit.error('TOOL_NOT_READY', `${tool.id} is not ready${answer.reason ? `: ${answer.reason}` : ' and does not say why'}`);
  }
  if (outstanding.length === 0) {
    visit.raise(key, clarifications.map((clarification) => ({ clarification })), { audience: 'endUser', source: tool.name });
  }
  return undefined;
}
