import { PortiaError } from '../core/errors.ts';
import type { EventDraft, RunError, StoredOutput } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { completedMarker, type Output, skippedMarker, textOf } from '../core/output.ts';
import { ReadOnlyPlan } from '../core/plan.ts';
import type { AgentInstruction } from '../core/program.ts';
import { exceedsThreshold } from '../model/tokens.ts';
import { judgeCondition } from './agents/introspection.ts';
import { asStepError } from './agents/one-shot.ts';
import { runToolAgent } from './agents/tool-agent.ts';
import { type ShapedResult, shapeResult } from './agents/step-result.ts';
import { BudgetBreak, isBudgetQuestion } from './budget.ts';
import { visitField } from './driver.ts';
import { askInTurn } from './hook-turns.ts';
import { runView, stepView } from './hook-views.ts';
import { BeforeStepExecutionOutcome } from './hooks.ts';
import { HookFailure, inHook } from './in-hook.ts';
import { ModelQuestion } from './model-hooks.ts';
import { loadInputs } from './step-inputs.ts';
import { outputToTell, tellStepEnds } from './step-told.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';
import { performWork } from './work/perform.ts';
import type { Performed } from './work/performed.ts';
import type { Awaitable } from '../storage/storage-backend.ts';

/** How a visit of a step ended: the run goes on, waits, is complete by a condition, or fails. */
export type StepEnd =
  | { readonly kind: 'next' }
  | { readonly kind: 'complete' }
  /** `told`: the step itself had ended, and the hook after it threw. */
  | { readonly kind: 'failed'; readonly error: RunError; readonly told?: true }
  | Waiting;

const next: StepEnd = { kind: 'next' };

/** Executes one visit of a step, from its condition to its stored output. */
export function executeStep(visit: VisitRun): Awaitable<StepEnd> {
  const started = performance.now();
  const { instruction } = visit;
  if (visit.driver.watched) visit.driver.notice((at) => ({ at, type: 'step-start', ...visit.place }));
  if (instruction.op === 'agent') return agentStep(visit, instruction, started);
  return visit.run.runtime.hooks.beforeStepExecution ? askedStep(visit, started) : workStep(visit, started);
}

function brokenOff(visit: VisitRun, thrown: unknown): StepEnd {
  // What storage refuses is no fault of the step; and what an ending run broke off is not decided here.
  if (isDriverTrouble(thrown)) throw thrown;
  if (isBudgetQuestion(thrown) || thrown instanceof ModelQuestion) return waiting;
  if (thrown instanceof HookFailure && visit.ended)
    return { kind: 'failed', error: { code: thrown.code, message: thrown.message }, told: true };
  if (visit.ending) return waiting;
  return { kind: 'failed', error: asStepError(visit, thrown).error };
}

/** Whether an error comes from the store or the driver, and so says nothing about the run. */
export function isDriverTrouble(thrown: unknown): boolean {
  if (!PortiaError.isInstance(thrown) || thrown instanceof HookFailure) return false;
  if (thrown instanceof BudgetBreak) return thrown.scope === 'client';
  const { code } = thrown;
  return (
    code === 'DRIVER_LOST' || code === 'STORAGE_FAILED' || code === 'STORAGE_CORRUPT' || code === 'RUN_FILE_CHANGED'
  );
}

/** A step of a V1 plan: its condition, its tool by way of an agent, its output in its schema. */
async function agentStep(visit: VisitRun, instruction: AgentInstruction, started: number): Promise<StepEnd> {
  const { condition, step } = instruction;
  const { prepared, runtime } = visit.run;
  try {
    const early =
      condition !== null || runtime.hooks.beforeStepExecution ? await passGate(visit, condition) : undefined;
    if (early) return early;
    const loading = loadInputs(visit);
    const inputs = loading instanceof Promise ? await loading : loading;
    if ('code' in inputs) return { kind: 'failed', error: inputs };
    const tool = prepared.tool(instruction);
    const result = await runToolAgent(visit, tool, inputs, step.task);
    if (result === waiting) return waiting;
    if (!result.ok) return { kind: 'failed', error: result.error };
    const { task, structuredOutputSchema: schema } = step;
    const shaped = shapeResult(visit, tool, result.value, { task, schema, calls: result.calls });
    const ended = finish(visit, shaped instanceof Promise ? await shaped : shaped, result.value, started);
    return ended instanceof Promise ? await ended : ended;
  } catch (thrown) {
    return brokenOff(visit, thrown);
  }
}

/** Asks the condition and the hook whether the step is to run; if not, says how the visit ended. */
async function passGate(visit: VisitRun, condition: string | null): Promise<StepEnd | undefined> {
  if (condition !== null) {
    const verdict = await judgeCondition(visit, condition);
    if (verdict.outcome !== 'CONTINUE') return leaveOut(visit, verdict.outcome, verdict.reason);
  }
  return askBeforeStep(visit);
}

