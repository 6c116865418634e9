import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, callPosition, fold, outputOf } from './apply.ts';
import {
  clarificationToWire,
  InputClarification,
  isClarification,
  UserVerificationClarification,
} from './clarification.ts';
import { type CallOutcome, fromCommit, type RunEventBody, toCommit, type VisitId } from './event.ts';
import { AgentMemoryValue, completedMarker, LocalDataValue, skippedMarker } from './output.ts';
import { Step } from './plan.ts';
import type { Program } from './program.ts';
import { type CallState, initialState, noModelUsage, noUsage, type RunHeader, type RunState } from './run-state.ts';
import type { Visit } from './visits.ts';

const header: RunHeader = {
  id: 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01',
  planId: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  endUserId: 'u1',
  createdAt: 100,
  inputs: {},
};
const program: Program = {
  instructions: ['$a', '$b', '$b'].map((output, index) => ({
    op: 'agent',
    index,
    planStep: index,
    key: String(index),
    output,
    step: new Step({ task: 'T', output, condition: index === 2 ? 'else' : null }),
    toolId: 'llm_tool',
    condition: null,
  })),
  keepsVisits: false,
  finalSummary: 'never',
};
const start: RunEventBody = { type: 'run-start', epoch: 1, host: 'here', version: '0.1.0' };
const intent = (call: string, step = 0, visit?: number): RunEventBody => ({
  type: 'tool-call-start',
  step,
  ...(visit !== undefined && { visit }),
  call,
  tool: 'mailer',
  args: { n: call },
});
const receipt = (call: string, outcome: CallOutcome, step = 0): RunEventBody => ({
  type: 'tool-call-end',
  step,
  call,
  outcome,
});
const success = (value: string): CallOutcome => ({ status: 'SUCCESS', value });
const failure: CallOutcome = { status: 'FAILED', error: { code: 'TOOL_FAILED', message: 'no' } };

const question = InputClarification({
  userGuidance: 'Who?',
  argumentName: 'to',
  id: 'clar-11111111-2222-4333-8444-555555555501',
});
const approval = UserVerificationClarification({
  userGuidance: 'OK?',
  id: 'clar-11111111-2222-4333-8444-555555555502',
});
const raised = (clarification: typeof question | typeof approval, step = 0, key = 'k'): RunEventBody => ({
  type: 'clarification-raised',
  step,
  key,
  clarification: clarificationToWire(clarification),
  audience: 'endUser',
});
const answered = (id: typeof question.id, response: string | boolean): RunEventBody => ({
  type: 'clarification-resolved',
  id,
  response,
  resolvedBy: 'ada',
  as: 'operator',
  via: 'cli',
});
const wait: RunEventBody = { type: 'run-wait' };
const failed = (step?: number): RunEventBody => ({
  type: 'run-end',
  state: 'FAILED',
  error: { code: 'STEP_FAILED', message: 'it broke', ...(step !== undefined && { step }) },
});

/** The state after these events, the first at 1000, each a millisecond after the one before. */
function after(...bodies: RunEventBody[]): RunState {
  const state = initialState(header, program);
  for (const [index, body] of bodies.entries()) apply(state, body, 1000 + index);
  return state;
}

function visitOf(state: RunState, step = 0, number: VisitId = 0): Visit {
  const visit = state.visits.get(step, number);
  if (!visit) throw new Error(`no visit ${number} of step ${step} is in flight`);
  return visit;
}

function callOf(state: RunState): CallState | undefined {
  return visitOf(state).calls[0];
}

