import type { Portia } from '../client.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { type ClarificationRecord, isFinished } from '../core/run-state.ts';
import { nextCommand } from './command-text.ts';
import type { Input } from './input.ts';
import type { Paint } from './view/paint.ts';
import { questionLines } from './view/questions.ts';

/** The clarifications of a run that can be answered: those of a finished one can no longer. */
export async function openRecords(portia: Portia, id: PlanRunUUID): Promise<readonly Readonly<ClarificationRecord>[]> {
  if (isFinished(await portia.storage.getPlanRun(id))) return [];
  return (await portia.storage.getClarifications(id)).filter(({ clarification }) => !clarification.resolved);
}

/** The command that answers a clarification with what stands for a value. */
export function answerCommand(
  input: Input,
  id: PlanRunUUID,
  { clarification, audience }: Readonly<ClarificationRecord>,
  value: string,
): string {
  const role = audience.startsWith('role:') ? ['--as', audience] : [];
  return nextCommand(input, ['clarifications answer', id, clarification.id, value, ...role]);
}

/** The open questions of a run, each with the command that answers it. */
export async function openQuestions(portia: Portia, id: PlanRunUUID, input: Input, paint: Paint): Promise<string[]> {
  const records = await openRecords(portia, id);
  return records.flatMap((record) =>
    questionLines(record, (asked, value) => answerCommand(input, id, asked, value), paint),
  );
}
