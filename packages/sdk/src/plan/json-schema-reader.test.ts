import { expect, it } from 'vitest';
import { validate } from '../core/schema.ts';
import { jsonSchemaReader } from './json-schema-reader.ts';

const read = await jsonSchemaReader();
const levels = Array.from({ length: 30 }, (_, n) => {
  const next = { $ref: `#/$defs/l${n + 1}` };
  return [`l${n}`, { anyOf: [next, next] }] as const;
});

it('checks what a JSON Schema says, and gives what it makes of a value', () => {
  const schema = read({ type: 'object', properties: { n: { type: 'integer', default: 7 }, s: { pattern: '^a+$' } } });
  expect(validate(schema, {})).toEqual({ ok: true, value: { n: 7 } });
  expect(validate(schema, { n: 'x' })).toMatchObject({ ok: false, issues: [expect.stringMatching(/^n: /)] });
  expect(() => read({ type: 'string', pattern: '(' })).toThrow(/regular expression/i);
});

it.each([
  ['a pattern', { type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(60)}!`],
  ['a pattern for names', { type: 'object', patternProperties: { '^(a|a)*$': {} } }, { [`${'a'.repeat(60)}!`]: 1 }],
  ['references', { $ref: '#/$defs/l0', $defs: Object.fromEntries([...levels, ['l30', { type: 'null' }]]) }, 'x'],
])('gives up on a value that %s would take for ever to check: it does not fit', (_what, schema, value) => {
  expect(validate(read(schema as never), value)).toEqual({ ok: false, issues: ['took more than 250 ms to check'] });
});
