import { describe, expect, it } from 'vitest';
import { nearest } from './nearest.ts';

describe('nearest', () => {
  it('finds the name that was meant, whatever its case', () => {
    expect(nearest('prise', ['total', 'price', 'prices'])).toBe('price');
    expect(nearest('PRICE', ['price'])).toBe('price');
    expect(nearest('ab', ['abc', 'xyz'])).toBe('abc');
  });

  it('finds nothing when no name is close', () => {
    expect(nearest('price', ['total', 'somethingMuchLonger'])).toBeUndefined();
    expect(nearest('ab', ['xy'])).toBeUndefined();
    expect(nearest('', [])).toBeUndefined();
  });

  it('allows more letters to differ in longer names', () => {
    expect(nearest('current_temperatures', ['currentTemperature'])).toBe('currentTemperature');
    expect(nearest('a'.repeat(5000), ['a'.repeat(90)])).toBe('a'.repeat(90));
  });
});
