import { plainLine } from '../../clarify/plain-text.ts';
import type { Portia } from '../../client.ts';
import type { RunEvent } from '../../core/event.ts';
import { PlanRunUUID } from '../../core/ids.ts';
import type { PlanRun } from '../../core/plan-run.ts';
import type { ClarificationRecord } from '../../core/run-state.ts';
import type { Command, Context, Sheet } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { withClient } from '../open-client.ts';
import { storeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { openQuestions } from '../questions-of.ts';
import { ledgerTable } from '../view/ledger-table.ts';
import { runLines, usageTable } from '../view/run-view.ts';
import { preview } from '../view/text.ts';

/** Shows one run. */
export const runsShowCommand: Command = {
  name: 'runs show',
  args: 'RUN_ID',
  summary: 'show a run: its steps, its questions, and what it took',
  reads: true,
  words: [1, 1],
  options: {
    ledger: { type: 'flag', help: 'also every tool call: arguments, outcome, how often it was tried' },
    events: { type: 'flag', help: 'also all that happened, in order' },
    ...storeOptions,
  },
  async run(context) {
    const { io, input, json } = context;
    const id = PlanRunUUID.fromString(input.positionals[0] ?? '');
    return withClient(context, async (portia) => {
      const run = await portia.storage.getPlanRun(id);
      if (json) writeJson(io.out, await runJson(context, portia, run));
      else writeLines(io.out, await runText(context, portia, run));
      return exitCodes.complete;
    });
  },
};

/** The run's document and, beside it, what such a document cannot hold. */
async function runJson({ input }: Context, portia: Portia, run: PlanRun): Promise<object> {
  const clarifications = await portia.storage.getClarifications(run.id);
  return {
    planRun: run,
    error: run.error ?? null,
    executionContext: run.executionContext,
    planning: (await portia.storage.getPlanningUsage(run.planId)) ?? null,
    clarifications: clarifications.map(
      ({ clarification, audience, resolvedBy, resolvedAs, via, expiresAt = null }) => ({
        id: clarification.id,
        audience,
        expiresAt,
        resolvedBy,
        resolvedAs,
        via,
      }),
    ),
    ...(input.flag('ledger') && { toolCalls: await portia.storage.getToolCalls(run.id) }),
    ...(input.flag('events') && { events: await portia.storage.getEvents(run.id) }),
  };
}

async function runText({ io, input }: Context, portia: Portia, run: PlanRun): Promise<string[]> {
  const { out } = io;
  const plan = await portia.storage.getPlan(run.planId);
  const planning = await portia.storage.getPlanningUsage(run.planId);
  const usage = usageTable(run.executionContext, plan, planning, out);
  const answered = (await portia.storage.getClarifications(run.id)).filter(
    ({ clarification }) => clarification.resolved,
  );
  const open = await openQuestions(portia, run.id, input, out.paint);
  return [
    ...runLines(run, plan, out),
    ...(usage.length > 0 ? ['', ...usage] : []),
    ...(answered.length > 0 ? ['', ...answered.map((record) => answeredLine(record, out))] : []),
    ...(open.length > 0 ? ['', ...open] : []),
    ...(input.flag('ledger')
      ? ['', out.paint.bold('Ledger'), ...ledgerTable(await portia.storage.getToolCalls(run.id), out)]
      : []),
    ...(input.flag('events')
      ? [
          '',
          out.paint.bold('Events'),
          ...(await portia.storage.getEvents(run.id)).map((event) => eventLine(event, out)),
        ]
      : []),
  ];
}

function answeredLine(
  { clarification, resolvedBy, resolvedAs, via }: Readonly<ClarificationRecord>,
  { paint }: Sheet,
): string {
  const who =
    resolvedBy === null ? 'the host program' : `${plainLine(resolvedBy)}${resolvedAs ? ` (${resolvedAs})` : ''}`;
  return `${paint.green('✓')} ${clarification.category} ${paint.dim(`answered by ${who}${via ? `, ${via}` : ''}:`)} ${preview(clarification.response)}`;
}

function eventLine({ seq, at, type, v: _v, ...rest }: RunEvent, { paint }: Sheet): string {
  const time = new Date(at).toISOString().slice(11, 23);
  return `  ${paint.dim(`${String(seq).padStart(4)} ${time}`)} ${type.padEnd(22)} ${preview(JSON.stringify(rest))}`;
}
