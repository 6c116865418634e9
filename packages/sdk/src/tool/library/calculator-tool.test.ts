import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ToolHardError } from '../../core/errors.ts';
import { testTool } from '../../testing/tool-contract.ts';
import { calculate } from './calculate.ts';
import { calculatorTool } from './calculator-tool.ts';

testTool(
  calculatorTool,
  { valid: [{ math_question: '1 + 2' }], invalid: [{}, { math_question: 3 }, { math_question: '1', more: true }, 'x'] },
  { describe, it, expect },
);

function refusal(question: string): string {
  try {
    return `gave ${calculate(question)}`;
  } catch (error) {
    if (error instanceof ToolHardError) return error.message;
    throw error;
  }
}

describe('the calculator', () => {
  it.each([
    ['2 + 3 * 4', 14],
    ['(2 + 3) * 4', 20],
    ['10 - 4 - 3', 3],
    ['100 / 10 / 5', 2],
    ['2 ** 3 ** 2', 512],
    ['2 ^ 10', 1024],
    ['-2 ** 2', -4],
    ['2 ** -1', 0.5],
    ['(-2) ** 3', -8],
    ['--3 + +4', 7],
    ['7 % 3', 1],
    ['-7 % 3', 2],
    ['7 % (-3)', -2],
    ['20% of 144', 28.8],
    ['144 * 20%', 28.8],
    ['20% * 144', 28.8],
    ['20 percent of 144', 28.8],
    ['20 per cent of 144', 28.8],
    ['What is 17.5% of $1,200?', 210],
    ['-20% of 50', -10],
    ['(5 + 15)% of 50', 10],
    ['100 + 20% of 50', 110],
    ['20% of 50 + 100', 110],
    ['7% of 100', 7],
    ['10 / 20% of 50', 1],
    ['20% of 10% of 500', 10],
    ['20% of 5 ** 2', 5],
    ['100 - (20%)', 99.8],
    ['144 / 20%', 720],
    ['50%', 0.5],
    ['divide 10 by 50%', 20],
    ['17 % 5 * 2', 4],
    ['6 % 3', 0],
    ['0 * -1', 0],
    ['.5 + 1.', 1.5],
    ['1.5e3 + 2E-1', 1500.2],
    ['1,234,567 + 1', 1234568],
    ['$1,000.50 * 2', 2001],
    ['3 × 4 ÷ 2 − 1', 5],
  ])('works out %s', (question, value) => {
    expect(calculate(question)).toBe(value);
  });

  it.each([
    ['What is 2 plus 3 times 4?', 14],
    ["what's 10 minus 4 =", 6],
    ['3 x 4', 12],
    ['3x4', 12],
    ['3 and 4', 7],
    ['the sum of 3 and 4', 7],
    ['add 3 and 4', 7],
    ['add 3 to 4', 7],
    ['Subtract 3 from 10', 7],
    ['subtract 2 plus 3 from 10 times 2', 15],
    ['divide 10 by 4', 2.5],
    ['10 divided by 4', 2.5],
    ['10 divide by 4', 2.5],
    ['multiply 3 by 4', 12],
    ['3 multiplied by 4', 12],
    ['3 multiply by 4', 12],
    ['2 to the power of 5', 32],
    ['2 raised to the power of 5', 32],
    ['17 mod 5', 2],
    ['Calculate 1 + 1.', 2],
  ])('understands %s', (question, value) => {
    expect(calculate(question)).toBe(value);
  });

  it.each([
    ['', 'there is nothing to work out'],
    ['what is the result?', 'there is nothing to work out'],
    ['1 / 0', 'division by zero'],
    ['1 % 0', 'division by zero'],
    ['0 ** -1', 'division by zero'],
    ['divide 1 by 0', 'division by zero'],
    ['1 +', 'the expression ends too early'],
    ['(1 + 2', '")" is missing at the end'],
    ['(1 + 2 3)', '")" is missing before "3"'],
    ['1 2', 'the expression should end before "2"'],
    ['2 (3)', 'the expression should end before "("'],
    ['* 3', 'a number is missing before "*"'],
    ['subtract 3', '"from" is missing at the end'],
    ['3 of 5', '"of" is not arithmetic'],
    ['20% of', 'the expression ends too early'],
    ['of 5', 'a number is missing before "of"'],
    ['20% off 50', '"off" is not arithmetic'],
    ...[
      '100 + 20%',
      '100 - 20%',
      '100 - -20%',
      '100 + 20 percent',
      '20% + 5',
      '7 % -3',
      'add 20% to 50',
      'subtract 20% from 50',
      'the sum of 20% and 5',
      '1 + 100 - 20%',
    ].map((question): [string, string] => [question, 'a percentage that is added or subtracted can mean two things']),
    ['sqrt(16)', '"sqrt" is not arithmetic'],
    ['hand + 1', '"hand" is not arithmetic'],
    ['max 3', '"max" is not arithmetic'],
    ['process.exit()', '"process" is not arithmetic'],
    ['[1][0]', '"[" is not arithmetic'],
    ['1 = 2', '"=" is not arithmetic'],
    ['1,5 + 1', '"1,5" is not arithmetic'],
    ['0x10', '"0x10" is not arithmetic'],
    ['٣ + 1', '"٣" is not arithmetic'],
    ['1e999', 'the number 1e999 is too large'],
    ['1e308 * 10', 'the result is too large'],
    ['1 / (1e308 * 10)', 'the result is too large'],
    ['9 ** 9999', 'the result is too large'],
    ['1.0001 ** 10001', 'the exponent 10001 is beyond 10000'],
    ['(-8) ** 0.5', '-8 to the power of 0.5 is not a real number'],
    [`${'('.repeat(101)}1${')'.repeat(101)}`, 'the expression is more than 100 levels deep'],
    ['-'.repeat(500), 'the expression is more than 100 levels deep'],
    [`${'1+'.repeat(500)}1`, 'the expression is 1001 characters long; at most 1000 are allowed'],
  ])('refuses %s for good', (question, message) => {
    expect(refusal(question)).toBe(message);
  });

  it('takes 100 levels and 1,000 characters', () => {
    expect(calculate(`${'('.repeat(99)}1${')'.repeat(99)}`)).toBe(1);
    expect(calculate(`${'1+'.repeat(499)}1`)).toBe(500);
  });

  it('agrees with JavaScript on any expression of the two', () => {
    const number = fc.integer({ min: 0, max: 99 }).map(String);
    const expression = fc.letrec<{ value: string; sum: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        number,
        tie('sum').map((inner) => `(${inner})`),
        number.map((digits) => `(-${digits})`),
      ),
      sum: fc
        .tuple(
          tie('value'),
          fc.array(fc.tuple(fc.constantFrom('+', '-', '*', '/', '**'), tie('value')), { maxLength: 4 }),
        )
        .map(([first, rest]) => first + rest.map(([operator, value]) => ` ${operator} ${value}`).join('')),
    })).sum;
    let compared = 0;
    fc.assert(
      fc.property(expression, (text) => {
        const wanted: unknown = new Function(`return ${text}`)();
        const found = refusal(text);
        if (found.startsWith('gave ')) {
          compared += 1;
          expect(Number(found.slice(5))).toBeCloseTo(wanted as number, 9);
        } else {
          expect(found).toMatch(/division by zero|too large|beyond 10000|not a real number|characters long/);
        }
      }),
      { numRuns: 2000 },
    );
    expect(compared).toBeGreaterThan(500);
  });

  it('gives a finite number or a hard error, whatever it is asked', () => {
    const piece = fc.constantFrom(
      '1',
      '9e307',
      '0',
      '.',
      ',',
      'x',
      ' and ',
      ' subtract ',
      ' from ',
      'divide ',
      ' by ',
      '(',
      ')',
      '**',
      '*',
      '-',
      '%',
      '^',
      '?',
      ' of ',
      ' percent ',
      '\0',
      '𝟙',
    );
    const question = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(question, (text) => {
        const found = refusal(text);
        if (found.startsWith('gave ')) expect(Number.isFinite(Number(found.slice(5)))).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
