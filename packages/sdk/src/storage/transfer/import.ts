import { PortiaError } from '../../core/errors.ts';
import type { NamedOutput } from '../house.ts';
import type { StorageBackend, StoredRun } from '../storage-backend.ts';
import { type Document, endUserLine, idIn, type Line, planLine, readLine, runLine } from './document.ts';
import type { Skipped } from './export.ts';

/** How many documents of one kind were taken, and how many were there already, just the same. */
export interface Imported {
  added: number;
  present: number;
}

/** What an import did. */
export interface ImportReport {
  readonly plans: Imported;
  readonly runs: Imported;
  readonly endUsers: Imported;
  /** What was not taken, and why. */
  readonly skipped: Skipped[];
}

/**
 * Puts the documents of an export into a store: each whole or not at all. What is there already is left as it is, so that
 * an import that broke off is done again from its beginning. What does not fit is skipped, and the report says why; so
 * it does when the export is not whole.
 * @throws PortiaError `STORAGE_FAILED`; `STORAGE_CORRUPT` for an export of a newer release.
 */
export async function importLines(
  storage: StorageBackend,
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<ImportReport> {
  const report: ImportReport = {
    plans: { added: 0, present: 0 },
    runs: { added: 0, present: 0 },
    endUsers: { added: 0, present: 0 },
    skipped: [],
  };
  const extent = new Extent();
  const skip = (what: string, error: unknown): void => {
    if (!PortiaError.isInstance(error) || error.code === 'STORAGE_FAILED' || error.details?.['newer']) throw error;
    report.skipped.push({ what, code: error.code, why: error.message });
  };
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() === '') continue;
    try {
      const read = extent.checked(() => readLine(line));
      if (read.type !== 'begin' && read.type !== 'end') await take(storage, read, report);
    } catch (error) {
      skip(idIn(line) ?? `line ${number}`, error);
    }
  }
  try {
    extent.mustBeOver();
  } catch (error) {
    skip('the rest', error);
  }
  return report;
}

/** Whether all that an export says it has is there: it may have been cut off while it was written or carried. */
class Extent {
  /** The documents of the export that was begun; `undefined` between two that stand one after the other. */
  #documents: number | undefined;
  #isAny = false;

  /** Counts a line; one that cannot be read stands for a document. */
  checked(read: () => Line): Line {
    let line: Line | undefined;
    try {
      line = read();
    } finally {
      if (line?.type !== 'begin' && line?.type !== 'end') this.#documents = (this.#documents ?? 0) + 1;
    }
    if (line.type === 'begin') this.#begin();
    if (line.type === 'end') this.#end(line.documents);
    return line;
  }

  #begin(): void {
    const isOpen = this.#documents !== undefined;
    this.#documents = 0;
    if (isOpen) throw notWhole('another begins before its last line');
  }

  #end(documents: number): void {
    const found = this.#documents ?? 0;
    this.#documents = undefined;
    this.#isAny = true;
    if (found !== documents) throw notWhole(`its last line speaks of ${documents} documents, and there are ${found}`);
  }

  mustBeOver(): void {
    if (this.#documents !== undefined || !this.#isAny) throw notWhole('it has no last line');
  }
}

function notWhole(why: string): PortiaError {
  return new PortiaError({
    code: 'STORAGE_CORRUPT',
    message: `the export is not whole: ${why}`,
    hint: 'export it again, and see that all of it is carried',
  });
}

async function take(storage: StorageBackend, document: Document, report: ImportReport): Promise<void> {
  switch (document.type) {
    case 'plan': {
      const { plan } = document;
      const known = await storage.getPlan(plan.id);
      if (!known) await storage.savePlan(plan);
      else if (planLine({ ...known, createdAt: 0 }) !== planLine({ ...plan, createdAt: 0 })) throw differs(plan.id);
      report.plans[known ? 'present' : 'added'] += 1;
      return;
    }
    case 'end-user': {
      const { endUser } = document;
      const known = await storage.getEndUser(endUser.externalId);
      if (!known) await storage.saveEndUser(endUser);
      else if (endUserLine(known) !== endUserLine(endUser)) throw differs(`the end user ${endUser.externalId}`);
      report.endUsers[known ? 'present' : 'added'] += 1;
      return;
    }
    case 'run': {
      const { outputs } = document;
      const known = isTimeless(document.run) ? await storage.loadRun(document.run.header.id) : undefined;
      const run = timed(document.run, known?.header.createdAt ?? Date.now());
      const added = await storage.importRun(run, outputs);
      if (!added) await mustBeThere(storage, run, outputs);
      report.runs[added ? 'added' : 'present'] += 1;
    }
  }
}

/** Whether a run comes from where no times are kept: a Portia cloud tells none. */
function isTimeless({ header, status, commits }: StoredRun): boolean {
  return header.createdAt === 0 && status.updatedAt === 0 && commits.every(({ at }) => at === 0);
}

/** The run as one of this moment where nobody knows its times: a retention counts from here, and not from 1970. */
function timed(run: StoredRun, at: number): StoredRun {
  if (!isTimeless(run)) return run;
  return {
    ...run,
    header: { ...run.header, createdAt: at },
    status: { ...run.status, updatedAt: at },
    commits: run.commits.map((commit) => ({ ...commit, at })),
  };
}

async function mustBeThere(storage: StorageBackend, run: StoredRun, outputs: readonly NamedOutput[]): Promise<void> {
  const { id, runKey } = run.header;
  const known = await storage.loadRun(id);
  if (!known) {
    throw new PortiaError({
      code: 'RUN_KEY_CONFLICT',
      message: `the run key ${JSON.stringify(runKey)} of ${id} belongs to another run of ${storage.name}`,
      hint: 'remove that run, or leave this one out',
    });
  }
  // Its outputs are part of it, but need not be read again: they came with it, or not at all.
  if (runLine(known, outputs) !== runLine(run, outputs)) throw differs(id);
}

function differs(what: string): PortiaError {
  return new PortiaError({
    code: what.startsWith('plan-') ? 'PLAN_CHANGED' : 'RUN_STATE_INVALID',
    message: `${what} is there already, with other content; it was left as it is`,
  });
}
