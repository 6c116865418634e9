import { applyRetry } from './apply-retry.ts';
import { raiseBudget, type RunBudget } from './budget.ts';
import { clarificationFromWire, placed, resolved } from './clarification.ts';
import type { CallOutcome, EventOf, RunEvent, RunEventBody, StoredOutput, VisitId } from './event.ts';
import type { PlanRunUUID } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { AgentMemoryValue, isMarker, LocalDataValue, type Output } from './output.ts';
import type { Program } from './program.ts';
import {
  type CallState,
  type ClarificationRecord,
  initialState,
  inPlanOrder,
  noModelUsage,
  noUsage,
  type RunHeader,
  type RunState,
  type StepUsage,
} from './run-state.ts';
import { outputNameOf, threadOf } from './state-lookup.ts';
import { addModelCall } from './usage.ts';
import {
  exitTarget,
  type Fork,
  type Frame,
  type FrameChange,
  newFork,
  newThread,
  strandsOf,
  type Thread,
  visitNumber,
} from './thread.ts';
import { markTold } from './untold.ts';
import type { Visit } from './visits.ts';

/** The state after all these events. */
export function fold(header: RunHeader, program: Program, events: Iterable<RunEvent>): RunState {
  const state = initialState(header, program);
  for (const event of events) {
    apply(state, event, event.at);
    state.seq = event.seq;
  }
  return state;
}

/** Changes the state by one event: deterministic, no clock, no randomness, no IO. The only code that does. */
export function apply(state: RunState, event: RunEventBody, at: number): void {
  state.updatedAt = at;
  if (state.state === 'IN_PROGRESS' && !isFromOutside(event)) {
    state.activeMs += Math.max(0, at - state.activeAt);
    state.activeAt = at;
  }
  switch (event.type) {
    case 'run-start':
      state.state = 'IN_PROGRESS';
      state.activeAt = at;
      state.startedAt ??= at;
      state.host = event.host;
      state.version = event.version;
      return;
    case 'step-start':
      enterVisit(state, event.step, event.visit ?? 0, at).begun = true;
      return;
    case 'step-end':
      return endStep(state, event);
    case 'step-told':
      markTold(state.root, event.step, event.visit ?? 0);
      return;
    case 'model-call-end':
      return recordAnswer(state, event, at);
    case 'tool-call-propose':
    case 'tool-call-start':
    case 'tool-call-repeat':
    case 'tool-call-retry':
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
    case 'run-told':
      state.untold = false;
      return;
    case 'plan-accept':
      state.planId = event.planId;
      for (const [name, value] of Object.entries(event.inputs ?? {})) addInput(state, name, value);
      if (event.planning) state.planning = event.planning;
      return;
    case 'run-retry':
      return applyRetry(state, event.budget as RunBudget | undefined);
  }
}

function addInput(state: RunState, name: string, value: JsonValue): void {
  state.header = { ...state.header, inputs: { ...state.header.inputs, [name]: LocalDataValue(value) } };
}

/** Whether an event says nothing about work being done: it may come when nobody is at work, after a crash. */
function isFromOutside(event: RunEventBody): boolean {
  if (event.type === 'tool-call-end') return event.late === true;
  return event.type === 'run-start' || event.type === 'clarification-resolved';
}

