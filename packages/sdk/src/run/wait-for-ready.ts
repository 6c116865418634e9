import { PortiaError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { isFinished, type RunState } from '../core/run-state.ts';
import { readState } from './answers.ts';
import { drive } from './drive.ts';
import type { PlanShelf } from './plan-shelf.ts';
import { checkReadiness } from './readiness.ts';
import type { Runtime } from './runtime.ts';

/** How long to wait. */
export interface WaitOptions {
  /** Looks after the back-off began; 6 unless given. */
  readonly maxRetries?: number | undefined;
  /** Seconds after which the pauses begin to double; 420 unless given. */
  readonly backoffStartTimeSeconds?: number | undefined;
  /** Seconds between looks at first; 2 unless given. */
  readonly backoffTimeSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until a run can go on. Actions that ask for no confirmation are resolved when their tool says that it is ready.
 * @throws PortiaError `RUN_STATE_INVALID` for a finished run, or when it is still not ready at the end of the wait.
 */
export async function waitForReady(
  runtime: Runtime,
  plans: PlanShelf,
  id: PlanRunUUID,
  options: WaitOptions,
): Promise<RunState> {
  const { maxRetries = 6, backoffStartTimeSeconds = 420, backoffTimeSeconds = 2, signal } = options;
  const started = runtime.clock.now();
  let pause = backoffTimeSeconds * 1_000;
  let retries = 0;
  for (;;) {
    let state = await readState(runtime, plans, id);
    if (isFinished(state)) throw notReady(id, 'Cannot wait for run that is not ready to run');
    if (state.state === 'NEED_CLARIFICATION') state = await askTools(runtime, plans, id, state);
    if (state.state !== 'NEED_CLARIFICATION') return state;
    if (retries >= maxRetries) throw notReady(id, 'Run is not ready to resume after max retries');
    if (runtime.clock.now() - started > backoffStartTimeSeconds * 1_000) {
      retries += 1;
      pause *= 2;
    }
    await runtime.clock.sleep(pause, signal);
  }
}

async function askTools(runtime: Runtime, plans: PlanShelf, id: PlanRunUUID, before: RunState): Promise<RunState> {
  try {
    return await drive(runtime, plans, id, async (run) => {
      await checkReadiness(run, run.prepared.askedTools());
    });
  } catch (error) {
    if (PortiaError.isInstance(error) && error.code === 'RUN_BUSY') return before;
    throw error;
  }
}

function notReady(id: PlanRunUUID, message: string): PortiaError {
  return new PortiaError({ code: 'RUN_STATE_INVALID', message, planRunId: id });
}
