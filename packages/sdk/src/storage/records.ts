import { defaultEndUserId, EndUser, type EndUserField, mergeEndUser } from '../core/end-user.ts';
import { PortiaError } from '../core/errors.ts';
import { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import { toJson } from '../core/json.ts';
import { LocalDataValue } from '../core/output.ts';
import type { RunHeader } from '../core/run-state.ts';
import type { Claim, Command, DriverRecord, PlanRecord, RunStatus, RunSummary } from './storage-backend.ts';

/** A frozen copy of what JSON can hold, with the type it came with. */
export function frozenCopy<T extends object>(value: T, what: string): T {
  return toJson(value, what) as unknown as T;
}

/** A frozen copy of a header. @throws PortiaError `ID_INVALID` for ids not in their normal form. */
export function frozenHeader(header: RunHeader): RunHeader {
  if (!PlanRunUUID.is(header.id)) PlanRunUUID.fromString(String(header.id));
  if (!PlanUUID.is(header.planId)) PlanUUID.fromString(String(header.planId));
  return frozenCopy(header, 'the run');
}

/** A frozen copy of a plan. @throws PortiaError `ID_INVALID` for an id not in its normal form. */
export function frozenPlan(plan: PlanRecord): PlanRecord {
  if (!PlanUUID.is(plan.id)) PlanUUID.fromString(String(plan.id));
  return frozenCopy(plan, 'the plan');
}

/** A frozen copy of a large output. */
export function frozenOutput(output: LocalDataValue): LocalDataValue {
  return LocalDataValue(toJson(output.value, 'the output'), output.summary ?? null);
}

/** What is stored of an end user after a save. */
export function mergedEndUser(
  stored: EndUser | undefined,
  saved: EndUser,
  only: readonly EndUserField[] | undefined,
): EndUser {
  return mergeEndUser(stored, EndUser(saved), only);
}

/** A frozen copy of a status as it is given back. */
export function withoutAsks({ asks: _, ...status }: RunStatus): RunStatus {
  return frozenCopy(status, 'the status');
}

/** The status that stands after one was written: the plan of a run stays until another one is said. */
export function statusAfter({ planId }: RunStatus, written: RunStatus): RunStatus {
  return withoutAsks(planId === undefined || written.planId !== undefined ? written : { ...written, planId });
}

/** The status of a run that was just created; one with a `startAt` has to be looked at then. */
export function firstStatus({ createdAt, startAt }: RunHeader): RunStatus {
  return Object.freeze({
    state: 'NOT_STARTED',
    updatedAt: createdAt,
    ...(startAt !== undefined && { wakeAt: startAt }),
  });
}

/** Whether the driver of a run keeps others from claiming it. */
export function isAlive(driver: DriverRecord, claim: Claim): boolean {
  return claim.isAlive(driver) ?? driver.expiresAt > claim.now;
}

/** Whether a run may go: it is finished since before then, and nobody has driven it since. */
export function isRemovable({ status, driver }: RunSummary, before: number): boolean {
  const finished = status.state === 'COMPLETE' || status.state === 'FAILED';
  return finished && status.updatedAt < before && (driver === undefined || driver.expiresAt < before);
}

/** What makes two commands the same one. */
export function commandIdentity(command: Command): string {
  return `${command.type}:${command.key}`;
}

/** How many bytes a header takes in a compact form: two ids of 16 bytes, a time, and what is not there in most runs. */
export function headerBytes({ id, planId, createdAt, endUserId, inputs, ...more }: RunHeader): number {
  const others = {
    ...more,
    ...(endUserId !== defaultEndUserId && { endUserId }),
    ...(Object.keys(inputs).length > 0 && { inputs }),
  };
  return 40 + (Object.keys(others).length > 0 ? JSON.stringify(others).length : 0);
}

/** Refuses a plan whose id is taken by another one. */
export function planChanged(id: PlanUUID): PortiaError {
  return new PortiaError({
    code: 'PLAN_CHANGED',
    message: `${id} is stored already, with other content`,
    hint: 'plans are never changed once stored: give the changed plan a new id',
  });
}

/** No such run in the store. */
export function runNotFound(id: string, store: string): PortiaError {
  return new PortiaError({ code: 'PLAN_RUN_NOT_FOUND', message: `${store} holds no run ${id}`, planRunId: id });
}

/** A run can only be created of a plan that is stored. */
export function planMissing(id: string, store: string): PortiaError {
  return new PortiaError({
    code: 'PLAN_NOT_FOUND',
    message: `${store} holds no plan ${id}, so no run of it can be created`,
    hint: 'store the plan first',
  });
}
