import { ToolHardError } from '../../core/errors.ts';
import { readTokens, type Token } from './calculate-tokens.ts';

const longest = 1000;
const deepest = 100;
const largestExponent = 10_000;

/**
 * The value of an arithmetic expression: numbers, `+ - * / ** ^ %`, unary signs, parentheses, and the words for them.
 * `**` binds tightest and to the right (`-2 ** 2` is -4). `%` before a value is the remainder with the sign of the
 * divisor; before anything else it is a percentage: `20% of 144`, `144 * 20%`. A percentage added or subtracted is
 * refused, because people mean either number by it. At most 1,000 characters, 100 levels deep, exponents up to 10,000,
 * in double precision.
 *
 * @throws ToolHardError saying what cannot be worked out and where.
 */
export function calculate(question: string): number {
  if (question.length > longest)
    throw new ToolHardError(`the expression is ${question.length} characters long; at most ${longest} are allowed`);
  const parser = new Parser(readTokens(question));
  const value = parser.expression(0);
  parser.expectEnd();
  return value === 0 ? 0 : value;
}

/** How tightly the operators between two values bind; `**` goes to the right. */
const binding: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, of: 4, '**': 5 };
const unaryBinding = 3;

/** What a value begins with: before these `%` is the remainder. */
const valueStarts: ReadonlySet<string> = new Set(['number', '(', 'subtract', 'divide', 'multiply', 'add']);

/** A Pratt parser that works the value out as it reads. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Where the percentage that was read last begins, after its sign, and where it ends. */
  #percentage = { from: -1, to: -1, value: 0 };

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  expression(least: number): number {
    this.#depth += 1;
    if (this.#depth > deepest) throw new ToolHardError(`the expression is more than ${deepest} levels deep`);
    const from = this.#at;
    let left = this.#percent(this.#value(), from);
    for (;;) {
      const operator = this.#tokens[this.#at]?.kind ?? '';
      const power = binding[operator];
      if (power === undefined || power < least) break;
      if (operator === 'of') {
        left = this.#partOf();
        continue;
      }
      const isSum = operator === '+' || operator === '-';
      if (isSum) this.#refusePercentage(from);
      this.#at += 1;
      const right = this.#at;
      left = combine(operator, left, this.expression(operator === '**' ? power : power + 1));
      if (isSum) this.#refusePercentage(right);
    }
    this.#depth -= 1;
    return left;
  }

  expectEnd(): void {
    const rest = this.#tokens[this.#at];
    if (rest) throw new ToolHardError(`the expression should end before ${JSON.stringify(rest.text)}`);
  }

  /** A value and the signs of percent after it. */
  #percent(value: number, from: number): number {
    let part = value;
    for (;;) {
      const kind = this.#tokens[this.#at]?.kind;
      const isPercent =
        kind === 'percent' || (kind === '%' && !valueStarts.has(this.#tokens[this.#at + 1]?.kind ?? ''));
      if (!isPercent) return part;
      this.#at += 1;
      this.#percentage = { from, to: this.#at, value: part };
      part /= 100;
    }
  }

  /** `of` and what follows. It is divided last, so that 7% of 100 is 7 and not a hair more. */
  #partOf(): number {
    const { to, value } = this.#percentage;
    if (to !== this.#at)
      throw new ToolHardError('"of" is not arithmetic', { hint: 'only a percentage is of something: 20% of 144' });
    this.#at += 1;
    return combine('*', value, this.expression(binding['of'] ?? 0)) / 100;
  }

  /** 100 + 20% is 120 to most people, and 100.2 as it stands: nobody gets the other number unawares. */
  #refusePercentage(from: number): void {
    let start = from;
    while (/^[-+]$/.test(this.#tokens[start]?.kind ?? '')) start += 1;
    if (this.#percentage.from !== start || this.#percentage.to !== this.#at) return;
    throw new ToolHardError('a percentage that is added or subtracted can mean two things', {
      hint: 'write 100 + 20% of 100, or 100 + 20 / 100; a remainder by a negative number as 7 % (-3)',
    });
  }

  #value(): number {
    const token = this.#next();
    switch (token.kind) {
      case 'number':
        return token.value ?? 0;
      case '+':
        return this.expression(unaryBinding);
      case '-':
        return -this.expression(unaryBinding);
      case '(': {
        const value = this.expression(0);
        this.#expect(')');
        return value;
      }
      default:
        return this.#sentence(token);
    }
  }

  /** `subtract 3 from 10`, `divide 10 by 2`, `multiply 3 by 4`, `add 3 to 4`, `add 3 and 4`. */
  #sentence(token: Token): number {
    const first = (): number => this.expression(0);
    switch (token.kind) {
      case 'subtract': {
        const from = this.#at;
        const taken = first();
        this.#refusePercentage(from);
        this.#expect('from');
        return combine('-', first(), taken);
      }
      case 'divide': {
        const dividend = first();
        this.#expect('by');
        return combine('/', dividend, first());
      }
      case 'multiply': {
        const factor = first();
        this.#expect('by');
        return combine('*', factor, first());
      }
      case 'add': {
        const from = this.#at;
        const sum = first();
        if (this.#tokens[this.#at]?.kind !== 'to') return sum;
        this.#refusePercentage(from);
        this.#at += 1;
        return combine('+', sum, first());
      }
      default:
        throw new ToolHardError(`a number is missing before ${JSON.stringify(token.text)}`);
    }
  }

  #next(): Token {
    const token = this.#tokens[this.#at];
    if (!token)
      throw new ToolHardError(this.#at === 0 ? 'there is nothing to work out' : 'the expression ends too early');
    this.#at += 1;
    return token;
  }

  #expect(kind: string): void {
    const found = this.#tokens[this.#at];
    if (found?.kind !== kind) {
      throw new ToolHardError(`"${kind}" is missing ${found ? `before ${JSON.stringify(found.text)}` : 'at the end'}`);
    }
    this.#at += 1;
  }
}

function combine(operator: string, left: number, right: number): number {
  const value = applyOperator(operator, left, right);
  if (!Number.isFinite(value)) throw new ToolHardError('the result is too large');
  return value;
}

function applyOperator(operator: string, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      if (right === 0) throw new ToolHardError('division by zero');
      return left / right;
    case '%':
      return remainder(left, right);
    default:
      return power(left, right);
  }
}

/** The remainder with the sign of the divisor: -7 % 3 is 2. */
function remainder(left: number, right: number): number {
  if (right === 0) throw new ToolHardError('division by zero');
  const rest = left % right;
  return rest !== 0 && rest < 0 !== right < 0 ? rest + right : rest;
}

function power(base: number, exponent: number): number {
  if (Math.abs(exponent) > largestExponent)
    throw new ToolHardError(`the exponent ${exponent} is beyond ${largestExponent}`);
  if (base === 0 && exponent < 0) throw new ToolHardError('division by zero');
  const value = base ** exponent;
  if (Number.isNaN(value)) throw new ToolHardError(`${base} to the power of ${exponent} is not a real number`);
  return value;
}
