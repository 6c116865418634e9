import type { CallIdentity, EventDraft, RunError } from '../core/event.ts';
import type { JsonObject } from '../core/json.ts';
import type { CallState } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Settled } from './call-outcome.ts';
import type { CallResult } from './tool-call.ts';
import type { VisitRun } from './visit-run.ts';

// What is written down of a call: its intent, its receipt, and that nobody knows.

/** The intent, before the call is made; a call without effects is only told to whoever watches. */
export function announce(visit: VisitRun, tool: AnyTool, call: CallState, attempt: number): void | Promise<void> {
  const { driver } = visit;
  if (tool.readOnly) {
    if (driver.watched) driver.notice((at) => ({ at, type: 'tool-call-start', ...identityOf(visit, tool, call) }));
    return;
  }
  visit.quiet = false;
  if (attempt > 1 || call.status !== 'proposed')
    driver.emit({ type: 'tool-call-repeat', ...visit.place, call: call.call });
  else driver.emit({ type: 'tool-call-start', ...identityOf(visit, tool, call) });
  return driver.commit();
}

function identityOf(visit: VisitRun, tool: AnyTool, { call, args }: CallState): CallIdentity {
  return { ...visit.place, call, tool: tool.id, args };
}

/** A call that never reached its tool is on record too, so that a resumed step finds it turned down and not to be made. */
export function turnDown(visit: VisitRun, { call, tool, args }: CallState, error: RunError): CallResult {
  visit.driver.emit({
    type: 'tool-call-end',
    ...visit.place,
    call,
    tool,
    args,
    outcome: { status: 'FAILED', error, soft: true },
  });
  return { ok: false, error, soft: true };
}

/** It may have happened, also after several attempts. A retry of the run goes on with the same key. */
export function leaveUnknown(
  visit: VisitRun,
  { call }: CallState,
  { code, reason }: Extract<Settled, { kind: 'again' }>,
): CallResult {
  visit.driver.emit({ type: 'tool-call-unknown', ...visit.place, call, reason });
  return { ok: false, error: visit.error(code, reason, call), soft: false };
}

/** The receipt, with the questions the tool asked. */
export function record(
  visit: VisitRun,
  tool: AnyTool,
  call: CallState,
  settled: Extract<Settled, { kind: 'ended' }>,
  { ms, number }: { readonly ms: number; readonly number: number },
): CallState {
  const { outcome } = settled;
  // Written out, because it is done for every call.
  const receipt: EventDraft<'tool-call-end'> = { type: 'tool-call-end', step: visit.step, call: call.call, outcome };
  if (visit.visit !== 0) receipt.visit = visit.visit;
  if (tool.readOnly) {
    receipt.tool = tool.id;
    if (hasMembers(call.args)) receipt.args = call.args;
    if (number > 1) receipt.attempts = number;
  }
  if (ms > 0) receipt.ms = ms;
  visit.driver.emit(receipt);
  if (settled.clarifications) {
    const requests = settled.clarifications.map((clarification) => ({
      clarification,
      form: tool.formOf?.(clarification),
    }));
    visit.raise(`tool:${call.call}`, requests, { audience: 'endUser', source: tool.name });
  }
  return { call: call.call, tool: call.tool, args: call.args, status: 'ended', outcome, attempts: call.attempts };
}

function hasMembers(object: JsonObject): boolean {
  for (const _key in object) return true;
  return false;
}
