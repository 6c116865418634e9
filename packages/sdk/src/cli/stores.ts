import type { StorageBackend } from '../storage/storage-backend.ts';
import type { Skipped } from '../storage/transfer/export.ts';
import type { ImportReport, Imported } from '../storage/transfer/import.ts';
import type { Io } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import type { Input } from './input.ts';
import { configOf, loadEnvironment } from './open-client.ts';
import { writeJson, writeLines } from './output.ts';

/** Opens the store of a command, or another one that is named, works with it and closes it. */
export async function withStore<T>(
  input: Input,
  work: (storage: StorageBackend) => Promise<T>,
  named?: string,
): Promise<T> {
  loadEnvironment(input);
  const { openStorage } = await import('../storage/open-storage.ts');
  const config = await configOf(input, named === undefined ? {} : { storage: named });
  const storage = await openStorage(config);
  try {
    return await work(storage);
  } finally {
    await storage.close();
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
