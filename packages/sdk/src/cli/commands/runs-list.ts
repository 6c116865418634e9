import { plainLine } from '../../clarify/plain-text.ts';
import type { Portia } from '../../client.ts';
import type { PlanUUID } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import { PlanRunState } from '../../core/run-state.ts';
import { planNow } from '../../storage/plan-now.ts';
import type { RunSummary } from '../../storage/storage-backend.ts';
import { nearest } from '../../core/nearest.ts';
import type { Command, Sheet } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { type Input, usageError } from '../input.ts';
import { withClient } from '../open-client.ts';
import { storeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { stateStyle } from '../view/run-view.ts';
import { type Cell, table } from '../view/table.ts';
import { duration } from '../view/text.ts';

/** Lists the runs of the store. */
export const runsListCommand: Command = {
  name: 'runs list',
  summary: 'list runs, newest first',
  reads: true,
  words: [0, 0],
  options: {
    state: {
      type: 'text',
      many: true,
      value: 'STATE',
      help: `only runs in this state: ${Object.keys(PlanRunState).join(', ')}`,
    },
    label: { type: 'text', many: true, value: 'KEY=VALUE', help: 'only runs with this label' },
    limit: { type: 'text', value: 'N', help: 'how many (50)' },
    cursor: { type: 'text', value: 'CURSOR', help: 'from the page before' },
    ...storeOptions,
  },
  async run(context) {
    const { input, io, json } = context;
    const states = statesOf(input);
    const labels = input.pairs('label');
    return withClient(context, async (portia) => {
      const { items, cursor } = await portia.storage.listRuns({
        ...(states.length > 0 && { states }),
        ...(labels.size > 0 && { labels: Object.fromEntries(labels) }),
        limit: input.count('limit'),
        cursor: input.text('cursor'),
      });
      const queries = await queriesOf(portia, items);
      if (json) {
        writeJson(io.out, {
          runs: items.map((run) => summaryJson(run, queries)),
          ...(cursor !== undefined && { cursor }),
        });
        return exitCodes.complete;
      }
      if (items.length === 0) writeLines(io.err, ['no runs here yet']);
      else writeLines(io.out, runsTable(items, queries, io.out));
      if (cursor !== undefined) writeLines(io.err, [io.err.paint.dim(`more follow: --cursor ${cursor}`)]);
      return exitCodes.complete;
    });
  },
};

function statesOf(input: Input): PlanRunState[] {
  return input.texts('state').map((text) => {
    const name = text.toUpperCase().replaceAll('-', '_');
    if (Object.hasOwn(PlanRunState, name)) return name as PlanRunState;
    const known = Object.keys(PlanRunState);
    const near = nearest(name, known);
    throw usageError(
      `there is no state ${JSON.stringify(text)}`,
      `${near ? `did you mean ${near}? ` : ''}there are ${known.join(', ')}`,
    );
  });
}

type Queries = ReadonlyMap<PlanUUID, string>;

async function queriesOf(portia: Portia, runs: readonly RunSummary[]): Promise<Queries> {
  const ids = [...new Set(runs.map(planNow))];
  const queries = await Promise.all(
    ids.map(
      async (id) =>
        [
          id,
          await portia.storage.getPlan(id).then(
            ({ planContext }) => planContext.query,
            () => '',
          ),
        ] as const,
    ),
  );
  return new Map(queries);
}

function summaryJson({ header, status }: RunSummary, queries: Queries): JsonObject {
  return {
    id: header.id,
    planId: planNow({ header, status }),
    state: status.state,
    query: queries.get(planNow({ header, status })) ?? '',
    createdAt: header.createdAt,
    updatedAt: status.updatedAt,
    endUserId: header.endUserId,
    labels: { ...header.labels },
    runKey: header.runKey ?? null,
    error: status.error ? { code: status.error.code, message: status.error.message } : null,
  };
}

function runsTable(runs: readonly RunSummary[], queries: Queries, sheet: Sheet): string[] {
  const now = Date.now();
  return table(
    [{ title: 'run' }, { title: 'state' }, { title: 'changed' }, { title: 'query', fills: true }],
    runs.map(({ header, status }): Cell[] => [
      header.id,
      { text: status.state, style: stateStyle(status.state, sheet.paint) },
      { text: `${duration(Math.max(0, now - status.updatedAt))} ago`, style: sheet.paint.dim },
      `${plainLine(queries.get(planNow({ header, status })) ?? '')}${status.error ? ` (${status.error.code})` : ''}`,
    ]),
    sheet,
  );
}
