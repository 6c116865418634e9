import type { Portia } from '../../client.ts';
import { PlanRunUUID } from '../../core/ids.ts';
import type { ClarificationRecord } from '../../core/run-state.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { withClient } from '../open-client.ts';
import { storeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { answerCommand, openRecords } from '../questions-of.ts';
import { questionLines } from '../view/questions.ts';

interface Open {
  readonly runId: PlanRunUUID;
  readonly record: Readonly<ClarificationRecord>;
}

/** Lists what waits for a person. */
export const clarificationsListCommand: Command = {
  name: 'clarifications list',
  args: '[RUN_ID]',
  summary: 'list the questions that wait for a person, of one run or of all',
  reads: true,
  words: [0, 1],
  options: storeOptions,
  async run(context) {
    const { input, io, json } = context;
    const [given] = input.positionals;
    return withClient(context, async (portia) => {
      const open = given === undefined ? await allOpen(portia) : await openIn(portia, PlanRunUUID.fromString(given));
      if (json)
        writeJson(io.out, {
          clarifications: open.map((one) =>
            openJson(one, (value) => answerCommand(input, one.runId, one.record, value)),
          ),
        });
      else if (open.length === 0) writeLines(io.err, ['nothing waits for a person']);
      else
        writeLines(
          io.out,
          openLines(open, (one, value) => answerCommand(input, one.runId, one.record, value), io.out.paint),
        );
      return exitCodes.complete;
    });
  },
};

async function openIn(portia: Portia, runId: PlanRunUUID): Promise<Open[]> {
  return (await openRecords(portia, runId)).map((record) => ({ runId, record }));
}

/** Those of a run stand together, where the first of them would. */
async function allOpen(portia: Portia): Promise<Open[]> {
  const byRun = new Map<PlanRunUUID, Open[]>();
  let cursor: string | undefined;
  do {
    const page = await portia.storage.listClarifications({ limit: 1000, cursor });
    for (const { planRunId: runId, ...record } of page.items) {
      const known = byRun.get(runId);
      if (known) known.push({ runId, record });
      else byRun.set(runId, [{ runId, record }]);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...byRun.values()].flat();
}

function openLines(
  open: readonly Open[],
  command: (one: Open, value: string) => string,
  paint: Parameters<typeof questionLines>[2],
): string[] {
  return open.flatMap((one, index) => [
    ...(open[index - 1]?.runId === one.runId ? [] : [`${index > 0 ? '\n' : ''}${paint.bold(one.runId)}`]),
    ...questionLines(one.record, (_record, value) => command(one, value), paint),
  ]);
}

function openJson({ runId, record }: Open, command: (value: string) => string): object {
  const { clarification, audience, raisedAt, expiresAt = null } = record;
  return { planRunId: runId, clarification, audience, raisedAt, expiresAt, answer: command('VALUE') };
}
