import { type Input, usageError } from './input.ts';

const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

/** The milliseconds of an age such as `90d`, `12h` or `30m`; `undefined` when it was not given. */
export function ageOf(input: Input, option: string): number | undefined {
  const text = input.text(option);
  if (text === undefined) return undefined;
  const [, count = '', unit = ''] = /^(\d{1,9})([dhms])$/.exec(text) ?? [];
  if (count === '') throw usageError(`--${option} needs an age, not ${JSON.stringify(text)}`, 'write 90d, 12h or 30m');
  if (Number(count) === 0) throw usageError(`--${option} ${text} would be everything at once`, 'write 90d, 12h or 30m');
  return Number(count) * (units[unit] ?? 0);
}
