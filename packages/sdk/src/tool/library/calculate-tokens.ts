import { ToolHardError } from '../../core/errors.ts';

/** One piece of an expression: a number, an operator, a parenthesis, or a word that orders a sentence. */
export interface Token {
  readonly kind: string;
  /** As it was written. */
  readonly text: string;
  readonly value?: number;
}

/** Words for operators; a sentence may also begin with subtract, divide, multiply or add. */
const words: Readonly<Record<string, string>> = {
  plus: '+',
  and: '+',
  minus: '-',
  times: '*',
  x: '*',
  mod: '%',
  modulo: '%',
  subtract: 'subtract',
  from: 'from',
  divide: 'divide',
  multiply: 'multiply',
  by: 'by',
  add: 'add',
  to: 'to',
  of: 'of',
  percent: 'percent',
};

/** Words that carry no arithmetic. Any other unknown word is an error: leaving it out could change the meaning. */
const filler = new Set(
  'what whats is are the a result value answer calculate compute evaluate solve please how much find me tell equals equal'.split(
    ' ',
  ),
);

const phrases: readonly (readonly [RegExp, string])[] = [
  [/\bdivided\s+by\b/g, ' / '],
  [/\bmultipl(?:ied|y)\s+by\b/g, ' * '],
  [/([\d)])\s*\bdivide\s+by\b/g, '$1 / '],
  [/\b(?:raised\s+)?to\s+the\s+power\s+of\b/g, ' ** '],
  [/\bsum\s+of\b/g, ' add '],
  [/\bper\s+cent\b/g, ' percent '],
  [/\bwhat['’]s\b/g, ' '],
];

const signs = new Map([
  ['**', '**'],
  ['^', '**'],
  ['+', '+'],
  ['-', '-'],
  ['−', '-'],
  ['–', '-'],
  ['*', '*'],
  ['×', '*'],
  ['·', '*'],
  ['/', '/'],
  ['÷', '/'],
  ['%', '%'],
  ['(', '('],
  [')', ')'],
]);

const pattern =
  /(?<space>[\s$£€¥]+)|(?<number>(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|(?<word>[a-z]+)|(?<sign>\*\*|[-+*/%()^−–×·÷])|(?<end>[=?!.]\s*)/uy;

/** Splits an expression. @throws ToolHardError for words, signs and numbers that are not arithmetic. */
export function readTokens(question: string): Token[] {
  let text = question.toLowerCase();
  for (const [phrase, sign] of phrases) text = text.replace(phrase, sign);
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const groups = pattern.exec(text)?.groups;
    if (!groups) throw notUnderstood(Array.from(text.slice(at))[0] ?? '');
    const { number, word, sign, end } = groups;
    if (number !== undefined) tokens.push(numberToken(number, text.slice(at)));
    else if (word !== undefined) pushWord(tokens, word);
    else if (sign !== undefined) tokens.push({ kind: signs.get(sign) ?? sign, text: sign });
    else if (end !== undefined && text.slice(pattern.lastIndex).replace(/[=?!.\s]/g, '') !== '')
      throw notUnderstood(end.trim());
  }
  return tokens;
}

function pushWord(tokens: Token[], word: string): void {
  const kind = words[word];
  if (kind !== undefined) tokens.push({ kind, text: word });
  else if (!filler.has(word)) throw notUnderstood(word);
}

function numberToken(written: string, rest: string): Token {
  if (/^0x[\da-f]/.test(rest)) throw notUnderstood(/^0x[\da-f]+/.exec(rest)?.[0] ?? written);
  if (/^[\d.]+,\d/.test(rest) && !written.includes(',')) throw notUnderstood(/^[\d.,]+/.exec(rest)?.[0] ?? written);
  const value = Number(written.replaceAll(',', ''));
  if (!Number.isFinite(value)) throw new ToolHardError(`the number ${written} is too large`);
  return { kind: 'number', text: written, value };
}

function notUnderstood(text: string): ToolHardError {
  return new ToolHardError(`${JSON.stringify(text)} is not arithmetic`, {
    hint: 'write numbers with + - * / ** % and parentheses; a percentage as 20% of 50',
  });
}
