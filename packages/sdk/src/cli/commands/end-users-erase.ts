import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { usageError } from '../input.ts';
import { withClient } from '../open-client.ts';
import { storeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';

/** Destroys the key of an end user. */
export const endUsersEraseCommand: Command = {
  name: 'end-users erase',
  args: 'END_USER_ID',
  summary: 'destroy the key of an end user, and with it the contents of their runs',
  details: [
    'It cannot be undone. The store has to be encrypted: PORTIA_ENCRYPT_RUNS=true and PORTIA_SECRET_KEY. Ids, states,',
    'times, labels, run keys, error codes and plans stay. Runs that are not finished have to end first. Their answers go from',
    'the cache of model answers that is set here.',
  ],
  reads: true,
  words: [1, 1],
  options: {
    yes: { type: 'flag', short: 'y', help: 'do it: without this nothing is erased' },
    ...storeOptions,
  },
  async run(context) {
    const { input, io, json } = context;
    const id = input.positionals[0] as string;
    if (!input.flag('yes')) throw usageError(`erasing ${JSON.stringify(id)} cannot be undone`, 'add --yes to do it');
    const { runs } = await withClient(context, (portia) => portia.storage.eraseEndUser(id));
    if (json) writeJson(io.out, { runs });
    else writeLines(io.err, [`erased ${id}: ${runs} ${runs === 1 ? 'run' : 'runs'} can no longer be read`]);
    return exitCodes.complete;
  },
};