describe('the beginning and the end of a run', () => {
  it('are on record with their times, and where it is driven', () => {
    const state = after(
      start,
      { ...start, epoch: 2, host: 'there' },
      { type: 'run-end', state: 'COMPLETE', finalOutput: { value: 7, summary: 'seven' } },
    );
    expect(state).toMatchObject({
      state: 'COMPLETE',
      startedAt: 1000,
      endedAt: 1002,
      updatedAt: 1002,
      host: 'there',
      version: '0.1.0',
    });
    expect(state.finalOutput).toEqual(LocalDataValue(7, 'seven'));
    expect(after(start).state).toBe('IN_PROGRESS');
    expect(after(start, { type: 'run-end', state: 'COMPLETE' }).finalOutput).toBeUndefined();
  });

  it('of a failed one says why, also where the output would be', () => {
    const state = after(start, failed(1));
    expect(state).toMatchObject({ state: 'FAILED', error: { code: 'STEP_FAILED', step: 1 } });
    expect(state.stepOutputs).toEqual(new Map([['$b', LocalDataValue('it broke')]]));
    expect(state.finalOutput).toEqual(LocalDataValue('it broke'));
    expect(after(start, failed()).stepOutputs.size).toBe(0);
    expect(after(start, failed(9)).stepOutputs.size).toBe(0);
  });
});

describe('a step', () => {
  it('is in flight until it ends, and leaves its output', () => {
    expect(visitOf(after(start, { type: 'step-start', step: 0 }))).toEqual({
      step: 0,
      visit: 0,
      startedAt: 1001,
      until: undefined,
      begun: true,
      calls: [],
      lastCall: undefined,
      answers: undefined,
    });
    const state = after(
      start,
      { type: 'step-start', step: 0 },
      { type: 'step-end', step: 0, output: { value: [1] }, ms: 5 },
    );
    expect([...state.visits]).toEqual([]);
    expect(state.stepOutputs).toEqual(new Map([['$a', LocalDataValue([1])]]));
    expect(state).toMatchObject({ root: { next: 1 }, lastExecuted: 0, lastOutput: '$a' });
    expect(state.usage).toEqual(new Map([[0, { ...noUsage(), ms: 5 }]]));
  });

  it('may keep a large output in agent memory', () => {
    const state = after({ type: 'step-end', step: 0, output: { memory: '$a', summary: 'long' } });
    expect(state.stepOutputs.get('$a')).toEqual(
      AgentMemoryValue({ outputName: '$a', planRunId: header.id, summary: 'long' }),
    );
    expect(outputOf({ value: 1 }, header.id)).toEqual(LocalDataValue(1));
  });

  it('has the value of its last call when it says nothing else', () => {
    const ended = (...outcomes: CallOutcome[]): RunState =>
      after(
        ...outcomes.flatMap((outcome, index) => [intent(`0.0.${index + 1}`), receipt(`0.0.${index + 1}`, outcome)]),
        { type: 'step-end', step: 0 },
      );
    expect(ended(success('one'), { status: 'SUCCESS', value: 'two', summary: 's' }).stepOutputs.get('$a')).toEqual(
      LocalDataValue('two', 's'),
    );
    expect(ended(success('one'), failure).stepOutputs.size).toBe(0);
    expect(after({ type: 'step-end', step: 0 }).stepOutputs.size).toBe(0);
  });

  it('that is skipped never hides what a sibling left under the same name', () => {
    const skip = (step: number): RunEventBody => ({
      type: 'step-end',
      step,
      skipped: 'condition',
      output: { value: skippedMarker },
    });
    const real: RunEventBody = { type: 'step-end', step: 1, output: { value: 'real' } };
    const both = after(real, skip(2));
    expect(both.stepOutputs.get('$b')).toEqual(LocalDataValue('real'));
    expect(both.lastOutput).toBe('$b');
    expect(after(skip(1), { ...real, step: 2 }).stepOutputs.get('$b')).toEqual(LocalDataValue('real'));
    const complete: RunEventBody = {
      type: 'step-end',
      step: 2,
      skipped: 'condition',
      output: { value: completedMarker },
    };
    expect(after(skip(1), complete).stepOutputs.get('$b')).toEqual(LocalDataValue(completedMarker));
    expect(after(skip(1), complete).lastOutput).toBeUndefined();
  });

  it('that a hook left out leaves nothing', () => {
    const state = after({ type: 'step-end', step: 0, skipped: 'hook', output: { value: 'x' } });
    expect(state.stepOutputs.size).toBe(0);
    expect(state.root.next).toBe(1);
  });

  it('may lead elsewhere, and be visited again', () => {
    const state = after({ type: 'step-end', step: 1, output: { value: 1 }, next: 0 });
    expect(state.root.next).toBe(0);
    expect(state.root.counts).toEqual(new Map([[1, 1]]));
    apply(state, { type: 'step-start', step: 1, visit: 1 }, 2000);
    expect(visitOf(state, 1, 1).visit).toBe(1);
    apply(state, { type: 'step-end', step: 1, visit: 1, output: { value: 2 } }, 2001);
    expect(state.root.counts).toEqual(new Map([[1, 2]]));
    expect(state.stepOutputs.get('$b')).toEqual(LocalDataValue(2));
  });

  it('that ends after a later one reads as if it had ended before it', () => {
    const state = after(
      { type: 'step-end', step: 1, output: { value: 'later' } },
      { type: 'step-end', step: 0, output: { value: 'earlier' } },
    );
    expect([...state.stepOutputs.keys()]).toEqual(['$a', '$b']);
    expect(state.lastOutput).toBe('$b');
  });

  it('that ends before an earlier one does not take the run back', () => {
    expect(
      after({ type: 'step-end', step: 1, output: { value: 1 } }, { type: 'step-end', step: 0, output: { value: 1 } })
        .root.next,
    ).toBe(2);
  });
});

