import { defaultEndUserId } from '../../core/end-user.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { headerFrom, type PlanColumns, planFrom, type RunColumns, summaryFrom } from '../sql-rows.ts';
import type { PlanRecord, RunSummary } from '../storage-backend.ts';
import { storedText } from '../stored-text.ts';
import type { SqlValue } from './connection.ts';

/** The 16 bytes of an id; undefined when it is not one in its normal form. */
export function idBytes(id: string): Uint8Array | undefined {
  return PlanRunUUID.is(id) || PlanUUID.is(id) ? Buffer.from(id.slice(5).replaceAll('-', ''), 'hex') : undefined;
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A run's id from its bytes. */
export function runIdOf(bytes: Uint8Array): PlanRunUUID {
  return `prun-${uuidOf(bytes)}`;
}

/** What a list of runs reads of each, `plan_id` being that of the plan, `plan_now` that of another one it goes by now. */
export interface RunRow extends RunColumns {
  readonly id: Uint8Array;
  readonly plan_id: Uint8Array;
  readonly plan_now: Uint8Array | null;
}

/** What is read to make {@link RunRow}s. */
export const runColumns = `run.n, run.id, plan.id AS plan_id, run.created_at, run.updated_at, run.state, run.epoch, run.owner,
  run.expires_at, run.wake_at, run.error, run.end_user, run.inputs, run.run_key, run.labels, run.more,
  (SELECT now.id FROM plan AS now WHERE now.n = run.plan_now) AS plan_now`;

/** A row from its values in the order of {@link runColumns}: reading rows without names takes half the time. */
export function runRowOf(values: readonly unknown[]): RunRow {
  const [n, id, plan_id, created_at, updated_at, state, epoch, owner, expires_at, wake_at, error, ...beside] = values;
  const [end_user, inputs, run_key, labels, more, plan_now] = beside;
  const row = { n, id, plan_id, created_at, updated_at, state, epoch, owner, expires_at, wake_at, error };
  return { ...row, end_user, inputs, run_key, labels, more, plan_now } as RunRow;
}

/** A run as lists show it. */
export function summaryOf(row: RunRow): RunSummary {
  const { plan_now } = row;
  return summaryFrom(row, runIdOf(row.id), planIdOf(row), plan_now === null ? undefined : `plan-${uuidOf(plan_now)}`);
}

/** The header of a run. */
export function headerOf(row: RunRow): RunHeader {
  return headerFrom(row, runIdOf(row.id), planIdOf(row));
}

function planIdOf(row: RunRow): PlanUUID {
  return `plan-${uuidOf(row.plan_id)}`;
}

/** What of a header is stored in columns of its own, NULL where it is what it is for most runs; last comes the rest. */
export function headerValues(header: RunHeader): readonly SqlValue[] {
  const { id, planId, endUserId, createdAt, inputs, runKey, labels, ...more } = header;
  return [
    endUserId === defaultEndUserId ? null : storedText(endUserId),
    Object.keys(inputs).length === 0 ? null : JSON.stringify(inputs),
    runKey === undefined ? null : storedText(runKey),
    labels === undefined ? null : JSON.stringify(labels),
    Object.keys(more).length === 0 ? null : JSON.stringify(more),
  ];
}

/** The labels of a run, name by name. */
export function labelsOf(header: RunHeader): readonly (readonly [name: string, value: string])[] {
  return header.labels ? Object.entries(header.labels) : [];
}

/** One row of the table of plans. */
export interface PlanRow extends PlanColumns {
  readonly id: Uint8Array;
}

/** A plan from its row. */
export function planOf(row: PlanRow): PlanRecord {
  return planFrom(row, `plan-${uuidOf(row.id)}`);
}
