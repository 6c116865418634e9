import { setMaxListeners } from 'node:events';
import { PortiaError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import type { ExitInstruction, Instruction, LoopInstruction, ParallelInstruction } from '../core/program.ts';
import { exitTarget, type Thread, visitName } from '../core/thread.ts';
import { asStepError } from './agents/one-shot.ts';
import { isBudgetQuestion } from './budget.ts';
import { itemsOf, steer, wayOut } from './control.ts';
import { visitField } from './driver.ts';
import { HookFailure } from './in-hook.ts';
import { Gate, Places } from './limits.ts';
import type { Awaitable } from '../storage/storage-backend.ts';
import type { DrivenRun } from './runtime.ts';
import { executeStep, isDriverTrouble, type StepEnd } from './step.ts';
import { tellStepEnds } from './step-told.ts';
import { type Around, VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** How a strand of a run came to a stop. */
export type ThreadEnd =
  | 'done'
  | Waiting
  | { readonly kind: 'failed'; readonly error: RunError; readonly visit: VisitRun | undefined }
  /** The run is complete before its end: by a condition, or an exit. */
  | { readonly kind: 'complete' };

/** What the strands of a run share while they run. */
export class Flow implements Around {
  readonly run: DrivenRun;
  readonly abort = undefined;
  /** What ends the run; set by the strand that meets it first. Others begin nothing new. */
  over: Exclude<ThreadEnd, 'done' | Waiting> | undefined;
  /** Set when a strand could not go on because of the store or the driver. */
  broken = false;
  /** Set by the strand that meets an exit first. */
  #exited = false;
  #gate: Gate | undefined;

  constructor(run: DrivenRun) {
    this.run = run;
    // A strand that has met an exit ended the run, also when its process died before that was written down.
    for (const { next } of run.driver.state.threads.values()) if (next === exitTarget) this.over = { kind: 'complete' };
  }

  /** The end of the group of steps, from this one on, that may run at once. */
  groupEnd(index: number): number {
    const { runtime, prepared } = this.run;
    const { beforeStepExecution, beforeToolCall, inPlanOrder } = runtime.hooks;
    // Hooks that decide whether and how a step runs see what the steps before it made.
    if (beforeStepExecution || beforeToolCall || inPlanOrder || runtime.config.maxConcurrency < 2) return index + 1;
    const { groups } = prepared;
    const start = groups[index];
    let end = index + 1;
    while (groups[end] === start) end += 1;
    return end;
  }

  /** What keeps the steps of a run that are at work at once to its limit, where their blocks set none. */
  get gate(): Gate {
    this.#gate ??= new Gate(this.run.runtime.config.maxConcurrency);
    return this.#gate;
  }

  get stopping(): boolean {
    return this.over !== undefined || this.#exited || this.broken || this.run.driver.ending;
  }

  /** Whether a strand may take an exit: only the first may. */
  mayExit(exit: ExitInstruction): boolean {
    if (this.stopping) return false;
    this.#exited = exit.error || exit.end === undefined;
    return true;
  }
}

/** What the strands of one block share. */
class Siblings implements Around {
  readonly abort: AbortSignal | undefined;
  readonly #around: Around;
  /** Set when one of them has left the sub-plan that the block stands in. */
  left = false;

  constructor(around: Around, own: AbortSignal | undefined) {
    this.#around = around;
    this.abort = around.abort && own ? AbortSignal.any([around.abort, own]) : (own ?? around.abort);
    // Any number of calls may listen at once.
    if (this.abort) setMaxListeners(0, this.abort);
  }

  get stopping(): boolean {
    return this.left || this.#around.stopping;
  }
}

/** Advances a strand, and those it forks, as far as it goes. */
export async function runThread(flow: Flow, thread: Thread, around: Around = flow): Promise<ThreadEnd> {
  const { instructions } = flow.run.driver.state.program;
  const block = blockAround(flow, thread);
  // For strands of a block that sets no limit itself.
  const gate = block && block.concurrency === undefined ? flow.gate : undefined;
  for (;;) {
    if (flow.stopping) return flow.over ?? waiting;
    if (thread.next === exitTarget) return end(flow, { kind: 'complete' });
    if (block && (around.stopping || thread.next > block.end)) return waiting;
    const instruction = instructions[thread.next];
    if (!instruction || (block && isBranchEnd(block, instruction))) return 'done';
    const visit = standsAlone(flow, instruction) ? visitOf(flow, thread, instruction, around) : undefined;
    const ended = visit
      ? toThreadEnd(visit, await gated(visit, gate))
      : await runInstruction(flow, thread, instruction, around);
    if (ended === undefined) continue;
    return end(flow, ended);
  }
}

function visitOf({ run }: Flow, thread: Thread, instruction: Instruction, around: Around): VisitRun {
  return new VisitRun(run, instruction, visitName(thread, thread.counts.get(instruction.index) ?? 0), thread, around);
}

/** Whether an instruction is a step that does not run beside others of its thread. */
function standsAlone(flow: Flow, { op, index }: Instruction): boolean {
  return op === 'work' || (op === 'agent' && flow.groupEnd(index) === index + 1);
}

function end(flow: Flow, ended: ThreadEnd): ThreadEnd {
  if (ended !== 'done' && ended !== waiting) flow.over ??= ended;
  return ended;
}

/** Whether a forked strand has come to where its part of the block ends. */
function isBranchEnd(block: ParallelInstruction | LoopInstruction, { op, index }: Instruction): boolean {
  return index === block.end || (op === 'branch' && block.op === 'parallel' && block.branches.includes(index + 1));
}

/** The block a strand was forked by. */
function blockAround({ run }: Flow, { parent }: Thread): ParallelInstruction | LoopInstruction | undefined {
  const block = parent?.fork && run.driver.state.program.instructions[parent.fork.step];
  return block?.op === 'parallel' || block?.op === 'loop' ? block : undefined;
}

/** Whether a strand goes on outside its block: it met an exit from the sub-plan around it. */
function hasLeft(flow: Flow, thread: Thread): boolean {
  const block = blockAround(flow, thread);
  return block !== undefined && thread.next > block.end;
}

async function runInstruction(
  flow: Flow,
  thread: Thread,
  instruction: Instruction,
  around: Around,
): Promise<ThreadEnd | undefined> {
  const { run } = flow;
  if (instruction.op === 'agent' || instruction.op === 'work')
    return runGroup(flow, thread, instruction.index, flow.groupEnd(instruction.index));
  try {
    if (instruction.op === 'parallel') return await runParallel(flow, thread, instruction, around);
    if (instruction.op === 'loop' && instruction.concurrency > 1)
      return await runConcurrentLoop(flow, thread, instruction, around);
    const steered = await steer(run, thread, instruction, (exit) => !around.stopping && flow.mayExit(exit));
    if (steered === 'next') {
      if (run.driver.commitSize > maxPending) await run.driver.commit();
      return undefined;
    }
    if (!steered.error) return { kind: 'complete' };
    return {
      kind: 'failed',
      error: { code: 'RUN_EXITED', message: steered.exit, step: instruction.planStep },
      visit: undefined,
    };
  } catch (thrown) {
    if (isDriverTrouble(thrown)) throw thrown;
    if (run.driver.ending || isBudgetQuestion(thrown)) return waiting;
    const visit = visitOf(flow, thread, instruction, around);
    return { kind: 'failed', error: asStepError(visit, thrown).error, visit: undefined };
  }
}

/** Executes a step when the run and the client have a place for it. Waiting for people holds none. */
function gated(visit: VisitRun, ofRun?: Gate): Awaitable<StepEnd> {
  const { stepGate } = visit.run.runtime;
  return !ofRun && !stepGate ? executeStep(visit) : throughGates(visit, [ofRun, stepGate]);
}

async function throughGates(visit: VisitRun, gates: readonly (Gate | undefined)[]): Promise<StepEnd> {
  const places = new Places(gates.filter((gate) => gate !== undefined));
  visit.places = places;
  await places.enter();
  try {
    // What failed meanwhile lets nothing new begin.
    return visit.stopping ? waiting : await executeStep(visit);
  } finally {
    places.leave();
  }
}

function toThreadEnd(visit: VisitRun, ended: StepEnd): ThreadEnd | undefined {
  if (ended === waiting) return waiting;
  if (ended.kind === 'next') return undefined;
  return ended.kind === 'failed'
    ? { kind: 'failed', error: ended.error, visit: ended.told ? undefined : visit }
    : { kind: 'complete' };
}

/** What steps of a V1 plan that run at once share. */
class Group implements Around {
  readonly abort = undefined;
  readonly #flow: Flow;
  failed = false;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  get stopping(): boolean {
    return this.failed || this.#flow.stopping;
  }
}

/**
 * Runs steps of a V1 plan at once that need not wait for each other. Each is put on record, and told to hooks, only
 * after the one before it has come to rest, so that all reads as if they had run in order.
 */
async function runGroup(flow: Flow, thread: Thread, first: number, end: number): Promise<ThreadEnd | undefined> {
  const { state } = flow.run.driver;
  const open = state.program.instructions.slice(first, end).filter(({ index }) => !state.ahead.has(index));
  const ends: (ThreadEnd | undefined)[] = [];
  const group = new Group(flow);
  let before: Promise<boolean> = Promise.resolve(true);
  await inPool(flow, open, flow.run.runtime.config.maxConcurrency, async (instruction, place) => {
    if (group.stopping) return;
    const visit = visitOf(flow, thread, instruction, group);
    visit.turn = before;
    const running = Promise.resolve(gated(visit));
    const well = running.then(
      (ended) => ended === waiting || ended.kind !== 'failed',
      () => false,
    );
    before = before.then(async (others) => (await well) && others);
    ends[place] = toThreadEnd(visit, await running);
    group.failed ||= !(await well);
  });
  if (flow.stopping) return flow.over ?? waiting;
  return ends.find((ended) => ended !== undefined && ended !== waiting) ?? ends.find((ended) => ended === waiting);
}

/** Works on items in their order, so many at once. */
async function inPool<T>(
  flow: Flow,
  items: readonly T[],
  size: number,
  work: (item: T, place: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !flow.broken) {
      const place = next;
      next += 1;
      await work(items[place] as T, place);
    }
  };
  await allOf(flow, Array.from({ length: Math.min(size, items.length) }, worker));
}

/** Control steps have no effects: so many of them may wait to be written together. */
const maxPending = 200;

async function runParallel(
  flow: Flow,
  thread: Thread,
  block: ParallelInstruction,
  around: Around,
): Promise<ThreadEnd | undefined> {
  const starts = block.branches;
  const ended = await runFork(
    flow,
    thread,
    block,
    starts.length,
    (place) => ({ next: starts[place] ?? block.end }),
    around,
  );
  if (ended !== 'done') return ended === 'left' ? undefined : ended;
  finishFork(flow, thread, block.index, block.end);
  return undefined;
}

async function runConcurrentLoop(
  flow: Flow,
  thread: Thread,
  loop: LoopInstruction,
  around: Around,
): Promise<ThreadEnd | undefined> {
  const visit = visitOf(flow, thread, loop, around);
  const items = storedItems(thread, loop.index) ?? (await itemsOf(visit, loop));
  if (items.length > loop.maxIterations) {
    throw new PortiaError({
      code: 'LOOP_LIMIT',
      message: `loop ${loop.key} has ${items.length} items; its limit is ${loop.maxIterations}`,
      hint: 'give the loop a higher maxIterations',
    });
  }
  if (storedItems(thread, loop.index) === undefined) {
    flow.run.driver.emit({
      type: 'step-end',
      step: loop.index,
      ...visitField(visit.visit),
      result: true,
      next: loop.index,
      frame: { push: { kind: 'loop', step: loop.index, iteration: 0, items } },
    });
  }
  const ended = await runFork(
    flow,
    thread,
    loop,
    items.length,
    (place) => ({ next: loop.index + 1, item: items[place] ?? null }),
    around,
  );
  if (ended !== 'done') return ended === 'left' ? undefined : ended;
  const again = visitName(thread, thread.counts.get(loop.index) ?? 0);
  flow.run.driver.emit({
    type: 'step-end',
    step: loop.index,
    ...visitField(again),
    result: false,
    next: loop.end + 1,
    frame: { pop: true },
  });
  return undefined;
}

function storedItems(thread: Thread, step: number): readonly JsonValue[] | undefined {
  const top = thread.frames.at(-1);
  return top?.kind === 'loop' && top.step === step ? top.items : undefined;
}

function finishFork(flow: Flow, thread: Thread, step: number, next: number): void {
  const visit = visitName(thread, thread.counts.get(step) ?? 0);
  flow.run.driver.emit({ type: 'step-end', step, ...visitField(visit), result: true, next });
}

/** Runs the strands of a fork, so many at once; those on record go on where they stand. */
async function runFork(
  flow: Flow,
  thread: Thread,
  block: ParallelInstruction | LoopInstruction,
  count: number,
  begin: (place: number) => { readonly next: number; readonly item?: JsonValue },
  around: Around,
): Promise<ThreadEnd | 'left'> {
  const { index, onFailure } = block;
  const { driver, runtime } = flow.run;
  // What a plan says of itself goes before what the client says of all plans.
  const most = runtime.hooks.inPlanOrder ? 1 : (block.concurrency ?? runtime.config.maxConcurrency);
  const concurrency = Math.min(most, count);
  const number = thread.counts.get(index) ?? 0;
  const ends: ThreadEnd[] = [];
  const controller = onFailure === 'abort' ? new AbortController() : undefined;
  const siblings = new Siblings(around, controller?.signal);
  const look = (child: Thread): void => {
    if (hasLeft(flow, child)) siblings.left = true;
  };
  for (const child of thread.fork?.live.values() ?? []) look(child);
  let place = 0;
  const strand = async (): Promise<void> => {
    while (place < count && !siblings.stopping) {
      const mine = place;
      place += 1;
      const fork = thread.fork;
      if (fork && (mine < fork.merged || fork.ended.has(mine))) continue;
      let child = fork?.live.get(mine);
      if (!child) {
        const id = `${thread.id}${thread.id === '' ? '' : '/'}${index}.${number}:${mine}`;
        driver.emit({ type: 'thread-start', thread: id, step: index, place: mine, ...begin(mine) });
        child = driver.state.threads.get(id);
      }
      if (!child) throw new Error('a strand that was begun is not there');
      const ended = await runThread(flow, child, siblings);
      look(child);
      if (ended !== 'done' && ended !== waiting && ended.kind === 'failed')
        controller?.abort(new Error('a strand beside this one failed'));
      if (ended === 'done') {
        driver.emit({ type: 'thread-end', thread: child.id });
        // What ended in the strands after this one may be told now.
        await tellStepEnds(flow.run, thread).catch((thrown: unknown) => ends.push(end(flow, hookFailed(thrown))));
      } else {
        ends.push(ended);
        // What it asks can be answered while others are at work.
        if (driver.dirty && !flow.stopping) await driver.commit();
      }
    }
  };
  await allOf(flow, Array.from({ length: concurrency }, strand));
  if (flow.over) return flow.over;
  if (flow.stopping) return waiting;
  const left = siblings.left
    ? thread.fork && [...thread.fork.live.values()].find((child) => hasLeft(flow, child))
    : undefined;
  if (left) {
    driver.emit({
      type: 'step-end',
      step: index,
      ...visitField(visitName(thread, thread.counts.get(index) ?? 0)),
      result: false,
      ...wayOut(driver.state, thread, left.next),
    });
    return 'left';
  }
  return ends.length > 0 || siblings.stopping ? waiting : 'done';
}

function hookFailed(thrown: unknown): ThreadEnd {
  if (!(thrown instanceof HookFailure)) throw thrown;
  return { kind: 'failed', error: { code: thrown.code, message: thrown.message }, visit: undefined };
}

/** Waits for all strands, also when one of them could not go on: nothing runs on behind the back of whoever is told. */
async function allOf(flow: Flow, strands: readonly Promise<void>[]): Promise<void> {
  const watched = strands.map((strand) =>
    strand.catch((error: unknown) => {
      flow.broken = true;
      throw error;
    }),
  );
  for (const settled of await Promise.allSettled(watched)) if (settled.status === 'rejected') throw settled.reason;
}
