import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CallOutcome, fromCommit, type RunEvent, type RunEventBody, toCommit } from './event.ts';
import { idempotencyKey } from './hash.ts';
import { PlanRunUUID } from './ids.ts';
import type { JsonObject } from './json.ts';
import {
  ledgerOf,
  type ToolCall,
  ToolCallRecord,
  ToolCallStatus,
  toolCallRecordFromWire,
  toolCallRecordToWire,
} from './tool-call.ts';

const fixture = JSON.parse(
  readFileSync(new URL('../../fixtures/portia-0.9/tool-call-record.json', import.meta.url), 'utf8'),
) as JsonObject;
const planRunId = 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01';

describe('a tool call record', () => {
  const init = {
    toolName: 'Mailer',
    planRunId,
    step: 1,
    endUserId: null,
    status: 'SUCCESS',
    latencySeconds: 0.4,
  } as const;

  it('reads and prints the document of Portia 0.9', () => {
    expect(JSON.stringify(toolCallRecordToWire(toolCallRecordFromWire(fixture)))).toBe(JSON.stringify(fixture));
  });

  it('marks what JSON cannot hold', () => {
    class Session {
      socket: () => void = () => {};
    }
    expect(ToolCallRecord({ ...init, input: { at: new Date(0) }, output: undefined })).toMatchObject({
      input: { at: '1970-01-01T00:00:00.000Z' },
      output: null,
    });
    expect(ToolCallRecord({ ...init, input: new Session(), output: 10n })).toMatchObject({
      input: '<<UNSERIALIZABLE: Session>>',
      output: '<<UNSERIALIZABLE: bigint>>',
    });
    const bare = Object.assign(Object.create(null) as object, { f: () => 1 });
    expect(ToolCallRecord({ ...init, input: bare, output: 1 }).input).toBe('<<UNSERIALIZABLE: object>>');
    expect(Object.isFrozen(ToolCallRecord({ ...init, input: 1, output: 1 }))).toBe(true);
  });

  it('is refused with the field that is wrong', () => {
    const { input: _input, ...noInput } = fixture;
    const { output: _output, ...noOutput } = fixture;
    const cases: [unknown, string][] = [
      [null, 'it is not an object'],
      [{ ...fixture, id: 1 }, 'unknown key "id"'],
      [{ ...fixture, tool_name: 1 }, 'tool_name'],
      [{ ...fixture, step: '1' }, 'step'],
      [{ ...fixture, end_user_id: 5 }, 'end_user_id'],
      [{ ...fixture, status: 'UNKNOWN' }, 'status is not one of IN_PROGRESS'],
      [noInput, 'input is missing'],
      [noOutput, 'output is missing'],
      [{ ...fixture, latency_seconds: '0.4' }, 'latency_seconds'],
    ];
    for (const [wire, what] of cases) {
      expect(() => toolCallRecordFromWire(wire)).toThrow(
        expect.objectContaining({ code: 'TOOL_CALL_INVALID', message: expect.stringContaining(what) }),
      );
    }
    expect(() => toolCallRecordFromWire({ ...fixture, plan_run_id: 'x' })).toThrow(
      expect.objectContaining({ code: 'ID_INVALID' }),
    );
  });

  it('reads back as it was written', () => {
    const record = fc.record({
      toolName: fc.string(),
      planRunId: fc.uuid().map((uuid) => PlanRunUUID.fromString(`prun-${uuid}`)),
      step: fc.nat(),
      endUserId: fc.option(fc.string()),
      status: fc.constantFrom(...Object.values(ToolCallStatus)),
      input: fc.jsonValue(),
      output: fc.jsonValue(),
      latencySeconds: fc.double({ min: 0, max: 1e6, noNaN: true }).filter((seconds) => !Object.is(seconds, -0)),
    });
    fc.assert(
      fc.property(record, (given) => {
        const made = ToolCallRecord(given);
        expect(toolCallRecordFromWire(JSON.parse(JSON.stringify(toolCallRecordToWire(made))))).toEqual(made);
      }),
    );
  });
});

