import { describe, expect, it } from 'vitest';
import { readTraceparent, traceIdIn, traceIdOf, traceparentFor } from './trace.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = '00f067aa0ba902b7';
const given = `00-${trace}-${parent}-01`;

describe('a traceparent', () => {
  it('is read when it has the form of W3C Trace Context', () => {
    expect(readTraceparent(given)).toBe(given);
    expect(readTraceparent(given.replace(/01$/, '00'))).toBe(given.replace(/01$/, '00'));
    expect(traceIdIn(given)).toBe(trace);
  });

  it('of a later version counts as far as version 00 goes', () => {
    expect(readTraceparent(`01-${trace}-${parent}-03`)).toBe(given);
    expect(readTraceparent(`cc-${trace}-${parent}-02-what-will-be`)).toBe(`00-${trace}-${parent}-00`);
  });

  it.each([
    undefined,
    7,
    '',
    given.toUpperCase(),
    ` ${given}`,
    `${given}-more`,
    `ff-${trace}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.slice(1)}-${parent}-01`,
    `01-${trace}-${parent}-01more`,
    `01-${trace}-${parent}-01\n-more`,
    `01-${trace}-${parent}-01-${'x'.repeat(600)}`,
  ])('that is none is as if it had not been sent: %s', (text) => {
    expect(readTraceparent(text)).toBeUndefined();
  });
});

describe('the trace of a run', () => {
  it('is that of whoever started it, for each of its calls another span, the same at every attempt', () => {
    const run = { id: 'prun-1', traceparent: given };
    expect(traceIdOf(run)).toBe(trace);
    const sent = traceparentFor(run, '0.0.1');
    expect(sent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(traceparentFor(run, '0.0.1')).toBe(sent);
    expect(traceparentFor(run, '0.0.2')).not.toBe(sent);
    expect(traceparentFor({ ...run, traceparent: given.replace(/01$/, '00') }, '0.0.1')).toMatch(/-00$/);
  });

  it('is one of its own where nobody gave one, and gives nothing of its id away', () => {
    const id = 'prun-11111111-2222-4333-8444-555555555501';
    expect(readTraceparent(traceparentFor({ id }, '0.0.1'))).toMatch(/-01$/);
    expect(traceIdOf({ id })).toBe(traceIdIn(traceparentFor({ id }, '0.0.1')));
    expect(traceIdOf({ id })).not.toContain('1111111122224333');
    expect(traceIdOf({ id })).not.toBe(traceIdOf({ id: 'prun-2' }));
  });
});
