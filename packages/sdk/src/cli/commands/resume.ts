import { PlanRunUUID } from '../../core/ids.ts';
import type { Command } from '../command.ts';
import { driveRun, withSession } from '../drive-run.ts';
import { driveOptions } from '../options.ts';

/** Goes on with a run. */
export const resumeCommand: Command = {
  name: 'resume',
  args: 'RUN_ID',
  summary: 'go on with a run from where its record ends',
  details: ['What is open is asked here when there is a terminal; a finished run is printed as it is.'],
  reads: true,
  words: [1, 1],
  options: driveOptions,
  async run(context) {
    const planRunId = PlanRunUUID.fromString(context.input.positionals[0] ?? '');
    return withSession(context, async (session) => {
      const { portia } = session;
      const { planId } = await portia.storage.getPlanRun(planRunId);
      const plan = await portia.storage.getPlan(planId);
      return driveRun(session, plan, planRunId, (signal) => portia.resume({ planRunId, signal }));
    });
  },
};
