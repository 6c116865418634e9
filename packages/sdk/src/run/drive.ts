import { setMaxListeners } from 'node:events';
import { fold } from '../core/apply.ts';
import { activeMs } from '../core/budget.ts';
import { EndUser } from '../core/end-user.ts';
import { PortiaError } from '../core/errors.ts';
import { fromCommit, type RunEvent } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import { initialState, isFinished, type RunHeader, type RunState } from '../core/run-state.ts';
import type { Schema } from '../core/schema.ts';
import { compile } from '../plan/compile.ts';
import { schemaFromJson } from '../plan/plan-record.ts';
import { planIdOf } from '../storage/plan-now.ts';
import type { Command, DriverRecord, StoredRun } from '../storage/storage-backend.ts';
import { Purse } from './budget.ts';
import { Driver } from './driver.ts';
import { isAlive, newOwner, retireOwner } from './driver-host.ts';
import { driverTtlMs } from './driver-pool.ts';
import { endUserOf } from './end-users.ts';
import { HookTurns } from './hook-turns.ts';
import type { Plans } from './plan-shelf.ts';
import { preparedOf } from './prepared.ts';
import { modelGuard } from './model-hooks.ts';
import type { DrivenRun, Runtime } from './runtime.ts';

/** What {@link drive} does with a run once it has it. */
export type Work = (run: DrivenRun) => Promise<void>;

/** A run as it was read from storage. */
export interface LoadedRun {
  readonly stored: StoredRun;
  readonly plan: Plan;
  readonly state: RunState;
}

/** How a run is taken. */
export interface DriveOptions {
  /** Stops driving when aborted; the run stays resumable. */
  readonly signal?: AbortSignal | undefined;
  /** The final output's schema, when the caller has it at hand. */
  readonly outputSchema?: Schema | undefined;
  /** What the caller has just put into storage for the run. */
  readonly commands?: readonly Command[] | undefined;
  /** The run as the caller has just read it: not read again if nobody has driven it since. */
  readonly known?: LoadedRun | undefined;
  /** Whose run it is, when the caller has looked already. */
  readonly endUser?: EndUser | undefined;
  /** Whether the plan's functions are not needed: nothing is run. */
  readonly onlyRecord?: boolean | undefined;
  /** What to do with what was said while the run was being let go; unless given, it is only put on record. */
  readonly again?: Work | undefined;
}

/** A run that this process has just become the driver of. */
export interface TakenRun extends Omit<LoadedRun, 'stored'> {
  /** Absent for a run that was created a moment ago. */
  readonly stored: StoredRun | undefined;
  readonly record: DriverRecord;
}

/**
 * Creates a run and becomes its driver in one write; {@link driveTaken} then works on it. A run key that is taken
 * gives the run that has it, undriven.
 */
export async function createAndTake(
  runtime: Runtime,
  plan: Plan,
  header: RunHeader,
): Promise<{ readonly taken: TakenRun } | { readonly taken: undefined; readonly header: RunHeader }> {
  const owner = newOwner();
  let taken: TakenRun | undefined;
  try {
    const made = await runtime.storage.createRun(header, {
      owner,
      now: runtime.clock.now(),
      ttlMs: driverTtlMs,
      isAlive,
    });
    if (!made.created || !made.driver) return { taken, header: made.header };
    taken = { plan, state: initialState(made.header, compile(plan)), stored: undefined, record: made.driver };
    return { taken };
  } finally {
    if (!taken) retireOwner(owner);
  }
}

/**
 * Becomes the driver of a stored run and works on it.
 * @throws PortiaError `RUN_BUSY` while another driver is alive, `PLAN_RUN_NOT_FOUND`, `PLAN_NOT_FOUND`.
 */
export async function drive(
  runtime: Runtime,
  plans: Plans,
  id: PlanRunUUID,
  work: Work,
  options: DriveOptions = {},
): Promise<RunState> {
  const taken = await take(runtime, plans, id, options);
  return driveTaken(runtime, plans, taken, work, options);
}

async function take(runtime: Runtime, plans: Plans, id: PlanRunUUID, options: DriveOptions): Promise<TakenRun> {
  const owner = newOwner();
  let taken: TakenRun | undefined;
  try {
    const claim = await runtime.storage.claimRun(id, { owner, now: runtime.clock.now(), ttlMs: driverTtlMs, isAlive });
    if (!claim.claimed) throw busy(id, claim.driver);
    const { known } = options;
    const isFresh = known?.stored.epoch !== undefined && known.stored.epoch + 1 === claim.driver.epoch;
    const { stored, plan, state } = isFresh ? known : await load(runtime, plans, id, claim.driver, options);
    taken = { stored, plan, state, record: claim.driver };
    return taken;
  } finally {
    if (!taken) retireOwner(owner);
  }
}