/** The visit of a step that is in flight, entered now if it is not. */
function enterVisit(state: RunState, step: number, visit: VisitId, at: number): Visit {
  let found = state.visits.get(step, visit);
  if (!found) {
    found = {
      step,
      visit,
      startedAt: at,
      until: undefined,
      begun: false,
      calls: [],
      lastCall: undefined,
      answers: undefined,
    };
    state.visits.add(found);
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
  const thread = threadOf(state, visit);
  const name = state.program.instructions[step]?.output;
  const output = event.output ? outputOf(event.output, state.header.id) : lastValue(state.visits.get(step, visit));
  if (name !== undefined && output && event.skipped !== 'hook' && event.result === undefined) {
    // The item of a loop is what its body is about, not a result.
    const marker = event.skipped === 'condition' || state.program.instructions[step]?.op === 'loop';
    if (state.program.keepsVisits) keepValue(thread, step, output);
    // What ends the whole run is its outcome at once.
    const record = event.next === exitTarget ? state.root : thread;
    recordOutput(record.outputs, name, output);
    if (isBehind(state, thread, step)) putInOrder(state);
    else if (!marker) {
      thread.lastStep = step;
      if (record === state.root) state.lastOutput = name;
    }
  }
  if (event.tell && output) thread.untold.push({ step, visit, output });
  if (event.result !== undefined && state.program.keepsVisits) keepResult(state, thread, step, event.result);
  state.visits.remove(step, visit);
  if (state.program.keepsVisits || visit !== 0 || event.next !== undefined)
    thread.counts.set(step, visitNumber(visit) + 1);
  state.lastExecuted = step;
  moveOn(state, thread, event);
  if (event.ms) {
    usageOf(state, step).ms += event.ms;
    state.totals.ms += event.ms;
  }
}

/** What a condition gave can be referred to by the name of its step. */
function keepResult(state: RunState, thread: Thread, step: number, result: boolean): void {
  const instruction = state.program.instructions[step];
  const judges = instruction?.op === 'loop' ? instruction.type !== 'for-each' : judging.has(instruction?.op);
  if (judges) keepValue(thread, step, LocalDataValue(result));
}

const judging: ReadonlySet<string | undefined> = new Set(['if', 'else-if', 'end-loop']);

/** Whether a step of a V1 plan ends after a later one, with which it ran at once. */
function isBehind({ program }: RunState, { lastStep }: Thread, step: number): boolean {
  return !program.keepsVisits && lastStep !== undefined && step < lastStep;
}

/** The outputs read as if the steps had ended in order, and the last step's is the last one. */
function putInOrder({ program, stepOutputs }: RunState): void {
  const entries = inPlanOrder(program, stepOutputs);
  stepOutputs.clear();
  for (const [name, output] of entries) stepOutputs.set(name, output);
}

function recordOutput(outputs: Map<string, Output>, name: string, output: Output): void {
  const before = outputs.get(name);
  if (!isMarker(output) || !before || isMarker(before)) outputs.set(name, output);
}

function keepValue(of: Pick<Thread, 'values'> & Partial<Thread>, step: number, output: Output): void {
  const known = of.values.get(step);
  if (known) known.push(output);
  else of.values.set(step, [output]);
  if (!of.rounds) return;
  of.rounds.made += 1;
  of.rounds.last.set(step, of.rounds.made);
}

function moveOn(state: RunState, thread: Thread, event: EventOf<'step-end'>): void {
  const { frame, step } = event;
  if (thread.fork?.step === step) closeFork(state, thread, thread.fork, event.next);
  if (frame) changeFrames(thread, frame);
  const instruction = state.program.instructions[step];
  // What happened in a sub-plan is its own affair: its next visit begins with nothing.
  if (instruction?.op === 'sub-plan') thread.lastStep = undefined;
  if (instruction?.op === 'end-sub-plan')
    for (let inner = instruction.start + 1; inner < step; inner += 1) thread.values.delete(inner);
  if (event.next !== undefined || thread.parent || state.program.keepsVisits) {
    thread.next = event.next ?? step + 1;
  } else if (step > thread.next) {
    state.ahead.add(step);
  } else {
    thread.next = step + 1;
    while (state.ahead.delete(thread.next)) thread.next += 1;
  }
}

function changeFrames(thread: Thread, frame: FrameChange): void {
  const { frames } = thread;
  if ('push' in frame) {
    frames.push(frame.push);
    if (frame.push.kind === 'loop') beginRound(thread);
  } else if ('drop' in frame) {
    for (let left = frame.drop; left > 0; left -= 1) leaveBlock(thread);
  } else {
    const top = leaveBlock(thread);
    if ('top' in frame) frames.push(frame.top);
    else if ('advance' in frame && top?.kind === 'loop') {
      frames.push({ ...top, iteration: top.iteration + 1 });
      beginRound(thread);
    }
  }
}

function leaveBlock({ frames, rounds }: Thread): Frame | undefined {
  const left = frames.pop();
  if (left?.kind === 'loop') rounds?.begun.pop();
  return left;
}

function beginRound(thread: Thread): void {
  thread.rounds ??= { made: 0, last: new Map(), begun: [] };
  thread.rounds.begun.push(thread.rounds.made);
}

function startThread(state: RunState, event: EventOf<'thread-start'>): void {
  const { thread: id, step, place, next, item } = event;
  const parent = state.threads.get(id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : '') ?? state.root;
  const thread = newThread(id, parent, place, next);
  if (item !== undefined) {
    const value = LocalDataValue(item);
    keepValue(thread, step, value);
    const name = state.program.instructions[step]?.output;
    if (name !== undefined) recordOutput(thread.outputs, name, value);
  }
  parent.fork ??= newFork(step);
  parent.fork.live.set(place, thread);
  state.threads.set(id, thread);
}

/** What a strand made is merged as soon as all strands before it are: as if in order. */
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
    merge(fork, next);
  }
}

