import { describe, expect, it } from 'vitest';
import { apply } from './apply.ts';
import { clarificationToWire, InputClarification } from './clarification.ts';
import type { RunEventBody } from './event.ts';
import { LocalDataValue } from './output.ts';
import { Step } from './plan.ts';
import type { Program } from './program.ts';
import {
  currentStepIndex,
  initialState,
  isFinished,
  isUntold,
  lookTime,
  PlanRunState,
  type RunHeader,
  type RunState,
  sleepsUntil,
  wakeTime,
} from './run-state.ts';
import { allUntold } from './untold.ts';

const header: RunHeader = {
  id: 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01',
  planId: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  endUserId: 'u1',
  createdAt: 100,
  inputs: { $region: LocalDataValue('EMEA') },
};

function programOf(outputs: readonly string[]): Program {
  return {
    instructions: outputs.map((output, index) => ({
      op: 'agent',
      index,
      planStep: index,
      key: String(index),
      output,
      step: new Step({ task: `do ${output}`, output }),
      toolId: 'llm_tool',
      condition: null,
    })),
    keepsVisits: false,
    finalSummary: 'never',
  };
}

function after(...bodies: RunEventBody[]): RunState {
  const state = initialState(header, programOf(['$a', '$b', '$c']));
  for (const body of bodies) apply(state, body, 200);
  return state;
}

const started: RunEventBody = { type: 'run-start', epoch: 1, host: 'here', version: '0.1.0' };

describe('a run of which nothing happened yet', () => {
  it('has only what it was created with', () => {
    expect(after()).toMatchObject({
      header,
      state: 'NOT_STARTED',
      updatedAt: 100,
      root: { next: 0 },
      outstanding: 0,
      startedAt: undefined,
    });
  });

  it('freezes its inputs, also those a store has read from JSON', () => {
    const inputs = JSON.parse('{"$rows":{"value":[{"n":1}],"summary":null}}') as RunHeader['inputs'];
    initialState({ ...header, inputs }, programOf([]));
    const rows = inputs['$rows']?.value as object[];
    expect([inputs, inputs['$rows'], rows, rows[0]].every(Object.isFrozen)).toBe(true);
  });
});

describe('the current step', () => {
  it('is the first one of a run that has not begun, even of one without steps', () => {
    expect(currentStepIndex(after())).toBe(0);
    expect(currentStepIndex(initialState(header, programOf([])))).toBe(0);
  });

  it('is the lowest one that is ready, running or waiting', () => {
    const steps: RunEventBody[] = [started, { type: 'step-start', step: 1 }, { type: 'step-start', step: 0 }];
    expect(currentStepIndex(after(...steps))).toBe(0);
    expect(currentStepIndex(after(...steps, { type: 'step-end', step: 1, output: { value: 1 } }))).toBe(0);
    expect(currentStepIndex(after(started, { type: 'step-end', step: 0, output: { value: 1 } }))).toBe(1);
  });

  it('is not moved by what belongs to the run as a whole', () => {
    const answer = { text: 'all', finishReason: 'stop' } as const;
    const summary: RunEventBody = {
      type: 'model-call-end',
      step: -1,
      call: 'final.m1',
      purpose: 'final-summary',
      model: 'm',
      answer,
      ms: 1,
    };
    const done = [0, 1, 2].map((step): RunEventBody => ({ type: 'step-end', step, output: { value: step } }));
    expect(currentStepIndex(after(started, ...done, summary))).toBe(2);
  });

  it('of a finished run is the last one executed, or the one that failed', () => {
    const one: RunEventBody = { type: 'step-end', step: 0, output: { value: 1 } };
    expect(currentStepIndex(after(started, one, { type: 'run-end', state: 'COMPLETE' }))).toBe(0);
    const failed = (step?: number): RunEventBody => ({
      type: 'run-end',
      state: 'FAILED',
      error: { code: 'STEP_FAILED', message: 'no', ...(step !== undefined && { step }) },
    });
    expect(currentStepIndex(after(started, one, failed(1)))).toBe(1);
    expect(currentStepIndex(after(started, one, failed()))).toBe(0);
  });
});

