import { PortiaError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { ClarificationRecord, RunState } from '../core/run-state.ts';
import { isSchema, type Schema, validate } from '../core/schema.ts';
import { schemaFromJson } from '../plan/plan-record.ts';
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
  const schema = schemaOf(state, record);
  if (schema) await checkFits(isSchema(schema) ? schema : await schemaFromJson(schema.$schema), response);
  const callId = resultQuestionOf(record.key);
  if (callId === undefined) return;
  for (const visit of state.visits) {
    const call = visit.calls.find((known) => known?.call === callId);
    if (call && tools.hasTool(call.tool)) await readGivenResult(tools.getTool(call.tool), response);
  }
}

/** A schema as it stands in a stored plan, of which this process does not have the real one. */
interface StoredSchema {
  readonly $schema: JsonObject;
}

/** The schema a step wants the answer to its question in. */
function schemaOf(state: RunState, { step, key }: ClarificationRecord): Schema | StoredSchema | undefined {
  const instruction = state.program.instructions[step];
  if (instruction?.op !== 'work' || !(key.startsWith('input:') || key.startsWith('wait-for:'))) return undefined;
  const { work } = instruction;
  return work.kind === 'user-input' || work.kind === 'wait-for' ? work.schema : undefined;
}

async function checkFits(schema: Schema, response: JsonValue): Promise<void> {
  const validation = await validate(schema, response);
  if (validation.ok) return;
  throw new PortiaError({
    code: 'CLARIFICATION_RESPONSE_INVALID',
    message: `the response does not fit: ${validation.issues.join('; ')}`,
    hint: 'give a value of the form that is asked for',
  });
}
