import { fold } from '../core/apply.ts';
import { PortiaError } from '../core/errors.ts';
import { fromCommit, type RunEvent } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import { initialState, type RunHeader, type RunState } from '../core/run-state.ts';
import type { Schema } from '../core/schema.ts';
import { compile } from '../plan/compile.ts';
import { schemaFromJson } from '../plan/plan-record.ts';
import type { DriverRecord, StoredRun } from '../storage/storage-backend.ts';
import { Driver } from './driver.ts';
import { isAlive, newOwner, retireOwner } from './driver-host.ts';
import { driverTtlMs } from './driver-pool.ts';
import { endUserOf } from './end-users.ts';
import type { PlanShelf } from './plan-shelf.ts';
import type { DrivenRun, Runtime } from './runtime.ts';

/** What {@link drive} does with a run once it has it. */
export type Work = (run: DrivenRun) => Promise<void>;

/** How a run is taken. */
export interface DriveOptions {
  /** Stops driving when aborted; the run stays resumable. */
  readonly signal?: AbortSignal | undefined;
  /** The final output's schema, when the caller has it at hand. */
  readonly outputSchema?: Schema | undefined;
}

/**
 * Creates a run and becomes its driver in one write. A run key that is taken gives the run that has it, undriven.
 */
export async function createAndDrive(
  runtime: Runtime,
  plan: Plan,
  header: RunHeader,
  work: Work,
  options: DriveOptions,
): Promise<{ readonly created: true; readonly state: RunState } | { readonly created: false; readonly header: RunHeader }> {
  const owner = newOwner();
  try {
    const made = await runtime.storage.createRun(header, { owner, now: runtime.clock.now(), ttlMs: driverTtlMs, isAlive });
    if (!made.created || !made.driver) return { created: false, header: made.header };
    const state = initialState(made.header, compile(plan));
    await driveState(runtime, plan, state, made.driver, undefined, work, options);
    return { created: true, state };
  } finally {
    retireOwner(owner);
  }
}

/**
 * Becomes the driver of a stored run and works on it.
 * @throws PortiaError `RUN_BUSY` while another driver is alive, `PLAN_RUN_NOT_FOUND`, `PLAN_NOT_FOUND`.
 */
export async function drive(runtime: Runtime, plans: PlanShelf, id: PlanRunUUID, work: Work, options: DriveOptions = {}): Promise<RunState> {
  const owner = newOwner();
  try {
    const claim = await runtime.storage.claimRun(id, { owner, now: runtime.clock.now(), ttlMs: driverTtlMs, isAlive });
    if (!claim.claimed) throw busy(id, claim.driver);
    const stored = await runtime.storage.loadRun(id);
    if (!stored) throw notFound(id);
    const plan = await plans.get(stored.header.planId);
    const state = foldStored(stored, plan);
    await driveState(runtime, plan, state, claim.driver, stored, work, options);
    return state;
  } finally {
    retireOwner(owner);
  }
}

async function driveState(
  runtime: Runtime,
  plan: Plan,
  state: RunState,
  record: DriverRecord,
  stored: StoredRun | undefined,
  work: Work,
  options: DriveOptions,
): Promise<void> {
  const { storage, clock, bus, drivers } = runtime;
  const status = stored?.status ?? { state: state.state, updatedAt: state.updatedAt };
  const driver = new Driver({ state, record, status, storage, clock, bus });
  const stop = (): void => driver.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) driver.stop();
  drivers.add(driver);
  try {
    for (const command of stored?.commands ?? []) driver.deliver(command);
    const outputSchema = await outputSchemaOf(state, plan, options);
    await work({ runtime, driver, plan, outputSchema, endUser: await endUserOf(storage, state.header.endUserId) });
    if (driver.dirty) await driver.commit();
  } finally {
    options.signal?.removeEventListener('abort', stop);
    drivers.remove(driver);
    await storage.releaseRun(driver.id, record.epoch);
  }
}

async function outputSchemaOf(state: RunState, plan: Plan, options: DriveOptions): Promise<Schema | undefined> {
  if (options.outputSchema) return options.outputSchema;
  const { outputSchema } = state.header;
  return outputSchema ? schemaFromJson(outputSchema) : plan.structuredOutputSchema;
}

/** The state of a stored run, from its journal alone. */
export function foldStored(stored: StoredRun, plan: Plan): RunState {
  return fold(stored.header, compile(plan), eventsOf(stored));
}

/** The events of a stored run, in order. */
export function* eventsOf(stored: StoredRun): Generator<RunEvent> {
  for (const commit of stored.commits) yield* fromCommit(commit);
}

/** The error for a run that is not stored. */
export function notFound(id: string): PortiaError {
  return new PortiaError({
    code: 'PLAN_RUN_NOT_FOUND',
    message: `Run with id ${id} not found.`,
    hint: 'check the id and that this client uses the storage the run was made in',
    planRunId: id,
  });
}

function busy(id: string, driver: DriverRecord): PortiaError {
  return new PortiaError({
    code: 'RUN_BUSY',
    message: `run ${id} is being driven by another process`,
    hint: 'follow it with events(), answer or cancel it from here; it is taken over when that process dies',
    planRunId: id,
    details: { epoch: driver.epoch, expiresAt: driver.expiresAt },
  });
}
