import { join } from 'node:path';
import { PlanRunUUID } from '../../core/ids.ts';
import type { RunSummary } from '../storage-backend.ts';
import type { DrivenRun } from './driven-run.ts';
import type { Files } from './files.ts';
import { readPortiaRun } from './portia-run.ts';
import { RunFolder } from './run-folder.ts';

interface Known {
  readonly epoch: number;
  /** What the file that was read looked like then. */
  readonly look: string;
  readonly summary: RunSummary;
}

/** Lists runs without reading again what has not changed. A run that cannot be read is not listed. */
export class RunLister {
  readonly #files: Files;
  readonly #known = new Map<PlanRunUUID, Known>();

  constructor(files: Files) {
    this.#files = files;
  }

  list(drivenHere: (id: PlanRunUUID) => DrivenRun | undefined): readonly RunSummary[] {
    const found: RunSummary[] = [];
    for (const id of this.#ids()) {
      const run = drivenHere(id);
      const summary = run && !run.isReplaced() ? run : this.#quietly(id);
      if (summary) found.push({ header: summary.header, status: summary.status, driver: summary.driver });
    }
    return found;
  }

  /** Those that are there and cannot be read. */
  unreadable(): readonly PlanRunUUID[] {
    return [...this.#ids()].filter((id) => {
      const folder = new RunFolder(this.#files, id);
      const begun = folder.exists() || this.#files.stat(join(this.#files.root, `${id}.json`)) !== undefined;
      return begun && this.#quietly(id) === undefined;
    });
  }

  #ids(): ReadonlySet<PlanRunUUID> {
    const ids = new Set<PlanRunUUID>();
    for (const name of this.#files.list(this.#files.journal)) if (PlanRunUUID.is(name)) ids.add(name);
    for (const name of this.#files.list(this.#files.root)) {
      const id = name.slice(0, -5);
      if (name.endsWith('.json') && PlanRunUUID.is(id)) ids.add(id);
    }
    return ids;
  }

  #quietly(id: PlanRunUUID): RunSummary | undefined {
    try {
      return this.summary(id);
    } catch {
      return undefined;
    }
  }

  /** @throws PortiaError `STORAGE_CORRUPT`. */
  summary(id: PlanRunUUID): RunSummary | undefined {
    const folder = new RunFolder(this.#files, id);
    const known = this.#known.get(id);
    if (known && known.look === this.#look(folder, known.epoch)) return known.summary;
    const made = this.#read(folder);
    if (made) this.#known.set(id, made);
    else this.#known.delete(id);
    return made?.summary;
  }

  #read(folder: RunFolder): Known | undefined {
    const header = folder.header();
    if (header) {
      const epoch = folder.epochs().at(-1) ?? 0;
      const look = this.#look(folder, epoch);
      const { status, driver } = folder.readStatus(header);
      return { epoch, look, summary: { header, status, driver } };
    }
    const look = this.#look(folder, -1);
    const run = readPortiaRun(this.#files, folder.id);
    return run && { epoch: -1, look, summary: { header: run.header, status: run.status, driver: undefined } };
  }

  /** Changes whenever the run does. Epoch -1 is the file that Portia 0.9 wrote. */
  #look(folder: RunFolder, epoch: number): string {
    const path = epoch < 0 ? join(this.#files.root, `${folder.id}.json`) : folder.epochPath(epoch);
    const stat = this.#files.stat(path);
    const next = epoch < 0 ? folder.exists() : folder.hasEpoch(epoch + 1);
    return `${stat?.ino}.${stat?.size}.${stat?.mtimeMs}.${next}`;
  }
}
