import { join } from 'node:path';
import { hashJson } from '../../core/hash.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import { sameJson } from '../../core/json.ts';
import { isInMemory, type LocalDataValue, outputFromWire, outputToWire } from '../../core/output.ts';
import { Plan } from '../../core/plan.ts';
import { frozenOutput, frozenPlan, planChanged } from '../records.ts';
import type { OutputStore, Page, PlanRecord, PlanStore } from '../storage-backend.ts';
import type { Files } from './files.ts';
import { fileName, nameFrom, portiaFileName } from './names.ts';
import { pageByTime } from './pages.ts';

type Listed = Pick<PlanRecord, 'id' | 'query' | 'createdAt'>;

/**
 * Plans: `<root>/.journal/plans/<id>.json` is made once and never changed; `<root>/plan-<uuid>.json` is what Portia 0.9
 * reads, and the plan itself where Portia 0.9 wrote it.
 */
export class DiskPlans implements PlanStore {
  readonly #files: Files;
  readonly #folder: string;
  /** What lists need of the plans in the folder, which never change. */
  readonly #listed = new Map<PlanUUID, Listed>();

  constructor(files: Files) {
    this.#files = files;
    this.#folder = join(files.journal, 'plans');
    files.makeFolder(this.#folder);
  }

  savePlan(given: PlanRecord): void {
    const plan = frozenPlan(given);
    const stored = this.#stored(plan.id);
    const portia = stored ? undefined : this.#portiaPlan(plan.id);
    if (portia && !sameJson(portia.document, plan.document)) throw planChanged(plan.id);
    if (!stored && this.#files.create(this.#path(plan.id), JSON.stringify(plan))) {
      this.#files.replace(join(this.#files.root, `${plan.id}.json`), JSON.stringify(plan.document, null, 4));
      return;
    }
    const standing = stored ?? this.#stored(plan.id);
    if (standing?.hash !== plan.hash) throw planChanged(plan.id);
  }

  getPlan(id: PlanUUID): PlanRecord | undefined {
    if (!PlanUUID.is(id)) return undefined;
    return this.#stored(id) ?? this.#portiaPlan(id);
  }

  listPlans(filter: { readonly query?: string; readonly limit?: number; readonly cursor?: string }): Page<PlanRecord> {
    const listed: Listed[] = [];
    for (const id of this.#ids()) {
      const plan = this.#quietly(id);
      if (plan && (filter.query === undefined || plan.query === filter.query)) listed.push(plan);
    }
    const { items, ...page } = pageByTime(listed, { ...filter, order: 'newest' }, (plan) => plan);
    return { ...page, items: items.map(({ id }) => this.getPlan(id)).filter((plan) => plan !== undefined) };
  }

  /** Those that are there and cannot be read. */
  unreadable(): readonly PlanUUID[] {
    return this.#ids().filter((id) => this.#quietly(id) === undefined);
  }

  #ids(): readonly PlanUUID[] {
    const names = [...this.#files.list(this.#folder), ...this.#files.list(this.#files.root)];
    return [...new Set(names.map(idOf))].filter((id) => id !== undefined);
  }

  /** A plan that cannot be read is not listed; whoever asks for it by its id is told why. */
  #quietly(id: PlanUUID): Listed | undefined {
    const known = this.#listed.get(id);
    if (known) return known;
    try {
      const stored = this.#stored(id);
      if (!stored) return this.#portiaPlan(id);
      const { query, createdAt } = stored;
      this.#listed.set(id, { id, query, createdAt });
      return stored;
    } catch {
      return undefined;
    }
  }

  #path(id: PlanUUID): string {
    return join(this.#folder, `${id}.json`);
  }

  #stored(id: PlanUUID): PlanRecord | undefined {
    return this.#files.readJson(this.#path(id)) as PlanRecord | undefined;
  }

  #portiaPlan(id: PlanUUID): PlanRecord | undefined {
    const path = join(this.#files.root, `${id}.json`);
    const stat = this.#files.stat(path);
    const wire = stat && this.#files.readJson(path);
    if (!stat || wire === undefined) return undefined;
    try {
      const plan = Plan.fromJSON(wire);
      const document = plan.toJSON();
      return {
        id,
        hash: hashJson({ document }),
        query: plan.planContext.query,
        document,
        createdAt: Math.round(stat.mtimeMs),
      };
    } catch (cause) {
      throw this.#files.corrupt(path, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }
}

function idOf(name: string): PlanUUID | undefined {
  const id = name.endsWith('.json') ? name.slice(0, -5) : '';
  return PlanUUID.is(id) ? id : undefined;
}

/** Large outputs: `<root>/prun-<uuid>/<output_name>.json`. */
export class DiskOutputs implements OutputStore {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  /** Names are read from those of the files; where a name cannot be told from that of its file, it stands beside it. */
  listOutputs(id: PlanRunUUID): readonly string[] {
    if (!PlanRunUUID.is(id)) return [];
    const names = this.#files.list(join(this.#files.root, id)).filter((file) => file.endsWith('.json'));
    return names.map((file) => {
      const base = file.slice(0, -5);
      return nameFrom(base) ?? String(this.#files.readJson(this.#namePath(id, base)) ?? base);
    });
  }

  #namePath(id: PlanRunUUID, base: string): string {
    return join(this.#files.journal, 'output-names', id, `${base}.json`);
  }

  /** Removes all outputs of a run. */
  remove(id: PlanRunUUID): void {
    this.#files.remove(join(this.#files.root, id));
    this.#files.remove(join(this.#files.journal, 'output-names', id));
  }

  saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): void {
    const run = PlanRunUUID.is(id) ? id : PlanRunUUID.fromString(id);
    const base = fileName(name);
    if (nameFrom(base) !== name) {
      this.#files.makeFolder(join(this.#files.journal, 'output-names', run));
      this.#files.replace(this.#namePath(run, base), JSON.stringify(name));
    }
    const folder = join(this.#files.root, run);
    this.#files.makeFolder(folder);
    this.#files.replace(join(folder, `${base}.json`), JSON.stringify(outputToWire(frozenOutput(output))));
  }

  getOutput(id: PlanRunUUID, name: string): LocalDataValue | undefined {
    if (!PlanRunUUID.is(id)) return undefined;
    const folder = join(this.#files.root, id);
    const path = join(folder, `${fileName(name)}.json`);
    const portia = portiaFileName(name);
    const wire =
      this.#files.readJson(path) ??
      (portia === undefined ? undefined : this.#files.readJson(join(folder, `${portia}.json`)));
    if (wire === undefined) return undefined;
    try {
      const output = outputFromWire(wire);
      if (!isInMemory(output)) return output;
    } catch (cause) {
      throw this.#files.corrupt(path, cause instanceof Error ? cause.message : String(cause), cause);
    }
    throw this.#files.corrupt(path, 'it is a reference, not a value');
  }
}
