import { describe, expect, it } from 'vitest';
import { legacyOf } from '../plan/builder-programs.ts';
import { compile } from '../plan/compile.ts';
import { apply } from './apply.ts';
import { clarificationToWire, InputClarification } from './clarification.ts';
import type { RunEventBody } from './event.ts';
import type { StepV2 } from './plan-v2-steps.ts';
import { PlanV2 } from './plan-v2.ts';
import { currentStepIndex, initialState, type RunHeader, type RunState, visibleOutputs } from './run-state.ts';
import { threadOf } from './state-lookup.ts';
import { comesBefore, newThread, nextVisit, valuesOf, visitName, visitNumber } from './thread.ts';

const header: RunHeader = {
  id: 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01',
  planId: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  endUserId: 'u1',
  createdAt: 100,
  inputs: {},
};
const fn = (name: string): StepV2 => ({ kind: 'function', name, function: () => 1, args: {} });
const inner = new PlanV2({
  steps: [
    { kind: 'parallel', name: 'p', onFailure: 'finish' },
    { kind: 'branch', name: 'b1' },
    { kind: 'parallel', name: 'p2', onFailure: 'finish' },
    { kind: 'branch', name: 'b2' },
    fn('a'),
    { kind: 'branch', name: 'b3' },
    fn('b'),
    { kind: 'end-parallel', name: 'ep2' },
    { kind: 'branch', name: 'b4' },
    { kind: 'exit', name: 'x', message: 'bye', error: false },
    { kind: 'end-parallel', name: 'ep' },
  ],
});
const plan = new PlanV2({ steps: [{ kind: 'sub-plan', name: 's', plan: inner, inputValues: {} }, fn('after')] });
/** In the program: 0 enters the sub-plan, 1 to 11 are its steps, 12 leaves it, 13 comes after. */
const program = compile(legacyOf(plan));

function after(...events: RunEventBody[]): RunState {
  const state = initialState(header, program);
  for (const event of events) apply(state, event, 200);
  return state;
}

const begin: RunEventBody[] = [
  { type: 'run-start', epoch: 1, host: 'here', version: '0.1.0' },
  { type: 'step-end', step: 0, result: true, frame: { push: { kind: 'sub-plan', step: 0, inputs: {} } } },
  { type: 'thread-start', thread: '1.0:0', step: 1, place: 0, next: 3 },
  { type: 'thread-start', thread: '1.0:1', step: 1, place: 1, next: 10 },
  { type: 'thread-start', thread: '1.0:0/3.0:0', step: 3, place: 0, next: 5 },
  { type: 'thread-start', thread: '1.0:0/3.0:1', step: 3, place: 1, next: 7 },
];
const question = InputClarification({
  userGuidance: 'Who?',
  argumentName: 'to',
  id: 'clar-11111111-2222-4333-8444-555555555501',
});
const inStrand: RunEventBody[] = [
  { type: 'step-end', step: 7, visit: '1.0:0/3.0:1', output: { value: 'b' } },
  { type: 'thread-end', thread: '1.0:0/3.0:1' },
  { type: 'tool-call-start', step: 5, visit: '1.0:0/3.0:0', call: 's/a.1.0:0/3.0:0.1', tool: 't', args: {} },
  {
    type: 'clarification-raised',
    step: 5,
    visit: '1.0:0/3.0:0',
    key: 'k',
    clarification: clarificationToWire(question),
    audience: 'endUser',
  },
];

