import type { Skipped } from '../../storage/transfer/export.ts';
import type { Command } from '../command.ts';
import { usageError } from '../input.ts';
import { storeOptions } from '../options.ts';
import { tellImport, withStore } from '../stores.ts';

/** Carries everything from one store to another. */
export const storageMigrateCommand: Command = {
  name: 'storage migrate',
  summary: 'copy everything from one store into another',
  details: [
    'Each plan, end user and run is taken whole or not at all. What is there already stays as it is, so that it can be',
    'done again. Runs that are driven meanwhile are copied as they stand: let drivers rest first.',
  ],
  words: [0, 0],
  options: {
    from: {
      type: 'text',
      value: 'WHERE',
      help: 'the store to copy from: sqlite:FILE, disk:FOLDER, postgres://…, cloud:URL',
    },
    to: { type: 'text', value: 'WHERE', help: 'the store to copy into' },
    'no-env': storeOptions['no-env'] as never,
    json: storeOptions['json'] as never,
    help: storeOptions['help'] as never,
  },
  async run({ input, io, json }) {
    const [from, to] = ['from', 'to'].map((name) => {
      const value = input.text(name);
      if (value === undefined)
        throw usageError(`storage migrate needs --${name}`, `write --${name}=sqlite:./portia.db`);
      return value;
    }) as [string, string];
    if (from === to) throw usageError('--from and --to name the same store');
    const { exportLines } = await import('../../storage/transfer/export.ts');
    const { importLines } = await import('../../storage/transfer/import.ts');
    const skipped: Skipped[] = [];
    const report = await withStore(
      input,
      (source) =>
        withStore(
          input,
          (target) =>
            importLines(
              target,
              exportLines(source, (one) => skipped.push(one)),
            ),
          to,
        ),
      from,
    );
    return tellImport(io, json, report, skipped);
  },
};
