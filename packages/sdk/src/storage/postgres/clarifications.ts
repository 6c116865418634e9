import type { Audience } from '../../core/clarification.ts';
import { defaultEndUserId } from '../../core/end-user.ts';
import type { ClarificationUUID } from '../../core/ids.ts';
import {
  clarificationCursor,
  type ClarificationQuery,
  type ListedClarification,
  type OpenClarification,
  readClarificationCursor,
} from '../open-clarifications.ts';
import { pageLimit, pageOf } from '../run-query.ts';
import { type EarlierRuns, lastSeqOf, mostEarlier } from '../earlier-clarifications.ts';
import type { Page } from '../storage-backend.ts';
import type { Database, SqlValue } from './database.ts';
import { digestOf, labelDigests, uuidOf } from './rows.ts';

// Digests of lists of another length than those of labels and end users.
const everyTag = digestOf('', '', '', 'every');
const audienceTag = (audience: string): string => digestOf('', '', audience);

/**
 * More of a statement whose `held` gives the number of a run: writes down what waits in it now. `labels` is what gives its
 * label digests, where the table of labels cannot say yet.
 */
export function writingOpen(
  schema: string,
  open: readonly OpenClarification[],
  value: (given: SqlValue) => string,
  { held, fresh }: { readonly held: string; readonly fresh?: { readonly endUser: string; readonly labels: string } },
): string {
  const rows = value(
    JSON.stringify(open.map(({ id, audience, raisedAt }) => [id, audience, raisedAt, audienceTag(audience)])),
  );
  const ids = value(open.map(({ id }) => id));
  const endUser = fresh
    ? `SELECT coalesce(${fresh.endUser}::uuid, '${digestOf(defaultEndUserId)}')`
    : `SELECT coalesce(end_user_digest, '${digestOf(defaultEndUserId)}') FROM ${schema}.run WHERE run.n = ${held}.n`;
  const labels = fresh
    ? `SELECT DISTINCT unnest(${fresh.labels}::uuid[])`
    : `SELECT digest FROM ${schema}.label WHERE label.run = ${held}.n`;
  return `,
    answered AS (DELETE FROM ${schema}.open_clarification USING ${held}
      WHERE open_clarification.run = ${held}.n AND open_clarification.id <> ALL (${ids}::text[])),
    listed AS (DELETE FROM ${schema}.unlisted USING ${held} WHERE unlisted.run = ${held}.n),
    asked AS (INSERT INTO ${schema}.open_clarification (tag, raised_at, run, id, audience)
      SELECT tag, (item ->> 2)::bigint, ${held}.n, item ->> 0, item ->> 1
      FROM ${held} CROSS JOIN json_array_elements(${rows}::json) item CROSS JOIN LATERAL (
        SELECT '${everyTag}'::uuid AS tag UNION ALL SELECT (item ->> 3)::uuid UNION ALL ${endUser} UNION ALL ${labels}
      ) tags ON CONFLICT DO NOTHING)`;
}

/** The runs from before there was a list of what waits. */
export function earlierRuns(database: Database, load: EarlierRuns['load']): EarlierRuns {
  const { schema } = database;
  return {
    async next(after) {
      const rows = await database.rows<{ n: number; id: string }>(
        `SELECT run.n, run.id FROM ${schema}.unlisted JOIN ${schema}.run ON run.n = unlisted.run
         WHERE unlisted.run > $1 ORDER BY unlisted.run LIMIT ${mostEarlier}`,
        [after],
      );
      return rows.map(({ n, id }) => ({ n, id: `prun-${id}` }));
    },
    load,
    write: (run, { open, planId }) =>
      database.transaction(async (ask) => {
        // Locked first: only what is read then is all that drivers have written.
        const [held] = await ask<{ n: number }>(`SELECT n FROM ${schema}.run WHERE id = $1 FOR UPDATE`, [
          uuidOf(run.header.id),
        ]);
        if (!held) return false;
        const values: SqlValue[] = [held.n, lastSeqOf(run)];
        const rows = await ask(
          `WITH held AS (SELECT run AS n FROM ${schema}.unlisted WHERE run = $1
             AND NOT EXISTS (SELECT 1 FROM ${schema}.journal WHERE journal.run = $1 AND seq > $2))
           ${writingOpen(schema, open, (value) => `$${values.push(value)}`, { held: 'held' })}
           SELECT n FROM held`,
          values,
        );
        if (rows.length > 0 && planId !== run.header.planId)
          await ask(`UPDATE ${schema}.run SET plan_now = $1 WHERE n = $2`, [uuidOf(planId), held.n]);
        return rows.length > 0;
      }),
  };
}

