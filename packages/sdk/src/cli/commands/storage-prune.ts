import type { PruneOptions } from '../../storage/prune.ts';
import { ageOf } from '../age.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { type Input, usageError } from '../input.ts';
import { storeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { withStore } from '../stores.ts';

/** Removes old runs. */
export const storagePruneCommand: Command = {
  name: 'storage prune',
  summary: 'remove finished runs of an age, with their large outputs',
  details: ['Plans and end users stay, and so does every run that is not finished.'],
  reads: true,
  words: [0, 0],
  options: {
    'older-than': { type: 'text', value: 'AGE', help: 'last changed longer ago than this: 90d, 12h, 30m' },
    state: { type: 'text', many: true, value: 'STATE', help: 'only these: COMPLETE or FAILED (both)' },
    'dry-run': { type: 'flag', help: 'only say how many would go' },
    ...storeOptions,
  },
  async run(context) {
    const { input, io, json } = context;
    const olderThanMs = ageOf(input, 'older-than');
    if (olderThanMs === undefined) throw usageError('storage prune needs --older-than', 'write --older-than=90d');
    const states = statesOf(input);
    const dryRun = input.flag('dry-run');
    const { pruneRuns } = await import('../../storage/prune.ts');
    const { runs } = await withStore(context, (storage) => pruneRuns(storage, { olderThanMs, states, dryRun }));
    if (json) writeJson(io.out, { runs, dryRun });
    else writeLines(io.err, [`${dryRun ? 'would remove' : 'removed'} ${runs} ${runs === 1 ? 'run' : 'runs'}`]);
    return exitCodes.complete;
  },
};

function statesOf(input: Input): PruneOptions['states'] {
  const states = input.texts('state').map((text) => {
    const state = text.toUpperCase();
    if (state === 'COMPLETE' || state === 'FAILED') return state;
    throw usageError(`runs that are ${JSON.stringify(text)} are not removed`, 'give COMPLETE or FAILED');
  });
  return states.length > 0 ? states : undefined;
}
