import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { apply } from './apply.ts';
import { clarificationToWire, InputClarification, UserVerificationClarification } from './clarification.ts';
import type { RunError, RunEventBody } from './event.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { LocalDataValue } from './output.ts';
import { Step } from './plan.ts';
import { type PlanRun, planRunFromWire, planRunView, ReadOnlyPlanRun } from './plan-run.ts';
import { inDollars } from './usage.ts';
import { initialState, noModelUsage, noUsage, PlanRunState, type RunHeader, type RunState } from './run-state.ts';
import { traceIdOf } from './trace.ts';

const fixture = JSON.parse(
  readFileSync(new URL('../../fixtures/portia-0.9/plan-run.json', import.meta.url), 'utf8'),
) as {
  [key: string]: JsonValue;
  id: string;
  outputs: { [key: string]: JsonValue; clarifications: JsonObject[]; step_outputs: JsonObject };
};

const header: RunHeader = {
  id: 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01',
  planId: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  endUserId: 'acme-user-17',
  createdAt: 100,
  inputs: { $region: LocalDataValue('EMEA') },
  runKey: 'order-17',
  labels: { batch: 'nightly' },
};

function stateAfter(...bodies: RunEventBody[]): RunState {
  const outputs = ['$sales', '$receipt'];
  const instructions = outputs.map((output, index) => {
    const step = new Step({ task: 'T', output });
    return {
      op: 'agent' as const,
      index,
      planStep: index,
      key: String(index),
      output,
      step,
      toolId: 'llm_tool',
      condition: null,
    };
  });
  const state = initialState(header, { instructions, keepsVisits: false, finalSummary: 'never' });
  for (const [index, body] of bodies.entries()) apply(state, body, 1000 + index);
  return state;
}

const start: RunEventBody = { type: 'run-start', epoch: 1, host: 'here', version: '0.1.0' };
const sales: RunEventBody = { type: 'step-end', step: 0, output: { value: { rows: 412 }, summary: '412 rows' }, ms: 7 };
const who = InputClarification({
  userGuidance: 'Who?',
  argumentName: 'to',
  id: 'clar-11111111-2222-4333-8444-555555555501',
});
const ok = UserVerificationClarification({ userGuidance: 'OK?', id: 'clar-11111111-2222-4333-8444-555555555502' });
const raised = (clarification: typeof who | typeof ok, step: number): RunEventBody => ({
  type: 'clarification-raised',
  step,
  key: 'k',
  clarification: clarificationToWire(clarification),
  audience: 'endUser',
});
const answeredOk: RunEventBody = {
  type: 'clarification-resolved',
  id: ok.id,
  response: true,
  resolvedBy: null,
  as: null,
  via: 'library',
};

