import type { Portia } from '../../client.ts';
import { PlanUUID } from '../../core/ids.ts';
import { Plan } from '../../core/plan.ts';
import { isFinished } from '../../core/run-state.ts';
import { askYes } from '../asking.ts';
import type { Command, Context } from '../command.ts';
import { nextCommand } from '../command-text.ts';
import { driveRun, type Session, withSession } from '../drive-run.ts';
import { exitCodes } from '../exit-codes.ts';
import { usageError } from '../input.ts';
import { confirmOptions, driveOptions, runOptions } from '../options.ts';
import { writeLines } from '../output.ts';
import { makePlanHere, planningOptions } from '../planning.ts';
import { readJsonFile, runOptionsOf } from '../values.ts';
import { planTable } from '../view/plan-table.ts';

/** Plans a query, or takes a plan, and runs it. */
export const runCommand: Command = {
  name: 'run',
  args: 'QUERY',
  summary: 'plan a query, show the plan, and run it',
  details: ['With --plan, a plan that is stored or in a file is run instead: npx portia-ts run --plan plan.json'],
  words: [0, 1],
  options: {
    plan: { type: 'text', value: 'PLAN', help: "run this plan: a stored one's id, or a JSON file" },
    ...planningOptions,
    ...runOptions,
    ...confirmOptions,
    ...driveOptions,
  },
  run: (context) => withSession(context, (session) => planAndRun(session)),
};

async function planAndRun(session: Session): Promise<number> {
  const { context, portia } = session;
  const { input, io } = context;
  const [query] = input.positionals;
  const given = input.text('plan');
  if ((query === undefined) === (given === undefined)) {
    throw usageError(
      'run needs either a QUERY or --plan',
      'npx portia-ts run "Which stock price grew faster in 2024, Amazon or Google?"',
    );
  }
  const plan = given === undefined ? await makePlanHere(context, portia, query ?? '') : await namedPlan(portia, given);
  const options = runOptionsOf(input, plan);
  const asks = io.canAsk && !input.flag('yes') && input.bool('confirm') !== false;
  if (asks || !context.json) writeLines(io.err, [...planTable(plan, portia.tools, io.err), '']);
  if (asks && !(await askYes('Run this plan? [y/N] '))) return declined(context, portia, plan);
  const made = await portia.createPlanRun(plan, options);
  return driveRun(session, plan, made.id, async (signal) => {
    // A run key may belong to a run that is finished: it is given as it is.
    if (isFinished(made)) return made;
    return portia.resume({ planRunId: made.id, signal });
  });
}

async function declined({ io, input, interrupt }: Context, portia: Portia, plan: Plan): Promise<number> {
  if (interrupt.by) return exitCodes.interrupted;
  await portia.storage.savePlan(plan);
  writeLines(io.err, [
    `Not run. ${io.err.paint.dim('Run it later:')} ${nextCommand(input, ['run --plan', plan.id], true)}`,
  ]);
  return exitCodes.complete;
}

async function namedPlan(portia: Portia, given: string): Promise<Plan> {
  if (/^plan-[^./\\]+$/.test(given)) return portia.storage.getPlan(PlanUUID.fromString(given));
  return Plan.fromJSON(await readJsonFile(given));
}
