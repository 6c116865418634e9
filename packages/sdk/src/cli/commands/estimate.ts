import { plainLine } from '../../clarify/plain-text.ts';
import type { Portia } from '../../client.ts';
import { PlanUUID } from '../../core/ids.ts';
import type { CostEstimate } from '../../plan/estimate.ts';
import type { Range } from '../../plan/ranges.ts';
import type { Command, Sheet } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { withClient } from '../open-client.ts';
import { modelOptions, storeOptions, toolOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { type Cell, table } from '../view/table.ts';
import { dollars } from '../view/text.ts';

/** Estimates what a run of a stored plan takes. */
export const estimateCommand: Command = {
  name: 'estimate',
  args: 'PLAN_ID',
  summary: 'estimate what a run of a stored plan costs; no model is asked',
  words: [1, 1],
  options: { ...toolOptions, ...modelOptions, ...storeOptions },
  async run(context) {
    const { io, input, json } = context;
    return withClient(context, async (portia: Portia) => {
      const estimate = await portia.estimateCost(PlanUUID.fromString(input.positionals[0] ?? ''));
      if (json) writeJson(io.out, estimate);
      else writeLines(io.out, estimateLines(estimate, io.out));
      return exitCodes.complete;
    });
  },
};

/** An estimate for people. */
function estimateLines(estimate: CostEstimate, sheet: Sheet): string[] {
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
