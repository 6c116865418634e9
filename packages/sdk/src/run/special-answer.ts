import type { JsonValue } from '../core/json.ts';
import type { ClarificationRecord, RunState } from '../core/run-state.ts';
import type { ToolRegistry } from '../tool/registry.ts';
import { readGivenResult, resultQuestionOf } from './ledger.ts';

/**
 * Checks an answer that has to be more than its kind of clarification says: the result of an unknown call must fit
 * the tool's output schema. @throws PortiaError `CLARIFICATION_RESPONSE_INVALID`.
 */
export async function checkSpecialAnswer(
  tools: ToolRegistry,
  state: RunState,
  record: ClarificationRecord,
  response: JsonValue,
): Promise<void> {
  const callId = resultQuestionOf(record.key);
  if (callId === undefined) return;
  for (const visit of state.visits.values()) {
    const call = visit.calls.find((known) => known?.call === callId);
    if (call && tools.hasTool(call.tool)) await readGivenResult(tools.getTool(call.tool), response);
  }
}
