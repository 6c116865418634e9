import { budgetToJson, readBudget, type RunBudget } from '../core/budget.ts';
import type { Clarification } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { isFinished, type RunState } from '../core/run-state.ts';
import { drive } from './drive.ts';
import type { PlanShelf } from './plan-shelf.ts';
import { advance, fail, tellEnd } from './runner.ts';
import type { Runtime } from './runtime.ts';

/** How a failed run is retried. */
export interface RetryOptions {
  /** Who wants it, for the record. */
  readonly by?: string | undefined;
  /** Limits that take the place of those the run had: what it spent so far counts. */
  readonly budget?: RunBudget | undefined;
  /** Stops driving when aborted; the run stays resumable. */
  readonly signal?: AbortSignal | undefined;
  /** `false`: the retry is only put on record, and whichever worker comes first drives the run. */
  readonly drive?: boolean | undefined;
}

/**
 * Takes a failed run up again from the failed step.
 * @throws PortiaError `RUN_STATE_INVALID` for a run that has not failed; `RUN_BUSY`, `PLAN_RUN_NOT_FOUND`;
 * `TOOL_NOT_FOUND` when a tool of the plan is not registered here.
 */
export async function retryRun(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  options: RetryOptions,
): Promise<RunState> {
  const budget = readBudget(options.budget, 'budget');
  const again = async (run: Parameters<typeof advance>[0]): Promise<void> => {
    const { driver } = run;
    if (driver.state.state !== 'FAILED') {
      throw new PortiaError({
        code: 'RUN_STATE_INVALID',
        message: `run ${id} is ${driver.state.state}; only a failed run can be retried`,
        hint: 'go on with a waiting run by resume',
        planRunId: id,
        details: { state: driver.state.state },
      });
    }
    // A run whose tools are not here stays failed.
    run.prepared.askedTools();
    // Of this end nobody would be told later: the run goes on.
    await tellEnd(run);
    driver.emit({ type: 'run-retry', by: options.by ?? null, ...(budget && { budget: budgetToJson(budget) }) });
    await driver.commit();
    if (options.drive !== false) await advance(run);
  };
  const state = await drive(runtime, plans, id, again, { signal: options.signal, again: advance });
  if (options.drive === false) runtime.bus.ring();
  return state;
}

/** Fails a run because a clarification of it cannot be answered. */
export function failByHandler(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  clarification: Clarification,
  error: Error,
): Promise<RunState> {
  return drive(
    runtime,
    plans,
    id,
    async (run) => {
      const known = run.driver.state.clarifications.some((record) => record.clarification.id === clarification.id);
      if (!known) {
        throw new PortiaError({
          code: 'CLARIFICATION_NOT_FOUND',
          message: `Could not match clarification ${clarification.id} to run ${id}`,
          planRunId: id,
        });
      }
      if (isFinished(run.driver.state)) return;
      await fail(run, {
        code: 'CLARIFICATION_FAILED',
        message: error.message,
        ...(clarification.step !== null && { step: clarification.step }),
      });
    },
    { onlyRecord: true },
  );
}
