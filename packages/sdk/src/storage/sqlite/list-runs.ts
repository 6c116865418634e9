import { defaultEndUserId } from '../../core/end-user.ts';
import { pageLimit, pageOf, readCursor } from '../run-query.ts';
import { stateNumber } from '../state-numbers.ts';
import type { Page, RunQuery, RunSummary } from '../storage-backend.ts';
import { storedText } from '../stored-text.ts';
import type { Connection, SqlValue } from './connection.ts';
import { idBytes, type RunRow, runColumns, summaryOf } from './rows.ts';

/** Conditions of one kind: met by any one of the alternatives. */
interface Filter {
  /** Each is in the order of the rowids in its index, so that a page of it is read without sorting. */
  readonly alternatives: readonly Condition[];
  /** The index that has them in order; undefined when there is none, and where they come from a table of their own. */
  readonly index?: string;
  readonly table?: 'label';
}

interface Condition {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** How far the rows of a filter are counted to find the rarest: more than that is many. */
const manyRows = 1_000;

/**
 * One page of the runs that are asked for. The order of creation is that of the rowids. Of several filters the rarest is
 * read from its index, and the others are checked row by row.
 */
export function listRuns(connection: Connection, query: RunQuery): Page<RunSummary> {
  const limit = pageLimit(query.limit);
  const filters = filtersOf(query);
  const driver = rarest(connection, filters);
  const { text, values } = statementOf(query, driver, filters, limit + 1);
  const rows = connection.all<RunRow>(text, values);
  const page = rows.slice(0, limit);
  return pageOf(page.map(summaryOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
}

function rarest(connection: Connection, filters: readonly Filter[]): Filter | undefined {
  const usable = filters.filter(({ index, table }) => index !== undefined || table !== undefined);
  if (usable.length <= 1) return usable[0];
  const counted = usable.map((filter) => ({ filter, count: countOf(connection, filter) }));
  return counted.reduce((least, next) => (next.count < least.count ? next : least)).filter;
}

function countOf(connection: Connection, { alternatives, index, table }: Filter): number {
  let count = 0;
  const from = table ?? `run INDEXED BY ${index}`;
  for (const { text, values } of alternatives) {
    count += Number(
      connection.values(`SELECT count(*) FROM (SELECT 1 FROM ${from} WHERE ${text} LIMIT ${manyRows})`, values)?.[0],
    );
  }
  return count;
}

function statementOf(
  query: RunQuery,
  driver: Filter | undefined,
  filters: readonly Filter[],
  limit: number,
): { readonly text: string; readonly values: readonly SqlValue[] } {
  const oldest = query.order === 'oldest';
  const order = oldest ? 'ASC' : 'DESC';
  const number = driver?.table ? 'label.run' : 'run.n';
  const cursor: Condition[] =
    query.cursor === undefined
      ? []
      : [{ text: `${number} ${oldest ? '>' : '<'} ?`, values: [readCursor(query.cursor)] }];
  const others = filters.filter((filter) => filter !== driver).map(anyOf);
  const from = driver?.table
    ? 'label CROSS JOIN run ON run.n = label.run'
    : `run ${driver?.index === undefined ? '' : `INDEXED BY ${driver.index}`}`;
  const values: SqlValue[] = [];
  const branches = (driver?.alternatives ?? [undefined]).map((alternative) => {
    const conditions = [...(alternative ? [alternative] : []), ...cursor, ...others];
    for (const condition of conditions) values.push(...condition.values);
    values.push(limit);
    const where = conditions.length > 0 ? `WHERE ${conditions.map(({ text }) => text).join(' AND ')}` : '';
    return `SELECT ${runColumns} FROM ${from} CROSS JOIN plan ON plan.n = run.plan ${where} ORDER BY ${number} ${order} LIMIT ?`;
  });
  if (branches.length === 1) return { text: branches[0] as string, values };
  const union = branches.map((branch) => `SELECT * FROM (${branch})`).join(' UNION ALL ');
  return { text: `SELECT * FROM (${union}) ORDER BY n ${order} LIMIT ?`, values: [...values, limit] };
}

function anyOf({ alternatives, table }: Filter): Condition {
  const text = alternatives.map(({ text }) =>
    table
      ? `EXISTS (SELECT 1 FROM label AS other WHERE ${text.replaceAll('label.', 'other.')} AND other.run = run.n)`
      : text,
  );
  return { text: `(${text.join(' OR ') || 'false'})`, values: alternatives.flatMap(({ values }) => values) };
}

function filtersOf(query: RunQuery): Filter[] {
  const filters: Filter[] = [];
  if (query.states) filters.push(statesFilter(query.states.map(stateNumber)));
  if (query.codes) {
    const codes = [...new Set<string>(query.codes)];
    filters.push({
      alternatives: codes.map((code) => ({
        text: `run.error ->> '$.code' = ? AND run.error IS NOT NULL`,
        values: [code],
      })),
      ...(codes.length > 0 && { index: 'run_code' }),
    });
  }
  if (query.wakeBefore !== undefined)
    filters.push({ alternatives: [{ text: 'run.wake_at <= ?', values: [query.wakeBefore] }], index: 'run_wake' });
  if (query.updatedBefore !== undefined)
    filters.push({ alternatives: [{ text: 'run.updated_at < ?', values: [query.updatedBefore] }] });
  if (query.planId !== undefined) {
    const plan = { text: 'run.plan = (SELECT n FROM plan WHERE id = ?)', values: [idBytes(query.planId) ?? null] };
    filters.push({ alternatives: [plan], index: 'run_plan' });
  }
  if (query.endUserId === defaultEndUserId)
    filters.push({ alternatives: [{ text: 'run.end_user IS NULL', values: [] }] });
  else if (query.endUserId !== undefined) {
    const values = [storedText(query.endUserId)];
    filters.push({ alternatives: [{ text: 'run.end_user = ?', values }], index: 'run_end_user' });
  }
  for (const [name, value] of Object.entries(query.labels ?? {})) {
    const values = [storedText(name), storedText(value)];
    filters.push({ alternatives: [{ text: 'label.name = ? AND label.value = ?', values }], table: 'label' });
  }
  return filters;
}

/** The index leaves out complete runs, which are most of them: they are found along the table itself. */
function statesFilter(numbers: readonly number[]): Filter {
  const states = [...new Set(numbers)].sort((a, b) => a - b);
  if (states.length === 0 || states.includes(4)) {
    return { alternatives: [{ text: `run.state IN (${states.join(', ')})`, values: [] }] };
  }
  // Numbers of our own making: written into the text, so that the index can be used.
  return {
    alternatives: states.map((state) => ({ text: `run.state = ${state} AND run.state <> 4`, values: [] })),
    index: 'run_state',
  };
}