/** Adds what one has made to what another has. */
function merge(
  into: Pick<Fork, 'values' | 'outputs' | 'lastStep' | 'untold'>,
  from: Pick<Fork, 'values' | 'outputs' | 'lastStep' | 'untold'>,
): void {
  for (const [step, outputs] of from.values) for (const output of outputs) keepValue(into, step, output);
  for (const [name, output] of from.outputs) recordOutput(into.outputs, name, output);
  into.untold.push(...from.untold);
  into.lastStep = from.lastStep ?? into.lastStep;
}

/** All strands have ended, or one of them has left the sub-plan around the block: then the others are given up. */
function closeFork(state: RunState, thread: Thread, fork: Fork, next: number | undefined): void {
  thread.fork = undefined;
  merge(thread, fork);
  for (const strand of strandsOf({ fork })) {
    giveUp(state, strand);
    merge(thread, strand);
  }
  const left = [...fork.live.values()].find((strand) => strand.next === next);
  if (left) thread.lastStep = left.lastStep;
  if (thread === state.root && thread.lastStep !== undefined)
    state.lastOutput = state.program.instructions[thread.lastStep]?.output;
}

/** A strand is over in the middle of its work: what it was about to do, and what it asked, is settled by that. */
function giveUp(state: RunState, strand: Thread): void {
  for (const inner of strand.fork ? strandsOf(strand) : []) {
    giveUp(state, inner);
    merge(strand, inner);
  }
  state.threads.delete(strand.id);
  const isOurs = (visit: VisitId): boolean =>
    visit === strand.id || (typeof visit === 'string' && visit.startsWith(`${strand.id}~`));
  for (const { step, visit } of [...state.visits]) if (isOurs(visit)) state.visits.remove(step, visit);
  for (const record of [...state.clarifications])
    if (isOurs(record.visit) && !record.clarification.resolved) withdraw(state, record);
}

function withdraw(state: RunState, record: ClarificationRecord): void {
  state.clarifications.splice(state.clarifications.indexOf(record), 1);
  state.questions.delete(record.key);
  state.outstanding -= 1;
}

function lastValue(visit: Visit | undefined): Output | undefined {
  const outcome = visit?.lastCall?.outcome;
  return outcome?.status === 'SUCCESS' ? LocalDataValue(outcome.value, outcome.summary ?? null) : undefined;
}

function recordAnswer(state: RunState, event: EventOf<'model-call-end'>, at: number): void {
  const visit = enterVisit(state, event.step, event.visit ?? 0, at);
  visit.answers ??= new Map();
  visit.answers.set(event.call, { purpose: event.purpose, messages: event.messages ?? [], answer: event.answer });
  addModelCall(state.totals, event);
  addModelCall(usageOf(state, event.step), event);
  const ofModel = state.models.get(event.model) ?? noModelUsage();
  state.models.set(event.model, ofModel);
  addModelCall(ofModel, event);
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
  if (callId.endsWith('.1')) return 0;
  return Number(callId.slice(callId.lastIndexOf('.') + 1)) - 1;
}