describe('the effects ledger', () => {
  const identity = { step: 2, visit: 1, call: '2.1.1', tool: 'mailer', args: { to: 'bob' } };
  const at = { step: 2, visit: 1, call: '2.1.1' };
  const propose: RunEventBody = { type: 'tool-call-propose', ...identity };
  const begin: RunEventBody = { type: 'tool-call-start', ...identity };
  const unknown: RunEventBody = { type: 'tool-call-unknown', ...at, reason: 'the process died' };
  const repeat: RunEventBody = { type: 'tool-call-repeat', ...at };
  const end = (outcome: CallOutcome, ms?: number): RunEventBody => ({
    type: 'tool-call-end',
    ...at,
    outcome,
    ...(ms !== undefined && { ms }),
  });
  const sent: CallOutcome = { status: 'SUCCESS', value: { id: 7 } };

  /** Events 10 ms apart, the first at 1000. */
  const stored = (...bodies: RunEventBody[]): RunEvent[] =>
    bodies.flatMap((body, index) => fromCommit(toCommit(index + 1, 1000 + 10 * index, [body])));
  function only(...bodies: RunEventBody[]): ToolCall {
    const [call, ...others] = ledgerOf(stored(...bodies), planRunId);
    if (!call || others.length > 0) throw new Error('the ledger should hold one call');
    return call;
  }

  it('has every call once, with all that is known of it', () => {
    expect(only({ type: 'step-start', step: 2 }, begin, end(sent, 8))).toEqual({
      callId: '2.1.1',
      toolId: 'mailer',
      step: 2,
      visit: 1,
      args: { to: 'bob' },
      status: 'SUCCESS',
      output: { id: 7 },
      error: null,
      reason: null,
      attempts: 1,
      latencyMs: 8,
      startedAt: 1010,
      idempotencyKey: idempotencyKey(planRunId, '2.1.1'),
    });
    expect(Object.isFrozen(only(begin))).toBe(true);
    expect(ledgerOf([], planRunId)).toEqual([]);
  });

  it('keeps calls in the order they were first heard of', () => {
    const other: RunEventBody = { ...begin, call: '2.1.2' } as RunEventBody;
    expect(ledgerOf(stored(begin, other, end(sent)), planRunId).map(({ callId }) => callId)).toEqual([
      '2.1.1',
      '2.1.2',
    ]);
  });

  it('shows how far a call has come', () => {
    expect(only(propose)).toMatchObject({
      status: 'NEED_CLARIFICATION',
      attempts: 0,
      startedAt: null,
      latencyMs: null,
      output: null,
    });
    expect(only(propose, begin)).toMatchObject({ status: 'IN_PROGRESS', attempts: 1, startedAt: 1010 });
    expect(only(begin, unknown)).toMatchObject({ status: 'UNKNOWN', reason: 'the process died' });
    expect(only(begin, unknown, repeat)).toMatchObject({ status: 'IN_PROGRESS', attempts: 2, startedAt: 1000 });
  });

  it('says why an attempt failed while it waits for the next', () => {
    const retry: RunEventBody = { type: 'tool-call-retry', ...at, reason: 'the queue is full' };
    expect(only(begin, retry)).toMatchObject({ status: 'IN_PROGRESS', attempts: 1, reason: 'the queue is full' });
    expect(only(begin, retry, repeat)).toMatchObject({ status: 'IN_PROGRESS', attempts: 2, reason: null });
  });

  it('measures from the last attempt when the receipt does not say how long it took', () => {
    expect(only(begin, unknown, repeat, end(sent))).toMatchObject({
      status: 'SUCCESS',
      latencyMs: 10,
      startedAt: 1000,
      attempts: 2,
      reason: null,
    });
  });

  it('has calls without effects from their receipts alone', () => {
    const read: RunEventBody = {
      type: 'tool-call-end',
      step: 0,
      call: '0.0.1',
      tool: 'reader',
      args: { page: 1 },
      outcome: sent,
      ms: 5,
    };
    expect(only(read)).toMatchObject({
      toolId: 'reader',
      visit: 0,
      args: { page: 1 },
      attempts: 1,
      startedAt: 995,
      latencyMs: 5,
    });
    expect(only({ type: 'tool-call-end', step: 0, call: '0.0.1', outcome: sent })).toMatchObject({
      toolId: '',
      args: {},
      startedAt: 1000,
      latencyMs: null,
    });
    expect(only({ ...read, attempts: 3 }).attempts).toBe(3);
  });

  it('says nothing of hooks', () => {
    expect(only(begin, end(sent), { type: 'tool-call-accept', ...at })).toEqual(only(begin, end(sent)));
  });

  it('shows a call with wrong arguments, which never reached its tool', () => {
    const error = { code: 'TOOL_ARGS_INVALID', message: 'no' } as const;
    const turnedDown: RunEventBody = {
      type: 'tool-call-end',
      step: 0,
      call: '0.0.1',
      tool: 'mailer',
      outcome: { status: 'FAILED', error, soft: true },
    };
    expect(only(turnedDown)).toMatchObject({ status: 'FAILED', error, attempts: 0, startedAt: null, latencyMs: null });
  });

  it('shows what a call asked, and why one failed', () => {
    const clarifications = ['clar-11111111-2222-4333-8444-555555555501'] as const;
    expect(only(begin, end({ status: 'NEED_CLARIFICATION', clarifications }))).toMatchObject({
      status: 'NEED_CLARIFICATION',
      attempts: 1,
      output: clarifications,
    });
    const error = { code: 'TOOL_FAILED', message: 'no' } as const;
    expect(only(begin, end({ status: 'FAILED', error }))).toMatchObject({ status: 'FAILED', error, output: null });
  });

  it('keeps the first receipt', () => {
    expect(only(begin, end(sent), end({ status: 'SUCCESS', value: 'again' }))).toMatchObject({ output: { id: 7 } });
  });

  it('shows a refused call as failed, without an attempt', () => {
    const refused = (toolCallId?: string): RunEventBody => ({
      type: 'run-end',
      state: 'FAILED',
      error: { code: 'APPROVAL_REFUSED', message: 'refused by ada', ...(toolCallId !== undefined && { toolCallId }) },
    });
    expect(only(propose, refused('2.1.1'))).toMatchObject({
      status: 'FAILED',
      attempts: 0,
      error: { code: 'APPROVAL_REFUSED' },
    });
    expect(only(propose, refused())).toMatchObject({ status: 'NEED_CLARIFICATION', error: null });
    expect(only(propose, refused('9.9.9'))).toMatchObject({ status: 'NEED_CLARIFICATION' });
    expect(only(begin, refused('2.1.1'))).toMatchObject({ status: 'IN_PROGRESS', error: null });
    expect(only(begin, end(sent), refused('2.1.1'))).toMatchObject({ status: 'SUCCESS' });
    expect(only(propose, { type: 'run-end', state: 'COMPLETE' })).toMatchObject({ status: 'NEED_CLARIFICATION' });
  });
});
