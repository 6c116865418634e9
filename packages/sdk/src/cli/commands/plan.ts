import type { Command } from '../command.ts';
import { nextCommand } from '../command-text.ts';
import { exitCodes } from '../exit-codes.ts';
import { withClient } from '../open-client.ts';
import { modelOptions, storeOptions, toolOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { makePlanHere, planningOptions } from '../planning.ts';
import { estimateLines } from '../view/estimate-lines.ts';
import { planTable } from '../view/plan-table.ts';

/** Plans a query and runs nothing. */
export const planCommand: Command = {
  name: 'plan',
  args: 'QUERY',
  summary: 'plan a query and print the plan; nothing is run',
  words: [1, 1],
  options: {
    ...planningOptions,
    estimate: { type: 'flag', help: 'and what a run of it is expected to take' },
    input: { type: 'text', many: true, value: 'NAME=', help: 'an input the plan may count on' },
    'end-user-id': { type: 'text', value: 'ID', help: 'on whose behalf' },
    ...toolOptions,
    ...modelOptions,
    ...storeOptions,
  },
  async run(context) {
    const { input, io, interrupt, json } = context;
    interrupt.arm();
    return withClient(context, async (portia) => {
      const plan = await makePlanHere(context, portia, input.positionals[0] ?? '');
      const estimate = input.flag('estimate') ? await portia.estimateCost(plan) : undefined;
      if (!json) {
        const next = `${io.err.paint.dim('run it:')} ${nextCommand(input, ['run --plan', plan.id], true)}`;
        const expected = estimate ? ['', ...estimateLines(estimate, io.err)] : [];
        writeLines(io.err, [...planTable(plan, portia.tools, io.err), ...expected, '', next]);
      }
      writeJson(io.out, json && estimate ? { plan, estimate } : plan);
      return exitCodes.complete;
    });
  },
};