describe('answers of models', () => {
  const asked = (
    call: string,
    usage?: { inputTokens?: number; outputTokens?: number; cachedInputTokens?: number },
  ): RunEventBody => ({
    type: 'model-call-end',
    step: 0,
    call,
    purpose: 'execution',
    model: 'test/model',
    answer: { text: call, finishReason: 'stop', ...(usage && { usage }) },
    ms: 3,
  });

  it('are kept with the messages that were new, and counted', () => {
    const state = after(
      {
        ...asked('m1', { inputTokens: 10, outputTokens: 2, cachedInputTokens: 4 }),
        messages: [{ role: 'user', content: 'hi' }],
      } as RunEventBody,
      asked('m2', {}),
      asked('m3'),
    );
    expect([...(visitOf(state).answers?.keys() ?? [])]).toEqual(['m1', 'm2', 'm3']);
    expect(visitOf(state).answers?.get('m1')).toMatchObject({
      purpose: 'execution',
      messages: [{ role: 'user', content: 'hi' }],
      answer: { text: 'm1' },
    });
    expect(visitOf(state).answers?.get('m2')?.messages).toEqual([]);
    expect(state.usage.get(0)).toEqual({
      ...noUsage(),
      modelCalls: 3,
      inputTokens: 10,
      outputTokens: 2,
      cachedInputTokens: 4,
      modelMs: 9,
      unpricedCalls: 3,
    });
  });
});

