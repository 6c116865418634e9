import { outputOf } from '../core/apply.ts';
import type { StoredOutput } from '../core/event.ts';
import type { Output } from '../core/output.ts';
import { ReadOnlyPlan } from '../core/plan.ts';
import type { Thread } from '../core/thread.ts';
import { allUntold, isFirst, nextUntold, type Untold } from '../core/untold.ts';
import { visitField } from './driver.ts';
import { runView, stepView } from './hook-views.ts';
import { inHook } from './in-hook.ts';
import type { DrivenRun } from './runtime.ts';
import type { VisitRun } from './visit-run.ts';

/**
 * `afterStepExecution` is told in the order of the plan, one step at a time, and at least once: the end of a step says
 * on record that it is to be told, and `step-told` that it was. What ended in a strand before its turn waits in the
 * record, also over a pause or a crash, until all that comes before it has ended.
 */

/** Tells what is to be told now; `thread` says whose turn it has to be. @throws HookFailure for what the hook throws. */
export async function tellStepEnds(run: DrivenRun, thread: Thread): Promise<void> {
  if (!run.runtime.hooks.afterStepExecution || !isFirst(thread)) return;
  const { root } = run.driver.state;
  while (nextUntold(root)) {
    if (!run.telling) {
      const telling = tellAll(run, () => nextUntold(root));
      run.telling = telling;
      // Whoever waits for it hears of its failure; so does whoever began it.
      telling
        .catch(() => {})
        .finally(() => {
          run.telling = undefined;
        });
    }
    await run.telling;
  }
}

/** The run is over: tells all that was not told. @throws HookFailure for what the hook throws. */
export async function tellRemaining(run: DrivenRun): Promise<void> {
  if (!run.runtime.hooks.afterStepExecution) return;
  await run.telling?.catch(() => {});
  await tellAll(run, () => allUntold(run.driver.state.root)[0]);
}

async function tellAll(run: DrivenRun, next: () => Untold | undefined): Promise<void> {
  const { driver } = run;
  for (let untold = next(); untold; untold = next()) {
    const { step, visit, output } = untold;
    try {
      await tell(run, step, output);
    } finally {
      // A hook that throws was told, and fails the run.
      driver.emit({ type: 'step-told', step, ...visitField(visit) });
    }
  }
}

async function tell(run: DrivenRun, step: number, output: Output): Promise<void> {
  const { hooks } = run.runtime;
  const { program } = run.driver.state;
  const instruction = program.instructions[step];
  if (!instruction) return;
  const view = stepView(instruction);
  await inHook(() => hooks.afterStepExecution?.(ReadOnlyPlan.fromPlan(run.plan), runView(run), view, output));
}

/** What the hook is told a step made; nothing when it made nothing. */
export function outputToTell(visit: VisitRun, output: StoredOutput | undefined): Output | undefined {
  if (!visit.run.runtime.hooks.afterStepExecution) return undefined;
  if (output) return outputOf(output, visit.driver.id);
  const outcome = visit.stored?.lastCall?.outcome;
  return outcome?.status === 'SUCCESS' ? outputOf({ value: outcome.value }, visit.driver.id) : undefined;
}
