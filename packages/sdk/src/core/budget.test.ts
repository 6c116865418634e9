import { describe, expect, it } from 'vitest';
import { apply } from './apply.ts';
import { activeMs, budgetToJson, mergedBudget, raiseKey, readBudget } from './budget.ts';
import type { RunEventBody } from './event.ts';
import { executionContextOf } from './execution-context.ts';
import { initialState, type RunHeader, type RunState } from './run-state.ts';

const header: RunHeader = {
  id: 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01',
  planId: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  endUserId: 'u1',
  createdAt: 100,
  inputs: {},
  budget: { maxUsd: 0.1, maxModelCalls: 3 },
};

function begun(more: Partial<RunHeader> = {}): RunState {
  return initialState({ ...header, ...more }, { instructions: [], keepsVisits: false, finalSummary: 'never' });
}

const start: RunEventBody = { type: 'run-start', epoch: 1, host: 'here', version: '1' };

/** The state after events, each at its time. */
function at(state: RunState, ...events: readonly (readonly [number, RunEventBody])[]): RunState {
  for (const [time, event] of events) apply(state, event, time);
  return state;
}

function asked(key: string, n = 1): RunEventBody {
  return {
    type: 'clarification-raised',
    step: 0,
    key,
    clarification: { id: id(n), category: 'User Verification', user_guidance: 'More?' },
    audience: 'operator',
  };
}
const id = (n: number): `clar-${string}` => `clar-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d1${n}`;
const answered = (response: boolean, n = 1): RunEventBody =>
  ({
    type: 'clarification-resolved',
    id: id(n),
    response,
    resolvedBy: 'ops',
    as: 'operator',
    via: 'library',
  }) as RunEventBody;

