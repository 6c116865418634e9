import { describe, expect, it } from 'vitest';
import { type Commit, eventVersion, fromCommit, type RunEventBody, toCommit } from './event.ts';

const bodies: RunEventBody[] = [
  { type: 'run-start', epoch: 1, host: 'here', version: '0.1.0' },
  { type: 'tool-call-start', step: 0, call: '0.0.1', tool: 'mailer', args: { to: ['a', 'b'] } },
];

function commit(events: string): Commit {
  return { seq: 7, at: 5, events };
}

describe('commits', () => {
  it('hold events that became true together, and give them back in order', () => {
    const events = fromCommit(toCommit(7, 1000, bodies));
    expect(events).toEqual(bodies.map((body, index) => ({ ...body, v: eventVersion, seq: 7 + index, at: 1000 })));
    expect(fromCommit(toCommit(1, 0, []))).toEqual([]);
  });

  it('give frozen values, so that a resumed run sees what a live one sees', () => {
    const [, start] = fromCommit(toCommit(1, 0, bodies));
    const args = start?.type === 'tool-call-start' ? start.args : {};
    expect(Object.isFrozen(args) && Object.isFrozen(args['to'])).toBe(true);
  });

  it('that are damaged, or written by a newer release, are refused', () => {
    for (const [events, what] of [
      ['[{"type":"run-st', 'the commit at 7 is not JSON'],
      ['{}', 'the commit at 7 is not a list of events'],
      ['[{"v":2},{"type":"run-wait"}]', 'the commit at 7 is of version 2'],
    ] as const) {
      expect(() => fromCommit(commit(events))).toThrow(
        expect.objectContaining({
          code: 'STORAGE_CORRUPT',
          message: expect.stringContaining(what),
          hint: expect.any(String),
        }),
      );
    }
  });
});
