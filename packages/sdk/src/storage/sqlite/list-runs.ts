import { defaultEndUserId } from '../../core/end-user.ts';
import type { Page, RunQuery, RunSummary } from '../storage-backend.ts';
import { pageLimit, pageOf, readCursor } from '../run-query.ts';
import type { Connection, SqlValue } from './connection.ts';
import { stateNumber } from '../state-numbers.ts';
import { storedText } from '../stored-text.ts';
import { idBytes, type RunRow, runColumns, summaryOf } from './rows.ts';

/** One page of the runs that are asked for. The order of creation is that of the rowids. */
export function listRuns(connection: Connection, query: RunQuery): Page<RunSummary> {
  const limit = pageLimit(query.limit);
  const { conditions, values, index } = conditionsOf(query);
  const oldest = query.order === 'oldest';
  if (query.cursor !== undefined) {
    conditions.push(oldest ? 'run.n > ?' : 'run.n < ?');
    values.push(readCursor(query.cursor));
  }
  const rows = connection.all<RunRow>(
    `SELECT ${runColumns} FROM run ${index} CROSS JOIN plan ON plan.n = run.plan
     ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
     ORDER BY run.n ${oldest ? 'ASC' : 'DESC'} LIMIT ?`,
    [...values, limit + 1],
  );
  const page = rows.slice(0, limit);
  return pageOf(page.map(summaryOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
}

function conditionsOf(query: RunQuery): { conditions: string[]; values: SqlValue[]; index: string } {
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  let index = '';
  if (query.states) {
    // Numbers of our own making: written into the text, so that the index of unfinished runs can be used.
    const numbers = [...new Set(query.states.map(stateNumber))].sort((a, b) => a - b);
    conditions.push(`run.state IN (${numbers.join(', ')})`);
    if (numbers.length > 0 && numbers.every((number) => number < 4)) {
      conditions.push('run.state < 4');
      index = 'INDEXED BY run_open';
    }
  }
  if (query.wakeBefore !== undefined) {
    conditions.push('run.wake_at <= ?');
    values.push(query.wakeBefore);
    index = 'INDEXED BY run_wake';
  }
  if (query.updatedBefore !== undefined) {
    conditions.push('run.updated_at < ?');
    values.push(query.updatedBefore);
  }
  if (query.planId !== undefined) {
    conditions.push('run.plan = (SELECT n FROM plan WHERE id = ?)');
    values.push(idBytes(query.planId) ?? null);
  }
  if (query.endUserId !== undefined) {
    conditions.push('run.end_user IS ?');
    values.push(query.endUserId === defaultEndUserId ? null : storedText(query.endUserId));
  }
  if (query.codes) {
    conditions.push(`run.error ->> '$.code' IN (SELECT value FROM json_each(?))`);
    values.push(JSON.stringify(query.codes));
  }
  for (const [name, value] of Object.entries(query.labels ?? {})) {
    conditions.push('run.n IN (SELECT run FROM label WHERE name = ? AND value = ?)');
    values.push(storedText(name), storedText(value));
  }
  return { conditions, values, index };
}