async function load(
  runtime: Runtime,
  plans: Plans,
  id: PlanRunUUID,
  record: DriverRecord,
  { onlyRecord = false }: DriveOptions,
): Promise<LoadedRun> {
  try {
    const stored = await runtime.storage.loadRun(id);
    if (!stored) throw notFound(id);
    const planId = planIdOf(stored);
    const plan = await (onlyRecord ? plans.view(planId) : plans.get(planId));
    return { stored, plan, state: foldStored(stored, plan) };
  } catch (error) {
    await release(runtime, id, record);
    throw error;
  }
}

/** Works on a run that was taken, and lets it go. */
export async function driveTaken(
  runtime: Runtime,
  plans: Plans,
  taken: TakenRun,
  work: Work,
  options: DriveOptions,
): Promise<RunState> {
  const { storage, clock, bus, drivers } = runtime;
  const { plan, state, stored, record } = taken;
  const status = stored?.status ?? { state: state.state, updatedAt: state.updatedAt };
  const purse = Purse.ofRun(runtime, state, () => clock.now());
  const driver = new Driver({ state, record, status, storage, clock, bus, purse });
  const rest = runtime.clientBudget?.begin(() => activeMs(state, clock.now()));
  const stop = (): void => driver.stop();
  // One signal may stop any number of runs.
  if (options.signal) setMaxListeners(0, options.signal);
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) driver.stop();
  try {
    drivers.add(driver);
    // What came while the run was being loaded reaches the driver by the pool, at the latest when the run is let go.
    for (const command of [...(stored?.commands ?? []), ...(options.commands ?? [])]) driver.deliver(command);
    const outputSchema = await outputSchemaOf(state, plan, options);
    const endUser = await endUserFor(runtime, state, options);
    const prepared = preparedOf(state.program, runtime.tools);
    const run = { runtime, driver, plan, prepared, outputSchema, endUser, turns: new HookTurns() };
    driver.guard = modelGuard(run);
    await work(run);
    if (driver.dirty) await driver.commit(true);
  } finally {
    options.signal?.removeEventListener('abort', stop);
    drivers.remove(driver);
    rest?.();
    if (!driver.released) await release(runtime, driver.id, record);
    retireOwner(record.owner);
    if (driver.lost) await takeUp(runtime, plans, driver, {});
  }
  if (driver.replanned) {
    const { again = work } = options;
    return drive(runtime, plans, driver.id, again, { ...options, known: undefined, commands: undefined });
  }
  return isFinished(state) ? state : ((await takeUp(runtime, plans, driver, options)) ?? state);
}

/** Lets a run go. Should that fail, its driver counts as dead all the same once its owner is retired. */
async function release({ storage, logger }: Runtime, id: PlanRunUUID, record: DriverRecord): Promise<void> {
  try {
    await storage.releaseRun(id, record.epoch);
  } catch (error) {
    logger.warn('a run could not be released', {
      planRunId: id,
      error: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Puts on record what was said from outside, unless somebody else has the run, who then does. */
export async function putOnRecord(
  runtime: Runtime,
  plans: Plans,
  id: PlanRunUUID,
  options: Pick<DriveOptions, 'known' | 'commands'> = {},
): Promise<RunState | undefined> {
  return ifFree(() => drive(runtime, plans, id, async () => {}, { ...options, onlyRecord: true }));
}

async function ifFree(work: () => Promise<RunState>): Promise<RunState | undefined> {
  try {
    return await work();
  } catch (error) {
    if (PortiaError.isInstance(error) && (error.code === 'RUN_BUSY' || error.code === 'DRIVER_LOST')) return undefined;
    throw error;
  }
}

/**
 * What was said between the driver's last look and its release would reach nobody: whoever said it found the run still
 * driven. It is taken up here, unless somebody else has the run by now.
 */
async function takeUp(
  runtime: Runtime,
  plans: Plans,
  driver: Driver,
  options: DriveOptions,
): Promise<RunState | undefined> {
  const { storage, logger } = runtime;
  try {
    const { commands } = await storage.pollCommands([driver.id], undefined);
    if (commands.every(({ command }) => driver.knows(command))) return undefined;
    const { again = async () => {} } = options;
    return await ifFree(() =>
      drive(runtime, plans, driver.id, again, {
        ...options,
        known: undefined,
        onlyRecord: options.again === undefined,
      }),
    );
  } catch (error) {
    if (!PortiaError.isInstance(error)) throw error;
    logger.warn('what was said to a run last was not taken up; it is when the run goes on', {
      planRunId: driver.id,
      error: error.message,
    });
    return undefined;
  }
}

/** Only tools and models are told whose run it is. */
async function endUserFor(
  { storage }: Runtime,
  { header }: RunState,
  { onlyRecord, endUser }: DriveOptions,
): Promise<EndUser> {
  return endUser ?? (onlyRecord ? EndUser({ externalId: header.endUserId }) : endUserOf(storage, header.endUserId));
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
