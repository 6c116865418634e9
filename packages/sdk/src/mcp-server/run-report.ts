import { isPlainObject, type JsonObject, toJson } from '../core/json.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { type ClarificationRecord, isFinished } from '../core/run-state.ts';
import { isForThePersonAlone } from './questions.ts';

/** A run as a host sees it. Questions to others than the end user are only counted: their words are not for a model. */
export function runReport(run: PlanRun, records: readonly Readonly<ClarificationRecord>[]): JsonObject {
  const open = isFinished(run) ? [] : records.filter(({ clarification }) => !clarification.resolved);
  const own = open.filter(({ audience }) => audience === 'endUser');
  const { finalOutput } = run.outputs;
  return toJson({
    run_id: run.id,
    state: run.state,
    ...(run.state === 'COMPLETE' &&
      finalOutput && { output: 'value' in finalOutput ? finalOutput.value : finalOutput }),
    ...(run.error && { error: { code: run.error.code, message: run.error.message } }),
    ...(own.length > 0 && { questions: own.map(questionReport) }),
    ...(open.length > own.length && { waits_for_others: open.length - own.length }),
  }) as JsonObject;
}

function questionReport(record: Readonly<ClarificationRecord>): JsonObject {
  const { clarification } = record;
  return {
    id: clarification.id,
    kind: clarification.category,
    question: clarification.userGuidance,
    ...('options' in clarification && { options: clarification.options }),
    ...('actionUrl' in clarification && { url: clarification.actionUrl }),
    ...(isForThePersonAlone(record) && { only_the_person: true }),
  };
}

/** The same in a few words. */
export function reportText(report: JsonObject): string {
  const { run_id: id, state, output, error, questions, waits_for_others: others } = report;
  const lines = [`Run ${String(id)} is ${String(state)}.`];
  if (output !== undefined) lines.push(typeof output === 'string' ? output : JSON.stringify(output));
  if (isPlainObject(error))
    lines.push(`It failed: ${String(error['code'])}: ${String(error['message'])}`, next(error['code']));
  if (questions !== undefined) lines.push(`It asks the end user: ${JSON.stringify(questions)}`);
  if (others !== undefined) lines.push('It waits for somebody who has to decide elsewhere, such as an operator.');
  return lines.join('\n');
}

/** What whoever called may do about a run that failed. */
function next(code: unknown): string {
  switch (code) {
    case 'APPROVAL_REFUSED':
    case 'CALL_STOPPED':
    case 'TOOL_NOT_ALLOWED':
    case 'RUN_CANCELLED':
      return 'That is a decision, not a fault: do not start it again unless the end user asks for it.';
    case 'PLANNING_FAILED':
      return 'Nothing was done. Ask for it in other words, or tell the end user what is missing.';
    default:
      return (
        'What its steps did before that stays done. Tell the end user. Whoever operates this server can let the run ' +
        'go on from the step that failed (retry); to start it anew does everything again.'
      );
  }
}
