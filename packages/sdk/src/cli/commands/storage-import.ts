import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { ensureError } from '../../core/errors.ts';
import type { Command } from '../command.ts';
import { usageError } from '../input.ts';
import { storeOptions } from '../options.ts';
import { tellImport, withStore } from '../stores.ts';

/** Puts an export into the store. */
export const storageImportCommand: Command = {
  name: 'storage import',
  args: 'FILE',
  summary: 'put an export into the store; - reads from stdin',
  details: ['What is there already stays as it is. What cannot be taken is named, and the exit code is 1 then.'],
  words: [1, 1],
  options: { ...storeOptions },
  async run(context) {
    const { input, io, json } = context;
    const file = input.positionals[0] as string;
    const { importLines } = await import('../../storage/transfer/import.ts');
    const { linesOf } = await import('../../storage/transfer/lines.ts');
    const source = file === '-' ? process.stdin : createReadStream(file);
    if (file !== '-') {
      await once(source, 'ready').catch((error: unknown) => {
        throw usageError(`${file} cannot be read: ${ensureError(error).message}`);
      });
    }
    const report = await withStore(context, (storage) => importLines(storage, linesOf(source)));
    return tellImport(io, json, report, []);
  },
};
