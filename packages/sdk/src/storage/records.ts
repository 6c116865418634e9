import { defaultEndUserId, EndUser, mergeEndUser } from '../core/end-user.ts';
import { PortiaError } from '../core/errors.ts';
import { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import { type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import { LocalDataValue } from '../core/output.ts';
import type { RunHeader } from '../core/run-state.ts';
import type { Claim, Command, DriverRecord, PlanRecord, RunStatus } from './storage-backend.ts';

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
export function mergedEndUser(stored: EndUser | undefined, saved: EndUser): EndUser {
  return mergeEndUser(stored, EndUser(saved));
}

/** The status of a run that was just created. */
export function firstStatus(header: RunHeader): RunStatus {
  return Object.freeze({ state: 'NOT_STARTED', updatedAt: header.createdAt });
}

/** Whether the driver of a run keeps others from claiming it. */
export function isAlive(driver: DriverRecord, claim: Claim): boolean {
  return claim.isAlive(driver) ?? driver.expiresAt > claim.now;
}

/** What makes two commands the same one. */
export function commandIdentity(command: Command): string {
  return `${command.type}:${command.key}`;
}

/** What of a header is not there in most runs, as short names; `undefined` when there is nothing of it. */
export function headerExtras(header: RunHeader): JsonObject | undefined {
  const extras: Record<string, JsonValue> = {};
  if (header.endUserId !== defaultEndUserId) extras['u'] = header.endUserId;
  if (Object.keys(header.inputs).length > 0) extras['i'] = toJson(header.inputs);
  if (header.runKey !== undefined) extras['k'] = header.runKey;
  if (header.labels && Object.keys(header.labels).length > 0) extras['l'] = header.labels;
  if (header.outputSchema) extras['s'] = header.outputSchema;
  return Object.keys(extras).length > 0 ? extras : undefined;
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
