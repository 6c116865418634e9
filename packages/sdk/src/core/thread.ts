import type { JsonValue } from './json.ts';
import type { Output } from './output.ts';
import type { LoopInstruction, Program } from './program.ts';
import type { Untold } from './untold.ts';

/** A block that a thread is inside of; part of the stored run. */
export type Frame =
  /** `taken`: one of its clauses has run, so that the others do not. */
  | { readonly kind: 'if'; readonly step: number; readonly taken: boolean }
  | {
      readonly kind: 'loop';
      readonly step: number;
      /** How often the body was entered. */
      readonly iteration: number;
      /** What is gone through, evaluated once. */
      readonly items?: readonly JsonValue[];
    }
  | { readonly kind: 'sub-plan'; readonly step: number; readonly inputs: Readonly<Record<string, JsonValue>> };

/** What a finished step does to the frames of its thread. */
export type FrameChange =
  | { readonly push: Frame }
  | { readonly top: Frame }
  /** One iteration on. */
  | { readonly advance: true }
  | { readonly pop: true }
  /** Leaves so many blocks at once: by an exit from a sub-plan. */
  | { readonly drop: number };

/** Where in the program one strand of a run stands. A run has one; parallel blocks and concurrent loops fork more. */
export interface Thread {
  /** Empty for the run's own; else `<parent>/<step>.<visit>:<k>`. */
  readonly id: string;
  readonly parent: Thread | undefined;
  /** Its number among its siblings: the order in which their outputs are merged. */
  readonly place: number;
  /** The next instruction to enter. */
  next: number;
  readonly frames: Frame[];
  /** How often each step was left in this thread. */
  readonly counts: Map<number, number>;
  /** By step: what its visits in this thread made, in order; joins what the parent knows when all strands have ended. */
  readonly values: Map<number, Output[]>;
  /** The rounds of the loops it is inside of; none before its first loop. */
  rounds: Rounds | undefined;
  /** By output name: what the record shows of this thread. */
  readonly outputs: Map<string, Output>;
  /** The strands it waits for. */
  fork: Fork | undefined;
  /** The step that made the last output; within a sub-plan, of its steps alone. */
  lastStep: number | undefined;
  /** Ends of steps that a hook is to be told of, in order. */
  readonly untold: Untold[];
}

/** When values were made, next to when the rounds of loops began: counted in values. */
export interface Rounds {
  made: number;
  /** By step: when it made its last value. */
  readonly last: Map<number, number>;
  /** Of each loop among the frames, outermost first: when its round began. */
  readonly begun: number[];
}

/** The strands of a parallel block or a concurrent loop. */
export interface Fork {
  readonly step: number;
  readonly live: Map<number, Thread>;
  /** Ended, and waiting for earlier ones to be merged. */
  readonly ended: Map<number, Thread>;
  /** How many have been merged, in order. */
  merged: number;
  /** What the merged ones made. Strands do not see it: what one sees never depends on how far the others are. */
  readonly values: Map<number, Output[]>;
  readonly outputs: Map<string, Output>;
  lastStep: number | undefined;
  readonly untold: Untold[];
}

/** Where a thread stands that has met an exit: the whole run is over. */
export const exitTarget: number = Number.MAX_SAFE_INTEGER;

/** A strand that begins. */
export function newThread(id: string, parent: Thread | undefined, place: number, next: number): Thread {
  return {
    id,
    parent,
    place,
    next,
    frames: [],
    counts: new Map(),
    values: new Map(),
    rounds: undefined,
    outputs: new Map(),
    fork: undefined,
    lastStep: undefined,
    untold: [],
  };
}

/** Strands that are about to begin. */
export function newFork(step: number): Fork {
  return {
    step,
    live: new Map(),
    ended: new Map(),
    merged: 0,
    values: new Map(),
    outputs: new Map(),
    lastStep: undefined,
    untold: [],
  };
}

/** The n-th visit of a step, as ids name it: a number in the run's own thread, else with the thread before it. */
export function visitName(thread: Thread, n: number): number | string {
  if (thread.id === '') return n;
  return n === 0 ? thread.id : `${thread.id}~${n}`;
}

/** The visit after this one in the same thread. */
export function nextVisit(visit: number | string): number | string {
  if (typeof visit === 'number') return visit + 1;
  const mark = visit.lastIndexOf('~');
  return mark < 0 ? `${visit}~1` : `${visit.slice(0, mark)}~${Number(visit.slice(mark + 1)) + 1}`;
}

/** How many visits came before this one in its thread. */
export function visitNumber(visit: number | string): number {
  if (typeof visit === 'number') return visit;
  const mark = visit.lastIndexOf('~');
  return mark < 0 ? 0 : Number(visit.slice(mark + 1));
}

/** What a step made in a thread and those it was forked from, oldest first. */
export function valuesOf(thread: Thread, step: number): readonly Output[] {
  const own = thread.values.get(step) ?? [];
  if (!thread.parent) return own;
  const before = valuesOf(thread.parent, step);
  return before.length === 0 ? own : own.length === 0 ? before : [...before, ...own];
}

/** The strands of a thread that have begun, ended and live ones, in their order. */
export function strandsOf({ fork }: Pick<Thread, 'fork'>): readonly Thread[] {
  if (!fork) return [];
  return [...fork.live.values(), ...fork.ended.values()].sort((a, b) => a.place - b.place);
}

/** Whether a thread comes before another one in the order of the plan; of one and the same, neither does. */
export function comesBefore(one: Thread, other: Thread): boolean {
  const [here, there] = [placesOf(one), placesOf(other)];
  const at = here.findIndex((place, depth) => place !== there[depth]);
  return at < 0 ? here.length < there.length : there[at] !== undefined && Number(here[at]) < there[at];
}

function placesOf({ parent, place }: Thread): readonly number[] {
  return parent ? [...placesOf(parent), place] : [];
}

/** What a step made last, as a thread sees it. */
export function lastValueOf(thread: Thread, step: number): Output | undefined {
  return ownerOf(thread, step)?.values.get(step)?.at(-1);
}

/** The nearest thread in which a step made something. */
function ownerOf(thread: Thread, step: number): Thread | undefined {
  for (let at: Thread | undefined = thread; at; at = at.parent) if (at.values.has(step)) return at;
  return undefined;
}

/**
 * What a step made last, as the step `from` sees it: within a loop that both stand in, of this round alone, as it is for
 * the strands of a concurrent loop. What steers the loop itself looks back at the round before.
 */
export function valueSeen({ instructions }: Program, thread: Thread, from: number, step: number): Output | undefined {
  const owner = ownerOf(thread, step);
  const output = owner?.values.get(step)?.at(-1);
  if (!owner?.rounds) return output;
  const { begun, last } = owner.rounds;
  const loops = owner.frames.filter(({ kind }) => kind === 'loop');
  const around = loops.findLastIndex(({ step: start }) => {
    const { end } = instructions[start] as LoopInstruction;
    return [from, step].every((one) => one > start && one < end);
  });
  return around >= 0 && Number(last.get(step)) <= Number(begun[around]) ? undefined : output;
}
