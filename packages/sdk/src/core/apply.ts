import { clarificationFromWire, isRefused, placed, resolved } from './clarification.ts';
import type { CallOutcome, RunEvent, RunEventBody, StoredOutput, VisitId } from './event.ts';
import type { PlanRunUUID } from './ids.ts';
import type { JsonObject } from './json.ts';
import { AgentMemoryValue, isMarker, LocalDataValue, type Output } from './output.ts';
import type { Program } from './program.ts';
import {
  type CallState,
  type ClarificationRecord,
  initialState,
  noUsage,
  type RunHeader,
  type RunState,
  type StepUsage,
  type Visit,
  visitKey,
} from './run-state.ts';
import { exitTarget, newThread, nextVisit, type Thread, visitNumber } from './thread.ts';

/** The state after all these events. */
export function fold(header: RunHeader, program: Program, events: Iterable<RunEvent>): RunState {
  const state = initialState(header, program);
  for (const event of events) {
    apply(state, event, event.at);
    state.seq = event.seq;
  }
  return state;
}

type EventOf<Type extends RunEventBody['type']> = Extract<RunEventBody, { type: Type }>;

/** Changes the state by one event: deterministic, no clock, no randomness, no IO. The only code that does. */
export function apply(state: RunState, event: RunEventBody, at: number): void {
  state.updatedAt = at;
  switch (event.type) {
    case 'run-start':
      state.state = 'IN_PROGRESS';
      state.startedAt ??= at;
      state.host = event.host;
      state.version = event.version;
      return;
    case 'step-start':
      enterVisit(state, event.step, event.visit ?? 0, at).begun = true;
      return;
    case 'step-end':
      return endStep(state, event);
    case 'model-call-end':
      return recordAnswer(state, event, at);
    case 'tool-call-propose':
    case 'tool-call-start':
    case 'tool-call-repeat':
    case 'tool-call-unknown':
    case 'tool-call-accept':
      return beginCall(state, event, at);
    case 'tool-call-end':
      return endCall(state, event, at);
    case 'clarification-raised':
      return raise(state, event, at);
    case 'clarification-resolved':
      return resolve(state, event);
    case 'thread-start':
      return startThread(state, event);
    case 'thread-end':
      return endThread(state, event);
    case 'sleep-start':
      enterVisit(state, event.step, event.visit ?? 0, at).until = event.until;
      return;
    case 'run-wait':
      state.state = state.outstanding > 0 ? 'NEED_CLARIFICATION' : 'READY_TO_RESUME';
      state.answeredAtWait = state.answered;
      return;
    case 'run-end':
      return endRun(state, event, at);
    case 'plan-accept':
      state.planId = event.planId;
      return;
    case 'run-retry':
      return retry(state);
  }
}

/** The visit of a step that is in flight, entered now if it is not. */
function enterVisit(state: RunState, step: number, visit: VisitId, at: number): Visit {
  const key = visitKey(step, visit);
  let found = state.visits.get(key);
  if (!found) {
    found = { step, visit, startedAt: at, until: undefined, begun: false, calls: [], lastCall: undefined, answers: undefined };
    state.visits.set(key, found);
  }
  return found;
}

/** An output as the record shows it, from how events hold it. */
export function outputOf(stored: StoredOutput, planRunId: PlanRunUUID): Output {
  return 'memory' in stored
    ? AgentMemoryValue({ outputName: stored.memory, planRunId, summary: stored.summary })
    : LocalDataValue(stored.value, stored.summary ?? null);
}

function endStep(state: RunState, event: EventOf<'step-end'>): void {
  const { step, visit = 0 } = event;
  const key = visitKey(step, visit);
  const thread = threadOf(state, visit);
  const name = state.program.instructions[step]?.output;
  const output = event.output ? outputOf(event.output, state.header.id) : lastValue(state.visits.get(key));
  if (name !== undefined && output && event.skipped !== 'hook' && event.result === undefined) {
    // The item of a loop is what its body is about, not a result.
    const marker = event.skipped === 'condition' || state.program.instructions[step]?.op === 'loop';
    if (state.program.keepsVisits) keepValue(thread, step, output);
    if (thread.parent === undefined || event.next === exitTarget) recordOutput(state, name, output, marker);
    thread.lastStep = marker ? thread.lastStep : step;
  }
  if (event.result !== undefined && state.program.keepsVisits) keepResult(state, thread, step, event.result);
  state.visits.delete(key);
  if (state.program.keepsVisits || visit !== 0 || event.next !== undefined) thread.counts.set(step, visitNumber(visit) + 1);
  state.lastExecuted = step;
  moveOn(state, thread, event);
  if (event.ms) usageOf(state, step).ms += event.ms;
}

