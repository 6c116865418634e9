import { version } from '../../version.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { commonOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';

/** Prints the version. */
export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version',
  words: [0, 0],
  options: commonOptions,
  async run({ io, json }) {
    if (json) writeJson(io.out, { version });
    else writeLines(io.out, [version]);
    return exitCodes.complete;
  },
};
