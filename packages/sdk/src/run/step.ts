import { PortiaError } from '../core/errors.ts';
import type { RunError, StoredOutput } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { completedMarker, type Output, skippedMarker, textOf } from '../core/output.ts';
import { ReadOnlyPlan, ReadOnlyStep } from '../core/plan.ts';
import { visitKey } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import { exceedsThreshold } from '../model/tokens.ts';
import { visitField } from './driver.ts';
import { BeforeStepExecutionOutcome } from './hooks.ts';
import { HookFailure, inHook } from './in-hook.ts';
import { judgeCondition } from './agents/introspection.ts';
import { asStepError, runOneShotAgent } from './agents/one-shot.ts';
import { type ShapedResult, shapeResult } from './agents/step-result.ts';
import { loadInputs } from './step-inputs.ts';
import { runView } from './tool-hooks.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** How a visit of a step ended: the run goes on, waits, is complete by a condition, or fails. */
export type StepEnd =
  | { readonly kind: 'next' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly error: RunError }
  | Waiting;

const next: StepEnd = { kind: 'next' };

/** Executes one visit of a step, from its condition to its stored output. */
export async function executeStep(visit: VisitRun, tool: AnyTool): Promise<StepEnd> {
  const started = performance.now();
  if (visit.driver.watched) visit.driver.notice((at) => ({ at, type: 'step-start', ...visit.place }));
  try {
    const early = isGated(visit) ? await passGate(visit) : undefined;
    if (early) return early;
    const inputs = visit.instruction.step.inputs.length === 0 ? [] : await loadInputs(visit);
    if ('code' in inputs) return { kind: 'failed', error: inputs };
    const result = await runOneShotAgent(visit, tool, inputs);
    if (result === waiting) return waiting;
    if (!result.ok) return { kind: 'failed', error: result.error };
    const ended = finish(visit, tool, result.value, started);
    return ended instanceof Promise ? await ended : ended;
  } catch (thrown) {
    // What storage refuses is no fault of the step; and what an ending run broke off is not decided here.
    if (isDriverTrouble(thrown)) throw thrown;
    if (visit.driver.ending) return waiting;
    return { kind: 'failed', error: asStepError(visit, thrown).error };
  }
}

/** Whether an error comes from the store or the driver, and so says nothing about the run. */
export function isDriverTrouble(thrown: unknown): boolean {
  if (!PortiaError.isInstance(thrown) || thrown instanceof HookFailure) return false;
  const { code } = thrown;
  return code === 'DRIVER_LOST' || code === 'STORAGE_FAILED' || code === 'STORAGE_CORRUPT' || code === 'RUN_FILE_CHANGED';
}

function isGated(visit: VisitRun): boolean {
  return visit.instruction.condition !== null || visit.run.runtime.hooks.beforeStepExecution !== undefined;
}

/** Asks the condition and the hook whether the step is to run; if not, says how the visit ended. */
async function passGate(visit: VisitRun): Promise<StepEnd | undefined> {
  if (visit.instruction.condition !== null) {
    const verdict = await judgeCondition(visit);
    if (verdict.outcome !== 'CONTINUE') return leaveOut(visit, verdict.outcome, verdict.reason);
  }
  if (!(await isSkippedByHook(visit))) return undefined;
  visit.driver.emit({ type: 'step-end', ...visit.place, skipped: 'hook' });
  await visit.driver.commit();
  return next;
}

async function leaveOut(visit: VisitRun, outcome: 'SKIP' | 'COMPLETE', reason: string): Promise<StepEnd> {
  const value = outcome === 'SKIP' ? skippedMarker : completedMarker;
  // What ends the run leads past its last step, so that whoever resumes after a crash does not go on with the next one.
  const last = outcome === 'SKIP' ? {} : { next: visit.driver.state.program.instructions.length };
  visit.driver.emit({ type: 'step-end', ...visit.place, skipped: 'condition', output: { value, summary: reason }, ...last });
  await visit.driver.commit();
  return outcome === 'SKIP' ? next : { kind: 'complete' };
}

/** The hook is asked once per visit: not again for one that the record shows as begun. */
async function isSkippedByHook(visit: VisitRun): Promise<boolean> {
  const { runtime, plan } = visit.run;
  const { beforeStepExecution } = runtime.hooks;
  if (!beforeStepExecution || hasBegun(visit)) return false;
  const step = ReadOnlyStep.fromStep(visit.instruction.step);
  const answer = await inHook(() => beforeStepExecution.call(runtime.hooks, ReadOnlyPlan.fromPlan(plan), runView(visit), step));
  if (answer === BeforeStepExecutionOutcome.SKIP) return true;
  visit.driver.emit({ type: 'step-start', step: visit.step, ...visitField(visit.visit) });
  return false;
}

function hasBegun(visit: VisitRun): boolean {
  return visit.stored?.begun === true;
}

/** Shapes and stores the output: as it is, summarised, coerced into its schema, or in agent memory when it is large. */
function finish(visit: VisitRun, tool: AnyTool, raw: JsonValue, started: number): StepEnd | Promise<StepEnd> {
  const shaped = shapeResult(visit, tool, raw);
  return shaped instanceof Promise ? shaped.then((known) => keep(visit, known, raw, started)) : keep(visit, shaped, raw, started);
}

function keep(visit: VisitRun, shaped: ShapedResult, raw: JsonValue, started: number): StepEnd | Promise<StepEnd> {
  const ms = Math.round(performance.now() - started);
  const asCalled = shaped.value === raw && shaped.summary === null;
  const output = place(visit, shaped.value, shaped.summary);
  if (output instanceof Promise) return output.then((placed) => end(visit, placed, ms));
  return end(visit, asCalled && lastCallGave(visit, raw) ? undefined : output, ms);
}

/** `output` is left out of the record when it is just what the last call gave. */
function end(visit: VisitRun, output: StoredOutput | undefined, ms: number): StepEnd | Promise<StepEnd> {
  const { driver } = visit;
  driver.emit({ type: 'step-end', ...visit.place, ...(output && { output }), ...(ms > 0 && { ms }) });
  const written = driver.commit();
  if (!written && !visit.run.runtime.hooks.afterStepExecution) return next;
  return afterEnd(visit, written);
}

async function afterEnd(visit: VisitRun, written: void | Promise<void>): Promise<StepEnd> {
  await written;
  const { hooks } = visit.run.runtime;
  const stored = hooks.afterStepExecution && visit.driver.state.stepOutputs.get(visit.instruction.output);
  if (stored) await tellStepEnd(visit, stored);
  return next;
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

function place(visit: VisitRun, value: JsonValue, summary: string | null): StoredOutput | Promise<StoredOutput> {
  const { largeOutputThresholdTokens, featureFlags } = visit.run.runtime.config;
  if (typeof value === 'string' && value.length <= largeOutputThresholdTokens) return withSummary(value, summary);
  if (!featureFlags.agentMemoryEnabled || !exceedsThreshold(textOf(value), largeOutputThresholdTokens)) {
    return withSummary(value, summary);
  }
  return keepInMemory(visit, value, summary);
}

async function keepInMemory(visit: VisitRun, value: JsonValue, summary: string | null): Promise<StoredOutput> {
  const { output } = visit.instruction;
  const memory = visit.visit === 0 ? output : `${output}#${visit.visit}`;
  await visit.run.runtime.storage.saveOutput(visit.driver.id, memory, { value, summary });
  return { memory, summary: summary ?? '' };
}

function withSummary(value: JsonValue, summary: string | null): StoredOutput {
  return summary === null ? { value } : { value, summary };
}