/** What a loop's condition gave can be referred to by the loop's name. */
function keepResult(state: RunState, thread: Thread, step: number, result: boolean): void {
  const instruction = state.program.instructions[step];
  const judges = instruction?.op === 'end-loop' || (instruction?.op === 'loop' && instruction.type !== 'for-each');
  if (judges) keepValue(thread, step, LocalDataValue(result));
}

/** The thread a visit belongs to. */
function threadOf(state: RunState, visit: VisitId): Thread {
  if (typeof visit === 'number') return state.root;
  const mark = visit.lastIndexOf('~');
  return state.threads.get(mark < 0 ? visit : visit.slice(0, mark)) ?? state.root;
}

function recordOutput(state: RunState, name: string, output: Output, marker: boolean): void {
  const before = state.stepOutputs.get(name);
  if (!marker) state.lastOutput = name;
  if (!isMarker(output) || !before || isMarker(before)) state.stepOutputs.set(name, output);
}

function keepValue(thread: Thread, step: number, output: Output): void {
  const known = thread.values.get(step);
  if (known) known.push(output);
  else thread.values.set(step, [output]);
}

function moveOn(state: RunState, thread: Thread, event: EventOf<'step-end'>): void {
  const { frame, step } = event;
  if (frame) {
    const top = 'push' in frame ? undefined : thread.frames.pop();
    if ('push' in frame) thread.frames.push(frame.push);
    else if ('top' in frame) thread.frames.push(frame.top);
    else if ('advance' in frame && top?.kind === 'loop') thread.frames.push({ ...top, iteration: top.iteration + 1 });
  }
  if (thread.fork?.step === step) thread.fork = undefined;
  if (event.next !== undefined || thread.parent || state.program.keepsVisits) {
    thread.next = event.next ?? step + 1;
  } else if (step > thread.next) {
    state.ahead.add(step);
  } else {
    thread.next = step + 1;
    while (state.ahead.delete(thread.next)) thread.next += 1;
  }
}

function startThread(state: RunState, event: EventOf<'thread-start'>): void {
  const { thread: id, step, place, next, item } = event;
  const parent = state.threads.get(id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : '') ?? state.root;
  const thread = newThread(id, parent, place, next);
  if (item !== undefined) keepValue(thread, step, LocalDataValue(item));
  parent.fork ??= { step, live: new Map(), ended: new Map(), merged: 0 };
  parent.fork.live.set(place, thread);
  state.threads.set(id, thread);
}

/** What a strand made joins what its parent knows as soon as all strands before it have joined: as if in order. */
function endThread(state: RunState, event: EventOf<'thread-end'>): void {
  const thread = state.threads.get(event.thread);
  const fork = thread?.parent?.fork;
  if (!thread?.parent || !fork) return;
  state.threads.delete(event.thread);
  fork.live.delete(thread.place);
  fork.ended.set(thread.place, thread);
  for (let next = fork.ended.get(fork.merged); next; next = fork.ended.get(fork.merged)) {
    fork.ended.delete(fork.merged);
    fork.merged += 1;
    merge(state, thread.parent, next);
  }
}

function merge(state: RunState, parent: Thread, thread: Thread): void {
  for (const [step, outputs] of thread.values) {
    for (const output of outputs) keepValue(parent, step, output);
    const name = state.program.instructions[step]?.output;
    const last = outputs[outputs.length - 1];
    if (parent.parent === undefined && name !== undefined && last) state.stepOutputs.set(name, last);
  }
  if (thread.lastStep === undefined) return;
  parent.lastStep = thread.lastStep;
  if (parent.parent === undefined) state.lastOutput = state.program.instructions[thread.lastStep]?.output;
}

