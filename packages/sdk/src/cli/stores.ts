import { ensureError, PortiaError } from '../core/errors.ts';
import { loadServer } from '../server-package.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import type { Skipped } from '../storage/transfer/export.ts';
import type { ImportReport, Imported } from '../storage/transfer/import.ts';
import type { Context, Io } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { configOf, loadEnvironment } from './open-client.ts';
import { writeJson, writeLines } from './output.ts';
import { mustBeThere, storeSettings } from './store-settings.ts';

/** Which store a command works with. */
interface WhichStore {
  /** Another one than that of the command. */
  readonly named?: string;
  /** One that is named has to be there; the command says so itself unless given. */
  readonly reads?: boolean;
}

/** Opens the store of a command, or another one that is named, works with it and closes it. */
export async function withStore<T>(
  { input, reads: readsOwn }: Pick<Context, 'input' | 'reads'>,
  work: (storage: StorageBackend) => Promise<T>,
  { named, reads = readsOwn }: WhichStore = {},
): Promise<T> {
  loadEnvironment(input);
  const { openStorage } = await import('../storage/open-storage.ts');
  const config = await configOf(input, named === undefined ? {} : { storage: named });
  if (reads && (named ?? input.text('storage')) !== undefined) mustBeThere(config);
  const storage = await openStorage(config);
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}

/**
 * Says that a server has further organisations, each with a store of its own, where none was named: what is copied would
 * be taken for all there is.
 */
export async function tellOthers({ input, io }: Context, named?: string): Promise<void> {
  if (input.text('organisation') !== undefined) return;
  try {
    const { organisations } = await loadServer();
    const all = await organisations(await storeSettings(input, named === undefined ? {} : { storage: named }));
    const others = all.filter((name) => name !== 'default');
    if (others.length === 0) return;
    const names = others.length > 5 ? [...others.slice(0, 5), '…'] : others;
    writeLines(io.err, [
      `not in it: ${others.length} further ${others.length === 1 ? 'organisation' : 'organisations'} of the server ` +
        `(${names.join(', ')}), each with a store of its own; name one with --organisation`,
    ]);
  } catch (error) {
    // Without the server's package there is no server here that has any.
    if (PortiaError.isInstance(error) && error.code === 'PACKAGE_MISSING') return;
    writeLines(io.err, [`whether a server has further organisations cannot be seen: ${ensureError(error).message}`]);
  }
}

/** Tells what an import did; the exit code says whether everything was taken. */
export function tellImport(io: Io, json: boolean, report: ImportReport, skipped: readonly Skipped[]): number {
  const all = [...skipped, ...report.skipped];
  if (json) writeJson(io.out, { ...report, skipped: all });
  else {
    const line = (what: string, { added, present }: Imported): string =>
      `${what}: ${added} taken${present > 0 ? `, ${present} there already` : ''}`;
    writeLines(io.err, [
      line('plans', report.plans),
      line('end users', report.endUsers),
      line('runs', report.runs),
      ...tellSkipped(all),
    ]);
  }
  return all.length === 0 ? exitCodes.complete : exitCodes.failed;
}

/** What was left out, a line each. */
export function tellSkipped(skipped: readonly Skipped[]): string[] {
  return skipped.map(({ what, code, why }) => `left out ${what}: ${code}: ${why}`);
}
