import { setTimeout as sleep } from 'node:timers/promises';
import { plainLine } from '../clarify/plain-text.ts';
import type { Portia } from '../client.ts';
import { PortiaError } from '../core/errors.ts';
import type { RunEvent, RunNotice } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { Plan } from '../core/plan.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { isFinished } from '../core/run-state.ts';
import { TerminalPerson } from './asking.ts';
import type { Context } from './command.ts';
import { nextCommand } from './command-text.ts';
import { exitCodeOfRun, exitCodes } from './exit-codes.ts';
import { withClient } from './open-client.ts';
import { writeError, writeJson, writeLines } from './output.ts';
import { openQuestions } from './questions-of.ts';
import { LiveView } from './view/live-view.ts';
import { takeoverLines } from './view/ledger-table.ts';
import { Progress } from './view/progress.ts';
import { closingLines } from './view/run-view.ts';

/** A client that asks the person at this terminal, where there is one and they are to be asked. */
export interface Session {
  readonly context: Context;
  readonly portia: Portia;
  readonly person: TerminalPerson | undefined;
}

/** Opens a client for driving runs, and listens to ctrl-C from now on. */
export async function withSession(context: Context, work: (session: Session) => Promise<number>): Promise<number> {
  const { io, input, interrupt } = context;
  interrupt.arm();
  const asks = io.canAsk && !input.flag('no-clarifications');
  const person = asks ? new TerminalPerson(() => interrupt.stop()) : undefined;
  const hooks = person ? { executionHooks: { clarificationHandler: person.handler } } : {};
  try {
    return await withClient(context, (portia) => work({ context, portia, person }), hooks);
  } finally {
    person?.close();
  }
}

/**
 * Drives a run from here: shows what happens, asks what is asked, and gives the exit code. The run is printed on
 * stdout as it was left, and what to do next on stderr.
 */
export async function driveRun(
  session: Session,
  plan: Plan,
  planRunId: PlanRunUUID,
  begin: (signal: AbortSignal) => Promise<PlanRun>,
): Promise<number> {
  const { context, portia, person } = session;
  const { err } = context.io;
  const past = await portia.storage.getEvents(planRunId);
  const progress = new Progress(plan, portia.tools, err.paint);
  for (const event of past) progress.take(event);
  const last = past.findLast(({ type }) => type === 'run-end' || type === 'run-retry');
  const takesOver = past.length > 0 && last?.type !== 'run-end' && !context.json;
  const reused = takesOver ? takeoverLines(past, await portia.storage.getToolCalls(planRunId), err.paint) : [];
  const paper = context.json ? { ...err, isLive: false, write: () => {} } : err;
  const quiet = context.input.text('log-level') === undefined && context.input.text('default-log-level') === undefined;
  const view = new LiveView(quiet ? paper : { ...paper, isLive: false, write: paper.write.bind(paper) }, progress);
  if (person) person.view = view;
  const following = new AbortController();
  // Said once the run goes on from here: where it is driven elsewhere, nothing is taken over.
  const begun = (): void => view.print(...reused.splice(0));
  const followed = follow(portia, planRunId, past.at(-1)?.seq ?? 0, following.signal, (event) => {
    begun();
    view.take(event);
  });
  try {
    const run = await begin(context.interrupt.signal);
    begun();
    // What happened last is still on its way to the view.
    if (isFinished(run)) await Promise.race([followed, sleep(1_000)]);
    else await sleep(50);
    view.stop();
    return await reportRun(session, run);
  } catch (error) {
    if (!PortiaError.isInstance(error) || error.code !== 'RUN_BUSY') throw error;
    view.stop();
    return drivenElsewhere(context, planRunId);
  } finally {
    following.abort();
    view.stop();
    await followed;
    if (person) person.view = undefined;
  }
}

/** Nothing is wrong: a worker, or another command, is faster. Says where to look. */
function drivenElsewhere({ io, input, json }: Context, id: PlanRunUUID): number {
  const message = `run ${id} is being driven by another process, such as a worker, and goes on there`;
  const hint = `see how far it is with: ${nextCommand(input, ['runs show', id])}; should that process die, resume takes the run over`;
  writeError(io.err, { code: 'RUN_BUSY', message, hint }, json);
  return exitCodes.conflict;
}

async function follow(
  portia: Portia,
  id: PlanRunUUID,
  after: number,
  signal: AbortSignal,
  take: (event: RunEvent | RunNotice) => void,
): Promise<void> {
  for await (const event of portia.events(id, { after, signal })) take(event);
}

/** Prints a run as it was left, and what to do next; gives the exit code. */
async function reportRun({ context, portia }: Session, run: PlanRun): Promise<number> {
  const { io, input, interrupt, json } = context;
  const { err, out } = io;
  if (!json) {
    writeLines(err, closingLines(run, err));
    writeLines(err, await nextLines(context, portia, run));
  } else if (run.state === 'FAILED') {
    const hint = `go on from the failed step with: ${nextCommand(input, ['runs retry', run.id], true)}`;
    writeError(err, { code: run.error.code, message: run.error.message, hint }, true);
  }
  writeJson(out, run);
  return exitCodeOfRun(run, interrupt.by);
}

async function nextLines({ io, input, interrupt }: Context, portia: Portia, run: PlanRun): Promise<string[]> {
  const { paint } = io.err;
  const again = (words: string): string => nextCommand(input, [words, run.id], true);
  if (run.state !== 'COMPLETE' && portia.config.storage.class === 'MEMORY') {
    const questions = run.getOutstandingClarifications().map(({ userGuidance }) => `  ${plainLine(userGuidance)}`);
    return [
      '',
      ...questions,
      paint.yellow('the run is kept in memory only and ends with this process; leave --storage out to go on later'),
    ];
  }
  switch (run.state) {
    case 'COMPLETE':
      return [];
    case 'FAILED':
      return [`  ${paint.dim('go on from the failed step:')} ${again('runs retry')}`];
    case 'NEED_CLARIFICATION':
      return [
        '',
        ...(await openQuestions(portia, run.id, input, paint)),
        '',
        `${paint.dim('then go on:')} ${again('resume')}`,
      ];
    default:
      return [
        '',
        `${paint.yellow(interrupt.by ? 'stopped; nothing is lost' : `the run is ${run.state}`)}  ${paint.dim('go on:')} ${again('resume')}`,
      ];
  }
}
