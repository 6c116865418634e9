import { type Audience, isDecline } from '../core/clarification.ts';
import type { Resolution } from '../core/event.ts';
import type { ClarificationRecord, RunState } from '../core/run-state.ts';
import type { Command } from '../storage/storage-backend.ts';

/** An answer as it is stored beside the journal. */
export type AnswerCommand = Extract<Command, { type: 'answer' }>;

/** What an answer settles: its question, and with a form that is declined all of its fields that are still open. */
export function resolutionsOf(
  state: RunState,
  record: ClarificationRecord,
  { response, resolvedBy, as, via }: AnswerCommand,
): readonly Resolution[] {
  const { form, key } = record;
  const isDeclined = form !== undefined && isDecline(response);
  const fields = isDeclined ? (state.questions.get(key) ?? []) : [record];
  return fields
    .filter((field) => field.form === form && !field.clarification.resolved)
    .map(({ clarification: { id } }) => ({
      id,
      response,
      resolvedBy,
      as: as as Audience | null,
      via: via as Resolution['via'],
    }));
}
