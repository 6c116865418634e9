import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunError, StoredOutput } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { completedMarker, type Output, skippedMarker, textOf } from '../core/output.ts';
import { ReadOnlyPlan, ReadOnlyStep } from '../core/plan.ts';
import { visitKey } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import { exceedsThreshold } from '../model/tokens.ts';
import { visitField } from './driver.ts';
import { BeforeStepExecutionOutcome } from './hooks.ts';
import { judgeCondition } from './agents/introspection.ts';
import { asStepError, runOneShotAgent } from './agents/one-shot.ts';
import { shapeResult } from './agents/step-result.ts';
import { loadInputs } from './step-inputs.ts';
import { runView } from './tool-call.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** How a visit of a step ended: the run goes on, waits, is complete by a condition, or fails. */
export type StepEnd =
  | { readonly kind: 'next' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly error: RunError }
  | Waiting;

/** Executes one visit of a step, from its condition to its stored output. */
export async function executeStep(visit: VisitRun, tool: AnyTool): Promise<StepEnd> {
  const started = performance.now();
  visit.driver.notice((at) => ({ at, type: 'step-start', ...visit.place }));
  try {
    return await attempt(visit, tool, started);
  } catch (thrown) {
    // What storage refuses is no fault of the step; and what an ending run broke off is not decided here.
    if (PortiaError.isInstance(thrown) && isDriverTrouble(thrown)) throw thrown;
    if (visit.driver.ending) return waiting;
    return { kind: 'failed', error: asStepError(visit, thrown).error };
  }
}

function isDriverTrouble({ code }: PortiaError): boolean {
  return code === 'DRIVER_LOST' || code === 'STORAGE_FAILED' || code === 'STORAGE_CORRUPT' || code === 'RUN_FILE_CHANGED';
}

async function attempt(visit: VisitRun, tool: AnyTool, started: number): Promise<StepEnd> {
  if (visit.instruction.condition !== null) {
    const verdict = await judgeCondition(visit);
    if (verdict.outcome !== 'CONTINUE') return leaveOut(visit, verdict.outcome, verdict.reason);
  }
  if (await isSkippedByHook(visit)) {
    visit.driver.emit({ type: 'step-end', ...visit.place, skipped: 'hook' });
    await visit.driver.commit();
    return { kind: 'next' };
  }
  const inputs = visit.instruction.step.inputs.length === 0 ? [] : await loadInputs(visit);
  if ('code' in inputs) return { kind: 'failed', error: inputs };
  const result = await runOneShotAgent(visit, tool, inputs);
  if (result === waiting) return waiting;
  if (!result.ok) return { kind: 'failed', error: result.error };
  return finish(visit, tool, result.value, started);
}

async function leaveOut(visit: VisitRun, outcome: 'SKIP' | 'COMPLETE', reason: string): Promise<StepEnd> {
  const value = outcome === 'SKIP' ? skippedMarker : completedMarker;
  visit.driver.emit({ type: 'step-end', ...visit.place, skipped: 'condition', output: { value, summary: reason } });
  await visit.driver.commit();
  return outcome === 'SKIP' ? { kind: 'next' } : { kind: 'complete' };
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

/** Shapes and stores the output: as it is, summarised, coerced into its schema, or in agent memory when it is large. */
async function finish(visit: VisitRun, tool: AnyTool, raw: JsonValue, started: number): Promise<StepEnd> {
  const { driver, instruction } = visit;
  const shaped = await shapeResult(visit, tool, raw);
  const ms = Math.round(performance.now() - started);
  const output = await place(visit, shaped.value, shaped.summary);
  const asCalled = shaped.value === raw && shaped.summary === null && !('memory' in output);
  driver.emit({ type: 'step-end', ...visit.place, ...(asCalled && lastCallGave(visit, raw) ? {} : { output }), ...(ms > 0 && { ms }) });
  const written = driver.commit();
  if (written) await written;
  const { hooks } = visit.run.runtime;
  const stored = hooks.afterStepExecution && driver.state.stepOutputs.get(instruction.output);
  if (stored) await tellStepEnd(visit, stored);
  return { kind: 'next' };
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
