import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import { ReadOnlyPlan } from '../core/plan.ts';
import { isBlocked, isFinished, isUntold, nextWake, type RunState, sleepsUntil } from '../core/run-state.ts';
import { traceIdOf } from '../core/trace.ts';
import { allUntold } from '../core/untold.ts';
import { version } from '../version.ts';
import { isUnplanned } from '../plan/unplanned.ts';
import { makeFinalOutput } from './agents/final-output.ts';
import { expireClarifications } from './expiry.ts';
import { handleInline } from './inline-handler.ts';
import { planFirst } from './plan-first.ts';
import { type AskedTool, checkReadiness } from './readiness.ts';
import type { Driver } from './driver.ts';
import type { DrivenRun } from './runtime.ts';
import { runView } from './hook-views.ts';
import { HookFailure, inHook } from './in-hook.ts';
import { isDriverTrouble } from './step.ts';
import { tellRemaining, tellStepEnds } from './step-told.ts';
import { Flow, runThread } from './threads.ts';
import type { VisitRun } from './visit-run.ts';
import { waiting } from './waiting.ts';

/**
 * Advances a run until it is finished, waits for a person, or is to stop. The one interpreter of programs: fresh,
 * resumed and retried runs all come through here.
 */
export async function advance(run: DrivenRun): Promise<void> {
  const { driver } = run;
  const { state } = driver;
  if (isFinished(state)) {
    if (isUntold(state)) return tellEnd(run);
    run.runtime.logger.warn(`the run is ${state.state} already; nothing is left to do`, { planRunId: driver.id });
    return;
  }
  if (isUnplanned(run.plan)) return planned(run);
  const tools = run.prepared.askedTools();
  if (!(await passGate(run, tools))) return;
  emitStart(run);
  return interpret(run, tools).catch((thrown: unknown) => {
    if (!(thrown instanceof HookFailure)) throw thrown;
    return fail(run, { code: thrown.code, message: thrown.message });
  });
}

/** A run of a query gets its plan; it is driven by it then. */
async function planned(run: DrivenRun): Promise<void> {
  const { driver } = run;
  if (driver.ending) return end(run);
  const error = await planFirst(run).catch((thrown: unknown) => {
    if (!driver.ending) throw thrown;
    return undefined;
  });
  if (driver.ending && !driver.replanned) return end(run);
  if (error) return fail(run, error);
}

function emitStart({ driver, runtime }: DrivenRun): void {
  const { header } = driver.state;
  const trace = header.traceparent !== undefined && { traceId: traceIdOf(header) };
  driver.emit({ type: 'run-start', epoch: driver.record.epoch, host: runtime.host, version, ...trace });
}

/** Whether the record shows anything of a step: only then the hook before the first one has passed for sure. */
function hasBegun({ root, visits, ahead, clarifications }: RunState): boolean {
  if (root.next > 0 || root.frames.length > 0 || root.fork !== undefined || visits.size > 0 || ahead.size > 0)
    return true;
  return clarifications.some(({ key }) => !key.startsWith('ready:'));
}

async function interpret(run: DrivenRun, tools: readonly AskedTool[]): Promise<void> {
  const { driver } = run;
  if (!hasBegun(driver.state)) await beforePlanRun(run);
  // What a process ended and did not live to tell.
  await tellStepEnds(run, driver.state.root);
  for (;;) {
    const { answered } = driver.state;
    const ended = await runThread(new Flow(run), driver.state.root);
    // What failed while the run was being ended may only have been broken off; if not, it fails again.
    if (driver.ending && (driver.cancelled || ended === waiting || (ended !== 'done' && ended.kind === 'failed')))
      return end(run);
    if (ended === 'done') return complete(run);
    if (ended !== waiting) return ended.kind === 'complete' ? complete(run) : fail(run, ended.error, ended.visit);
    // An answer that came meanwhile may be for a strand that had come to rest before.
    if (driver.state.answered !== answered && !driver.ending) continue;
    if (!(await waitForPeople(run, tools))) return;
  }
}

/** Before anything runs: what is outstanding is answered, and the tools ahead are ready. */
async function passGate(run: DrivenRun, tools: readonly AskedTool[]): Promise<boolean> {
  const { driver } = run;
  for (;;) {
    if (driver.ending) {
      await end(run);
      return false;
    }
    const problem = await checkReadiness(run, tools);
    if (problem) {
      await fail(run, problem);
      return false;
    }
    const expired = expireClarifications(run);
    if (expired) {
      await fail(run, expired);
      return false;
    }
    if (canMove(driver)) return true;
    if (!(await waitForPeople(run, tools))) return false;
  }
}

/** Whether something can run: nothing is asked, an answer came since the run last waited, or a branch has slept. */
function canMove(driver: Driver): boolean {
  const { state } = driver;
  if (state.outstanding === 0) return true;
  if (isBlocked(state)) return false;
  return state.answered !== state.answeredAtWait || (sleepsUntil(state) ?? Number.POSITIVE_INFINITY) <= driver.now();
}

