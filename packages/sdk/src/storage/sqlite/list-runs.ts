import { defaultEndUserId } from '../../core/end-user.ts';
import { noRuns, pageLimit, pageOf, pageSkip, readCursor, readReadyCursor, readyCursor } from '../run-query.ts';
import { states, stateNumber, stateOfNumber } from '../state-numbers.ts';
import type { Page, RunQuery, RunSummary, RunTally } from '../storage-backend.ts';
import { storedText } from '../stored-text.ts';
import type { Connection, SqlValue } from './connection.ts';
import { planColumn } from './schema.ts';
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

/** How many runs there are that are asked for. */
export function countRuns(connection: Connection, query: RunQuery): number {
  const { states: wanted, ...others } = query;
  const rest = wanted && states.filter((state) => !wanted.includes(state));
  // Those that are complete have no index: they are what the others leave.
  if (rest && !rest.includes('COMPLETE') && filtersOf(others).length === 0) {
    return counted(connection, others) - counted(connection, { states: rest });
  }
  return counted(connection, query);
}

function counted(connection: Connection, query: RunQuery): number {
  const filters = filtersOf(query);
  const driver = rarest(connection, filters);
  let count = 0;
  for (const { from, where, values } of branchesOf({ ...query, cursor: undefined }, driver, filters)) {
    count += Number(connection.values(`SELECT count(*) FROM ${from} ${where}`, values)?.[0]);
    // What only keeps the place of a number is no run, and has no labels.
    if (!driver?.table) count -= nobodys(connection, where.replace('WHERE', 'AND'), values);
  }
  return count;
}

/** Rows that keep the place of a number: at most one, found by its id. */
function nobodys(connection: Connection, conditions = '', values: readonly SqlValue[] = []): number {
  return Number(connection.values(`SELECT count(*) FROM run WHERE id = x'' ${conditions}`, values)?.[0]);
}

/** How many runs there are of each state, and of each error code. Complete ones are what the others leave. */
export function tallyRuns(connection: Connection): RunTally {
  const found = noRuns();
  const rows = connection.all<{ readonly state: number; readonly count: number }>(
    'SELECT state, count(*) AS count FROM run INDEXED BY run_state WHERE state <> 4 GROUP BY state',
  );
  let others = 0;
  for (const { state, count } of rows) {
    found[stateOfNumber(state)] = count;
    others += count;
  }
  found.COMPLETE = Number(connection.values('SELECT count(*) FROM run', [])?.[0]) - others;
  found.FAILED -= nobodys(connection);
  const codes = connection.all<{ readonly code: string; readonly count: number }>(
    `SELECT error ->> '$.code' AS code, count(*) AS count FROM run INDEXED BY run_code WHERE error IS NOT NULL
     GROUP BY error ->> '$.code'`,
  );
  return { states: found, codes: Object.fromEntries(codes.map(({ code, count }) => [code, count])) };
}

/**
 * One page of the runs that are asked for. The order of creation is that of the rowids. Of several filters the rarest is
 * read from its index, and the others are checked row by row.
 */
