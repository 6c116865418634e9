import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toJson } from './json.ts';
import {
  AgentMemoryValue,
  completedMarker,
  isInMemory,
  isMarker,
  LocalDataValue,
  outputFromWire,
  outputToWire,
  serializeValue,
  skippedMarker,
  textOf,
} from './output.ts';

const planRunId = 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01';
const inMemory = AgentMemoryValue({ outputName: '$rows', planRunId, summary: '412 rows' });

describe('outputs', () => {
  it('stand in the run or in agent memory', () => {
    expect(isInMemory(inMemory)).toBe(true);
    expect(isInMemory(LocalDataValue(1))).toBe(false);
    expect([inMemory, LocalDataValue(1)].every(Object.isFrozen)).toBe(true);
    expect(LocalDataValue(1)).toEqual({ value: 1, summary: null });
  });

  it('read as text: strings as they are, null as nothing, the rest as JSON, large values as their summary', () => {
    expect([textOf('a'), textOf(null), textOf(1.5), textOf({ a: [true] })]).toEqual(['a', '', '1.5', '{"a":[true]}']);
    expect(serializeValue(LocalDataValue({ a: 1 }, 'one'))).toBe('{"a":1}');
    expect(serializeValue(inMemory)).toBe('412 rows');
  });

  it('know the marks of steps that did not run', () => {
    expect([skippedMarker, completedMarker].every((mark) => isMarker(LocalDataValue(mark)))).toBe(true);
    expect([inMemory, LocalDataValue('Tool execution'), LocalDataValue(null)].some(isMarker)).toBe(false);
  });
});

describe('outputs on the wire', () => {
  it('are told apart by their keys', () => {
    expect(outputFromWire(outputToWire(inMemory))).toEqual(inMemory);
    expect(outputFromWire({ summary: 's' })).toEqual(LocalDataValue(null, 's'));
    expect(outputFromWire({})).toEqual(LocalDataValue(null));
    expect(outputFromWire({ value: '{"rows": 412}', summary: null })).toEqual(LocalDataValue('{"rows": 412}'));
  });

  it('read back as they were written, types included', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.option(fc.string()), (value, summary) => {
        const output = LocalDataValue(toJson(value), summary);
        expect(outputFromWire(JSON.parse(JSON.stringify(outputToWire(output))))).toEqual(output);
      }),
    );
  });

  it('are refused with the field that is wrong', () => {
    const memory = { output_name: '$rows', plan_run_id: planRunId, summary: 's' };
    for (const [wire, what] of [
      [null, 'is not an object'],
      [[], 'is not an object'],
      [{ value: 1, summary: 5 }, 'summary is not a string'],
      [{ value: 1, extra: 1 }, 'unknown key "extra"'],
      [{ ...memory, value: 1 }, 'both a value and a reference'],
      [{ ...memory, summary: null }, 'summary is not a string'],
      [{ ...memory, output_name: 1 }, 'output_name is not a string'],
      [{ plan_run_id: planRunId, summary: 's' }, 'output_name is not a string'],
    ] as const) {
      expect(() => outputFromWire(wire)).toThrow(
        expect.objectContaining({ code: 'OUTPUT_INVALID', message: expect.stringContaining(what) }),
      );
    }
    expect(() => outputFromWire({ ...memory, plan_run_id: 'prun-1' })).toThrow(
      expect.objectContaining({ code: 'ID_INVALID' }),
    );
  });
});