function lastValue(visit: Visit | undefined): Output | undefined {
  const outcome = visit?.lastCall?.outcome;
  return outcome?.status === 'SUCCESS' ? LocalDataValue(outcome.value, outcome.summary ?? null) : undefined;
}

function recordAnswer(state: RunState, event: EventOf<'model-call-end'>, at: number): void {
  const visit = enterVisit(state, event.step, event.visit ?? 0, at);
  visit.answers ??= new Map();
  visit.answers.set(event.call, { purpose: event.purpose, messages: event.messages ?? [], answer: event.answer });
  const usage = usageOf(state, event.step);
  usage.modelCalls += 1;
  usage.inputTokens += event.answer.usage?.inputTokens ?? 0;
  usage.outputTokens += event.answer.usage?.outputTokens ?? 0;
  usage.cachedInputTokens += event.answer.usage?.cachedInputTokens ?? 0;
}

function usageOf(state: RunState, step: number): StepUsage {
  let usage = state.usage.get(step);
  if (!usage) {
    usage = noUsage();
    state.usage.set(step, usage);
  }
  return usage;
}

/** The place of a call among the calls of its visit, from its id. */
export function callPosition(callId: string): number {
  return Number(callId.slice(callId.lastIndexOf('.') + 1)) - 1;
}

function callOf({ calls }: Visit, call: string, tool: string, args: JsonObject): CallState {
  const position = callPosition(call);
  let found = calls[position];
  if (!found || found.call !== call) {
    found = { call, tool, args, status: 'proposed', outcome: undefined, attempts: 0 };
    calls[position] = found;
  }
  return found;
}

type BeginEvent = EventOf<'tool-call-propose' | 'tool-call-start' | 'tool-call-repeat' | 'tool-call-unknown' | 'tool-call-accept'>;

function beginCall(state: RunState, event: BeginEvent, at: number): void {
  const identity = 'tool' in event ? event : { tool: '', args: {} };
  const visit = enterVisit(state, event.step, event.visit ?? 0, at);
  const call = callOf(visit, event.call, identity.tool, identity.args);
  if (event.type === 'tool-call-propose') return;
  if (event.type === 'tool-call-accept') {
    call.accepted = true;
    return;
  }
  if (event.type === 'tool-call-unknown') {
    call.status = 'unknown';
    return;
  }
  call.status = 'started';
  countAttempt(state, event.step, call);
}

function endCall(state: RunState, event: EventOf<'tool-call-end'>, at: number): void {
  const visit = enterVisit(state, event.step, event.visit ?? 0, at);
  const call = callOf(visit, event.call, event.tool ?? '', event.args ?? {});
  if (call.status === 'ended') return;
  // A call without effects has no intent: its receipt is the first that is heard of it. Wrong arguments never get there.
  if (call.attempts === 0 && !wasTurnedDown(event.outcome)) countAttempt(state, event.step, call);
  call.status = 'ended';
  call.outcome = event.outcome;
  visit.lastCall = call;
}

/** Whether a call was refused before it was handed to its tool. */
export function wasTurnedDown(outcome: CallOutcome): boolean {
  return outcome.status === 'FAILED' && outcome.error.code === 'TOOL_ARGS_INVALID';
}

function countAttempt(state: RunState, step: number, call: CallState): void {
  if (call.attempts === 0) usageOf(state, step).toolCalls += 1;
  call.attempts += 1;
}

/** The step of the plan an instruction belongs to, as people count them. */
function planStepOf(state: RunState, step: number): number {
  return state.program.instructions[step]?.planStep ?? step;
}

function raise(state: RunState, event: EventOf<'clarification-raised'>, at: number): void {
  const clarification = placed(clarificationFromWire(event.clarification), state.header.id, planStepOf(state, event.step));
  const record: ClarificationRecord = {
    clarification,
    step: event.step,
    visit: event.visit ?? 0,
    key: event.key,
    audience: event.audience,
    raisedAt: at,
    approves: event.approves,
    expiresAt: event.expiresAt,
    onExpiry: event.onExpiry ?? 'fail',
    resolvedBy: null,
    resolvedAs: null,
    via: null,
  };
  state.clarifications.push(record);
  const asked = state.questions.get(event.key);
  if (asked) asked.push(record);
  else state.questions.set(event.key, [record]);
  state.outstanding += 1;
}