async function leaveOut(visit: VisitRun, outcome: 'SKIP' | 'COMPLETE', reason: string): Promise<StepEnd> {
  const value = outcome === 'SKIP' ? skippedMarker : completedMarker;
  // What ends the run leads past its last step, so that whoever resumes after a crash does not go on with the next one.
  const last = outcome === 'SKIP' ? {} : { next: visit.driver.state.program.instructions.length };
  visit.driver.emit({
    type: 'step-end',
    ...visit.place,
    skipped: 'condition',
    output: { value, summary: reason },
    ...last,
  });
  await visit.driver.commit();
  return outcome === 'SKIP' ? next : { kind: 'complete' };
}

/** Asks the hook whether the step is to run, once per visit: not again for one that the record shows as begun. */
async function askBeforeStep(visit: VisitRun): Promise<StepEnd | undefined> {
  const { runtime, plan } = visit.run;
  const { beforeStepExecution } = runtime.hooks;
  if (!beforeStepExecution || visit.stored?.begun === true) return undefined;
  const answer = await askInTurn(
    visit,
    () => visit.stopping,
    () =>
      inHook(() =>
        beforeStepExecution.call(
          runtime.hooks,
          ReadOnlyPlan.fromPlan(plan),
          runView(visit.run),
          stepView(visit.instruction),
        ),
      ),
  );
  if (answer === waiting) return waiting;
  if (answer === BeforeStepExecutionOutcome.SKIP) {
    visit.driver.emit({ type: 'step-end', ...visit.place, skipped: 'hook' });
    await visit.driver.commit();
    return next;
  }
  visit.driver.emit({ type: 'step-start', step: visit.step, ...visitField(visit.visit) });
  // It waited for its place again, and what failed meanwhile lets nothing new begin.
  return visit.stopping ? waiting : undefined;
}

/** A step of a builder plan that the hook is asked about. */
async function askedStep(visit: VisitRun, started: number): Promise<StepEnd> {
  try {
    return (await askBeforeStep(visit)) ?? (await workStep(visit, started));
  } catch (thrown) {
    return brokenOff(visit, thrown);
  }
}

/** A step of a builder plan. Each promise less counts: it is done for every step. */
function workStep(visit: VisitRun, started: number): Awaitable<StepEnd> {
  try {
    const performed = performWork(visit);
    return performed instanceof Promise
      ? performed.then(
          (done) => finishWork(visit, done, started),
          (thrown: unknown) => brokenOff(visit, thrown),
        )
      : finishWork(visit, performed, started);
  } catch (thrown) {
    return brokenOff(visit, thrown);
  }
}

function finishWork(visit: VisitRun, performed: Performed, started: number): Awaitable<StepEnd> {
  if (performed === waiting || performed.kind === 'failed') return performed;
  try {
    const ended = finish(visit, performed.result, performed.raw, started);
    return ended instanceof Promise ? ended.catch((thrown: unknown) => brokenOff(visit, thrown)) : ended;
  } catch (thrown) {
    return brokenOff(visit, thrown);
  }
}

/** Stores the output; it is left out of the record when it is just what the last call gave. */
function finish(
  visit: VisitRun,
  shaped: ShapedResult,
  raw: JsonValue | undefined,
  started: number,
): Awaitable<StepEnd> {
  const ms = Math.round(performance.now() - started);
  const asCalled = shaped.value === raw && shaped.summary === null;
  const output = place(visit, shaped.value, shaped.summary);
  if (output instanceof Promise || visit.turn) return inTurn(visit, output, ms);
  return end(visit, asCalled && lastCallGave(visit, raw) ? undefined : output, ms);
}

/** A step that ran beside others is put on record only when those before it have come to rest. */
async function inTurn(visit: VisitRun, output: StoredOutput | Promise<StoredOutput>, ms: number): Promise<StepEnd> {
  const placed = await output;
  // In order, it would not have run after one that failed; what it called stays on record for a retry.
  if ((await visit.turn) === false) return waiting;
  const asCalled = 'value' in placed && placed.summary === undefined && lastCallGave(visit, placed.value);
  return end(visit, asCalled ? undefined : placed, ms);
}

function end(visit: VisitRun, output: StoredOutput | undefined, ms: number): Awaitable<StepEnd> {
  const { driver } = visit;
  const told = outputToTell(visit, output);
  const ended: EventDraft<'step-end'> = { type: 'step-end', step: visit.step };
  if (visit.visit !== 0) ended.visit = visit.visit;
  if (output) ended.output = output;
  if (ms > 0) ended.ms = ms;
  if (told) ended.tell = true;
  driver.emit(ended);
  visit.ended = true;
  const written = endsWithRun(visit) ? undefined : driver.commit();
  if (!written && !told) return next;
  return afterEnd(visit, written, told);
}

/** The end of the run follows at once, in the same commit: all that could be lost may be done again. */
function endsWithRun({ quiet, run, driver: { state } }: VisitRun): boolean {
  return quiet && state.root.next >= state.program.instructions.length && !run.runtime.hooks.afterStepExecution;
}

async function afterEnd(visit: VisitRun, written: void | Promise<void>, told: Output | undefined): Promise<StepEnd> {
  await written;
  if (told) await tellStepEnds(visit.run, visit.thread);
  return next;
}

function lastCallGave(visit: VisitRun, value: JsonValue | undefined): boolean {
  const outcome = visit.driver.state.visits.get(visit.step, visit.visit)?.lastCall?.outcome;
  return outcome?.status === 'SUCCESS' && outcome.value === value;
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
