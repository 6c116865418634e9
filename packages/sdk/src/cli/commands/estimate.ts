import type { Portia } from '../../client.ts';
import { PlanUUID } from '../../core/ids.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { withClient } from '../open-client.ts';
import { modelOptions, storeOptions, toolOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { estimateLines } from '../view/estimate-lines.ts';

/** Estimates what a run of a stored plan takes. */
export const estimateCommand: Command = {
  name: 'estimate',
  args: 'PLAN_ID',
  summary: 'estimate what a run of a stored plan costs; no model is asked',
  reads: true,
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
