import { defaultEndUserId } from '../core/end-user.ts';
import type { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { LocalDataValue } from '../core/output.ts';
import type { RunHeader } from '../core/run-state.ts';
import { stateOfNumber } from './state-numbers.ts';
import type { DriverRecord, PlanRecord, RunStatus, RunSummary } from './storage-backend.ts';
import { textFrom } from './stored-text.ts';

/** A run as SQL stores read it for lists; how they keep ids is their own affair. */
export interface RunColumns {
  readonly n: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly state: number;
  readonly epoch: number;
  readonly owner: string | null;
  readonly expires_at: number | null;
  readonly wake_at: number | null;
  readonly error: string | null;
  readonly end_user: string | null;
  readonly inputs: string | null;
  readonly run_key: string | null;
  readonly labels: string | null;
  readonly more: string | null;
}

/** A run as lists show it. */
export function summaryFrom(
  row: RunColumns,
  id: PlanRunUUID,
  planId: PlanUUID,
  planNow: PlanUUID | undefined,
): RunSummary {
  return { header: headerFrom(row, id, planId), status: statusOf(row, planNow), driver: driverOf(row) };
}

/** The header of a run. */
export function headerFrom(row: RunColumns, id: PlanRunUUID, planId: PlanUUID): RunHeader {
  return {
    id,
    planId,
    endUserId: row.end_user === null ? defaultEndUserId : textFrom(row.end_user),
    createdAt: row.created_at,
    inputs: row.inputs === null ? {} : (JSON.parse(row.inputs) as Record<string, LocalDataValue>),
    ...(row.run_key !== null && { runKey: textFrom(row.run_key) }),
    ...(row.labels !== null && { labels: JSON.parse(row.labels) as Record<string, string> }),
    ...(row.more !== null && (JSON.parse(row.more) as Partial<RunHeader>)),
  };
}

function statusOf(row: RunColumns, planId: PlanUUID | undefined): RunStatus {
  return {
    state: stateOfNumber(row.state),
    updatedAt: row.updated_at,
    ...(row.wake_at !== null && { wakeAt: row.wake_at }),
    ...(row.error !== null && { error: JSON.parse(row.error) as NonNullable<RunStatus['error']> }),
    ...(planId !== undefined && { planId }),
  };
}

/** Who drives a run, if anybody does. */
export function driverOf(row: Pick<RunColumns, 'epoch' | 'owner' | 'expires_at'>): DriverRecord | undefined {
  return row.owner === null ? undefined : { owner: row.owner, epoch: row.epoch, expiresAt: row.expires_at ?? 0 };
}

/** One row of the table of plans, without its id. */
export interface PlanColumns {
  readonly n: number;
  readonly hash: string;
  readonly query: string;
  readonly document: string;
  readonly beside: string | null;
  readonly created_at: number;
}

/** A plan from its row. */
export function planFrom(row: PlanColumns, id: PlanUUID): PlanRecord {
  return {
    id,
    hash: row.hash,
    query: textFrom(row.query),
    document: JSON.parse(row.document) as JsonObject,
    ...(row.beside !== null && { beside: JSON.parse(row.beside) as JsonObject }),
    createdAt: row.created_at,
  };
}
