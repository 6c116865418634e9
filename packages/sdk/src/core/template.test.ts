import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Input, type Reference, StepOutput, textOfParts } from './reference.ts';
import { parseTemplate } from './template.ts';

const anyName = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom("'", '"', ',', '{', '}', '(', ')', '\\', '\n', '\r', ' ', '=', 'a', 'n', 'x7b') }),
);
const anyReference: fc.Arbitrary<Reference> = fc.oneof(
  fc
    .record({ name: fc.oneof(anyName, fc.integer()), path: anyName, full: fc.boolean(), optional: fc.boolean() })
    .map(({ name, ...options }) => StepOutput(name, options)),
  fc.record({ name: anyName, path: anyName }).map(({ name, path }) => Input(name, { path })),
);

describe('parseTemplate', () => {
  it('reads back what references render, whatever their names hold', () => {
    fc.assert(
      fc.property(anyReference, (reference) => {
        expect(parseTemplate(String(reference))).toEqual([reference]);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads back whole texts', () => {
    const words = fc.string({ unit: fc.constantFrom('a', ' ', '{', '}', "'", '\n') });
    fc.assert(
      fc.property(fc.array(fc.oneof(words, anyReference)), (parts) => {
        const whole = textOfParts(parts);
        expect(textOfParts(parseTemplate(String(whole)))).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });

  it('reads what Portia 0.9 wrote', () => {
    expect(parseTemplate('Get {{ StepOutput(find flights) }} for {{Input("user", path="name")}}!')).toEqual([
      'Get ',
      StepOutput('find flights'),
      ' for ',
      Input('user', { path: 'name' }),
      '!',
    ]);
    expect(parseTemplate("{{ StepOutput(step='a', path='x.0', full=True) }}")).toEqual([
      StepOutput('a', { path: 'x.0', full: true }),
    ]);
    expect(parseTemplate("{{ StepOutput('a', 'x', False) }}{{ StepOutput(name='b', path=None) }}")).toEqual([
      StepOutput('a', { path: 'x' }),
      StepOutput('b'),
    ]);
    expect(parseTemplate('{{ StepOutput( -1 , full = true , ) }}')).toEqual([StepOutput(-1, { full: true })]);
    expect(parseTemplate("{{ Input('it\\'s', path=false) }}".replace('false', "''"))).toEqual([Input("it's")]);
  });

  it('leaves other text alone, also in double braces', () => {
    for (const source of [
      '',
      'plain',
      '{{ user.name }}',
      '{ StepOutput("a") }',
      '{{ Output("a") }}',
      '{{ StepOutput',
    ]) {
      expect(parseTemplate(source)).toEqual(source === '' ? [] : [source]);
    }
  });

  it.each([
    ["{{ StepOutput('a }}", 'a quote is not closed'],
    ["{{ StepOutput('a\\", 'a quote is not closed'],
    ["{{ StepOutput('a' 'b') }}", 'a comma or a closing bracket is missing'],
    ["{{ StepOutput('a')", 'a comma or a closing bracket is missing'],
    ['{{ StepOutput() }}', 'needs the name or index'],
    ['{{ StepOutput(True) }}', 'needs the name or index'],
    ["{{ StepOutput('a', path=) }}", 'a value is missing'],
    ["{{ StepOutput('a', path=3) }}", 'path must be a text'],
    ["{{ StepOutput('a', last=True) }}", 'StepOutput takes step, path, full, optional'],
    ["{{ Input('a', '', 1) }}", 'Input takes name, path'],
    ['{{ Input(3) }}', 'Input needs a name'],
  ])('refuses %s', (source, why) => {
    expect(() => parseTemplate(source)).toThrow(
      expect.objectContaining({
        code: 'PLAN_INVALID',
        message: expect.stringContaining(why),
        hint: expect.stringContaining('StepOutput'),
      }),
    );
  });
});
