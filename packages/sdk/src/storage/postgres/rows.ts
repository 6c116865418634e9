import { createHash } from 'node:crypto';
import { defaultEndUserId } from '../../core/end-user.ts';
import type { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { headerFrom, type PlanColumns, planFrom, type RunColumns, summaryFrom } from '../sql-rows.ts';
import { stateNumber } from '../state-numbers.ts';
import type { PlanRecord, RunStatus, RunSummary } from '../storage-backend.ts';
import { storedText } from '../stored-text.ts';
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
export interface RunRow extends RunColumns {
  readonly id: string;
  readonly plan: string;
  /** Of another plan it goes by now. */
  readonly plan_now: string | null;
}

/** What is read to make {@link RunRow}s. */
export const runColumns = `run.n, run.id, run.plan, run.created_at, run.updated_at, run.state, run.epoch, run.owner,
  run.expires_at, run.wake_at, run.error, run.end_user, run.inputs, run.run_key, run.labels, run.more, run.plan_now`;

/** A run as lists show it. */
export function summaryOf(row: RunRow): RunSummary {
  return summaryFrom(
    row,
    `prun-${row.id}`,
    `plan-${row.plan}`,
    row.plan_now === null ? undefined : `plan-${row.plan_now}`,
  );
}

/** The header of a run. */
export function headerOf(row: RunRow): RunHeader {
  return headerFrom(row, `prun-${row.id}`, `plan-${row.plan}`);
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

/** One row of the table of plans. */
export interface PlanRow extends PlanColumns {
  readonly id: string;
}

/** A plan from its row. */
export function planOf(row: PlanRow): PlanRecord {
  return planFrom(row, `plan-${row.id}`);
}
