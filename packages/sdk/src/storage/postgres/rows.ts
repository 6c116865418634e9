import { createHash } from 'node:crypto';
import { defaultEndUserId } from '../../core/end-user.ts';
import type { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import type { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { stateNumber, stateOfNumber } from '../state-numbers.ts';
import type { DriverRecord, PlanRecord, RunStatus, RunSummary } from '../storage-backend.ts';
import { storedText, textFrom } from '../stored-text.ts';
import type { SqlValue } from './database.ts';

/** What a name of any length is found by: 128 bits of SHA-256, as a UUID. */
export function digestOf(...names: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32);
}

/** The UUID of an id. */
export function uuidOf(id: PlanRunUUID | PlanUUID): string {
  return id.slice(5);
}

/** A run as it is read for lists. */
export interface RunRow {
  readonly n: number;
  readonly id: string;
  readonly plan: string;
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

/** What is read to make {@link RunRow}s. */
export const runColumns = `run.n, run.id, run.plan, run.created_at, run.updated_at, run.state, run.epoch, run.owner,
  run.expires_at, run.wake_at, run.error, run.end_user, run.inputs, run.run_key, run.labels, run.more`;

/** A run as lists show it. */
export function summaryOf(row: RunRow): RunSummary {
  return { header: headerOf(row), status: statusOf(row), driver: driverOf(row) };
}

/** The header of a run. */
export function headerOf(row: RunRow): RunHeader {
  return {
    id: `prun-${row.id}`,
    planId: `plan-${row.plan}`,
    endUserId: row.end_user === null ? defaultEndUserId : textFrom(row.end_user),
    createdAt: row.created_at,
    inputs: row.inputs === null ? {} : (JSON.parse(row.inputs) as Record<string, LocalDataValue>),
    ...(row.run_key !== null && { runKey: textFrom(row.run_key) }),
    ...(row.labels !== null && { labels: JSON.parse(row.labels) as Record<string, string> }),
    ...(row.more !== null && (JSON.parse(row.more) as Partial<RunHeader>)),
  };
}

/** What of a header is stored in columns of its own, NULL where it is what it is for most runs; last comes the rest. */
export function headerValues(header: RunHeader): readonly SqlValue[] {
  const { id, planId, endUserId, createdAt, inputs, runKey, labels, ...more } = header;
  return [
    endUserId === defaultEndUserId ? null : storedText(endUserId),
    endUserDigest(endUserId),
    Object.keys(inputs).length === 0 ? null : JSON.stringify(inputs),
    runKey === undefined ? null : storedText(runKey),
    runKey === undefined ? null : digestOf(runKey),
    labels === undefined ? null : JSON.stringify(labels),
    Object.keys(more).length === 0 ? null : JSON.stringify(more),
  ];
}

/** How the runs of an end user are found. */
export function endUserDigest(id: string): string | null {
  return id === defaultEndUserId ? null : digestOf(id);
}

/** How the runs with these labels are found, one digest a label. */
export function labelDigests(labels: Readonly<Record<string, string>> | undefined): readonly string[] {
  return Object.entries(labels ?? {}).map(([name, value]) => digestOf(name, value));
}

function statusOf(row: RunRow): RunStatus {
  return {
    state: stateOfNumber(row.state),
    updatedAt: row.updated_at,
    ...(row.wake_at !== null && { wakeAt: row.wake_at }),
    ...(row.error !== null && { error: JSON.parse(row.error) as NonNullable<RunStatus['error']> }),
  };
}

/** What of a status is stored: state, time, when to wake, error and its code. */
export function statusValues(status: RunStatus): readonly SqlValue[] {
  return [
    stateNumber(status.state),
    status.updatedAt,
    status.wakeAt ?? null,
    status.error === undefined ? null : JSON.stringify(status.error),
    status.error?.code ?? null,
  ];
}

/** Who drives a run, if anybody does. */
export function driverOf(row: Pick<RunRow, 'epoch' | 'owner' | 'expires_at'>): DriverRecord | undefined {
  return row.owner === null ? undefined : { owner: row.owner, epoch: row.epoch, expiresAt: row.expires_at ?? 0 };
}

/** One row of the table of plans. */
export interface PlanRow {
  readonly n: number;
  readonly id: string;
  readonly hash: string;
  readonly query: string;
  readonly document: string;
  readonly beside: string | null;
  readonly created_at: number;
}

/** A plan from its row. */
export function planOf(row: PlanRow): PlanRecord {
  return {
    id: `plan-${row.id}`,
    hash: row.hash,
    query: textFrom(row.query),
    document: JSON.parse(row.document) as JsonObject,
    ...(row.beside !== null && { beside: JSON.parse(row.beside) as JsonObject }),
    createdAt: row.created_at,
  };
}
