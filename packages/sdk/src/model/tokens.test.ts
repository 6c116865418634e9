import { describe, expect, it } from 'vitest';
import { dateLine } from './date-line.ts';
import { cutText, estimateTokens, exceedsThreshold } from './tokens.ts';

describe('tokens', () => {
  it('estimates four characters to the token', () => {
    expect([
      estimateTokens(''),
      estimateTokens('a'),
      estimateTokens('a'.repeat(4)),
      estimateTokens('a'.repeat(5)),
    ]).toEqual([0, 1, 1, 2]);
  });

  it('finds an output large from 5,005 characters on, with a threshold of 1000', () => {
    expect(exceedsThreshold('x'.repeat(5_004), 1_000)).toBe(false);
    expect(exceedsThreshold('x'.repeat(5_005), 1_000)).toBe(true);
  });

  it('cuts a text and says what is missing, never inside a character', () => {
    expect(cutText('abc', 3)).toBe('abc');
    expect(cutText('abcdef', 4)).toBe('abcd\n[cut here: 2 more characters]');
    expect(cutText('ab😀d', 3)).toBe('ab\n[cut here: 3 more characters]');
  });
});

describe('date line', () => {
  it('names the weekday and day of UTC', () => {
    expect(dateLine(Date.UTC(2025, 0, 6, 23, 59))).toBe('Today: Mon 2025-01-06 UTC.');
    expect(dateLine(Date.UTC(2024, 11, 31))).toBe('Today: Tue 2024-12-31 UTC.');
  });
});