describe('the six states', () => {
  it('bear their names, and two of them are final', () => {
    expect(Object.entries(PlanRunState).every(([key, value]) => key === value)).toBe(true);
    expect(Object.values(PlanRunState).filter((state) => isFinished({ state }))).toEqual(['COMPLETE', 'FAILED']);
  });
});

describe('when a run goes on by itself', () => {
  const sleep = (step: number, until: number): RunEventBody => ({ type: 'sleep-start', step, until });
  const asked = (key: string, expiresAt?: number): RunEventBody => ({
    type: 'clarification-raised',
    step: 2,
    key,
    clarification: clarificationToWire(InputClarification({ userGuidance: '?', argumentName: 'a' })),
    audience: 'endUser',
    ...(expiresAt !== undefined && { expiresAt }),
  });
  const wait: RunEventBody = { type: 'run-wait' };

  it('is at its start, when it was given one', () => {
    expect(wakeTime(initialState({ ...header, startAt: 700 }, programOf([])))).toBe(700);
    expect(wakeTime(after())).toBeUndefined();
  });

  it('is when the first step has slept or the first question expires, and only while it waits', () => {
    expect(wakeTime(after(started, sleep(0, 900), sleep(1, 800), wait))).toBe(800);
    expect(wakeTime(after(started, sleep(0, 800), sleep(1, 900), wait))).toBe(800);
    expect(wakeTime(after(started, sleep(0, 900), asked('a', 850), asked('b', 870), wait))).toBe(850);
    expect(wakeTime(after(started, asked('a', 870), asked('b', 850), wait))).toBe(850);
    expect(wakeTime(after(started, asked('a'), wait))).toBeUndefined();
    expect(wakeTime(after(started, sleep(0, 900)))).toBeUndefined();
  });

  it('is not after its end, when a worker looks at it all the same until hooks were told of that', () => {
    const error = { code: 'STEP_FAILED', message: 'no', step: 1 } as const;
    const failed: RunEventBody = { type: 'run-end', state: 'FAILED', error, tell: { step: 1, run: true } };
    const state = after(started, failed);
    expect([lookTime(state), isUntold(state)]).toEqual([state.endedAt, true]);
    expect(allUntold(state.root)).toEqual([{ step: 1, visit: 0, output: LocalDataValue('no') }]);
    const told: RunEventBody = { type: 'step-told', step: 1 };
    expect(lookTime(after(started, failed, told))).toBe(state.endedAt);
    expect(lookTime(after(started, failed, { type: 'run-told' }))).toBe(state.endedAt);
    expect(lookTime(after(started, failed, told, { type: 'run-told' }))).toBeUndefined();
    expect(lookTime(after(started, { type: 'run-end', state: 'COMPLETE' }))).toBeUndefined();
    expect(isUntold(after(started, failed, told, { type: 'run-retry', by: null }))).toBe(false);
    const elsewhere: RunEventBody = { ...failed, tell: { step: 1, visit: 2 } };
    expect(allUntold(after(started, elsewhere).root)).toMatchObject([{ visit: 2 }]);
    expect(lookTime(after(started, { ...failed, tell: {} }))).toBeUndefined();
    expect(wakeTime(state)).toBeUndefined();
    expect(lookTime(after(started, sleep(0, 900), wait))).toBe(900);
  });

  it('is not when a step has slept, as long as a tool that is not ready keeps it from going on', () => {
    expect(sleepsUntil(after(started, sleep(0, 900), asked('ask'), wait))).toBe(900);
    expect(sleepsUntil(after(started, sleep(0, 900), asked('ready:a_tool'), wait))).toBeUndefined();
    expect(wakeTime(after(started, sleep(0, 900), asked('ready:a_tool', 950), wait))).toBe(950);
  });
});
