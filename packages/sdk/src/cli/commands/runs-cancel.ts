import { PlanRunUUID } from '../../core/ids.ts';
import { isFinished } from '../../core/run-state.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { localUser } from '../local-user.ts';
import { withClient } from '../open-client.ts';
import { storeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';

/** Ends a run. */
export const runsCancelCommand: Command = {
  name: 'runs cancel',
  args: 'RUN_ID',
  summary: 'end a run, wherever it is driven',
  reads: true,
  words: [1, 1],
  options: {
    reason: { type: 'text', value: 'TEXT', help: 'why, for the record' },
    by: { type: 'text', value: 'ID', help: 'who does it, for the record (the user of this machine)' },
    ...storeOptions,
  },
  async run(context) {
    const { input, io, json } = context;
    const planRunId = PlanRunUUID.fromString(input.positionals[0] ?? '');
    return withClient(context, async (portia) => {
      const run = await portia.cancel({ planRunId, by: input.text('by') ?? localUser(), reason: input.text('reason') });
      const said = isFinished(run) ? `cancelled ${run.id}` : `asked the driver of ${run.id} to end it`;
      if (json) writeJson(io.out, run);
      else writeLines(io.err, [said]);
      return exitCodes.complete;
    });
  },
};
