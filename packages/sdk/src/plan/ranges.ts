/** What something may take: at least about, most likely, at most about. */
export interface Range {
  readonly low: number;
  readonly expected: number;
  readonly high: number;
}

const ends = ['low', 'expected', 'high'] as const;

function each(make: (end: (typeof ends)[number]) => number): Range {
  return { low: make('low'), expected: make('expected'), high: make('high') };
}

/** A range from its three numbers, or from one that is certain. */
export function range(low: number, expected: number = low, high: number = expected): Range {
  return { low, expected, high };
}

export function sum(...ranges: readonly Range[]): Range {
  return each((end) => ranges.reduce((total, one) => total + one[end], 0));
}

/** So often the same. */
export function times(one: Range, often: Range): Range {
  return each((end) => one[end] * often[end]);
}

/** One of several, nobody knows which: from the least to the most, their mean expected. */
export function eitherOf(ranges: readonly Range[]): Range {
  if (ranges.length === 0) return range(0);
  return {
    low: Math.min(...ranges.map(({ low }) => low)),
    expected: ranges.reduce((total, { expected }) => total + expected, 0) / ranges.length,
    high: Math.max(...ranges.map(({ high }) => high)),
  };
}

/** Perhaps not at all. */
export function perhaps(one: Range): Range {
  return { ...one, low: 0 };
}

/** From what was seen: the tenth part lies below `low`, half below `expected`, nine tenths below `high`. */
export function quantiles(seen: readonly number[]): Range {
  const sorted = [...seen].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return range(at(0.1), at(0.5), at(0.9));
}

/** Two digits say all that an estimate knows; whole numbers below 100 stay. */
export function rounded({ low, expected, high }: Range): Range {
  return { low: twoDigits(low), expected: twoDigits(expected), high: twoDigits(high) };
}

function twoDigits(value: number): number {
  return value < 100 ? Math.round(value) : Number(value.toPrecision(2));
}
