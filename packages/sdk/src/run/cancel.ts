import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { isFinished, type RunState } from '../core/run-state.ts';
import { readState } from './answers.ts';
import { drive } from './drive.ts';
import { graceMs } from './guard.ts';
import type { PlanShelf } from './plan-shelf.ts';
import { endCancelled } from './runner.ts';
import type { Runtime } from './runtime.ts';
import { systemClock } from './system-clock.ts';

/** Why a run is cancelled, for the record. */
export interface CancelOptions {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/**
 * Ends a run. Where a driver is alive it is told, and waited for. Cancelling twice is fine.
 * @throws PortiaError `PLAN_RUN_NOT_FOUND`; `RUN_STATE_INVALID` when the run has finished otherwise.
 */
export async function cancelRun(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  options: CancelOptions,
): Promise<RunState> {
  const state = await readState(runtime, plans, id);
  if (isFinished(state)) {
    if (state.error?.code === 'RUN_CANCELLED') return state;
    throw new PortiaError({ code: 'RUN_STATE_INVALID', message: `run ${id} is ${state.state} already`, planRunId: id });
  }
  const key = `cancel.${state.retries}`;
  const { by = null, reason = null } = options;
  await runtime.storage.putCommand(id, { type: 'cancel', key, at: runtime.clock.now(), by, reason });
  const until = performance.now() + 2 * graceMs;
  for (;;) {
    try {
      return await drive(runtime, plans, id, endCancelled, { onlyRecord: true });
    } catch (error) {
      if (!PortiaError.isInstance(error) || error.code !== 'RUN_BUSY') throw error;
    }
    const now = await readState(runtime, plans, id);
    if (isFinished(now) || performance.now() > until) return now;
    await systemClock.sleep(50);
  }
}
