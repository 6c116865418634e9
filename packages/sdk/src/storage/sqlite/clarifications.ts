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
import { textFrom } from '../stored-text.ts';
import type { Connection, SqlValue } from './connection.ts';
import { idBytes, runIdOf } from './rows.ts';
import { writePlanNow } from './schema.ts';

/** Writes down what waits in a run now: what is still there stays, what was answered goes. */
export function writeOpen(connection: Connection, run: number, open: readonly OpenClarification[]): void {
  connection.run('DELETE FROM unlisted WHERE run = ?', [run]);
  const known = connection.all<{ id: string }>('SELECT DISTINCT id FROM open_clarification WHERE run = ?', [run]);
  const wanted = new Set<string>(open.map(({ id }) => id));
  for (const { id } of known)
    if (!wanted.has(id)) connection.run('DELETE FROM open_clarification WHERE run = ? AND id = ?', [run, id]);
  const before = new Set(known.map(({ id }) => id));
  const added = open.filter(({ id }) => !before.has(id));
  if (added.length === 0) return;
  const tags = tagsOf(connection, run);
  for (const { id, audience, raisedAt } of added)
    for (const tag of [...tags, audienceTag(audience)])
      connection.run(
        'INSERT OR IGNORE INTO open_clarification (tag, raised_at, run, id, audience) VALUES (?, ?, ?, ?, ?)',
        [tag, raisedAt, run, id, audience],
      );
}

/** The runs from before there was a list of what waits. */
export function earlierRuns(connection: Connection, load: EarlierRuns['load']): EarlierRuns {
  return {
    next: (after) =>
      connection
        .all<{ n: number; id: Uint8Array }>(
          `SELECT run.n, run.id FROM unlisted CROSS JOIN run ON run.n = unlisted.run
           WHERE unlisted.run > ? ORDER BY unlisted.run LIMIT ${mostEarlier}`,
          [after],
        )
        .map(({ n, id }) => ({ n, id: runIdOf(id) })),
    load,
    write: (run, { open, planId }) =>
      connection.transaction(() => {
        const row = connection.get<{ n: number }>(
          `SELECT run.n FROM run CROSS JOIN unlisted ON unlisted.run = run.n WHERE run.id = ? AND NOT EXISTS
             (SELECT 1 FROM journal WHERE key > (run.n << 32 | ?) AND key <= (run.n << 32 | 4294967295))`,
          [idBytes(run.header.id) ?? null, lastSeqOf(run)],
        );
        if (row) {
          if (planId !== run.header.planId) writePlanNow(connection, row.n, planId);
          writeOpen(connection, row.n, open);
        }
        return row !== undefined;
      }),
  };
}

const everyTag = '';
const audienceTag = (audience: string): string => JSON.stringify(['audience', audience]);
const endUserTag = (id: string): string => JSON.stringify(['end-user', id]);
const labelTag = (name: string, value: string): string => JSON.stringify(['label', name, value]);

/** What the clarifications of a run are found by, beside their audience. */
function tagsOf(connection: Connection, run: number): readonly string[] {
  const row = connection.get<{ end_user: string | null; labels: string | null }>(
    'SELECT end_user, labels FROM run WHERE n = ?',
    [run],
  );
  const labels = Object.entries(JSON.parse(row?.labels ?? '{}') as Record<string, string>);
  const endUser = row?.end_user === null || row === undefined ? defaultEndUserId : textFrom(row.end_user);
  return [everyTag, endUserTag(endUser), ...labels.map(([name, value]) => labelTag(name, value))];
}

interface Row {
  readonly raised_at: number;
  readonly run: number;
  readonly id: string;
  readonly audience: string;
  readonly run_id: Uint8Array;
}

/** How far the rows of a tag are counted to find the rarest: more than that is many. */
const manyRows = 1_000;

/**
 * One page of what waits. Each clarification stands once under everything it can be found by, in the order of the list:
 * the rarest is read, and the others are looked up for each row.
 */
export function listClarifications(connection: Connection, query: ClarificationQuery): Page<ListedClarification> {
  const limit = pageLimit(query.limit);
  const [first = [], ...others] = [...wantedTags(query)].sort((a, b) => count(connection, a) - count(connection, b));
  const values: SqlValue[] = [];
  const branches = first.map((tag) => {
    values.push(tag);
    const conditions = ['c.tag = ?'];
    if (query.cursor !== undefined) {
      conditions.push('(c.raised_at, c.run, c.id) > (?, ?, ?)');
      values.push(...readClarificationCursor(query.cursor));
    }
    if (query.raisedBefore !== undefined) {
      conditions.push('c.raised_at < ?');
      values.push(query.raisedBefore);
    }
    for (const tags of others) {
      conditions.push(
        `EXISTS (SELECT 1 FROM open_clarification o WHERE o.tag IN (${tags.map(() => '?').join(', ')})
           AND o.raised_at = c.raised_at AND o.run = c.run AND o.id = c.id)`,
      );
      values.push(...tags);
    }
    values.push(limit + 1);
    return `SELECT c.raised_at, c.run, c.id, c.audience FROM open_clarification c
      WHERE ${conditions.join(' AND ')} ORDER BY c.raised_at, c.run, c.id LIMIT ?`;
  });
  if (branches.length === 0) return { items: [] };
  const union = branches.map((branch) => `SELECT * FROM (${branch})`).join(' UNION ALL ');
  const rows = connection.all<Row>(
    `SELECT c.*, run.id AS run_id FROM (${union}) c CROSS JOIN run ON run.n = c.run
     ORDER BY c.raised_at, c.run, c.id LIMIT ?`,
    [...values, limit + 1],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return pageOf(
    page.map(({ run_id, id, audience, raised_at }) => ({
      planRunId: runIdOf(run_id),
      id: id as ClarificationUUID,
      audience: audience as Audience,
      raisedAt: raised_at,
    })),
    rows.length > limit && last ? clarificationCursor([last.raised_at, last.run, last.id]) : undefined,
  );
}

/** All of these have to hold, each by any one of its tags. */
function wantedTags({ audiences, endUserId, labels }: ClarificationQuery): readonly (readonly string[])[] {
  const wanted: (readonly string[])[] = [];
  if (audiences) wanted.push([...new Set(audiences)].map(audienceTag));
  if (endUserId !== undefined) wanted.push([endUserTag(endUserId)]);
  for (const [name, value] of Object.entries(labels ?? {})) wanted.push([labelTag(name, value)]);
  return wanted.length > 0 ? wanted : [[everyTag]];
}

function count(connection: Connection, tags: readonly string[]): number {
  let rows = 0;
  for (const tag of tags)
    rows += Number(
      connection.values(`SELECT count(*) FROM (SELECT 1 FROM open_clarification WHERE tag = ? LIMIT ${manyRows})`, [
        tag,
      ])?.[0],
    );
  return rows;
}
