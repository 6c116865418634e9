import { ToolHardError } from '../../core/errors.ts';
import { readTokens, type Token } from './calculate-tokens.ts';

const longest = 1000;
const deepest = 100;
const largestExponent = 10_000;

/**
 * The value of an arithmetic expression: numbers, `+ - * / ** ^ %`, unary signs, parentheses, and the words for them.
 * `**` binds tightest and to the right (`-2 ** 2` is -4); `%` is the remainder with the sign of the divisor. At most
 * 1,000 characters, 100 levels deep, exponents up to 10,000, in double precision.
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
const binding: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '**': 4 };
const unaryBinding = 3;

/** A Pratt parser that works the value out as it reads. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  expression(least: number): number {
    this.#depth += 1;
    if (this.#depth > deepest) throw new ToolHardError(`the expression is more than ${deepest} levels deep`);
    let left = this.#value();
    for (;;) {
      const operator = this.#tokens[this.#at]?.kind ?? '';
      const power = binding[operator];
      if (power === undefined || power < least) break;
      this.#at += 1;
      left = combine(operator, left, this.expression(operator === '**' ? power : power + 1));
    }
    this.#depth -= 1;
    return left;
  }

  expectEnd(): void {
    const rest = this.#tokens[this.#at];
    if (rest) throw new ToolHardError(`the expression should end before ${JSON.stringify(rest.text)}`);
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
        const taken = first();
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
        const sum = first();
        if (this.#tokens[this.#at]?.kind !== 'to') return sum;
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
