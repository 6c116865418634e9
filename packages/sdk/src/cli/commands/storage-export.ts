import { open } from 'node:fs/promises';
import { ensureError } from '../../core/errors.ts';
import type { Skipped } from '../../storage/transfer/export.ts';
import type { Command, Io } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { usageError } from '../input.ts';
import { storeOptions } from '../options.ts';
import { writeLines } from '../output.ts';
import { tellOthers, tellSkipped, withStore } from '../stores.ts';

/** Writes everything in the store as lines of JSON. */
export const storageExportCommand: Command = {
  name: 'storage export',
  args: '[FILE]',
  summary: 'write everything in the store as lines of JSON, to a file or to stdout',
  details: [
    'It is the store of one organisation: plans, end users and runs. Keys, tokens, webhooks and sign-ins of a server are not',
    'in it. Of an encrypted store it is plain text, made with its key.',
  ],
  reads: true,
  words: [0, 1],
  options: { ...storeOptions },
  async run(context) {
    const { input, io } = context;
    const { exportLines } = await import('../../storage/transfer/export.ts');
    const skipped: Skipped[] = [];
    const [file] = input.positionals;
    const count = await withStore(context, async (storage) => {
      let sink: Sink | undefined;
      let lines = 0;
      for await (const line of exportLines(storage, (one) => skipped.push(one))) {
        // Not before there is a line: a store that cannot be exported leaves no file.
        sink ??= await sinkOf(file, io);
        await sink.write(`${line}\n`);
        lines += 1;
      }
      await sink?.end();
      // The first and the last are of the export itself.
      return lines - 2;
    });
    writeLines(io.err, [`wrote ${count} documents`, ...tellSkipped(skipped)]);
    await tellOthers(context);
    return skipped.length === 0 ? exitCodes.complete : exitCodes.failed;
  },
};

interface Sink {
  write(text: string): Promise<unknown>;
  end(): Promise<void>;
}

async function sinkOf(file: string | undefined, io: Io): Promise<Sink> {
  if (file === undefined || file === '-') {
    return { write: async (text) => io.out.write(text), end: async () => {} };
  }
  try {
    // Personal data is in it: nobody else may read it.
    const handle = await open(file, 'wx', 0o600);
    return { write: (text) => handle.write(text), end: () => handle.close() };
  } catch (error) {
    throw usageError(`${file} cannot be written: ${ensureError(error).message}`, 'give a file that does not exist yet');
  }
}
