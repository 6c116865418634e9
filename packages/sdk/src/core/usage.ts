import type { RunEventBody } from './event.ts';
import type { ModelAnswer } from './model.ts';
import type { ModelUsageTotals } from './run-state.ts';

/** One model call, as its event tells it. */
export type ModelCall = Pick<
  Extract<RunEventBody, { type: 'model-call-end' }>,
  'ms' | 'microUsd' | 'estimatedTokens'
> & { readonly answer: Pick<ModelAnswer, 'usage' | 'cached'> };

/** Adds a model call to what was taken before. */
export function addModelCall(totals: ModelUsageTotals, { answer, ms, microUsd, estimatedTokens }: ModelCall): void {
  const { usage, cached } = answer;
  totals.modelCalls += 1;
  totals.modelMs += ms;
  totals.inputTokens += usage?.inputTokens ?? 0;
  totals.outputTokens += usage?.outputTokens ?? 0;
  totals.cachedInputTokens += usage?.cachedInputTokens ?? 0;
  totals.estimatedTokens += estimatedTokens ?? 0;
  if (cached) totals.cachedCalls += 1;
  else if (microUsd === undefined) totals.unpricedCalls += 1;
  else totals.microUsd += microUsd;
}

/** What model calls took, for people: dollars in place of millionths. */
export interface ModelTotals extends Readonly<Omit<ModelUsageTotals, 'microUsd'>> {
  /** US dollars to the millionth; `null` where the price of a call is not known: never less than it was. */
  readonly costUsd: number | null;
}

/** The same with dollars. Whole millionths divided once: what is shown does not drift. */
export function inDollars<Totals extends ModelUsageTotals>(
  totals: Totals,
): Readonly<Omit<Totals, 'microUsd'>> & { readonly costUsd: number | null } {
  const { microUsd, ...rest } = totals;
  return Object.freeze({ ...rest, costUsd: totals.unpricedCalls > 0 ? null : microUsd / 1e6 });
}