function callOf(visit: Visit, call: string, tool: string, args: JsonObject): CallState {
  const { calls } = visit;
  const position = callPosition(call);
  let found = calls[position];
  if (!found || found.call !== call) {
    found = { call, tool, args, status: 'proposed', outcome: undefined, attempts: 0 };
    // A list made with its first member takes no more room than it needs.
    if (position === 0 && calls.length === 0) visit.calls = [found];
    else calls[position] = found;
  }
  return found;
}

type BeginEvent = EventOf<
  | 'tool-call-propose'
  | 'tool-call-start'
  | 'tool-call-repeat'
  | 'tool-call-retry'
  | 'tool-call-unknown'
  | 'tool-call-accept'
>;

function beginCall(state: RunState, event: BeginEvent, at: number): void {
  const identity = 'tool' in event ? event : { tool: '', args: {} };
  const visit = enterVisit(state, event.step, event.visit ?? 0, at);
  const call = callOf(visit, event.call, identity.tool, identity.args);
  if (event.type === 'tool-call-propose') {
    if (event.cleared) call.cleared = true;
    return;
  }
  if (event.type === 'tool-call-accept') {
    call.accepted = true;
    return;
  }
  if (event.type === 'tool-call-unknown') {
    call.status = 'unknown';
    return;
  }
  if (event.type === 'tool-call-retry') {
    call.status = 'proposed';
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
  if (call.attempts === 0 && !wasTurnedDown(event.outcome)) {
    countAttempt(state, event.step, call);
    call.attempts = event.attempts ?? 1;
  }
  call.status = 'ended';
  call.outcome = event.outcome;
  visit.lastCall = call;
}

/** Whether a call was refused before it was handed to its tool. */
export function wasTurnedDown(outcome: CallOutcome): boolean {
  return outcome.status === 'FAILED' && outcome.error.code === 'TOOL_ARGS_INVALID';
}

function countAttempt(state: RunState, step: number, call: CallState): void {
  if (call.attempts === 0) {
    usageOf(state, step).toolCalls += 1;
    state.totals.toolCalls += 1;
  }
  call.attempts += 1;
}

/** The step of the plan an instruction belongs to, as people count them. */
function planStepOf(state: RunState, step: number): number {
  return state.program.instructions[step]?.planStep ?? step;
}

function raise(state: RunState, event: EventOf<'clarification-raised'>, at: number): void {
  const clarification = placed(
    clarificationFromWire(event.clarification),
    state.header.id,
    planStepOf(state, event.step),
  );
  const record: ClarificationRecord = {
    clarification,
    step: event.step,
    visit: event.visit ?? 0,
    key: event.key,
    audience: event.audience,
    raisedAt: at,
    approves: event.approves,
    ...(event.sends && { sends: event.sends }),
    expiresAt: event.expiresAt,
    onExpiry: event.onExpiry ?? 'fail',
    ...(event.form !== undefined && { form: event.form }),
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
  raiseBudget(state, record);
  if (state.outstanding === 0 && state.state === 'NEED_CLARIFICATION') state.state = 'READY_TO_RESUME';
}

function endRun(state: RunState, event: EventOf<'run-end'>, at: number): void {
  state.state = event.state;
  state.endedAt = at;
  state.error = event.error;
  state.untold = event.tell?.run === true;
  if (event.error) {
    const told = LocalDataValue(event.error.message);
    const name = outputNameOf(state, event.error.step);
    if (name !== undefined) state.stepOutputs.set(name, told);
    state.finalOutput = told;
    const { step, visit = 0 } = event.tell ?? {};
    if (step !== undefined) state.root.untold.push({ step, visit, output: told });
  } else if (event.finalOutput) {
    state.finalOutput = outputOf(event.finalOutput, state.header.id);
  }
}
