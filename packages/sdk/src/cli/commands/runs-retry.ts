import { PlanRunUUID } from '../../core/ids.ts';
import type { Command } from '../command.ts';
import { driveRun, withSession } from '../drive-run.ts';
import { budgetOption, driveOptions } from '../options.ts';
import { budgetOf } from '../values.ts';
import { localUser } from '../local-user.ts';

/** Takes up a failed run. */
export const runsRetryCommand: Command = {
  name: 'runs retry',
  args: 'RUN_ID',
  summary: 'go on with a failed run from the failed step; what succeeded is kept',
  reads: true,
  words: [1, 1],
  options: {
    by: { type: 'text', value: 'ID', help: 'who does it, for the record (the user of this machine)' },
    ...budgetOption,
    ...driveOptions,
  },
  async run(context) {
    const planRunId = PlanRunUUID.fromString(context.input.positionals[0] ?? '');
    const budget = budgetOf(context.input);
    return withSession(context, async (session) => {
      const { portia } = session;
      const { planId } = await portia.storage.getPlanRun(planRunId);
      const plan = await portia.storage.getPlan(planId);
      const by = context.input.text('by') ?? localUser();
      return driveRun(session, plan, planRunId, (signal) => portia.retry({ planRunId, by, budget, signal }));
    });
  },
};
