import { completedMarker, skippedMarker } from '../../core/output.ts';
import type { AgentInstruction } from '../../core/program.ts';
import { judgeCondition } from '../agents/introspection.ts';
import { runOneShotAgent } from '../agents/one-shot.ts';
import { shapeResult } from '../agents/step-result.ts';
import { isSkippedByHook, type Performed } from '../step.ts';
import { loadInputs } from '../step-inputs.ts';
import type { VisitRun } from '../visit-run.ts';
import { waiting } from '../waiting.ts';

/** A step of a V1 plan: its condition, its tool by way of an agent, its output in its schema. */
export async function performAgentStep(visit: VisitRun): Promise<Performed> {
  const { toolId, condition, step } = visit.instruction as AgentInstruction;
  if (condition !== null) {
    const { outcome, reason } = await judgeCondition(visit, condition);
    if (outcome !== 'CONTINUE') {
      const value = outcome === 'SKIP' ? skippedMarker : completedMarker;
      return { kind: 'skipped', output: { value, summary: reason }, completes: outcome === 'COMPLETE' };
    }
  }
  if (await isSkippedByHook(visit)) return { kind: 'skipped', output: undefined, completes: false };
  const inputs = step.inputs.length === 0 ? [] : await loadInputs(visit);
  if ('code' in inputs) return { kind: 'failed', error: inputs };
  const tool = visit.run.runtime.tools.getTool(toolId);
  const result = await runOneShotAgent(visit, tool, inputs, step.task);
  if (result === waiting) return waiting;
  if (!result.ok) return { kind: 'failed', error: result.error };
  const { task, structuredOutputSchema: schema } = step;
  return { kind: 'output', raw: result.value, result: await shapeResult(visit, tool, result.value, { task, schema }) };
}
