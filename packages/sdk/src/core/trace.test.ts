import { describe, expect, it } from 'vitest';
import {
  readTrace,
  readTraceparent,
  readTracestate,
  traceContextFor,
  traceIdIn,
  traceIdOf,
  traceparentFor,
} from './trace.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = '00f067aa0ba902b7';
const given = `00-${trace}-${parent}-01`;

function list(members: number): string {
  return Array.from({ length: members }, (_, n) => `k${n}=1`).join(',');
}

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

describe('a tracestate', () => {
  it.each([
    ['rojo=00f067aa0ba902b7', 'rojo=00f067aa0ba902b7'],
    ['congo=t61rcWkgMzE , \trojo=1', 'congo=t61rcWkgMzE,rojo=1'],
    ['a=1,,b=2,', 'a=1,b=2'],
    ['fw529a3039@dt=FfAb cd;x', 'fw529a3039@dt=FfAb cd;x'],
    [`a=${'x'.repeat(256)}`, `a=${'x'.repeat(256)}`],
    [`a=${'x'.repeat(253)},b=${'x'.repeat(254)}`, `a=${'x'.repeat(253)},b=${'x'.repeat(254)}`],
    [list(32), list(32)],
  ])('is read when its members have the form: %s', (text, read) => {
    expect(readTracestate(text)).toBe(read);
  });

  it.each([
    undefined,
    7,
    '',
    ' , ',
    'rojo',
    '=1',
    'rojo=',
    'Rojo=1',
    'ro jo=1',
    '@dt=1',
    'a@=1',
    'a=1=2',
    'a=1,b',
    'a=1,a=2',
    'a=\u00e9',
    'a=1\nb',
    `a=${'x'.repeat(257)}`,
    `${'a'.repeat(257)}=1`,
    `a=${'x'.repeat(254)},b=${'x'.repeat(254)}`,
    list(33),
  ])('that is none is dropped whole: %s', (text) => {
    expect(readTracestate(text)).toBeUndefined();
  });

  it('means nothing without a traceparent that is one, and costs that nothing where it is none', () => {
    expect(readTrace(given, 'a=1')).toEqual({ traceparent: given, tracestate: 'a=1' });
    expect(readTrace(given, 'a')).toEqual({ traceparent: given });
    expect(readTrace(`${given}-more`, 'a=1')).toEqual({});
    expect(readTrace(undefined, 'a=1')).toEqual({});
  });

  it('goes on with every call as it came', () => {
    const run = { id: 'prun-1', traceparent: given };
    expect(traceContextFor(run, '0.0.1')).toEqual({ traceparent: traceparentFor(run, '0.0.1') });
    expect(traceContextFor({ ...run, tracestate: 'a=1' }, '0.0.1')).toEqual({
      traceparent: traceparentFor(run, '0.0.1'),
      tracestate: 'a=1',
    });
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
