import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, freezeJson, isPlainObject, type JsonValue, sameJson, toJson } from './json.ts';

const json = (): fc.Arbitrary<JsonValue> => fc.jsonValue() as fc.Arbitrary<JsonValue>;

class Sealed {
  readonly #secret = 1;
  get secret(): number {
    return this.#secret;
  }
}

function problem(value: unknown): { code?: string; message?: string; hint?: string } {
  try {
    toJson(value, 'result');
  } catch (error) {
    return error as object;
  }
  return {};
}

describe('toJson', () => {
  it('keeps scalars as they are', () => {
    for (const value of ['', 'text', true, false, null, 0, 1.5, -3]) expect(toJson(value)).toBe(value);
  });

  it('makes null of undefined, and leaves it out of objects', () => {
    expect(toJson(undefined)).toBeNull();
    expect(toJson([undefined, 1])).toEqual([null, 1]);
    expect(JSON.stringify(toJson({ a: undefined, b: { c: undefined } }))).toBe('{"b":{}}');
    expect(toJson({ toJSON: () => undefined })).toBeNull();
    expect(toJson([null])).toEqual([null]);
  });

  it('makes 0 of -0, as JSON does', () => {
    expect(Object.is(toJson(-0), 0)).toBe(true);
    expect(Object.is((toJson([-0]) as number[])[0], 0)).toBe(true);
  });

  it('copies and freezes all the way down', () => {
    const given = { list: [{ deep: 1 }] };
    const made = toJson(given) as { list: { deep: number }[] };
    given.list[0] = { deep: 2 };
    expect(made).toEqual({ list: [{ deep: 1 }] });
    expect([made, made.list, made.list[0]].every(Object.isFrozen)).toBe(true);
  });

  it('honours toJSON, and takes class instances as their fields', () => {
    class Point {
      x = 1;
      at: Date = new Date(0);
    }
    expect(toJson(new Point())).toEqual({ x: 1, at: '1970-01-01T00:00:00.000Z' });
    expect(toJson(Object.assign(new Error('no'), { toJSON: () => 'told' }))).toBe('told');
  });

  it('gives numbers, texts and truth values that stand in an object as what they are', () => {
    expect(toJson([Object(3), Object('ab'), Object(false)])).toEqual([3, 'ab', false]);
  });

  it('takes the empty object of another realm for what it is', () => {
    expect(toJson([runInNewContext('({})'), Object.create(null)])).toEqual([{}, {}]);
  });

  it('says what to give instead of what can be gone through', () => {
    expect(problem([1].values()).hint).toBe('give a list: [...items]');
    expect(problem(new Sealed()).hint).toContain('toJSON');
  });

  it('keeps a key called __proto__ a key', () => {
    const made = toJson(JSON.parse('{"__proto__": {"admin": true}}')) as Record<string, unknown>;
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
    expect(JSON.stringify(made)).toBe('{"__proto__":{"admin":true}}');
  });

  it('names the place of what JSON cannot hold', () => {
    expect(problem({ rows: [1, { at: new Map() }] }).message).toBe(
      'result.rows[1].at is a Map, which JSON cannot hold',
    );
    expect(problem([() => 1]).message).toContain('result[0] is a function');
    for (const [value, found] of [
      [Number.NaN, 'NaN'],
      [{ n: Number.POSITIVE_INFINITY }, 'Infinity'],
      [1n, 'a bigint'],
      [Symbol('s'), 'a symbol'],
      [new Set(), 'a Set'],
      [new Uint8Array(2), 'a Uint8Array'],
      [Buffer.from('x'), 'a Buffer'],
      [new ArrayBuffer(2), 'a ArrayBuffer'],
      [Promise.resolve(1), 'a Promise'],
      [new TypeError('x'), 'a TypeError'],
      [new Date('never'), 'an invalid Date'],
      [/a/, 'a RegExp'],
      [new WeakMap(), 'a WeakMap'],
      [new URLSearchParams('a=1'), 'a URLSearchParams'],
      [[1].values(), 'a Array Iterator'],
      [{ rows: (function* () {})() }, 'result.rows is a Generator'],
      [new Sealed(), 'an instance of Sealed without fields'],
      [Object(Number.NaN), 'NaN'],
    ] as const) {
      expect(problem(value)).toMatchObject({ code: 'OUTPUT_NOT_JSON', hint: expect.any(String) });
      expect(problem(value).message).toContain(found);
    }
  });

  it('refuses what is nested deeper than programs can follow', () => {
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(problem(nested(500))).toEqual({});
    for (const levels of [501, 100_000])
      expect(problem(nested(levels))).toMatchObject({
        code: 'OUTPUT_NOT_JSON',
        message: expect.stringContaining('is nested deeper than 500 levels'),
      });
  });

  it('refuses cycles, but takes the same object twice', () => {
    const one = { n: 1 };
    expect(toJson([one, one])).toEqual([{ n: 1 }, { n: 1 }]);
    const cycle: { inner: { up?: object } } = { inner: {} };
    cycle.inner.up = cycle;
    expect(problem(cycle).message).toContain('result.inner.up is a reference to itself');
    const itself: { toJSON(): unknown } = { toJSON: () => itself };
    expect(problem(itself).code).toBe('OUTPUT_NOT_JSON');
  });

  it('gives what JSON.stringify would, and the same again when done twice', () => {
    fc.assert(
      fc.property(json(), (value) => {
        const once = toJson(value);
        expect(JSON.stringify(once)).toBe(JSON.stringify(value));
        expect(toJson(once)).toEqual(once);
      }),
    );
  });
});

