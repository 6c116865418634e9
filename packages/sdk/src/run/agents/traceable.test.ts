import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTraceable } from './traceable.ts';

describe('a value', () => {
  it('is traceable when all its parts stand in the data as whole words and numbers', () => {
    const texts = ['Mail  Bo at bo@example.org that\ndinner is at 8', '{"amount":5.25,"order":"A-17"}'];
    for (const value of [
      'bo',
      'bo@example.org',
      'BO AT',
      'that dinner',
      8,
      5.25,
      'A-17',
      ['Bo', 8],
      { who: 'Bo' },
      '8',
    ])
      expect([value, isTraceable(value, texts)]).toEqual([value, true]);
    for (const value of ['b', 'example.or', 5, 25, 17, true, null, '', ' ', ['Bo', 9], { who: 'Al' }, 'jo@example.org'])
      expect([value, isTraceable(value, texts)]).toEqual([value, false]);
  });

  it('is traceable wherever it stands between blanks', () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[a-z0-9]{1,9}$/), fc.string(), (before, word, after) => {
        expect(isTraceable(word, [`${before} ${word} ${after}`])).toBe(true);
      }),
    );
  });
});