interface Row {
  readonly raised_at: number;
  readonly run: number;
  readonly id: string;
  readonly audience: string;
  readonly run_id: string;
}

/** How far the rows of a tag are counted to find the rarest: more than that is many. */
const manyRows = 1_000;

/**
 * One page of what waits. Each clarification stands once under everything it can be found by, in the order of the list:
 * the rarest is read, and the others are looked up for each row.
 */
export async function listClarifications(
  database: Database,
  query: ClarificationQuery,
): Promise<Page<ListedClarification>> {
  const limit = pageLimit(query.limit);
  const { text, values } = await statementOf(database, query, limit + 1);
  const rows = await database.rows<Row>(text, values);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return pageOf(
    page.map(({ run_id, id, audience, raised_at }) => ({
      planRunId: `prun-${run_id}`,
      id: id as ClarificationUUID,
      audience: audience as Audience,
      raisedAt: raised_at,
    })),
    rows.length > limit && last ? clarificationCursor([last.raised_at, last.run, last.id]) : undefined,
  );
}

async function statementOf(
  database: Database,
  query: ClarificationQuery,
  limit: number,
): Promise<{ readonly text: string; readonly values: readonly SqlValue[] }> {
  const { schema } = database;
  const values: SqlValue[] = [];
  const value = (given: SqlValue): string => `$${values.push(given)}`;
  const [first = [], ...others] = await rarestFirst(database, wantedTags(query));
  const conditions: string[] = [];
  if (query.cursor !== undefined) {
    const [raisedAt, run, id] = readClarificationCursor(query.cursor);
    conditions.push(
      `(c.raised_at, c.run, c.id) > (${value(raisedAt)}::bigint, ${value(run)}::bigint, ${value(id)}::text)`,
    );
  }
  if (query.raisedBefore !== undefined) conditions.push(`c.raised_at < ${value(query.raisedBefore)}::bigint`);
  for (const tags of others)
    conditions.push(
      `EXISTS (SELECT 1 FROM ${schema}.open_clarification o WHERE o.tag = ANY (${value(tags)}::uuid[])
         AND o.raised_at = c.raised_at AND o.run = c.run AND o.id = c.id)`,
    );
  const bound = value(limit);
  const branches = first.map(
    (tag) =>
      `(SELECT c.raised_at, c.run, c.id, c.audience FROM ${schema}.open_clarification c
        WHERE ${[`c.tag = ${value(tag)}`, ...conditions].join(' AND ')} ORDER BY c.raised_at, c.run, c.id LIMIT ${bound})`,
  );
  if (branches.length === 0) return { text: `SELECT 1 WHERE ${bound}::bigint < 0`, values };
  return {
    text: `SELECT c.*, run.id AS run_id FROM (${branches.join(' UNION ALL ')}) c JOIN ${schema}.run ON run.n = c.run
      ORDER BY c.raised_at, c.run, c.id LIMIT ${bound}`,
    values,
  };
}

/** All of these have to hold, each by any one of its tags. */
function wantedTags({ audiences, endUserId, labels }: ClarificationQuery): readonly (readonly string[])[] {
  const wanted: (readonly string[])[] = [];
  if (audiences) wanted.push([...new Set(audiences)].map(audienceTag));
  if (endUserId !== undefined) wanted.push([digestOf(endUserId)]);
  for (const digest of labelDigests(labels)) wanted.push([digest]);
  return wanted.length > 0 ? wanted : [[everyTag]];
}

async function rarestFirst(
  database: Database,
  wanted: readonly (readonly string[])[],
): Promise<readonly (readonly string[])[]> {
  if (wanted.length <= 1) return wanted;
  const counts = await database.rows<{ digest: string; count: number }>(
    `SELECT replace(tag::text, '-', '') AS digest,
       (SELECT count(*) FROM (SELECT 1 FROM ${database.schema}.open_clarification o WHERE o.tag = given.tag LIMIT ${manyRows}) few) AS count
     FROM unnest($1::uuid[]) given (tag)`,
    [wanted.flat()],
  );
  const byTag = new Map(counts.map(({ digest, count }) => [digest, count]));
  const rows = (tags: readonly string[]): number => tags.reduce((sum, tag) => sum + (byTag.get(tag) ?? 0), 0);
  return [...wanted].sort((a, b) => rows(a) - rows(b));
}
