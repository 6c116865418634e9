import { open } from 'node:fs/promises';
import { ensureError } from '../../core/errors.ts';
import type { Skipped } from '../../storage/transfer/export.ts';
import type { Command, Io } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { usageError } from '../input.ts';
import { storeOptions } from '../options.ts';
import { writeLines } from '../output.ts';
import { tellSkipped, withStore } from '../stores.ts';

/** Writes everything in the store as lines of JSON. */
export const storageExportCommand: Command = {
  name: 'storage export',
  args: '[FILE]',
  summary: 'write everything in the store as lines of JSON, to a file or to stdout',
  words: [0, 1],
  options: { ...storeOptions },
  async run({ input, io }) {
    const { exportLines } = await import('../../storage/transfer/export.ts');
    const skipped: Skipped[] = [];
    const [file] = input.positionals;
    const count = await withStore(input, async (storage) => {
      const sink = await sinkOf(file, io);
      let lines = 0;
      for await (const line of exportLines(storage, (one) => skipped.push(one))) {
        await sink.write(`${line}\n`);
        lines += 1;
      }
      await sink.end();
      // The first and the last are of the export itself.
      return lines - 2;
    });
    writeLines(io.err, [`wrote ${count} documents`, ...tellSkipped(skipped)]);
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