describe('isPlainObject', () => {
  it('tells objects of data from all else', () => {
    expect([{}, Object.create(null)].every(isPlainObject)).toBe(true);
    expect([null, 1, 'x', [], new Date(), new Map(), () => 1].some(isPlainObject)).toBe(false);
  });
});

describe('freezeJson', () => {
  it('freezes in place, all the way down', () => {
    const value = { a: [{ b: 1 }], c: null };
    expect(freezeJson(value)).toBe(value);
    expect([value, value.a, value.a[0]].every(Object.isFrozen)).toBe(true);
    expect(freezeJson('text')).toBe('text');
    expect(freezeJson(null)).toBeNull();
  });

  it('does not look again into what is frozen', () => {
    const inner = { n: 1 };
    freezeJson(Object.freeze({ inner }));
    expect(Object.isFrozen(inner)).toBe(false);
  });
});

describe('sameJson', () => {
  it('does not mind the order of keys', () => {
    expect(sameJson({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
  });

  it('tells different values apart', () => {
    const pairs: [JsonValue, JsonValue][] = [
      [1, '1'],
      [null, {}],
      [{}, null],
      [{}, 'x'],
      ['x', {}],
      [[], {}],
      [
        [1, 2],
        [2, 1],
      ],
      [[1], [1, 2]],
      [{ a: 1 }, { b: 1 }],
      [{ a: 1 }, { a: 2 }],
      [{ a: 1 }, { a: 1, b: 2 }],
    ];
    for (const [a, b] of pairs) expect(sameJson(a, b)).toBe(false);
  });

  it('compares broken text too', () => {
    expect(sameJson(['\ud800'], ['\ud800'])).toBe(true);
    expect(sameJson(['\ud800'], ['\ud801'])).toBe(false);
  });

  it('agrees with the canonical text', () => {
    fc.assert(
      fc.property(json(), json(), (a, b) => {
        expect(sameJson(a, JSON.parse(JSON.stringify(a)))).toBe(true);
        expect(sameJson(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
  });
});

describe('canonicalJson', () => {
  it('prints numbers as ECMAScript does', () => {
    const numbers: [number, string][] = [
      [0, '0'],
      [-0, '0'],
      [1, '1'],
      [-1.5, '-1.5'],
      [1e21, '1e+21'],
      [999999999999999900000, '999999999999999900000'],
      [1e-7, '1e-7'],
      [0.000001, '0.000001'],
      [5e-324, '5e-324'],
      [1.7976931348623157e308, '1.7976931348623157e+308'],
      [2 ** 53 + 2, '9007199254740994'],
      [0.1 + 0.2, '0.30000000000000004'],
      [4.5e15, '4500000000000000'],
    ];
    for (const [value, printed] of numbers) expect(canonicalJson(value)).toBe(printed);
  });

  it('sorts keys by UTF-16 code units, at every depth', () => {
    const value = {
      '\u20ac': 1,
      '\r': 2,
      '\ufb33': 3,
      '1': 4,
      '\u{1f600}': 5,
      '\u0080': 6,
      '\u00f6': 7,
      Z: { b: 1, a: [] },
    };
    expect(canonicalJson(value)).toBe(
      '{"\\r":2,"1":4,"Z":{"a":[],"b":1},"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
    );
  });

  it('escapes only what it must', () => {
    expect(canonicalJson('\u20ac$\u000f\nA\'B"\\/\u007f\u2028')).toBe('"\u20ac$\\u000f\\nA\'B\\"\\\\/\u007f\u2028"');
    expect(canonicalJson([null, true, false, ' '])).toBe('[null,true,false," "]');
  });

  it('refuses half a surrogate pair, in values and in keys', () => {
    for (const value of ['\ud83d', { list: ['\udc00'] }, { '\ud83d': 1 }]) {
      expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'OUTPUT_NOT_JSON' }));
    }
    expect(() => canonicalJson({ list: ['\udc00'] }, 'args')).toThrow('args.list[0]');
  });

  it('is the same whatever the order of keys, and reads back as the same value', () => {
    const value = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme' }));
    fc.assert(
      fc.property(value, fc.func(fc.integer()), (members, rank) => {
        const shuffled = Object.fromEntries(Object.entries(members).sort(([a], [b]) => rank(a) - rank(b)));
        const canonical = canonicalJson(members as JsonValue);
        expect(canonicalJson(shuffled as JsonValue)).toBe(canonical);
        expect(canonicalJson(JSON.parse(canonical))).toBe(canonical);
        expect(sameJson(JSON.parse(canonical), toJson(members))).toBe(true);
      }),
    );
  });
});