describe('a tool call', () => {
  const identity = { step: 0, call: '0.0.1', tool: 'mailer', args: { to: 'x' } };

  it('goes from proposal over intent to receipt', () => {
    const events: RunEventBody[] = [
      { type: 'tool-call-propose', ...identity },
      { type: 'tool-call-start', ...identity },
      receipt('0.0.1', success('sent')),
    ];
    const seen = events.map((_event, index) => ({ ...callOf(after(...events.slice(0, index + 1))) }));
    const call = { call: '0.0.1', tool: 'mailer', args: { to: 'x' } };
    expect(seen).toEqual([
      { ...call, status: 'proposed', outcome: undefined, attempts: 0 },
      { ...call, status: 'started', outcome: undefined, attempts: 1 },
      { ...call, status: 'ended', outcome: success('sent'), attempts: 1 },
    ]);
  });

  it('without effects has a receipt only', () => {
    const state = after({ type: 'tool-call-end', ...identity, outcome: success('read') });
    expect(callOf(state)).toMatchObject({ tool: 'mailer', args: { to: 'x' }, status: 'ended', attempts: 1 });
    expect(state.usage.get(0)?.toolCalls).toBe(1);
    expect(callOf(after(receipt('0.0.1', failure)))).toMatchObject({ tool: '', args: {}, attempts: 1 });
  });

  it('keeps that the hook after it let it pass', () => {
    const accept: RunEventBody = { type: 'tool-call-accept', step: 0, call: '0.0.1' };
    expect(callOf(after(intent('0.0.1'), receipt('0.0.1', success('sent')), accept))).toMatchObject({
      status: 'ended',
      attempts: 1,
      accepted: true,
    });
  });

  it('with wrong arguments is no call handed to a tool', () => {
    const wrong: CallOutcome = { status: 'FAILED', error: { code: 'TOOL_ARGS_INVALID', message: 'no' }, soft: true };
    const state = after({ type: 'tool-call-end', ...identity, outcome: wrong });
    expect(callOf(state)).toMatchObject({ status: 'ended', attempts: 0 });
    expect(state.usage.has(0)).toBe(false);
  });

  it('of which nobody knows may be repeated, and counts once', () => {
    const unknown: RunEventBody = { type: 'tool-call-unknown', step: 0, call: '0.0.1', reason: 'the process died' };
    const repeat: RunEventBody = { type: 'tool-call-repeat', step: 0, call: '0.0.1' };
    expect(callOf(after(intent('0.0.1'), unknown))).toMatchObject({ status: 'unknown', attempts: 1 });
    const state = after(intent('0.0.1'), unknown, repeat, receipt('0.0.1', success('sent')));
    expect(callOf(state)).toMatchObject({ tool: 'mailer', status: 'ended', attempts: 2 });
    expect(state.usage.get(0)?.toolCalls).toBe(1);
    expect(callOf(after(intent('0.0.1'), unknown, receipt('0.0.1', success('as told'))))?.attempts).toBe(1);
    expect(callOf(after(repeat))).toMatchObject({ tool: '', args: {}, status: 'started' });
  });

  it('that failed before anything happened is on its way no longer until the next attempt', () => {
    const retry: RunEventBody = { type: 'tool-call-retry', step: 0, call: '0.0.1', reason: 'the queue is full' };
    const repeat: RunEventBody = { type: 'tool-call-repeat', step: 0, call: '0.0.1' };
    expect(callOf(after(intent('0.0.1'), retry))).toMatchObject({ tool: 'mailer', status: 'proposed', attempts: 1 });
    expect(callOf(after(intent('0.0.1'), retry, repeat))).toMatchObject({ status: 'started', attempts: 2 });
  });

  it('without effects says in its receipt how often it was made', () => {
    const state = after({ type: 'tool-call-end', ...identity, outcome: success('read'), attempts: 3 });
    expect(callOf(state)?.attempts).toBe(3);
    expect(state.usage.get(0)?.toolCalls).toBe(1);
  });

  it('has one receipt: a second one changes nothing', () => {
    const state = after(intent('0.0.1'), receipt('0.0.1', success('first')), receipt('0.0.1', success('second')));
    expect(callOf(state)?.outcome).toEqual(success('first'));
    expect(visitOf(state).lastCall).toBe(callOf(state));
  });

  it('has its place from the number in its id', () => {
    expect([callPosition('0.0.1'), callPosition('12.3.45')]).toEqual([0, 44]);
    const { calls } = visitOf(after(intent('0.0.2'), intent('0.0.1')));
    expect(calls.map((call) => call?.call)).toEqual(['0.0.1', '0.0.2']);
  });
});