/** Nothing can run. Writes that down, lets the handler ask where there is one, and says whether the run can go on. */
async function waitForPeople(run: DrivenRun, tools: readonly AskedTool[]): Promise<boolean> {
  const { driver } = run;
  const sleeps = driver.state.outstanding === 0 && nextWake(driver.state) !== undefined;
  if (driver.state.outstanding > 0 || sleeps) {
    if (driver.state.state === 'IN_PROGRESS' || driver.state.state === 'NOT_STARTED') driver.emit({ type: 'run-wait' });
    const leaves = sleeps || (!run.runtime.hooks.clarificationHandler && !driver.ending && !canMove(driver));
    await driver.commit(leaves);
    if (leaves) return false;
    const failed = await handleInline(run, tools);
    if (failed) {
      await fail(run, failed);
      return false;
    }
  }
  if (driver.ending) {
    await end(run);
    return false;
  }
  if (!canMove(driver)) return false;
  if (driver.state.state !== 'IN_PROGRESS') emitStart(run);
  return true;
}

/** Ends a run that was cancelled; a run that has finished meanwhile stays as it is. */
export async function endCancelled(run: DrivenRun): Promise<void> {
  if (!isFinished(run.driver.state)) await end(run);
}

/** The run is to end: as cancelled, or only here and now. */
async function end(run: DrivenRun): Promise<void> {
  const { driver } = run;
  const { cancelled } = driver;
  if (cancelled) {
    const message = cancelled.reason ? `the run was cancelled: ${cancelled.reason}` : 'the run was cancelled';
    return fail(run, { code: 'RUN_CANCELLED', message });
  }
  await driver.commit();
}

async function complete(run: DrivenRun): Promise<void> {
  const { driver, runtime } = run;
  await tellRemaining(run);
  const made = await makeFinalOutput(run).catch((thrown: unknown) => {
    if (isDriverTrouble(thrown)) throw thrown;
    return driver.ending ? undefined : failureOf(thrown);
  });
  if (driver.ending && (driver.cancelled || !made)) return end(run);
  if (made && 'code' in made) return fail(run, made);
  const tell = runtime.hooks.afterPlanRun && made && ({ run: true } as const);
  driver.emit({ type: 'run-end', state: 'COMPLETE', ...(made && { finalOutput: made }), ...(tell && { tell }) });
  const written = driver.commit(!tell);
  if (written) await written;
  if (tell) await tellEnd(run);
}

function failureOf(thrown: unknown): RunError {
  const { message, name } = ensureError(thrown);
  const said = PortiaError.isInstance(thrown) ? message : `${name}: ${message}`;
  const code = PortiaError.isInstance(thrown) ? thrown.code : 'STEP_FAILED';
  return { code, message: `the final output could not be made: ${said}` };
}

/** Ends the run as failed. */
export async function fail(run: DrivenRun, error: RunError, visit?: VisitRun): Promise<void> {
  const { driver, runtime } = run;
  const { afterStepExecution, afterPlanRun } = runtime.hooks;
  await tellSteps(run);
  const step = visit && afterStepExecution && visit.place;
  const tell = (step || afterPlanRun) && { ...step, ...(afterPlanRun && { run: true as const }) };
  driver.emit({ type: 'run-end', state: 'FAILED', error, ...(tell && { tell }) });
  await driver.commit(!tell);
  if (tell) await tellEnd(run);
}

/** Tells hooks of a run that has ended: of steps they have not heard of, then of the run itself. */
export async function tellEnd(run: DrivenRun): Promise<void> {
  const { driver, runtime } = run;
  await tellSteps(run);
  if (!driver.state.untold || !runtime.hooks.afterPlanRun) return;
  // Who dies in the last hook leaves no other one to be told again.
  if (driver.dirty) await driver.commit();
  await tellLast(run, () => afterPlanRun(run));
  driver.emit({ type: 'run-told' });
}

/** What ended and was not told. A hook that throws was told, and hears of the next one all the same. */
async function tellSteps(run: DrivenRun): Promise<void> {
  while (run.runtime.hooks.afterStepExecution && allUntold(run.driver.state.root).length > 0)
    await tellLast(run, () => tellRemaining(run));
}

/** Tells a hook of a run that has ended, or is about to. What it throws is logged: it changes nothing any more. */
async function tellLast(run: DrivenRun, tell: () => Promise<void>): Promise<void> {
  try {
    await tell();
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown.message : String(thrown);
    run.runtime.logger.error('a hook threw after the run had ended', { planRunId: run.driver.id, error });
  }
}

async function beforePlanRun(run: DrivenRun): Promise<void> {
  const { hooks } = run.runtime;
  if (!hooks.beforePlanRun) return;
  await inHook(() => hooks.beforePlanRun?.(ReadOnlyPlan.fromPlan(run.plan), runView(run)));
}

async function afterPlanRun(run: DrivenRun): Promise<void> {
  const { hooks } = run.runtime;
  const { state } = run.driver;
  await inHook(() => hooks.afterPlanRun?.(ReadOnlyPlan.fromPlan(run.plan), runView(run), state.finalOutput));
}
