import { plainLine } from '../../clarify/plain-text.ts';
import type { CostEstimate } from '../../plan/estimate.ts';
import type { Range } from '../../plan/ranges.ts';
import type { Sheet } from '../command.ts';
import { type Cell, table } from './table.ts';
import { dollars } from './text.ts';

/** An estimate for people. */
export function estimateLines(estimate: CostEstimate, sheet: Sheet): string[] {
  const { paint } = sheet;
  const from =
    estimate.basis === 'runs'
      ? `from ${estimate.runs} recorded run${estimate.runs === 1 ? '' : 's'} of this plan`
      : 'from the shape of the plan: no run of it is recorded';
  const columns = [{ title: '', fills: true as const }, { title: 'low' }, { title: 'expected' }, { title: 'high' }];
  const line = (name: string, of: Range, show: (value: number) => string = String): Cell[] => [
    name,
    show(of.low),
    show(of.expected),
    show(of.high),
  ];
  const rows = [
    line('model calls', estimate.modelCalls),
    line('tool calls', estimate.toolCalls),
    line('tokens in', estimate.inputTokens),
    line('tokens out', estimate.outputTokens),
    ...(estimate.costUsd ? [line('cost', estimate.costUsd, dollars)] : []),
  ];
  const unknown = estimate.unpricedModels.map(plainLine).join(', ');
  return [
    paint.bold(from),
    '',
    ...table(columns, rows, sheet),
    ...(estimate.costUsd ? [] : ['', paint.yellow(`the cost is not known: no price for ${unknown}`)]),
    '',
    ...estimate.assumptions.map((assumption) => paint.dim(`- ${assumption}`)),
  ];
}
