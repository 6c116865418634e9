import { describe, expect, it } from 'vitest';
import { fillPlaceholders } from './placeholders.ts';

const values = new Map<string, unknown>([
  ['$report', 'a long text'],
  ['$rows', [1, 2]],
  ['$evil', '{{$report}} {{ constructor }}'],
  ['plain', { a: 1 }],
  ['$nothing', null],
]) as Parameters<typeof fillPlaceholders>[1];

describe('placeholders in arguments', () => {
  it('are replaced in strings, lists and objects, with or without spaces and the $', () => {
    const { args, unknown } = fillPlaceholders(
      { body: 'See: {{ $report }}, {{report}}.', list: ['{{$plain}}', 'x'], n: 1 },
      values,
    );
    expect(args).toEqual({ body: 'See: a long text, a long text.', list: [{ a: 1 }, 'x'], n: 1 });
    expect(unknown).toEqual([]);
  });

  it('keep the type of a value that is a whole argument, unless the schema wants a string', () => {
    const schema = {
      type: 'object',
      properties: { text: { type: 'string' }, texts: { type: 'array', items: { type: 'string' } } },
    };
    const given = { text: '{{$rows}}', texts: ['{{$rows}}'], any: ' {{$rows}} ', none: '{{$nothing}}' };
    expect(fillPlaceholders(given, values, schema).args).toEqual({
      text: '[1,2]',
      texts: ['[1,2]'],
      any: [1, 2],
      none: null,
    });
  });

  it('are resolved once: what comes in is never read again', () => {
    expect(fillPlaceholders('{{$evil}}', values).args).toBe('{{$report}} {{ constructor }}');
    expect(fillPlaceholders('<{{$evil}}>', values).args).toBe('<{{$report}} {{ constructor }}>');
  });

  it('with unknown $names are reported; other double braces are only text', () => {
    const { args, unknown } = fillPlaceholders({ a: '{{$missing}} {{name}} {{ 7*7 }}', b: ['{{$missing}}'] }, values);
    expect(args).toEqual({ a: '{{$missing}} {{name}} {{ 7*7 }}', b: ['{{$missing}}'] });
    expect(unknown).toEqual(['$missing']);
  });

  it('take time in proportion to the text', () => {
    const started = performance.now();
    fillPlaceholders(`{{${' '.repeat(500_000)}`, values);
    fillPlaceholders('{{'.repeat(250_000), values);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