describe('clarifications', () => {
  it('are placed in the run and wait for an answer', () => {
    const event = {
      ...raised(question, 1),
      visit: 2,
      approves: { call: '1.2.1', argsHash: 'h' },
      sends: [{ role: 'user', content: 'Hi' }],
      expiresAt: 5000,
      onExpiry: 'refuse',
      form: 'f',
    } as RunEventBody;
    const [record] = after(start, event).clarifications;
    expect(record).toEqual({
      clarification: record?.clarification,
      step: 1,
      visit: 2,
      key: 'k',
      audience: 'endUser',
      raisedAt: 1001,
      approves: { call: '1.2.1', argsHash: 'h' },
      sends: [{ role: 'user', content: 'Hi' }],
      expiresAt: 5000,
      onExpiry: 'refuse',
      form: 'f',
      resolvedBy: null,
      resolvedAs: null,
      via: null,
    });
    expect(record?.clarification).toMatchObject({ ...question, planRunId: header.id, step: 1 });
    expect(isClarification(record?.clarification)).toBe(true);
    expect(after(raised(question)).clarifications[0]?.onExpiry).toBe('fail');
  });

  it('are found again by what raised them', () => {
    const state = after(raised(question), raised(approval), raised(approval, 0, 'other'));
    expect(state.questions.get('k')).toEqual(state.clarifications.slice(0, 2));
    expect(state.questions.get('other')?.[0]).toBe(state.clarifications[2]);
  });

  it('make the run ready when the last one that waits is answered', () => {
    const asked = [start, raised(question), raised(approval), wait];
    expect(after(...asked)).toMatchObject({ state: 'NEED_CLARIFICATION', outstanding: 2 });
    expect(after(...asked, answered(question.id, 'bob'))).toMatchObject({
      state: 'NEED_CLARIFICATION',
      outstanding: 1,
    });
    const all = after(...asked, answered(question.id, 'bob'), answered(approval.id, true));
    expect(all).toMatchObject({ state: 'READY_TO_RESUME', outstanding: 0 });
    expect(all.clarifications[0]).toMatchObject({
      resolvedBy: 'ada',
      resolvedAs: 'operator',
      via: 'cli',
      clarification: { resolved: true, response: 'bob' },
    });
    expect(after(start, wait).state).toBe('READY_TO_RESUME');
  });

  it('answered while the run goes on do not stop it', () => {
    expect(after(start, raised(question), answered(question.id, 'bob')).state).toBe('IN_PROGRESS');
  });

  it('are answered once: another answer, or one to nothing, changes nothing', () => {
    const state = after(
      start,
      raised(question),
      answered(question.id, 'bob'),
      answered(question.id, 'eve'),
      answered(approval.id, true),
    );
    expect(state.clarifications[0]?.clarification.response).toBe('bob');
    expect(state.outstanding).toBe(0);
  });
});

