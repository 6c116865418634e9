import { describe, expect, it } from 'vitest';
import { eventVersion, fromCommit, type RunEventBody, toCommit } from './event.ts';

const clarification = {
  id: 'clar-11111111-2222-4333-8444-555555555501',
  category: 'Multiple Choice',
  user_guidance: 'Which?',
  argument_name: 'to',
  options: ['a', null],
  source: 'Mailer',
};
const asks = (id: string): RunEventBody => ({
  type: 'tool-call-end',
  step: 1,
  call: '1.0.1',
  tool: 'mailer',
  outcome: { status: 'NEED_CLARIFICATION', clarifications: [id as `clar-${string}`] },
});
const question: RunEventBody = {
  type: 'clarification-raised',
  step: 1,
  key: 'tool:1.0.1',
  clarification,
  audience: 'endUser',
};

/** What the events are when they are read back, without number and time. */
function readBack(...bodies: RunEventBody[]): unknown[] {
  return fromCommit(toCommit(3, 7, bodies)).map(({ seq: _seq, at: _at, v: _v, ...body }) => body);
}

const every: readonly (readonly [name: string, RunEventBody])[] = [
  ['a start', { type: 'run-start', epoch: 2, host: 'here', version: '0.1.0' }],
  ['a start of a trace', { type: 'run-start', epoch: 1, host: 'here', version: '0.1.0', traceId: 'ab'.repeat(16) }],
  ['a step that begins', { type: 'step-start', step: 3 }],
  ['an intent', { type: 'tool-call-start', step: 0, call: '0.0.1', tool: 'mailer', args: { to: ['a', null] } }],
  [
    'an intent of a later visit',
    { type: 'tool-call-start', step: 0, visit: 2, call: '0.2.1', tool: 'mailer', args: {} },
  ],
  ['a receipt', { type: 'tool-call-end', step: 0, call: '0.0.1', outcome: { status: 'SUCCESS', value: null } }],
  [
    'a receipt with all there may be',
    {
      type: 'tool-call-end',
      step: 0,
      visit: 1,
      call: '0.1.1',
      tool: 'search',
      args: { q: 1 },
      outcome: { status: 'SUCCESS', value: [1, { a: null }], summary: 'one' },
      ms: 12,
      late: true,
      attempts: 3,
    },
  ],
  [
    'a failure',
    {
      type: 'tool-call-end',
      step: 0,
      call: '0.0.1',
      outcome: { status: 'FAILED', error: { code: 'TOOL_FAILED', message: 'no' }, soft: true },
    },
  ],
  ['the end of a step', { type: 'step-end', step: 0 }],
  ['the end of a step with its output', { type: 'step-end', step: 0, ms: 3, output: { value: false, summary: 's' } }],
  [
    'the end of a step that went elsewhere',
    { type: 'step-end', step: 0, visit: 4, skipped: 'hook', next: 0, result: false },
  ],
  ['a question', question],
  [
    'an approval',
    {
      type: 'clarification-raised',
      step: 1,
      visit: 1,
      key: 'approve:1.1.1',
      clarification: { id: clarification.id, category: 'User Verification', user_guidance: 'Sure?' },
      audience: 'role:boss',
      approves: { call: '1.1.1', argsHash: 'x' },
      expiresAt: 99,
      onExpiry: { default: null },
      sends: [{ role: 'user', content: 'Hi' }],
    },
  ],
  ['a field of a form', { ...question, form: 'the-form' } as RunEventBody],
  [
    'an answer',
    {
      type: 'clarification-resolved',
      id: 'clar-11111111-2222-4333-8444-555555555501',
      response: null,
      resolvedBy: null,
      as: null,
      via: 'library',
    },
  ],
  ['a wait', { type: 'run-wait' }],
  [
    'an end that hooks are to be told of',
    { type: 'run-end', state: 'FAILED', tell: { step: 3, visit: '1.0:0', run: true } },
  ],
  ['an end that was told', { type: 'run-told' }],
  ['an end', { type: 'run-end', state: 'COMPLETE', finalOutput: { value: 0 } }],
  ['a failed end', { type: 'run-end', state: 'FAILED', error: { code: 'STEP_FAILED', message: 'no', step: 1 } }],
  ['a retry', { type: 'run-retry', by: null }],
];

describe('a stored event', () => {
  it.each(every)('is read back as it was: %s', (_name, body) => {
    expect(readBack(body)).toEqual([body]);
    expect(readBack({ type: 'run-wait' }, body, { type: 'run-wait' })[1]).toEqual(body);
  });

  it('names the questions a tool asked once, when they stand beside it', () => {
    const events = [asks(clarification.id), question, { type: 'run-wait' }] as RunEventBody[];
    expect(readBack(...events)).toEqual(events);
    expect(toCommit(1, 0, events).events.split(clarification.id)).toHaveLength(2);
    const other = [asks('clar-11111111-2222-4333-8444-555555555502'), question];
    expect(readBack(...other)).toEqual(other);
    expect(readBack(asks(clarification.id))).toEqual([asks(clarification.id)]);
  });

  it('takes little room: under 80 characters for a step without effects', () => {
    const { events } = toCommit(1, 0, [
      {
        type: 'tool-call-end',
        step: 12,
        call: '12.0.1',
        tool: 'search_tool',
        outcome: { status: 'SUCCESS', value: 'output-12' },
        ms: 3,
      },
      { type: 'step-end', step: 12, ms: 3 },
    ]);
    expect(events.length).toBeLessThan(80);
  });

  it('written in full is read as well', () => {
    const events = JSON.stringify(every.map(([, body]) => body));
    expect(fromCommit({ seq: 1, at: 5, events })).toEqual(
      every.map(([, body], index) => ({ ...body, v: eventVersion, seq: index + 1, at: 5 })),
    );
  });

  it('of a kind that is not known is refused', () => {
    expect(() => fromCommit({ seq: 1, at: 5, events: '[["?",1]]' })).toThrow(
      expect.objectContaining({ code: 'STORAGE_CORRUPT', message: expect.stringContaining('not a list of events') }),
    );
  });
});