describe('a budget', () => {
  it('is checked when it is given', () => {
    expect(readBudget(undefined, 'budget')).toBeUndefined();
    expect(readBudget(null, 'budget')).toBeUndefined();
    expect(readBudget({ onBudget: 'ask', maxUsd: undefined }, 'budget')).toBeUndefined();
    const whole = { maxUsd: 0.5, maxTokens: 0, maxOutputTokens: 1, onBudget: 'stop' };
    expect(readBudget(whole, 'budget')).toEqual(whole);
  });

  it.each([
    [5, 'budget is not an object'],
    [{ maxDollars: 1 }, 'budget.maxDollars is no part of a budget'],
    [{ maxUsd: -1 }, 'budget.maxUsd is not a number of at least 0'],
    [{ maxUsd: Number.NaN }, 'budget.maxUsd is not a number'],
    [{ maxTokens: 1.5 }, 'budget.maxTokens is not a whole number of at least 0'],
    [{ maxToolCalls: '3' }, 'budget.maxToolCalls is not a whole number'],
    [{ maxUsd: 1, maxOutputTokens: 0 }, 'budget.maxOutputTokens is not a whole number of at least 1'],
    [{ maxUsd: 1, onBudget: 'wait' }, 'budget.onBudget is neither "stop" nor "ask"'],
  ])('%j is refused', (given, message) => {
    expect(() => readBudget(given, 'budget')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('goes limit by limit over another one', () => {
    expect(mergedBudget({ maxUsd: 1 }, { maxUsd: 2, maxTokens: 3 })).toEqual({ maxUsd: 1, maxTokens: 3 });
    expect(mergedBudget(undefined, { maxUsd: 2 })).toEqual({ maxUsd: 2 });
    expect(mergedBudget({ maxUsd: 1 }, undefined)).toEqual({ maxUsd: 1 });
  });

  it('is raised by the literal true and nothing else, and no sum drifts', () => {
    const state = begun();
    expect(state.budget).toEqual(header.budget);
    at(state, [1, asked(raiseKey('maxUsd', 0.2, 0))], [2, answered(true)]);
    expect(state.budget).toEqual({ maxUsd: 0.3, maxModelCalls: 3 });
    at(state, [3, asked(raiseKey('maxModelCalls', 3, 1), 2)], [4, answered(false, 2)]);
    at(state, [5, asked('verify:0.0.0', 3)], [6, answered(true, 3)]);
    expect(state.budget).toEqual({ maxUsd: 0.3, maxModelCalls: 3 });
    const without = begun({ budget: undefined });
    expect(at(without, [1, asked(raiseKey('maxTokens', 5, 0))], [2, answered(true)]).budget).toEqual({ maxTokens: 5 });
  });

  it('of a retry takes the place of what there was, limit by limit', () => {
    const state = at(begun(), [1, start], [2, { type: 'run-end', state: 'FAILED' }]);
    at(state, [3, { type: 'run-retry', by: null, budget: budgetToJson({ maxUsd: 2 }) }]);
    expect(state.budget).toEqual({ maxUsd: 2, maxModelCalls: 3 });
    expect(at(state, [4, start], [5, { type: 'run-retry', by: null }]).budget).toEqual({ maxUsd: 2, maxModelCalls: 3 });
  });
});

describe('the time at work', () => {
  const late: RunEventBody = {
    type: 'tool-call-end',
    step: 0,
    call: '0.0.1',
    outcome: { status: 'SUCCESS', value: 1 },
    late: true,
  };

  it('leaves out waiting for people, and the time in which nobody drove the run', () => {
    const state = at(begun(), [1_000, start], [1_050, asked('verify:0.0.0')], [1_060, { type: 'run-wait' }]);
    expect(activeMs(state, 9_000)).toBe(60);
    at(state, [100_000, answered(true)], [200_000, start]);
    expect(activeMs(state, 200_005)).toBe(65);
    // The process died; another one takes over much later, and only then there is work again.
    at(state, [300_000, late], [300_001, start], [300_011, { type: 'run-end', state: 'COMPLETE' }]);
    expect(activeMs(state, 900_000)).toBe(70);
    expect(executionContextOf(state).activeMs).toBe(70);
  });

  it('is never less than nothing, whatever the clock does', () => {
    const state = at(begun(), [1_000, start], [900, { type: 'step-start', step: 0 }]);
    expect(activeMs(state, 800)).toBe(0);
  });
});

describe('what model calls cost', () => {
  const call = (more: object, answer: object = {}): RunEventBody =>
    ({
      type: 'model-call-end',
      step: 0,
      call: 'm1',
      purpose: 'tool',
      model: 'a/b',
      answer: { text: '', finishReason: 'stop', usage: { inputTokens: 2, outputTokens: 1 }, ...answer },
      ms: 4,
      ...more,
    }) as RunEventBody;

  it('is told in dollars, by step, by model and in all', () => {
    const state = at(begun(), [1, call({ microUsd: 100_000 })], [2, call({ microUsd: 200_000, model: 'c/d' })]);
    const { totals, steps, models } = executionContextOf(state);
    expect(totals).toMatchObject({ costUsd: 0.3, modelCalls: 2, modelMs: 8, inputTokens: 4, unpricedCalls: 0 });
    expect(steps).toMatchObject([{ step: 0, costUsd: 0.3 }]);
    expect(models).toMatchObject([
      { model: 'a/b', costUsd: 0.1 },
      { model: 'c/d', costUsd: 0.2 },
    ]);
    expect(totals).not.toHaveProperty('microUsd');
  });

  it('is not known where one price is not, and nothing for a cached answer', () => {
    const state = at(begun(), [1, call({ microUsd: 7 })], [2, call({}, { cached: true, usage: undefined })]);
    expect(executionContextOf(state).totals).toMatchObject({ costUsd: 0.000007, cachedCalls: 1, modelCalls: 2 });
    at(state, [3, call({ estimatedTokens: 9 }, { usage: undefined })]);
    expect(executionContextOf(state).totals).toMatchObject({ costUsd: null, unpricedCalls: 1, estimatedTokens: 9 });
  });
});
