import type { Tool } from '../../core/tool.ts';
import { systemClock } from '../../run/system-clock.ts';
import { createSearchTool, type SearchResult } from '../../tool/library/search-tool.ts';

/** The question the recording answers. */
export const demoQuestion = 'Which stock price grew faster in 2024, Amazon or Google?';

/** Whether a question is the one of the recording, however it is written. */
export function isDemoQuestion(question: string): boolean {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim();
  return plain(question) === plain(demoQuestion);
}

/** Closing prices of the last trading days of 2023 (29 December) and 2024 (31 December), in US dollars. */
export const prices = {
  amazon: { from: 151.94, to: 219.39 },
  google: { from: 139.69, to: 189.3 },
} as const;

const results: Readonly<Record<keyof typeof prices, readonly SearchResult[]>> = {
  amazon: [
    {
      title: 'Amazon.com, Inc. (AMZN): historical prices',
      url: 'https://finance.yahoo.com/quote/AMZN/history/',
      content:
        'AMZN closed at 151.94 USD on 29 December 2023 and at 219.39 USD on 31 December 2024 (NASDAQ, last trading days of the years).',
    },
  ],
  google: [
    {
      title: 'Alphabet Inc. class A (GOOGL): historical prices',
      url: 'https://finance.yahoo.com/quote/GOOGL/history/',
      content:
        'GOOGL closed at 139.69 USD on 29 December 2023 and at 189.30 USD on 31 December 2024 (NASDAQ, last trading days of the years).',
    },
  ],
};

/** The search tool with recorded results: the same id, arguments and form of results, and no network. */
export function recordedSearchTool(delayMs: number): Tool<{ readonly search_query: string }, readonly SearchResult[]> {
  const real = createSearchTool();
  return Object.freeze({
    ...real,
    async run({ search_query }, { signal }) {
      await systemClock.sleep(delayMs, signal);
      return /google|alphabet|goog/i.test(search_query) ? results.google : results.amazon;
    },
  } satisfies typeof real);
}
