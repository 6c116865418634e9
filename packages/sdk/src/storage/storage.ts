import type { EndUser, EndUserField } from '../core/end-user.ts';
import type { RunEvent } from '../core/event.ts';
import type { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import type { LocalDataValue } from '../core/output.ts';
import type { Plan } from '../core/plan.ts';
import { type PlanRun, planRunView } from '../core/plan-run.ts';
import { ledgerOf, type ToolCall } from '../core/tool-call.ts';
import { compile } from '../plan/compile.ts';
import { inDollars, type ModelTotals } from '../core/usage.ts';
import { planForReading, planningOf } from '../plan/plan-record.ts';
import { PortiaError } from '../core/errors.ts';
import { type ClarificationRecord, isFinished, type RunState } from '../core/run-state.ts';
import { readState } from '../run/answers.ts';
import { eventsOf, notFound } from '../run/drive.ts';
import { planIdOf } from './plan-now.ts';
import type { PlanShelf } from '../run/plan-shelf.ts';
import { eraseEndUser } from './erase.ts';
import type { Erasure } from './encrypted/encrypted-storage.ts';
import type { ClarificationQuery } from './open-clarifications.ts';
import { pageOf } from './run-query.ts';
import { type PruneOptions, pruneRuns } from './prune.ts';
import type { Page, RunQuery, RunSummary, StorageBackend } from './storage-backend.ts';
import { exportLines, type Skipped } from './transfer/export.ts';
import { type ImportReport, importLines } from './transfer/import.ts';

/** What is opened when it is first needed. */
export interface OpenStore {
  readonly storage: StorageBackend;
  readonly plans: PlanShelf;
  /** Removes what is kept of an end user beside the store: answers of models in a cache. */
  readonly forget: (externalId: string) => Promise<void>;
}

/** A clarification that waits for its answer, with its run and the step that asks. */
export type WaitingClarification = Readonly<ClarificationRecord> & {
  readonly planRunId: PlanRunUUID;
  /** The plan the run goes by. */
  readonly planId: PlanUUID;
  readonly endUserId: string;
  /** The name of the step, or its task where the plan gives it none; `null` for what belongs to the whole run. */
  readonly stepName: string | null;
  /** Tools of the step, parted by commas. */
  readonly toolId: string | null;
};

/** What a client's store holds, for reading: plans, runs, their clarifications and tool calls, end users, large outputs. */
export class Storage {
  readonly #open: () => Promise<OpenStore>;

  constructor(open: () => Promise<OpenStore>) {
    this.#open = open;
  }

  /** @throws PortiaError `PLAN_NOT_FOUND`. */
  async getPlan(id: PlanUUID): Promise<Plan> {
    const { plans } = await this.#open();
    return plans.view(id);
  }

  /** What planning took; `undefined` for a plan that no model made. @throws PortiaError `PLAN_NOT_FOUND`. */
  async getPlanningUsage(id: PlanUUID): Promise<ModelTotals | undefined> {
    const { plans } = await this.#open();
    const usage = planningOf(await plans.record(id));
    return usage && inDollars(usage);
  }

  /** Stores a plan, once. @throws PortiaError `PLAN_CHANGED` when the id is taken by another plan. */
  async savePlan(plan: Plan): Promise<void> {
    const { plans } = await this.#open();
    await plans.put(plan, Date.now());
  }

  async planExists(id: PlanUUID): Promise<boolean> {
    const { storage } = await this.#open();
    return (await storage.getPlan(id)) !== undefined;
  }

  /** The newest plan that was made for exactly this query. */
  async getPlanByQuery(query: string): Promise<Plan | undefined> {
    const { storage } = await this.#open();
    const { items } = await storage.listPlans({ query, limit: 1 });
    return items[0] && planForReading(items[0]);
  }

  /** The run as it stands. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
  async getPlanRun(id: PlanRunUUID): Promise<PlanRun> {
    const { storage, plans } = await this.#open();
    return planRunView(await readState({ storage }, plans, id));
  }

  /** Runs, a page at a time, newest first unless asked otherwise. */
  async listRuns(query: RunQuery = {}): Promise<Page<RunSummary>> {
    const { storage } = await this.#open();
    return storage.listRuns(query);
  }

  /**
   * What waits for people across all runs, those that have waited longest first. A page may be short, where an answer is
   * on record that its run has not taken up yet.
   */
  async listClarifications(query: ClarificationQuery = {}): Promise<Page<WaitingClarification>> {
    const { storage, plans } = await this.#open();
    const { items, cursor } = await storage.listClarifications(query);
    const runs = new Map<PlanRunUUID, Promise<RunState | undefined>>();
    const found = await Promise.all(
      items.map(async ({ planRunId, id }) => {
        const reading = runs.get(planRunId) ?? readOpenRun({ storage }, plans, planRunId);
        runs.set(planRunId, reading);
        const state = await reading;
        const record = state?.clarifications.find(
          ({ clarification }) => clarification.id === id && !clarification.resolved,
        );
        return state && record && { ...record, planRunId, ...placeOf(state, record) };
      }),
    );
    return pageOf(
      found.filter((one) => one !== undefined),
      cursor,
    );
  }

  /** A run's clarifications with who may answer them, until when, and who did. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
  async getClarifications(id: PlanRunUUID): Promise<readonly Readonly<ClarificationRecord>[]> {
    const { storage, plans } = await this.#open();
    return (await readState({ storage }, plans, id)).clarifications;
  }

  /** The effects ledger of a run: its tool calls, in the order they were begun. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
  async getToolCalls(id: PlanRunUUID): Promise<readonly ToolCall[]> {
    const { storage, plans } = await this.#open();
    const stored = await storage.loadRun(id);
    if (!stored) throw notFound(id);
    const calls = ledgerOf(eventsOf(stored), id);
    const { keepsVisits } = compile(await plans.view(planIdOf(stored)));
    // Steps of a V1 plan come once, whatever ran at once: their calls read as if made in order.
    return keepsVisits ? calls : [...calls].sort((a, b) => a.step - b.step);
  }

  /** The stored events of a run, in order: all, or those after a number. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
  async getEvents(id: PlanRunUUID, after = 0): Promise<readonly RunEvent[]> {
    const { storage } = await this.#open();
    const stored = await storage.loadRun(id, after);
    if (!stored) throw notFound(id);
    return [...eventsOf(stored)].filter(({ seq }) => seq > after);
  }

  /** A large output, from agent memory. */
  async getPlanRunOutput(name: string, id: PlanRunUUID): Promise<LocalDataValue | undefined> {
    const { storage } = await this.#open();
    return storage.getOutput(id, name);
  }

  /**
   * Removes finished runs, with journal, commands and large outputs. Plans and end users stay, and so does every run that
   * is not finished. Gives how many runs went. @throws PortiaError `CONFIG_INVALID`.
   */
  async prune(options: PruneOptions): Promise<{ readonly runs: number }> {
    const { storage } = await this.#open();
    return pruneRuns(storage, options);
  }

  /**
   * Everything in the store, as lines of JSON without line breaks. The same content gives the same lines, in whatever
   * store it is. @throws PortiaError for what cannot be read, unless `skip` takes it.
   */
  async *export(skip?: (skipped: Skipped) => void): AsyncGenerator<string> {
    const { storage } = await this.#open();
    yield* exportLines(storage, skip);
  }

  /** Puts the lines of an export into the store; what is there already stays as it is. */
  async import(lines: AsyncIterable<string> | Iterable<string>): Promise<ImportReport> {
    const { storage } = await this.#open();
    return importLines(storage, lines);
  }

  /**
   * Destroys the key of an end user, and with it the contents of all their runs, and removes their answers from the cache
   * of model answers; gives how many runs those are. Done again it changes nothing. @throws PortiaError `CONFIG_INVALID` when the store is not encrypted, `RUN_STATE_INVALID` while
   * runs of theirs are not finished.
   */
  async eraseEndUser(externalId: string): Promise<Erasure> {
    const { storage, forget } = await this.#open();
    const erased = await eraseEndUser(storage, externalId);
    // After it, so that no run of theirs is left to put something there. Done again, all of it is done again.
    await forget(externalId);
    return erased;
  }

  async getEndUser(externalId: string): Promise<EndUser | undefined> {
    const { storage } = await this.#open();
    return storage.getEndUser(externalId);
  }

  /**
   * Merges `additionalData` key by key and replaces the rest, or `only` these fields of it, so that others may save other
   * fields at once; gives what is stored afterwards.
   */
  async saveEndUser(user: EndUser, only?: readonly EndUserField[]): Promise<EndUser> {
    const { storage } = await this.#open();
    return storage.saveEndUser(user, only);
  }
}

/** Where something is asked, in words. */
function placeOf(
  { header, planId, program }: RunState,
  { step }: ClarificationRecord,
): Pick<WaitingClarification, 'planId' | 'endUserId' | 'stepName' | 'toolId'> {
  const asking = program.instructions[step];
  return {
    planId,
    endUserId: header.endUserId,
    // Steps of a V1 plan have numbers for keys, and say themselves what they do.
    stepName: asking ? (program.keepsVisits ? asking.key : asking.step.task) : null,
    toolId: asking?.step.toolId ?? null,
  };
}

/** A run that may still ask; undefined where it has ended or gone meanwhile. */
async function readOpenRun(
  runtime: Parameters<typeof readState>[0],
  plans: PlanShelf,
  id: PlanRunUUID,
): Promise<RunState | undefined> {
  try {
    const state = await readState(runtime, plans, id);
    return isFinished(state) ? undefined : state;
  } catch (error) {
    if (PortiaError.isInstance(error) && error.code === 'PLAN_RUN_NOT_FOUND') return undefined;
    throw error;
  }
}
