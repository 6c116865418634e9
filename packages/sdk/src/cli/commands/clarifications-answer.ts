import type { Portia } from '../../client.ts';
import type { Audience } from '../../core/clarification.ts';
import { PortiaError } from '../../core/errors.ts';
import { ClarificationUUID, PlanRunUUID } from '../../core/ids.ts';
import type { PlanRun } from '../../core/plan-run.ts';
import type { Command, Context } from '../command.ts';
import { nextCommand } from '../command-text.ts';
import { driveRun, withSession } from '../drive-run.ts';
import { exitCodes } from '../exit-codes.ts';
import { type Input, usageError } from '../input.ts';
import { localUser } from '../local-user.ts';
import { withClient } from '../open-client.ts';
import { driveOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { openRecords } from '../questions-of.ts';
import { typedAnswer } from '../values.ts';
import { count } from '../view/text.ts';

/** Answers a question. */
export const clarificationsAnswerCommand: Command = {
  name: 'clarifications answer',
  args: 'RUN_ID CLARIFICATION_ID VALUE',
  summary: 'answer a question; the run goes on with resume, or by itself where a worker drives it',
  details: ['VALUE is an option by its text, true or false where a yes is asked, else JSON or text.'],
  reads: true,
  words: [3, 3],
  options: {
    as: { type: 'text', value: 'CAPACITY', help: 'operator (unless given), role:NAME, or endUser' },
    by: { type: 'text', value: 'ID', help: 'who answers, for the record (the user of this machine)' },
    text: { type: 'flag', help: 'take VALUE as text, also when it looks like JSON' },
    resume: { type: 'flag', help: 'and go on with the run from here' },
    ...driveOptions,
  },
  async run(context) {
    const { input } = context;
    const [run = '', clarification = ''] = input.positionals;
    const planRunId = PlanRunUUID.fromString(run);
    const clarificationId = ClarificationUUID.fromString(clarification);
    const as = capacity(input);
    if (!input.flag('resume')) {
      return withClient(context, async (portia) =>
        told(context, portia, await answer(context, portia, planRunId, clarificationId, as)),
      );
    }
    return withSession(context, async (session) => {
      const { portia } = session;
      const { planId } = await answer(context, portia, planRunId, clarificationId, as);
      const plan = await portia.storage.getPlan(planId);
      return driveRun(session, plan, planRunId, (signal) => portia.resume({ planRunId, signal }));
    });
  },
};

function capacity(input: Input): Audience {
  const as = input.text('as') ?? 'operator';
  if (as === 'operator' || as === 'endUser' || (as.startsWith('role:') && as.length > 5)) return as as Audience;
  throw usageError(`--as ${as} is no capacity`, 'give operator, role:NAME or endUser');
}

async function answer(
  { input }: Context,
  portia: Portia,
  planRunId: PlanRunUUID,
  clarificationId: ClarificationUUID,
  as: Audience,
): Promise<PlanRun> {
  const typed = input.positionals[2] ?? '';
  const records = await portia.storage.getClarifications(planRunId);
  const record = records.find(({ clarification }) => clarification.id === clarificationId);
  if (!record) {
    throw new PortiaError({
      code: 'CLARIFICATION_NOT_FOUND',
      message: `run ${planRunId} has no clarification ${clarificationId}`,
      planRunId,
    });
  }
  const response = input.flag('text') ? typed : typedAnswer(record.clarification, typed);
  const resolvedBy = { id: input.text('by') ?? localUser(), as };
  return portia.resolveClarification({ planRunId, clarificationId, response, resolvedBy, via: 'cli' });
}

async function told({ input, io, json }: Context, portia: Portia, run: PlanRun): Promise<number> {
  if (json) {
    writeJson(io.out, run);
    return exitCodes.complete;
  }
  const { paint } = io.err;
  const open = (await openRecords(portia, run.id)).length;
  const next =
    open > 0
      ? `${count(open, 'question')} still open: ${nextCommand(input, ['clarifications list', run.id])}`
      : `${paint.dim('where a worker runs, it goes on by itself; else:')} ${nextCommand(input, ['resume', run.id], true)}`;
  writeLines(io.err, [`${paint.green('✓')} answered`, `  ${next}`]);
  return exitCodes.complete;
}