export function listRuns(connection: Connection, query: RunQuery): Page<RunSummary> {
  if (query.readyAt !== undefined) return listReady(connection, query);
  const limit = pageLimit(query.limit);
  const filters = filtersOf(query);
  const driver = rarest(connection, filters);
  const branches = branchesOf(query, driver, filters);
  const { text, values } = statementOf(query, driver, branches, limit + 1);
  const rows = connection.all<RunRow>(text, values);
  const page = rows.slice(0, limit);
  return pageOf(page.map(summaryOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
}

/** Runs that are ready, in the order in which they became so: it is that of their index. */
function listReady(connection: Connection, query: RunQuery): Page<RunSummary> {
  const limit = pageLimit(query.limit);
  const conditions = filtersOf(query).map(anyOf);
  if (query.cursor !== undefined) {
    const { since, number } = readReadyCursor(query.cursor);
    const text = 'run.ready_at >= ? AND (run.ready_at > ? OR run.n > ?)';
    conditions.push({ text, values: [since, since, number] });
  }
  const rows = connection.all<RunRow & { readonly ready_at: number }>(
    `SELECT ${runColumns}, run.ready_at FROM run INDEXED BY run_ready CROSS JOIN plan ON plan.n = run.plan
     WHERE ${conditions.map(({ text }) => text).join(' AND ')} ORDER BY run.ready_at, run.n LIMIT ? OFFSET ?`,
    [...conditions.flatMap(({ values }) => values), limit + 1, pageSkip(query.skip)],
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return pageOf(page.map(summaryOf), last && readyCursor({ since: last.ready_at, number: last.n }));
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

/** A part of a list: no run is in two of them. */
interface Branch {
  readonly from: string;
  readonly where: string;
  readonly values: readonly SqlValue[];
}

function branchesOf(query: RunQuery, driver: Filter | undefined, filters: readonly Filter[]): readonly Branch[] {
  const place = { text: `${numberOf(driver)} ${query.order === 'oldest' ? '>' : '<'} ?` };
  const cursor = query.cursor === undefined ? [] : [{ ...place, values: [readCursor(query.cursor)] }];
  const others = filters.filter((filter) => filter !== driver).map(anyOf);
  const from = driver?.table
    ? 'label CROSS JOIN run ON run.n = label.run'
    : `run ${driver?.index === undefined ? '' : `INDEXED BY ${driver.index}`}`;
  return (driver?.alternatives ?? [undefined]).map((alternative) => {
    const conditions = [...(alternative ? [alternative] : []), ...cursor, ...others];
    const where = conditions.length > 0 ? `WHERE ${conditions.map(({ text }) => text).join(' AND ')}` : '';
    return { from, where, values: conditions.flatMap(({ values }) => values) };
  });
}

function numberOf(driver: Filter | undefined): string {
  return driver?.table ? 'label.run' : 'run.n';
}

function statementOf(
  query: RunQuery,
  driver: Filter | undefined,
  branches: readonly Branch[],
  limit: number,
): { readonly text: string; readonly values: readonly SqlValue[] } {
  const order = query.order === 'oldest' ? 'ASC' : 'DESC';
  const skip = pageSkip(query.skip);
  const parts = branches.map(({ from, where, values }) => ({
    text: `SELECT ${runColumns} FROM ${from} CROSS JOIN plan ON plan.n = run.plan ${where} ORDER BY ${numberOf(driver)} ${order} LIMIT ?`,
    values,
  }));
  const [first] = parts;
  if (first && parts.length === 1) return { text: `${first.text} OFFSET ?`, values: [...first.values, limit, skip] };
  const union = parts.map(({ text }) => `SELECT * FROM (${text})`).join(' UNION ALL ');
  // What is left out may all be of one part.
  const values = parts.flatMap((part) => [...part.values, limit + skip]);
  return { text: `SELECT * FROM (${union}) ORDER BY n ${order} LIMIT ? OFFSET ?`, values: [...values, limit, skip] };
}

function anyOf({ alternatives, table }: Filter): Condition {
  const text = alternatives.map(({ text }) =>
    table
      ? `EXISTS (SELECT 1 FROM label AS other WHERE ${text.replaceAll('label.', 'other.')} AND other.run = run.n)`
      : text,
  );
  return { text: `(${text.join(' OR ') || 'false'})`, values: alternatives.flatMap(({ values }) => values) };
}

/** No name goes on with it. */
const lastCharacter = '\u{10ffff}';

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
  if (query.readyAt !== undefined)
    filters.push({ alternatives: [{ text: 'run.ready_at <= ?', values: [query.readyAt] }], index: 'run_ready' });
  if (query.drivenFrom !== undefined) {
    const values = [query.drivenFrom, `${query.drivenFrom}${lastCharacter}`];
    filters.push({ alternatives: [{ text: 'run.owner >= ? AND run.owner < ?', values }], index: 'run_owner' });
  }
  if (query.updatedBefore !== undefined)
    filters.push({ alternatives: [{ text: 'run.updated_at < ?', values: [query.updatedBefore] }] });
  if (query.planId !== undefined) {
    // The plus takes the affinity of the column away: with it, the index of an expression is read from end to end.
    const plan = {
      text: `${planColumn} = (SELECT +n FROM plan WHERE id = ?)`,
      values: [idBytes(query.planId) ?? null],
    };
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