function resolve(state: RunState, event: EventOf<'clarification-resolved'>): void {
  const record = state.clarifications.find(({ clarification }) => clarification.id === event.id);
  if (!record || record.clarification.resolved) return;
  record.clarification = resolved(record.clarification, event.response);
  record.resolvedBy = event.resolvedBy;
  record.resolvedAs = event.as;
  record.via = event.via;
  state.outstanding -= 1;
  state.answered += 1;
  if (state.outstanding === 0 && state.state === 'NEED_CLARIFICATION') state.state = 'READY_TO_RESUME';
}

function endRun(state: RunState, event: EventOf<'run-end'>, at: number): void {
  state.state = event.state;
  state.endedAt = at;
  state.error = event.error;
  if (event.error) {
    const told = LocalDataValue(event.error.message);
    const name = event.error.step === undefined ? undefined : state.program.instructions[event.error.step]?.output;
    if (name !== undefined) state.stepOutputs.set(name, told);
    state.finalOutput = told;
  } else if (event.finalOutput) {
    state.finalOutput = outputOf(event.finalOutput, state.header.id);
  }
}

function retry(state: RunState): void {
  const failed = state.error?.step;
  const name = failed === undefined ? undefined : state.program.instructions[failed]?.output;
  if (name !== undefined) state.stepOutputs.delete(name);
  state.state = 'READY_TO_RESUME';
  state.retries += 1;
  state.error = undefined;
  state.finalOutput = undefined;
  state.endedAt = undefined;
  for (const visit of [...state.visits.values()]) {
    state.visits.delete(visitKey(visit.step, visit.visit));
    const again = afresh(visit);
    state.visits.set(visitKey(again.step, again.visit), again);
    threadOf(state, again.visit).counts.set(again.step, visitNumber(again.visit));
  }
  withdrawQuestions(state);
}

/** Questions nobody answered are withdrawn, and refusals bind no longer: whoever still has to know asks again. */
function withdrawQuestions(state: RunState): void {
  const answered = state.clarifications.filter(({ clarification }) => clarification.resolved);
  state.clarifications.length = 0;
  for (const record of answered) state.clarifications.push(record);
  state.outstanding = 0;
  for (const [key, asked] of state.questions) {
    const kept = asked.filter(({ clarification }) => clarification.resolved && !isRefused(clarification));
    if (kept.length > 0) state.questions.set(key, kept);
    else state.questions.delete(key);
  }
}

/**
 * The visit that a retry makes of a failed one: calls that succeeded are kept and not made again; those that may have
 * happened are kept too, to be looked up or asked about; without any, the step begins from nothing. What led to a kept
 * call is kept as it was said, and is not done again.
 */
function afresh(visit: Visit): Visit {
  const last = visit.calls.findLastIndex((call) => call !== undefined && mayHaveHappened(call));
  const calls = visit.calls.slice(0, last + 1).map(keptCall);
  const keeps = calls.length > 0;
  return {
    step: visit.step,
    visit: nextVisit(visit.visit),
    startedAt: visit.startedAt,
    until: undefined,
    begun: false,
    calls,
    lastCall: calls.findLast((call) => call?.status === 'ended'),
    answers: keeps ? new Map([...(visit.answers ?? [])].filter(([, { purpose }]) => purpose !== 'step-summary')) : undefined,
  };
}

function mayHaveHappened({ status, outcome }: CallState): boolean {
  if (status === 'proposed') return false;
  return status !== 'ended' || outcome?.status === 'SUCCESS' || gaveNoUsableResult(outcome);
}

/** The call was made, but what it gave could not be stored. */
function gaveNoUsableResult(outcome: CallOutcome | undefined): boolean {
  return outcome?.status === 'FAILED' && (outcome.error.code === 'OUTPUT_NOT_JSON' || outcome.error.code === 'OUTPUT_INVALID');
}

function keptCall(call: CallState | undefined): CallState | undefined {
  if (!call || call.status === 'proposed') return undefined;
  if (call.status !== 'ended' || gaveNoUsableResult(call.outcome)) return { ...call, status: 'started' };
  return call.outcome?.status === 'FAILED' && !call.outcome.soft ? undefined : call;
}
