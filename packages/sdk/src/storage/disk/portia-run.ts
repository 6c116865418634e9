import { join } from 'node:path';
import { fold } from '../../core/apply.ts';
import { type Clarification, clarificationToWire } from '../../core/clarification.ts';
import {
  type Commit,
  fromCommit,
  type Resolution,
  type RunEventBody,
  type StoredOutput,
  toCommit,
} from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import { isInMemory, isMarker, type Output, serializeValue } from '../../core/output.ts';
import type { Plan } from '../../core/plan.ts';
import { type PlanRun, planRunFromWire } from '../../core/plan-run.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { compile } from '../../plan/compile.ts';
import type { RunStatus } from '../storage-backend.ts';
import type { Files } from './files.ts';

/** Stands as the version in the journal of a run that Portia 0.9 drove. */
export const portiaVersion = 'Portia 0.9';

/** A run that Portia 0.9 wrote, without a journal. */
export interface PortiaRun {
  readonly header: RunHeader;
  readonly status: RunStatus;
  readonly text: string;
  readonly planRun: PlanRun;
}

/** Reads the file of a run that Portia 0.9 wrote. @throws PortiaError `STORAGE_CORRUPT`. */
export function readPortiaRun(files: Files, id: PlanRunUUID): PortiaRun | undefined {
  const path = join(files.root, `${id}.json`);
  const stat = files.stat(path);
  const text = stat && files.read(path);
  if (!stat || text === undefined) return undefined;
  const planRun = readDocument(files, path, text);
  const updatedAt = Math.round(stat.mtimeMs);
  const createdAt = Math.min(updatedAt, Math.round(stat.birthtimeMs) || updatedAt);
  const { planId, endUserId, planRunInputs: inputs, state, error } = planRun;
  return {
    header: { id, planId, endUserId, createdAt, inputs },
    status: { state, updatedAt, ...(error && { error }) },
    text,
    planRun,
  };
}

function readDocument(files: Files, path: string, text: string): PlanRun {
  try {
    return planRunFromWire(files.parse(path, text));
  } catch (cause) {
    throw files.corrupt(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** The journal that such a run would have, so that it can be resumed. */
export function journalOf(
  run: PortiaRun,
  plan: Plan,
): { readonly commits: readonly Commit[]; readonly status: RunStatus } {
  const bodies = eventsOf(run.planRun, plan);
  const at = run.status.updatedAt;
  if (bodies.length === 0) return { commits: [], status: run.status };
  const commit = toCommit(1, at, bodies);
  const { state, error } = fold(run.header, compile(plan), fromCommit(commit));
  return { commits: [commit], status: { state, updatedAt: at, ...(error && { error }) } };
}

/** What must have happened for a run to stand as its document says. */
export function eventsOf(run: PlanRun, plan: Plan, via: Resolution['via'] = 'file'): readonly RunEventBody[] {
  if (run.state === 'NOT_STARTED') return [];
  const { clarifications, finalOutput } = run.outputs;
  const events: RunEventBody[] = [{ type: 'run-start', epoch: 0, host: 'unknown', version: portiaVersion }];
  events.push(...stepsDone(run, plan));
  for (const [index, clarification] of clarifications.entries())
    events.push(raised(clarification, index, run.currentStepIndex));
  for (const { id, response, resolved } of clarifications) {
    if (resolved) events.push({ type: 'clarification-resolved', id, response, resolvedBy: null, as: null, via });
  }
  if (run.state === 'COMPLETE') {
    events.push({ type: 'run-end', state: 'COMPLETE', ...(finalOutput && { finalOutput: stored(finalOutput) }) });
  } else if (run.state === 'FAILED') {
    events.push({ type: 'run-end', state: 'FAILED', error: { ...run.error, step: run.currentStepIndex } });
  } else if (run.state !== 'IN_PROGRESS') {
    events.push({ type: 'run-wait' });
  }
  return events;
}

/** The steps before the current one; the current one too when its output is there and nothing was asked. */
function stepsDone(run: PlanRun, plan: Plan): readonly RunEventBody[] {
  const events: RunEventBody[] = [];
  const { stepOutputs } = run.outputs;
  for (const [step, { output: name }] of plan.steps.entries()) {
    const output = stepOutputs[name];
    const reached = step < run.currentStepIndex || (step === run.currentStepIndex && isDone(run, output));
    if (!reached) continue;
    if (!output) events.push({ type: 'step-end', step, skipped: 'hook' });
    else
      events.push({
        type: 'step-end',
        step,
        output: stored(output),
        ...(isMarker(output) && { skipped: 'condition' }),
      });
  }
  return events;
}

function isDone(run: PlanRun, output: Output | undefined): boolean {
  if (!output) return false;
  if (run.state === 'COMPLETE') return true;
  // A step that asked something left its questions as its output.
  return (
    run.state === 'IN_PROGRESS' && !run.getClarificationsForStep().some(({ id }) => serializeValue(output).includes(id))
  );
}

function stored(output: Output): StoredOutput {
  return isInMemory(output)
    ? { memory: output.outputName, summary: output.summary }
    : { value: output.value, ...(output.summary !== null && { summary: output.summary }) };
}

function raised(clarification: Clarification, index: number, current: number): RunEventBody {
  const {
    plan_run_id: _run,
    step: _step,
    resolved: _resolved,
    response: _response,
    ...wire
  } = clarificationToWire(clarification);
  const step = clarification.step ?? current;
  return { type: 'clarification-raised', step, key: `portia:${index}`, clarification: wire, audience: 'endUser' };
}
