import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from './json.ts';
import {
  at,
  formOf,
  Input,
  isReference,
  type Reference,
  referencesIn,
  StepOutput,
  text,
  textOfParts,
} from './reference.ts';

type Lookup = (reference: Reference) => JsonValue | undefined;

/** Looks values up by name; references are noted. */
function lookupIn(values: Readonly<Record<string, JsonValue>>, asked: Reference[] = []): Lookup {
  return (reference) => {
    asked.push(reference);
    return values[String(reference.name)];
  };
}

function filled(value: unknown, lookup: Lookup): JsonValue | undefined {
  const { references, content } = formOf(value);
  return content.fill(references.map(lookup));
}

describe('references', () => {
  it('say what they refer to, in Portia 0.9 words', () => {
    expect(String(StepOutput('price'))).toBe("{{ StepOutput('price') }}");
    expect(String(StepOutput(-1, { path: 'a.b', full: true, optional: true }))).toBe(
      "{{ StepOutput(-1, path='a.b', full=True, optional=True) }}",
    );
    expect(String(Input('country'))).toBe("{{ Input('country') }}");
    expect(String(Input('user', { path: 'name' }))).toBe("{{ Input('user', path='name') }}");
    expect(`Buy ${StepOutput('price')}`).toBe("Buy {{ StepOutput('price') }}");
  });

  it('are told from data that looks like them', () => {
    for (const value of [StepOutput('a'), Input('a'), text`a`]) {
      expect(isReference(value)).toBe(true);
      expect(Object.isFrozen(value)).toBe(true);
      expect(isReference({ ...value })).toBe(false);
    }
    for (const value of [null, undefined, 'a', 1, {}]) expect(isReference(value)).toBe(false);
  });

  it('are found in texts, lists and objects, in order', () => {
    const found = referencesIn({
      a: [StepOutput('x'), { b: text`${Input('y')} and ${StepOutput('z')}` }],
      c: 5,
      d: null,
    });
    expect(found.map(({ name }) => name)).toEqual(['x', 'y', 'z']);
    expect(referencesIn(new Date())).toEqual([]);
  });
});

describe('text', () => {
  it('joins words, values and other texts', () => {
    const inner = text`for ${StepOutput('x')}`;
    const made = text`${'Buy'} ${2} ${true} ${inner}!`;
    expect(made.parts).toEqual(['Buy 2 true for ', StepOutput('x'), '!']);
    expect(String(made)).toBe("Buy 2 true for {{ StepOutput('x') }}!");
    expect(text``.parts).toEqual([]);
    expect(textOfParts(['a', '', 'b', Input('c'), '']).parts).toEqual(['ab', Input('c')]);
  });
});

describe('a form', () => {
  it('fills in references at any depth', () => {
    const value = {
      a: StepOutput('x'),
      b: [{ c: Input('y') }, 1, null],
      d: text`is ${StepOutput('x')}, ${Input('y')}`,
    };
    expect(filled(value, lookupIn({ x: { n: 1 }, y: 'z' }))).toEqual({
      a: { n: 1 },
      b: [{ c: 'z' }, 1, null],
      d: 'is {"n":1}, z',
    });
    expect(filled(new Date(0), lookupIn({}))).toBe('1970-01-01T00:00:00.000Z');
    expect(filled(undefined, lookupIn({}))).toBeUndefined();
  });

  it('does so once: what looks like a template is not expanded', () => {
    const trap = "{{ StepOutput('secret') }}";
    const asked: Reference[] = [];
    const resolved = filled(
      { a: StepOutput('x'), b: text`<${StepOutput('x')}>`, c: trap },
      lookupIn({ x: trap }, asked),
    );
    expect(resolved).toEqual({ a: trap, b: `<${trap}>`, c: trap });
    expect(asked.map(({ name }) => name)).toEqual(['x', 'x']);
  });

  it('never reaches into prototypes, and keeps a key called __proto__ a key', () => {
    expect(at({ a: 1 }, '__proto__')).toBeUndefined();
    expect(at({ a: 1 }, 'toString')).toBeUndefined();
    expect(at([1], 'length')).toBeUndefined();
    const value: unknown = JSON.parse('{ "__proto__": { "polluted": true } }');
    const resolved = filled(value, lookupIn({}));
    expect(Object.keys(resolved as object)).toEqual(['__proto__']);
    expect((resolved as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('follows paths through objects and lists, and of everything with full', () => {
    const values = lookupIn({
      x: { list: [{ name: 'a' }, { name: 'b' }] },
      all: [{ n: 1 }, {}, { n: 3 }],
      user: { name: 'Ada' },
    });
    expect(filled(StepOutput('x', { path: 'list.1.name' }), values)).toBe('b');
    expect(filled(StepOutput('all', { full: true, path: 'n' }), values)).toEqual([1, null, 3]);
    expect(filled(Input('user', { path: 'name' }), values)).toBe('Ada');
    expect(at('text', 'length')).toBeUndefined();
    expect(at({ a: null }, 'a')).toBeNull();
  });

  it('names the step or input whose value is missing', () => {
    const none = lookupIn({ x: { a: 1 } });
    expect(() => filled({ a: [StepOutput('gone')] }, none)).toThrow(
      expect.objectContaining({
        code: 'REFERENCE_MISSING',
        message: 'step "gone" has made no value yet',
        hint: expect.stringContaining('optional'),
      }),
    );
    expect(() => filled(StepOutput('x', { path: 'b' }), none)).toThrow('step "x" has made nothing at "b"');
    expect(() => filled(text`${Input('gone')}`, none)).toThrow('input "gone" has no value yet');
    expect(() => filled(Input('x', { path: 'b' }), none)).toThrow('input "x" has nothing at "b"');
  });

  it('leaves out what is optional', () => {
    const gone = StepOutput('gone', { optional: true });
    expect(filled({ a: gone, b: 1, c: [gone, 2], d: text`<${gone}>` }, lookupIn({}))).toEqual({
      b: 1,
      c: [null, 2],
      d: '<>',
    });
    expect(filled(StepOutput('x', { path: 'a.b', optional: true }), lookupIn({ x: { a: 1 } }))).toBeUndefined();
  });

  it('gives JSON that has no references back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as JsonValue;
        expect(filled(json, lookupIn({}))).toEqual(json);
      }),
    );
  });
});
