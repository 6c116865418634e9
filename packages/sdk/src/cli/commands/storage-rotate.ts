import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadEnvironment } from '../open-client.ts';
import { placeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { loadServer } from '../../server-package.ts';
import { serverSettings } from '../store-settings.ts';

/** Replaces the master key. */
export const storageRotateCommand: Command = {
  name: 'storage rotate',
  summary: 'seal the keys of end users, sign-ins and webhooks with a new master key',
  details: [
    'Put the new key before the old one: PORTIA_SECRET_KEY=new,old. Servers and workers need both while this runs. When',
    'nothing is left, the old one can go. Contents are not written anew, and backups stay sealed with the old key.',
  ],
  words: [0, 0],
  options: placeOptions,
  async run({ input, io, json }) {
    loadEnvironment(input);
    const { rotateSecrets } = await loadServer();
    const { rotated, current, left } = await rotateSecrets(await serverSettings(input));
    if (json) writeJson(io.out, { rotated, current, left });
    else {
      writeLines(io.err, [
        `${rotated} sealed with the new key, ${current} were already`,
        ...(left > 0
          ? [`${left} left as they were: whose they are is named nowhere in the store; keep the old key`]
          : []),
      ]);
    }
    if (left > 0) return exitCodes.failed;
    return exitCodes.complete;
  },
};
