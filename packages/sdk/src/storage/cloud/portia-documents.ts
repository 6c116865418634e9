import { fold } from '../../core/apply.ts';
import { type Commit, fromCommit } from '../../core/event.ts';
import { hashJson } from '../../core/hash.ts';
import { isPlainObject, type JsonObject } from '../../core/json.ts';
import { isInMemory } from '../../core/output.ts';
import { Plan } from '../../core/plan.ts';
import { planRunFromWire, planRunView } from '../../core/plan-run.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { PortiaError } from '../../core/errors.ts';
import { compile } from '../../plan/compile.ts';
import { planForReading } from '../../plan/plan-record.ts';
import { journalOf, type PortiaRun } from '../disk/portia-run.ts';
import type { PlanRecord, StoredRun } from '../storage-backend.ts';

/** A plan as `POST /plans/` takes it: query and tools beside the id. */
export function sentPlan({ document }: PlanRecord): JsonObject {
  const { plan_context: context, ...plan } = document;
  return { ...plan, ...(isPlainObject(context) ? (context as JsonObject) : {}) };
}

/** A plan that a Portia cloud gave. @throws PortiaError `STORAGE_CORRUPT`. */
export function receivedPlan(json: unknown): PlanRecord {
  const plan = readable('a plan', () => Plan.fromResponse(json));
  const document = plan.toJSON();
  const { query } = plan.planContext;
  return { id: plan.id, hash: hashJson({ document }), query, document, createdAt: timeIn(json, 'created_at') };
}

/** A run as `PUT /plan-runs/{id}/` takes it: what its journal says. */
export function sentRun(header: RunHeader, plan: PlanRecord, commits: readonly Commit[]): JsonObject {
  const state = fold(header, compile(planForReading(plan)), commits.flatMap(fromCommit));
  const { id, end_user_id: endUser, ...document } = planRunView(state).toJSON();
  return { ...document, end_user: endUser ?? header.endUserId };
}

/** A run that a Portia cloud gave. @throws PortiaError `STORAGE_CORRUPT`. */
export function receivedRun(json: unknown): PortiaRun {
  return readable('a run', () => {
    const { plan, end_user, ...others } = json as { readonly plan: { readonly id: string }; readonly end_user: string };
    const { id, current_step_index, state, outputs, plan_run_inputs } = others as Readonly<Record<string, unknown>>;
    const planRun = planRunFromWire({
      id,
      plan_id: plan.id,
      end_user_id: end_user,
      current_step_index,
      state,
      outputs,
      plan_run_inputs,
    });
    const createdAt = timeIn(json, 'created_at');
    const { planId, endUserId, planRunInputs: inputs, error } = planRun;
    return {
      header: { id: planRun.id, planId, endUserId, createdAt, inputs },
      status: {
        state: planRun.state,
        updatedAt: timeIn(json, 'updated_at') || createdAt,
        ...(error && { error }),
      },
      text: JSON.stringify(json),
      planRun,
    };
  });
}

/** The run with the journal that it would have, so that it can be resumed. */
export function withJournal(run: PortiaRun, plan: PlanRecord): StoredRun {
  return { header: run.header, driver: undefined, epoch: 0, ...journalOf(run, planForReading(plan)), commands: [] };
}

/** The names of the large outputs of a run. */
export function outputNames({ planRun }: PortiaRun): readonly string[] {
  const { stepOutputs, finalOutput } = planRun.outputs;
  const all = [...Object.values(stepOutputs), ...(finalOutput ? [finalOutput] : [])];
  return [...new Set(all.flatMap((output) => (isInMemory(output) ? [output.outputName] : [])))];
}

function timeIn(json: unknown, field: string): number {
  return Date.parse(String((json as Readonly<Record<string, unknown>> | null)?.[field])) || 0;
}

function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new PortiaError({
      code: 'STORAGE_CORRUPT',
      message: `the Portia cloud gave ${what} that cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
}
