import { PortiaError } from '../core/errors.ts';
import type { PlanUUID } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import { fromPlanRecord, toPlanRecord } from '../plan/plan-record.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';

/** How many plans a client keeps at hand. */
const shelfSize = 1_000;

/** The plans a client has seen, with the schemas only this process has; others are fetched from storage. */
export class PlanShelf {
  readonly #storage: StorageBackend;
  readonly #known = new Map<PlanUUID, Plan>();

  constructor(storage: StorageBackend) {
    this.#storage = storage;
  }

  /** Stores a plan, once. @throws PortiaError `PLAN_CHANGED` when its id is taken by another plan. */
  async put(plan: Plan, now: number): Promise<void> {
    if (this.#known.get(plan.id) === plan) return;
    await this.#storage.savePlan(toPlanRecord(plan, now));
    this.#keep(plan);
  }

  /** @throws PortiaError `PLAN_NOT_FOUND`. */
  async get(id: PlanUUID): Promise<Plan> {
    const known = this.#known.get(id);
    if (known) return known;
    const record = await this.#storage.getPlan(id);
    if (!record) {
      throw new PortiaError({
        code: 'PLAN_NOT_FOUND',
        message: `Plan with id ${id} not found.`,
        hint: 'check the id and that this client uses the storage the plan was made in',
      });
    }
    const plan = await fromPlanRecord(record);
    this.#keep(plan);
    return plan;
  }

  #keep(plan: Plan): void {
    this.#known.set(plan.id, plan);
    if (this.#known.size <= shelfSize) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
