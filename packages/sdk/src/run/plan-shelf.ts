import { PortiaError } from '../core/errors.ts';
import { type JsonValue, sameJson } from '../core/json.ts';
import type { ModelUsageTotals } from '../core/run-state.ts';
import type { PlanUUID } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import type { PlanChange } from '../core/plan-v2-changes.ts';
import { type AnyPlanV2, legacyOf } from '../plan/builder-programs.ts';
import { changesBetween, fromPlanRecord, planForReading, storedBuilder, toPlanRecord } from '../plan/plan-record.ts';
import type { PlanRecord, StorageBackend } from '../storage/storage-backend.ts';

/** How many plans a client keeps at hand. */
const shelfSize = 1_000;

/** Where plans are found by their id. */
export interface Plans {
  /** A plan, to be run. @throws PortiaError `PLAN_NOT_FOUND`, `PLAN_NOT_REGISTERED`, `PLAN_CHANGED`. */
  get(id: PlanUUID): Promise<Plan>;
  /** A plan, to be read. @throws PortiaError `PLAN_NOT_FOUND`. */
  view(id: PlanUUID): Promise<Plan>;
}

/** Finds this one plan, whatever is asked for. */
export function knownPlan(plan: Plan): Plans {
  return { get: async () => plan, view: async () => plan };
}

/** Another version of a plan that is registered, and how it differs from the stored one. */
export interface Successor {
  readonly plan: AnyPlanV2;
  readonly changes: readonly PlanChange[];
  /** How many of the first steps are the same in both. */
  readonly sameSteps: number;
}

/** The plans a client has seen or was given, with the functions and schemas only this process has; others are fetched. */
export class PlanShelf implements Plans {
  readonly #storage: StorageBackend;
  readonly #registered: ReadonlyMap<PlanUUID, AnyPlanV2>;
  readonly #known = new Map<PlanUUID, Plan>();
  readonly #views = new Map<PlanUUID, Plan>();
  readonly #saving = new Map<Plan, Promise<void>>();

  constructor(storage: StorageBackend, registered: Iterable<AnyPlanV2> = []) {
    this.#storage = storage;
    this.#registered = new Map([...registered].map((plan) => [plan.id, plan]));
  }

  /** Stores a plan, once, with what planning it took. @throws PortiaError `PLAN_CHANGED` when its id is taken by another plan. */
  async put(plan: Plan, now: number, planning?: ModelUsageTotals): Promise<void> {
    if (this.#known.get(plan.id) === plan) return;
    // A thousand runs of one plan that begin at once hash and store it once.
    let saving = this.#saving.get(plan);
    if (!saving) {
      saving = this.#save(plan, now, planning);
      this.#saving.set(plan, saving);
    }
    await saving;
  }

  async #save(plan: Plan, now: number, planning: ModelUsageTotals | undefined): Promise<void> {
    try {
      await this.#storage.savePlan(toPlanRecord(plan, now, planning));
      keep(this.#known, plan);
    } finally {
      this.#saving.delete(plan);
    }
  }

  async get(id: PlanUUID): Promise<Plan> {
    const known = this.#known.get(id);
    if (known) return known;
    const registered = this.#registered.get(id);
    if (registered) {
      keep(this.#known, legacyOf(registered));
      return legacyOf(registered);
    }
    const record = await this.record(id);
    const plan = await fromPlanRecord(record);
    if (!plan) throw this.#unknown(record);
    keep(this.#known, plan);
    return plan;
  }

  async view(id: PlanUUID): Promise<Plan> {
    const known = this.#known.get(id) ?? this.#views.get(id);
    if (known) return known;
    if (this.#registered.has(id)) return this.get(id);
    const record = await this.record(id);
    const plan = planForReading(record);
    // With no schemas or builder plan beside its document, the plan that is read is the plan that runs.
    keep(hasMore(record) ? this.#views : this.#known, plan);
    return plan;
  }

  /** The registered version that takes the place of a stored plan: the one plan with its label. */
  async successor(id: PlanUUID): Promise<Successor | undefined> {
    const record = await this.record(id);
    const plan = this.#sameLabel(record);
    if (!plan) return undefined;
    return {
      plan,
      changes: changesBetween(record, plan),
      sameSteps: sameSteps(storedBuilder(record)?.shape['steps'], plan.shape['steps']),
    };
  }

  #sameLabel(record: PlanRecord): AnyPlanV2 | undefined {
    const label = storedBuilder(record)?.shape['label'];
    const candidates = [...this.#registered.values()].filter((plan) => plan.label === label);
    return candidates.length === 1 ? candidates[0] : undefined;
  }

  #unknown(record: PlanRecord): PortiaError {
    const now = this.#sameLabel(record);
    if (!now) {
      return new PortiaError({
        code: 'PLAN_NOT_REGISTERED',
        message: `plan ${record.id} (${record.query}) has functions or tools of its own, which this client does not know`,
        hint: 'register it: new Portia({ plans: [plan] })',
      });
    }
    const changes = changesBetween(record, now);
    return new PortiaError({
      code: 'PLAN_CHANGED',
      message: `plan ${JSON.stringify(now.label)} has changed since the run began: ${changes.map(describe).join('; ')}`,
      hint: 'register the old version beside the new one, or, when only steps ahead changed, resume with acceptPlanChange: true',
      details: { before: record.id, after: now.id, changes },
    });
  }

  /** A plan as it is stored. @throws PortiaError `PLAN_NOT_FOUND`. */
  async record(id: PlanUUID): Promise<PlanRecord> {
    const record = await this.#storage.getPlan(id);
    if (record) return record;
    throw new PortiaError({
      code: 'PLAN_NOT_FOUND',
      message: `Plan with id ${id} not found.`,
      hint: 'check the id and that this client uses the storage the plan was made in',
    });
  }
}

function hasMore({ beside }: PlanRecord): boolean {
  return beside !== undefined && ('schemas' in beside || 'builder' in beside || 'unplanned' in beside);
}

function keep(shelf: Map<PlanUUID, Plan>, plan: Plan): void {
  shelf.set(plan.id, plan);
  if (shelf.size <= shelfSize) return;
  const [oldest] = shelf.keys();
  if (oldest !== undefined) shelf.delete(oldest);
}

function sameSteps(before: JsonValue | undefined, after: JsonValue | undefined): number {
  if (!Array.isArray(before) || !Array.isArray(after)) return 0;
  const differs = before.findIndex(
    (step: JsonValue, index) => !sameJson(step, (after[index] as JsonValue | undefined) ?? null),
  );
  return differs < 0 ? Math.min(before.length, after.length) : differs;
}

function describe({ change, step, before, after, fields }: PlanChange): string {
  if (step === null) return `${fields.join(', ')} of the plan changed`;
  const name = `step ${JSON.stringify(step)}`;
  switch (change) {
    case 'added':
      return `${name} was added at ${after}`;
    case 'removed':
      return `${name} was removed`;
    case 'moved':
      return `${name} moved from ${before} to ${after}`;
    case 'changed':
      return `${name} changed in ${fields.join(', ')}`;
  }
}
