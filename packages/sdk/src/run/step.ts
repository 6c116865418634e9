import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunError, StoredOutput } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { type Output, textOf } from '../core/output.ts';
import { ReadOnlyPlan, ReadOnlyStep } from '../core/plan.ts';
import { visitKey } from '../core/run-state.ts';
import { exceedsThreshold } from '../model/tokens.ts';
import { asStepError } from './agents/one-shot.ts';
import type { ShapedResult } from './agents/step-result.ts';
import { visitField } from './driver.ts';
import { BeforeStepExecutionOutcome } from './hooks.ts';
import { runView } from './tool-call.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';
import { performAgentStep } from './work/agent-step.ts';
import { performWork } from './work/perform.ts';

/** How a visit of a step ended: the run goes on, waits, is complete by a condition, or fails. */
export type StepEnd =
  | { readonly kind: 'next' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly error: RunError }
  | Waiting;

/** What the work of a step comes to, before it is stored. */
export type Performed =
  | Waiting
  | { readonly kind: 'output'; readonly result: ShapedResult; readonly raw?: JsonValue }
  /** Left out: by its condition, with a mark of that as its output, or by a hook, with none. */
  | { readonly kind: 'skipped'; readonly output: StoredOutput | undefined; readonly completes: boolean }
  /** `soft`: nothing happened, and trying again may help. */
  | { readonly kind: 'failed'; readonly error: RunError; readonly soft?: boolean };

/** Executes one visit of a step, from its condition to its stored output. */
export async function executeStep(visit: VisitRun): Promise<StepEnd> {
  const started = performance.now();
  visit.driver.notice((at) => ({ at, type: 'step-start', ...visit.place }));
  try {
    const performed = visit.instruction.op === 'work' ? await performWork(visit, visit.instruction.work) : await performAgentStep(visit);
    return await finish(visit, performed, started);
  } catch (thrown) {
    // What storage refuses is no fault of the step; and what an ending run broke off is not decided here.
    if (PortiaError.isInstance(thrown) && isDriverTrouble(thrown)) throw thrown;
    if (visit.driver.ending) return waiting;
    return { kind: 'failed', error: asStepError(visit, thrown).error };
  }
}

/** Whether an error comes from the store or from having lost the run, rather than from a step. */
export function isDriverTrouble({ code }: PortiaError): boolean {
  return code === 'DRIVER_LOST' || code === 'STORAGE_FAILED' || code === 'STORAGE_CORRUPT' || code === 'RUN_FILE_CHANGED';
}

/** Whether the hook leaves this step out. It is asked once per visit: not again for one that the record shows as begun. */
export async function isSkippedByHook(visit: VisitRun): Promise<boolean> {
  const { runtime, plan } = visit.run;
  const { beforeStepExecution } = runtime.hooks;
  if (!beforeStepExecution || visit.stored?.begun === true) return false;
  const step = ReadOnlyStep.fromStep(visit.instruction.step);
  const answer = await inHook(() => beforeStepExecution.call(runtime.hooks, ReadOnlyPlan.fromPlan(plan), runView(visit), step));
  if (answer === BeforeStepExecutionOutcome.SKIP) return true;
  visit.driver.emit({ type: 'step-start', step: visit.step, ...visitField(visit.visit) });
  return false;
}

/** Runs a hook; what it throws gets the code HOOK_FAILED unless it has one. */
export async function inHook<T>(hook: () => T | Promise<T>): Promise<T> {
  try {
    return await hook();
  } catch (thrown) {
    if (PortiaError.isInstance(thrown)) throw thrown;
    const cause = ensureError(thrown);
    throw new PortiaError({ code: 'HOOK_FAILED', message: `a hook threw ${cause.name}: ${cause.message}`, cause });
  }
}

async function finish(visit: VisitRun, performed: Performed, started: number): Promise<StepEnd> {
  if (performed === waiting || performed.kind === 'failed') return performed;
  const { driver } = visit;
  if (visit.turn) await visit.turn;
  if (performed.kind === 'skipped') {
    const { output } = performed;
    driver.emit({ type: 'step-end', ...visit.place, ...(output ? { skipped: 'condition', output } : { skipped: 'hook' }) });
    await driver.commit();
    return { kind: performed.completes ? 'complete' : 'next' };
  }
  const { value, summary } = performed.result;
  const ms = Math.round(performance.now() - started);
  const output = await place(visit, value, summary);
  const asCalled = value === performed.raw && summary === null && !('memory' in output) && lastCallGave(visit, value);
  driver.emit({ type: 'step-end', ...visit.place, ...(!asCalled && { output }), ...(ms > 0 && { ms }) });
  const written = driver.commit();
  if (written) await written;
  if (visit.run.runtime.hooks.afterStepExecution) await tellStepEnd(visit, asOutput(visit, output));
  return { kind: 'next' };
}

function asOutput(visit: VisitRun, output: StoredOutput): Output {
  return 'memory' in output
    ? { outputName: output.memory, planRunId: visit.driver.id, summary: output.summary }
    : { value: output.value, summary: output.summary ?? null };
}

function lastCallGave(visit: VisitRun, value: JsonValue): boolean {
  const outcome = visit.driver.state.visits.get(visitKey(visit.step, visit.visit))?.lastCall?.outcome;
  return outcome?.status === 'SUCCESS' && outcome.value === value;
}

/** Tells the hook that a step ended. */
export async function tellStepEnd(visit: VisitRun, output: Output): Promise<void> {
  const { hooks } = visit.run.runtime;
  const step = ReadOnlyStep.fromStep(visit.instruction.step);
  await inHook(() => hooks.afterStepExecution?.(ReadOnlyPlan.fromPlan(visit.run.plan), runView(visit), step, output));
}

async function place(visit: VisitRun, value: JsonValue, summary: string | null): Promise<StoredOutput> {
  const { runtime } = visit.run;
  const { largeOutputThresholdTokens, featureFlags } = runtime.config;
  if (typeof value === 'string' && value.length <= largeOutputThresholdTokens) return withSummary(value, summary);
  if (!featureFlags.agentMemoryEnabled || !exceedsThreshold(textOf(value), largeOutputThresholdTokens)) {
    return withSummary(value, summary);
  }
  const { output } = visit.instruction;
  const memory = visit.visit === 0 ? output : `${output}#${visit.visit}`;
  await runtime.storage.saveOutput(visit.driver.id, memory, { value, summary });
  return { memory, summary: summary ?? '' };
}

function withSummary(value: JsonValue, summary: string | null): StoredOutput {
  return summary === null ? { value } : { value, summary };
}
