import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import { initialState, type ModelUsageTotals, type RunState } from '../core/run-state.ts';
import { toJson } from '../core/json.ts';
import { traceContextFor } from '../core/trace.ts';
import { compile } from '../plan/compile.ts';
import { planForQuery } from '../plan/make-plan.ts';
import { fromPlanRecord, planningOf, schemaFromJson, toPlanRecord } from '../plan/plan-record.ts';
import { plannedId, unplannedFor } from '../plan/unplanned.ts';
import { readState } from './answers.ts';
import { BudgetBreak } from './budget.ts';
import { beginning, checkSameRun, type RunOptions } from './create-run.ts';
import { byName, inputAsShown, planRunInputs } from './plan-run-inputs.ts';
import type { PlanShelf } from './plan-shelf.ts';
import type { DrivenRun, Runtime } from './runtime.ts';

/** Stores a run of a query, which whoever drives it plans first. A run key that is taken gives the run that has it. */
export async function createQueryRun(
  runtime: Runtime,
  plans: PlanShelf,
  query: string,
  options: RunOptions,
): Promise<RunState> {
  if (query.trim() === '')
    throw new PortiaError({ code: 'INPUT_INVALID', message: 'there is nothing to plan: the query is empty' });
  const plan = unplannedFor(query);
  await plans.put(plan, runtime.clock.now());
  // Which inputs the plan needs is known once there is one.
  const { header } = await beginning(runtime, plan, { ...options, planRunInputs: undefined });
  const inputs = Object.fromEntries(
    [...byName(options.planRunInputs)].map(([name, value]) => [
      name,
      inputAsShown(name, toJson(value, `input ${name}`), runtime.hooks),
    ]),
  );
  const made = await runtime.storage.createRun({ ...header, inputs });
  if (made.created) return initialState(made.header, compile(plan));
  await checkSameRun(runtime, made.header, plan, options);
  return readState(runtime, plans, made.header.id);
}

/**
 * Makes the plan of a run that has none yet, and puts it on record; its driver then takes the run up again, with it. A
 * plan that was paid for before a crash is found by the run's id. Gives why it could not be made.
 * @throws BudgetBreak of the client's budget, which leaves the run as it is.
 */
export async function planFirst(run: DrivenRun): Promise<RunError | undefined> {
  const { driver, runtime, plan } = run;
  const { header } = driver.state;
  const { storage, clock, logger } = runtime;
  const id = plannedId(header.id);
  let usage: ModelUsageTotals | undefined;
  try {
    const known = await storage.getPlan(id);
    let planned = known && (await fromPlanRecord(known));
    usage = known && planningOf(known);
    if (!planned) {
      const made = await planForQuery(runtime, plan.planContext.query, {
        endUser: run.endUser,
        planInputs: Object.keys(header.inputs),
        structuredOutputSchema: header.outputSchema && (await schemaFromJson(header.outputSchema)),
        budget: driver.state.budget,
        signal: driver.signal,
        id,
        trace: traceContextFor(header, 'planning'),
        fresh: driver.state.retries > 0,
      });
      planned = made.plan;
      usage = made.usage;
      await storage.savePlan(toPlanRecord(planned, clock.now(), usage));
    }
    const given = Object.fromEntries(Object.entries(header.inputs).map(([name, { value }]) => [name, value]));
    await planRunInputs(planned, given, logger);
  } catch (thrown) {
    if (driver.ending || (thrown instanceof BudgetBreak && thrown.scope === 'client')) throw thrown;
    const { message } = ensureError(thrown);
    if (!PortiaError.isInstance(thrown)) return { code: 'PLANNING_FAILED', message };
    if (thrown.code === 'STORAGE_FAILED') throw thrown;
    return { code: thrown.code, message };
  }
  driver.emit({ type: 'plan-accept', planId: id, changes: [], ...(usage && { planning: usage }) });
  await driver.commit();
  driver.replanned = true;
  return undefined;
}