describe('a retry', () => {
  const retry: RunEventBody = { type: 'run-retry', by: 'ada' };

  it('goes on from the failed visit, outputs kept', () => {
    const state = after(
      start,
      { type: 'step-end', step: 0, output: { value: 'kept' } },
      { type: 'step-start', step: 1 },
      failed(1),
      retry,
    );
    expect(state).toMatchObject({
      state: 'READY_TO_RESUME',
      error: undefined,
      finalOutput: undefined,
      endedAt: undefined,
      root: { next: 1 },
    });
    expect(state.stepOutputs).toEqual(new Map([['$a', LocalDataValue('kept')]]));
    expect([...state.visits]).toMatchObject([{ step: 1, visit: 1 }]);
    expect(state.root.counts).toEqual(new Map([[1, 1]]));
    expect(after(start, failed(), retry).state).toBe('READY_TO_RESUME');
  });

  it('makes no call again that succeeded or may have happened, and forgets the others', () => {
    const purpose = (call: string, kind: 'execution' | 'step-summary'): RunEventBody => ({
      type: 'model-call-end',
      step: 0,
      call,
      purpose: kind,
      model: 'm',
      answer: { text: '', finishReason: 'stop' },
      ms: 0,
    });
    const state = after(
      purpose('m1', 'execution'),
      purpose('m2', 'step-summary'),
      intent('0.0.1'),
      receipt('0.0.1', success('sent')),
      intent('0.0.2'),
      intent('0.0.3'),
      receipt('0.0.3', failure),
      { type: 'tool-call-propose', step: 0, call: '0.0.4', tool: 'mailer', args: {} },
      failed(0),
      retry,
    );
    const visit = visitOf(state, 0, 1);
    expect(visit.calls.map((call) => call?.call)).toEqual(['0.0.1', '0.0.2']);
    expect(visit.lastCall).toBe(visit.calls[0]);
    expect([...(visit.answers?.keys() ?? [])]).toEqual(['m1']);
    // The number of a forgotten call is used again, under the new visit.
    apply(state, intent('0.1.3', 0, 1), 3000);
    expect(visit.calls[2]).toMatchObject({ call: '0.1.3', attempts: 1 });
  });

  it('forgets what was said inside a call that gave nothing usable: it would give the same again', () => {
    const said = (call: string): RunEventBody => ({
      type: 'model-call-end',
      step: 0,
      call,
      purpose: 'tool',
      model: 'm',
      answer: { text: '', finishReason: 'stop' },
      ms: 0,
    });
    const unusable: CallOutcome = { status: 'FAILED', error: { code: 'OUTPUT_INVALID', message: 'no number' } };
    const state = after(
      said('m1'),
      said('1.m1'),
      intent('0.0.1'),
      receipt('0.0.1', success('sent')),
      said('2.m1'),
      intent('0.0.2'),
      receipt('0.0.2', unusable),
      failed(0),
      retry,
    );
    expect([...(visitOf(state, 0, 1).answers?.keys() ?? [])]).toEqual(['m1', '1.m1']);
  });

  it('keeps what was said on the way to a kept call, and has one looked at again that gave nothing usable', () => {
    const soft: CallOutcome = {
      status: 'FAILED',
      error: { code: 'TOOL_RETRIES_EXHAUSTED', message: 'not yet' },
      soft: true,
    };
    const unusable: CallOutcome = { status: 'FAILED', error: { code: 'OUTPUT_NOT_JSON', message: 'a Map' } };
    const asked: CallOutcome = { status: 'NEED_CLARIFICATION', clarifications: [question.id] };
    const calls = [soft, asked, failure, unusable, soft].flatMap((outcome, index) => [
      intent(`0.0.${index + 1}`),
      receipt(`0.0.${index + 1}`, outcome),
    ]);
    const visit = visitOf(after(start, ...calls, failed(0), retry), 0, 1);
    expect(visit.calls.map((call) => call && [call.call, call.status])).toEqual([
      ['0.0.1', 'ended'],
      ['0.0.2', 'ended'],
      undefined,
      ['0.0.4', 'started'],
    ]);
    expect(visit.calls[3]?.outcome).toEqual(unusable);
    expect(visit.lastCall?.call).toBe('0.0.2');
  });

  it('withdraws what nobody answered, so that whoever still has to know asks again', () => {
    const more = {
      ...raised(question, 0, 'open'),
      clarification: { ...clarificationToWire(question), id: 'clar-11111111-2222-4333-8444-555555555503' },
    } as RunEventBody;
    const state = after(
      start,
      raised(question),
      answered(question.id, 'bob'),
      more,
      raised(approval, 0, 'no'),
      answered(approval.id, false),
      wait,
      failed(0),
      retry,
    );
    expect(state).toMatchObject({ outstanding: 0, state: 'READY_TO_RESUME' });
    expect(state.clarifications.map(({ clarification }) => clarification.id)).toEqual([question.id, approval.id]);
    expect([...state.questions.keys()]).toEqual(['k']);
    expect(state.questions.get('k')?.[0]).toBe(state.clarifications[0]);
  });

  it('keeps what planning took of the budget apart from what the steps took', () => {
    const planning = { ...noModelUsage(), modelCalls: 2, microUsd: 7 };
    const accept: RunEventBody = { type: 'plan-accept', planId: header.planId, changes: [], planning };
    expect(after(accept)).toMatchObject({ planning, totals: { modelCalls: 0, microUsd: 0 } });
    const later: RunEventBody = { type: 'plan-accept', planId: header.planId, changes: [] };
    expect(after(accept, start, later).planning).toEqual(planning);
  });

  it('lets the hook be asked again about a call that it had let pass and that was not made', () => {
    const proposal = { type: 'tool-call-propose', step: 0, call: '0.0.1', tool: 'mailer', args: {} } as const;
    const events: RunEventBody[] = [start, { ...proposal, cleared: true }];
    expect(visitOf(after(...events)).calls[0]).toMatchObject({ status: 'proposed', cleared: true });
    const made = [...events, intent('0.0.2'), receipt('0.0.2', success('sent')), failed(0), retry];
    expect(visitOf(after(...made), 0, 1).calls[0]).toBeUndefined();
  });

  it('keeps the place of a call that was only proposed, before one that was made', () => {
    const proposal: RunEventBody = { type: 'tool-call-propose', step: 0, call: '0.0.1', tool: 'mailer', args: {} };
    const events = [start, proposal, intent('0.0.2'), receipt('0.0.2', success('sent')), failed(0), retry];
    const { calls } = visitOf(after(...events), 0, 1);
    expect([calls.length, calls[0], calls[1]?.status]).toEqual([2, undefined, 'ended']);
  });

  it('lets it be asked again what became of a call that a person had stopped', () => {
    const unknown: RunEventBody = { type: 'tool-call-unknown', step: 0, call: '0.0.1', reason: 'crash' };
    const [call] = visitOf(after(start, intent('0.0.1'), unknown, failed(0), retry), 0, 1).calls;
    expect(call).toMatchObject({ call: '0.0.1', status: 'started', attempts: 1 });
  });

  it('begins from nothing when there is no call to keep', () => {
    const answer: RunEventBody = {
      type: 'model-call-end',
      step: 0,
      call: 'm1',
      purpose: 'execution',
      model: 'm',
      answer: { text: '', finishReason: 'stop' },
      ms: 0,
    };
    const visit = visitOf(after(answer, intent('0.0.1'), receipt('0.0.1', failure), failed(0), retry), 0, 1);
    expect(visit).toMatchObject({ calls: [], lastCall: undefined, answers: undefined });
  });
});