describe('the view of a run', () => {
  it('shows what the run is and has made', () => {
    const run = planRunView(
      stateAfter(start, sales, { type: 'run-end', state: 'COMPLETE', finalOutput: { value: 5 } }),
    );
    expect(run).toMatchObject({
      id: header.id,
      planId: header.planId,
      currentStepIndex: 0,
      state: 'COMPLETE',
      endUserId: 'acme-user-17',
    });
    expect(run.planRunInputs).toEqual({ $region: LocalDataValue('EMEA') });
    expect(run.outputs).toEqual({
      clarifications: [],
      stepOutputs: { $sales: LocalDataValue({ rows: 412 }, '412 rows') },
      finalOutput: LocalDataValue(5),
    });
    expect(run.error).toBeUndefined();
  });

  it('prints as the document of Portia 0.9, with values of their own type and nothing else inside', () => {
    const run = planRunView(stateAfter(start, sales, raised(who, 1), { type: 'run-wait' }));
    expect(JSON.stringify(run)).toBe(
      JSON.stringify({
        id: header.id,
        plan_id: header.planId,
        current_step_index: 1,
        state: 'NEED_CLARIFICATION',
        end_user_id: 'acme-user-17',
        outputs: {
          clarifications: [{ ...clarificationToWire(who), plan_run_id: header.id, step: 1 }],
          step_outputs: { $sales: { value: { rows: 412 }, summary: '412 rows' } },
          final_output: null,
        },
        plan_run_inputs: { $region: { value: 'EMEA', summary: null } },
      }),
    );
  });

  it('cannot be changed, and stays as it was when it was looked at', () => {
    const state = stateAfter(start, sales);
    const run = planRunView(state);
    const { outputs, executionContext } = run;
    const parts = [
      run,
      outputs,
      outputs.clarifications,
      outputs.stepOutputs,
      run.planRunInputs,
      executionContext,
      executionContext.steps,
      executionContext.steps[0],
      executionContext.totals,
      executionContext.labels,
    ];
    expect(parts.every(Object.isFrozen)).toBe(true);
    apply(state, { type: 'step-end', step: 1, output: { value: 'sent' }, ms: 1 }, 2000);
    apply(state, { type: 'run-end', state: 'COMPLETE' }, 2001);
    expect(run.state).toBe('IN_PROGRESS');
    expect(run.outputs).toBe(outputs);
    expect(Object.keys(outputs.stepOutputs)).toEqual(['$sales']);
    expect(run.executionContext).toBe(executionContext);
    expect(executionContext.steps).toHaveLength(1);
  });

  it('copies nothing until it is looked at', () => {
    const state = stateAfter(start, sales);
    const looked: string[] = [];
    const watched = new Proxy(state, {
      get(target, key, receiver) {
        looked.push(String(key));
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
    const run = planRunView(watched);
    expect(looked).not.toContain('stepOutputs');
    expect(looked).not.toContain('clarifications');
    expect(looked).not.toContain('usage');
    expect(run.outputs.stepOutputs['$sales']).toBeDefined();
    expect(looked).toContain('stepOutputs');
  });

  it('says why it failed', () => {
    const error: RunError = { code: 'TOOL_FAILED', message: 'no mail today', step: 1, toolCallId: '1.0.1' };
    const run = planRunView(stateAfter(start, sales, { type: 'run-end', state: 'FAILED', error }));
    expect(run.error).toEqual(error);
    expect(run.currentStepIndex).toBe(1);
    expect(run.outputs.finalOutput).toEqual(LocalDataValue('no mail today'));
    expect(JSON.stringify(run)).not.toContain('TOOL_FAILED');
    const unexplained = planRunView(stateAfter(start, { type: 'run-end', state: 'FAILED' }));
    expect(unexplained.error).toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringContaining('does not say why'),
    });
  });

  it('shows all of itself when it is logged', () => {
    const shown = inspect(planRunView(stateAfter(start, sales)), { depth: 4 });
    for (const part of ['IN_PROGRESS', '412 rows', 'EMEA', 'order-17']) expect(shown).toContain(part);
  });

  it('shows an output of any name, also one that objects know already', () => {
    const state = stateAfter(start);
    state.stepOutputs.set('__proto__', LocalDataValue('odd'));
    expect(Object.entries(planRunView(state).outputs.stepOutputs)).toEqual([['__proto__', LocalDataValue('odd')]]);
  });

  it('narrows on its state', () => {
    const run = planRunView<{ total: number }>(stateAfter(start));
    if (run.state === 'COMPLETE') {
      expectTypeOf(run.outputs.finalOutput).toEqualTypeOf<LocalDataValue<{ total: number }> | null>();
      expectTypeOf(run.error).toEqualTypeOf<undefined>();
    } else if (run.state === 'FAILED') {
      expectTypeOf(run.error).toEqualTypeOf<RunError>();
    } else {
      expectTypeOf(run.error).toEqualTypeOf<undefined>();
      expectTypeOf(run.state).toEqualTypeOf<'NOT_STARTED' | 'IN_PROGRESS' | 'NEED_CLARIFICATION' | 'READY_TO_RESUME'>();
    }
    expectTypeOf(run.error?.code).toEqualTypeOf<RunError['code'] | undefined>();
    expectTypeOf(run).toExtend<ReadOnlyPlanRun<{ total: number }>>();
    expect(ReadOnlyPlanRun.fromPlanRun(run)).toBe(run);
  });
});

describe('what a run can be asked', () => {
  const run: PlanRun = planRunView(
    stateAfter(start, raised(ok, 0), answeredOk, sales, raised(who, 1), { type: 'run-wait' }),
  );

  it('which clarifications wait', () => {
    expect(run.getOutstandingClarifications().map(({ id }) => id)).toEqual([who.id]);
  });

  it('which clarifications belong to a step, the current one unless another is named', () => {
    expect(run.getClarificationsForStep().map(({ id }) => id)).toEqual([who.id]);
    expect(run.getClarificationsForStep(0).map(({ id }) => id)).toEqual([ok.id]);
    expect(run.getClarificationsForStep(5)).toEqual([]);
    expect(run.getClarificationForStep('Input')?.id).toBe(who.id);
    expect(run.getClarificationForStep('User Verification')).toBeUndefined();
    expect(run.getClarificationForStep('User Verification', 0)?.id).toBe(ok.id);
  });

  it('what steps may refer to, where the inputs of the run win', () => {
    expect(run.getPotentialStepInputs()).toEqual({
      $region: LocalDataValue('EMEA'),
      $sales: LocalDataValue({ rows: 412 }, '412 rows'),
    });
    const clash = planRunFromWire({ ...fixture, plan_run_inputs: { $sales: { value: 'given' } } });
    expect(clash.getPotentialStepInputs()['$sales']).toEqual(LocalDataValue('given'));
  });

  it('to be printed in a line, or for people', () => {
    expect(String(run)).toBe(
      `Run(id=${header.id}, plan_id=${header.planId}, state=PlanRunState.NEED_CLARIFICATION, current_step_index=1, final_output=unset)`,
    );
    expect(run.prettyPrint()).toBe(
      [
        `Run: ${header.id}`,
        `Plan: ${header.planId}`,
        'State: NEED_CLARIFICATION',
        'Current step: 1',
        'Inputs:',
        '    $region: EMEA',
        'Step outputs:',
        '    $sales: {"rows":412}',
        'Outstanding clarifications:',
        '    Input: Who?',
      ].join('\n'),
    );
    const complete = planRunView(
      stateAfter(start, { type: 'run-end', state: 'COMPLETE', finalOutput: { value: 'done' } }),
    );
    expect(String(complete)).toContain('final_output=set');
    expect(complete.prettyPrint()).toMatch(/\nFinal output: done$/);
    const failed = planRunView(
      stateAfter({ type: 'run-end', state: 'FAILED', error: { code: 'RUN_CANCELLED', message: 'stopped' } }),
    );
    expect(failed.prettyPrint()).toMatch(/\nError: RUN_CANCELLED: stopped$/);
    const asleep = planRunView(stateAfter({ type: 'sleep-start', step: 0, until: 86_400_000 }, { type: 'run-wait' }));
    expect([asleep.state, asleep.wakeAt]).toEqual(['READY_TO_RESUME', 86_400_000]);
    expect(asleep.prettyPrint()).toMatch(/^Goes on by itself: 1970-01-02T00:00:00.000Z$/m);
  });
});

describe('the execution context', () => {
  const none = inDollars(noUsage());
  const noneAsked = inDollars(noModelUsage());
  const unpriced = (calls: number) => ({
    modelCalls: calls,
    modelMs: calls,
    unpricedCalls: calls,
    costUsd: null,
  });

  it('has the times, the surroundings, and what each step took', () => {
    const answer = (step: number, inputTokens: number): RunEventBody => ({
      type: 'model-call-end',
      step,
      call: 'm1',
      purpose: 'execution',
      model: 'm',
      answer: { text: '', finishReason: 'stop', usage: { inputTokens, outputTokens: 1 } },
      ms: 1,
    });
    const read: RunEventBody = {
      type: 'tool-call-end',
      step: 1,
      call: '1.0.1',
      tool: 'reader',
      outcome: { status: 'SUCCESS', value: 1 },
    };
    const bodies = [start, answer(-1, 5), answer(1, 10), read, sales, { type: 'run-end', state: 'COMPLETE' } as const];
    expect(planRunView(stateAfter(...bodies)).executionContext).toEqual({
      createdAt: 100,
      startedAt: 1000,
      endedAt: 1005,
      host: 'here',
      version: '0.1.0',
      labels: { batch: 'nightly' },
      runKey: 'order-17',
      traceId: traceIdOf(header),
      activeMs: 5,
      steps: [
        { ...none, step: 0, ms: 7 },
        { ...none, ...unpriced(1), step: 1, inputTokens: 10, outputTokens: 1, toolCalls: 1 },
        { ...none, ...unpriced(1), step: null, inputTokens: 5, outputTokens: 1 },
      ],
      models: [{ ...noneAsked, ...unpriced(2), model: 'm', inputTokens: 15, outputTokens: 2 }],
      totals: { ...none, ...unpriced(2), ms: 7, inputTokens: 15, outputTokens: 2, toolCalls: 1 },
    });
  });

  it('says null where nothing is known yet', () => {
    const { runKey: _runKey, labels: _labels, ...bare } = header;
    const context = planRunView(
      initialState(bare, { instructions: [], keepsVisits: false, finalSummary: 'never' }),
    ).executionContext;
    expect(context).toMatchObject({
      createdAt: 100,
      startedAt: null,
      endedAt: null,
      host: null,
      version: null,
      runKey: null,
      labels: {},
      steps: [],
    });
    expect(planRunFromWire(fixture).executionContext).toEqual({ ...context, createdAt: null, traceId: null });
  });
});

describe('a run document of Portia 0.9', () => {
  it('is read and printed again as it was', () => {
    const run = planRunFromWire(fixture);
    expect(JSON.stringify(run)).toBe(JSON.stringify(fixture));
    expect(run.outputs.stepOutputs['$receipt']).toMatchObject({ value: expect.any(String) });
    expect(run.getOutstandingClarifications()).toHaveLength(1);
  });

  it('needs no more than a plan and an end user', () => {
    const run = planRunFromWire({ plan_id: header.planId, end_user_id: 'u' });
    expect(run).toMatchObject({ state: 'NOT_STARTED', currentStepIndex: 0, planRunInputs: {} });
    expect(run.outputs).toEqual({ clarifications: [], stepOutputs: {}, finalOutput: null });
    expect(planRunFromWire({ ...fixture, outputs: {} }).outputs.finalOutput).toBeNull();
  });

  it('gets what it cannot hold from beside it', () => {
    const error: RunError = { code: 'TOOL_TIMEOUT', message: 'too slow', step: 1 };
    const { executionContext } = planRunView(stateAfter(start));
    const failed = {
      ...fixture,
      state: 'FAILED',
      outputs: { ...fixture.outputs, final_output: { value: 'it broke', summary: null } },
    };
    const run = planRunFromWire(failed, { error, executionContext });
    expect(run.error).toBe(error);
    expect(run.executionContext).toBe(executionContext);
    expect(planRunFromWire(failed).error).toEqual({ code: 'STEP_FAILED', message: 'it broke' });
    expect(planRunFromWire(fixture, { error }).error).toBeUndefined();
  });

  it('is refused with the field that is wrong', () => {
    const outputs = (change: object): object => ({ ...fixture, outputs: { ...fixture.outputs, ...change } });
    const cases: [unknown, string][] = [
      ['x', 'the run is not an object'],
      [{ ...fixture, events: [] }, 'the run has an unknown key "events"'],
      [{ ...fixture, state: 'PAUSED' }, 'state is "PAUSED", not one of NOT_STARTED'],
      [{ ...fixture, current_step_index: 1.5 }, 'current_step_index is not a whole number'],
      [{ ...fixture, end_user_id: undefined }, 'end_user_id is not a string'],
      [{ ...fixture, outputs: [] }, 'outputs is not an object'],
      [outputs({ cursor: 1 }), 'outputs has an unknown key "cursor"'],
      [outputs({ clarifications: {} }), 'outputs.clarifications is not a list'],
      [outputs({ clarifications: [1] }), 'outputs.clarifications[0] is not an object'],
      [
        outputs({ clarifications: [{ ...fixture.outputs.clarifications[0], category: 'Poll' }] }),
        'outputs.clarifications[0]: unknown clarification category',
      ],
      [outputs({ step_outputs: [] }), 'outputs.step_outputs is not an object'],
      [outputs({ step_outputs: { $a: { value: 1, kind: 2 } } }), 'outputs.step_outputs.$a: an output cannot be read'],
      [outputs({ final_output: 'x' }), 'outputs.final_output: an output cannot be read'],
      [
        { ...fixture, plan_run_inputs: { $r: fixture.outputs.step_outputs['$sales'] } },
        'plan_run_inputs.$r: an input may not be in agent memory',
      ],
    ];
    for (const [wire, message] of cases) {
      expect(() => planRunFromWire(wire)).toThrow(
        expect.objectContaining({ code: 'PLAN_RUN_INVALID', message: expect.stringContaining(message) }),
      );
    }
    for (const key of ['id', 'plan_id']) {
      expect(() => planRunFromWire({ ...fixture, [key]: 'x-1' })).toThrow(
        expect.objectContaining({ code: 'ID_INVALID', message: expect.stringMatching(`^${key}: `) }),
      );
    }
  });

  it('does not hide errors that are not about the document', () => {
    const hostile = {
      ...fixture,
      plan_run_inputs: {
        $a: {
          get value(): never {
            throw new RangeError('mine');
          },
        },
      },
    };
    expect(() => planRunFromWire(hostile)).toThrow(new RangeError('mine'));
  });

  it('reads back as it was written, whatever it holds', () => {
    const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
    const local = fc.record({ value: json, summary: fc.option(fc.string()) });
    const memory = fc.record({ output_name: fc.string(), plan_run_id: fc.constant(header.id), summary: fc.string() });
    const document = fc.record({
      id: fc.uuid().map((uuid) => `prun-${uuid}`),
      plan_id: fc.uuid().map((uuid) => `plan-${uuid}`),
      current_step_index: fc.integer(),
      state: fc.constantFrom(...Object.values(PlanRunState)),
      end_user_id: fc.string(),
      outputs: fc.record({
        clarifications: fc.subarray([clarificationToWire(who), clarificationToWire(ok)]),
        step_outputs: fc.dictionary(fc.string(), fc.oneof(local, memory)),
        final_output: fc.option(fc.oneof(local, memory)),
      }),
      plan_run_inputs: fc.dictionary(fc.string(), local),
    });
    fc.assert(
      fc.property(document, (wire) => {
        const text = JSON.stringify(wire);
        const run = planRunFromWire(JSON.parse(text));
        expect(JSON.stringify(run)).toBe(text);
        expect(JSON.stringify(planRunFromWire(JSON.parse(JSON.stringify(run))))).toBe(text);
      }),
    );
  });
});
