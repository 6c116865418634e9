import type { Skipped } from '../../storage/transfer/export.ts';
import type { Command } from '../command.ts';
import { usageError } from '../input.ts';
import { storeOptions } from '../options.ts';
import { tellImport, tellOthers, withStore } from '../stores.ts';

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
    organisation: {
      type: 'text',
      value: 'NAME',
      help: 'the stores of this organisation, which both servers have (default)',
    },
    'no-env': storeOptions['no-env'] as never,
    json: storeOptions['json'] as never,
    help: storeOptions['help'] as never,
  },
  async run(context) {
    const { input, io, json } = context;
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
      context,
      async (source) => {
        const lines = exportLines(source, (one) => skipped.push(one));
        // A store that cannot be exported is refused before another one is opened, which may make it.
        const { value: first } = await lines.next();
        return withStore(context, (target) => importLines(target, joined(first, lines)), { named: to });
      },
      { named: from, reads: true },
    );
    const code = tellImport(io, json, report, skipped);
    await tellOthers(context, from);
    return code;
  },
};

async function* joined(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}