describe('folding stored events', () => {
  const bodies = fc.constantFrom<RunEventBody>(
    start,
    { type: 'step-start', step: 0 },
    { type: 'step-start', step: 1 },
    { type: 'tool-call-propose', step: 0, call: '0.0.1', tool: 'mailer', args: {} },
    intent('0.0.1'),
    intent('0.0.2'),
    { type: 'tool-call-unknown', step: 0, call: '0.0.2', reason: 'crash' },
    { type: 'tool-call-repeat', step: 0, call: '0.0.2' },
    receipt('0.0.1', success('sent')),
    receipt('0.0.2', failure),
    {
      type: 'model-call-end',
      step: 0,
      call: 'm1',
      purpose: 'execution',
      model: 'm',
      answer: { text: 'x', finishReason: 'stop', usage: { inputTokens: 1 } },
      ms: 1,
    },
    raised(question),
    raised(approval, 1, 'other'),
    answered(question.id, 'bob'),
    answered(approval.id, false),
    { type: 'step-end', step: 0 },
    { type: 'step-end', step: 1, output: { value: { a: 1 } }, ms: 2, next: 0 },
    { type: 'step-end', step: 2, skipped: 'condition', output: { value: skippedMarker } },
    wait,
    failed(1),
    { type: 'run-retry', by: null },
    { type: 'run-end', state: 'COMPLETE', finalOutput: { memory: '$a', summary: 's' } },
  );

  it('gives the very state the driver had, whatever happened and however it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.array(bodies, { minLength: 1, maxLength: 4 }), { maxLength: 15 }), (groups) => {
        const live = initialState(header, program);
        const commits = groups.map((group, index) => {
          const commit = toCommit(live.seq + 1, 1000 + index, group);
          for (const body of group) apply(live, body, commit.at);
          live.seq += group.length;
          return commit;
        });
        expect(fold(header, program, commits.flatMap(fromCommit))).toEqual(live);
      }),
    );
  });

  it('numbers the last event', () => {
    expect(fold(header, program, []).seq).toBe(0);
    expect(fold(header, program, fromCommit(toCommit(1, 5, [start, wait])))).toMatchObject({ seq: 2, updatedAt: 5 });
  });
});