describe('strands', () => {
  it('show what they have made, nested ones too, before any of them has ended', () => {
    const state = after(...begin, ...inStrand);
    const names = program.instructions.map(({ output }) => output);
    expect([...visibleOutputs(state).keys()]).toEqual([names[7]]);
    expect(state.outstanding).toBe(1);
    expect(currentStepIndex(state)).toBe(0);
    expect(threadOf(state, '1.0:0/3.0:0~2').id).toBe('1.0:0/3.0:0');
    expect(threadOf(state, 'gone').id).toBe('');
  });

  it('show what merged ones have made, and give it to their parent when all have ended', () => {
    const state = after(
      ...begin,
      { type: 'step-end', step: 5, visit: '1.0:0/3.0:0', output: { value: 'a' } },
      { type: 'thread-end', thread: '1.0:0/3.0:0' },
    );
    const strand = threadOf(state, '1.0:0');
    expect([...visibleOutputs(state).values()]).toMatchObject([{ value: 'a' }]);
    expect(strand.values.size).toBe(0);
    apply(state, { type: 'thread-end', thread: '1.0:0/3.0:1' }, 200);
    apply(state, { type: 'step-end', step: 3, visit: '1.0:0', result: true, next: 8 }, 200);
    expect(strand.values.get(5)).toMatchObject([{ value: 'a' }]);
    expect(strand.lastStep).toBe(5);
  });

  it('are given up with what they ask and do, when one of them leaves the sub-plan around them', () => {
    const state = after(
      ...begin,
      ...inStrand,
      { type: 'sleep-start', step: 13, until: 900 },
      { type: 'step-end', step: 10, visit: '1.0:1', output: { value: 'bye' }, next: 12 },
      { type: 'step-end', step: 1, result: false, next: 12 },
    );
    expect([...state.threads.keys()]).toEqual(['']);
    expect([
      [...state.visits].map(({ step }) => step),
      state.outstanding,
      state.clarifications.length,
      state.questions.size,
    ]).toEqual([[13], 0, 0, 0]);
    expect(state.root).toMatchObject({ next: 12, lastStep: 10, fork: undefined });
    expect(state.root.values.get(7)).toMatchObject([{ value: 'b' }]);
    apply(state, { type: 'step-end', step: 12, output: { value: 'bye' }, frame: { pop: true } }, 200);
    expect(state.root.frames).toEqual([]);
    expect([...state.root.values.keys()]).toEqual([12]);
  });

  it('are left out of account once they are gone', () => {
    const state = after(...begin);
    apply(state, { type: 'thread-end', thread: 'gone' }, 200);
    expect(state.threads.size).toBe(5);
    apply(state, { type: 'thread-start', thread: 'gone/1.0:7', step: 99, place: 7, next: 3, item: 'i' }, 200);
    expect(threadOf(state, 'gone/1.0:7')).toMatchObject({ parent: state.root, outputs: new Map() });
    apply(
      state,
      {
        type: 'clarification-raised',
        step: 99,
        key: 'k',
        clarification: clarificationToWire(question),
        audience: 'endUser',
      },
      200,
    );
    expect(state.clarifications[0]?.clarification.step).toBe(99);
  });

  it('leave several blocks at once', () => {
    const state = after(...begin.slice(0, 2), {
      type: 'step-end',
      step: 1,
      next: 2,
      frame: { push: { kind: 'if', step: 1, taken: true } },
    });
    apply(state, { type: 'step-end', step: 2, next: 13, frame: { drop: 2 } }, 200);
    expect(state.root.frames).toEqual([]);
  });
});

describe('what a strand can see', () => {
  it('is what it and those around it have made, oldest first', () => {
    const state = after(
      ...begin.slice(0, 2),
      { type: 'step-end', step: 5, output: { value: 'before' }, next: 1 },
      { type: 'step-end', step: 7, output: { value: 'only before' }, next: 1 },
      ...begin.slice(2),
      { type: 'step-end', step: 5, visit: '1.0:0/3.0:0', output: { value: 'own' } },
    );
    const strand = threadOf(state, '1.0:0/3.0:0');
    expect(valuesOf(strand, 5)).toMatchObject([{ value: 'before' }, { value: 'own' }]);
    expect(valuesOf(strand, 7)).toMatchObject([{ value: 'only before' }]);
    expect(valuesOf(strand, 10)).toEqual([]);
  });
});

describe('the current step of a run', () => {
  it('is the lowest in flight, as people count them', () => {
    const state = after(
      ...begin.slice(0, 1),
      { type: 'step-end', step: 0, next: 14 },
      { type: 'sleep-start', step: 13, until: 900 },
    );
    expect(currentStepIndex(state)).toBe(1);
    expect(currentStepIndex(initialState(header, { ...program, instructions: [] }))).toBe(0);
    apply(state, { type: 'sleep-start', step: 5, until: 900 }, 200);
    expect(currentStepIndex(state)).toBe(0);
  });
});

describe('a sleeping step', () => {
  it('is entered and knows when it wakes', () => {
    const state = after(
      ...begin.slice(0, 2),
      { type: 'sleep-start', step: 13, until: 900 },
      { type: 'sleep-start', step: 13, visit: 1, until: 950 },
    );
    expect([...state.visits].map(({ until }) => until)).toEqual([900, 950]);
  });
});

describe('a visit of a step', () => {
  it('is named after its strand and counted within it', () => {
    const state = after(...begin);
    const strand = threadOf(state, '1.0:0');
    expect([visitName(state.root, 2), visitName(strand, 0), visitName(strand, 1)]).toEqual([2, '1.0:0', '1.0:0~1']);
    expect([nextVisit(1), nextVisit('1.0:0'), nextVisit('1.0:0~1')]).toEqual([2, '1.0:0~1', '1.0:0~2']);
    expect([visitNumber(3), visitNumber('1.0:0'), visitNumber('1.0:0~4')]).toEqual([3, 0, 4]);
  });
});

describe('the order of the plan', () => {
  it('puts a thread before those forked from it, and strands in the order of their places, at every depth', () => {
    const root = newThread('', undefined, 0, 0);
    const strand = (place: number, parent = root) => newThread(`${parent.id}/${place}`, parent, place, 0);
    const [first, last] = [strand(0), strand(10)];
    const inner = strand(3, first);
    const inOrder = [root, first, strand(2, first), inner, strand(0, inner), strand(2), last, strand(0, last)];
    for (const [at, one] of inOrder.entries())
      expect(inOrder.map((other) => comesBefore(one, other))).toEqual(inOrder.map((_other, place) => at < place));
  });
});
