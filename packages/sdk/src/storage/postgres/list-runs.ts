import { pageLimit, pageOf, readCursor } from '../run-query.ts';
import { stateNumber } from '../state-numbers.ts';
import type { Page, RunQuery, RunSummary } from '../storage-backend.ts';
import type { Database, SqlValue } from './database.ts';
import { digestOf, endUserDigest, labelDigests, type RunRow, runColumns, summaryOf, uuidOf } from './rows.ts';

/**
 * One page of the runs that are asked for, in the order of their numbers, which is that of their creation. Every filter
 * has an index that is in this order, too, so that a page costs the same however many runs there are.
 */
export async function listRuns(database: Database, query: RunQuery): Promise<Page<RunSummary>> {
  const limit = pageLimit(query.limit);
  const labels = await rarestFirst(database, labelDigests(query.labels));
  const { text, values } = statementOf(database.schema, { query, labels, limit: limit + 1 });
  const rows = await database.rows<RunRow>(text, values);
  const page = rows.slice(0, limit);
  return pageOf(page.map(summaryOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
}

/** How far the runs of a label are counted to find the rarest: more than that is many. */
const manyRows = 1_000;

async function rarestFirst(database: Database, digests: readonly string[]): Promise<readonly string[]> {
  if (digests.length <= 1) return digests;
  const counts = await database.rows<{ digest: string; count: number }>(
    `SELECT replace(digest::text, '-', '') AS digest,
       (SELECT count(*) FROM (SELECT 1 FROM ${database.schema}.label WHERE label.digest = given.digest LIMIT ${manyRows}) few) AS count
     FROM unnest($1::uuid[]) given (digest)`,
    [digests],
  );
  return [...counts].sort((a, b) => a.count - b.count).map(({ digest }) => digest);
}

function statementOf(
  schema: string,
  { query, labels: digests, limit }: { query: RunQuery; labels: readonly string[]; limit: number },
): { readonly text: string; readonly values: readonly SqlValue[] } {
  const values: SqlValue[] = [];
  const value = (given: SqlValue): string => `$${values.push(given)}`;
  const oldest = query.order === 'oldest';
  const order = oldest ? 'ASC' : 'DESC';
  const cursor = query.cursor === undefined ? undefined : value(readCursor(query.cursor));
  const [first, ...labels] = digests;
  const from = sourceOf(schema, query, first, value);
  // The label's own number has to be bounded and ordered by: its index is the one that is used then.
  const number = first === undefined ? 'run.n' : 'label.run';
  const conditions = [
    ...conditionsOf(query, value),
    ...(cursor === undefined ? [] : [`${number} ${oldest ? '>' : '<'} ${cursor}::bigint`]),
    ...labels.map(
      (digest) => `EXISTS (SELECT 1 FROM ${schema}.label l WHERE l.digest = ${value(digest)} AND l.run = run.n)`,
    ),
  ];
  const bound = value(limit);
  const branch = (more: readonly string[]): string => {
    const all = [...conditions, ...more];
    const where = all.length > 0 ? `WHERE ${all.join(' AND ')}` : '';
    return `SELECT ${runColumns} FROM ${from} ${where} ORDER BY ${number} ${order} LIMIT ${bound}`;
  };
  const branches = branchesOf(query, value).map((more) => branch(more));
  if (branches.length === 1) return { text: branches[0] as string, values };
  // Each branch comes in order from its index; of all of them no more than a page each is read.
  const union = branches.map((text) => `(${text})`).join(' UNION ALL ');
  return { text: `SELECT * FROM (${union}) run ORDER BY n ${order} LIMIT ${bound}`, values };
}

function sourceOf(
  schema: string,
  query: RunQuery,
  label: string | undefined,
  value: (given: SqlValue) => string,
): string {
  if (label !== undefined) {
    return `(SELECT * FROM ${schema}.label WHERE digest = ${value(label)}) label JOIN ${schema}.run ON run.n = label.run`;
  }
  if (query.wakeBefore === undefined) return `${schema}.run`;
  // Those that are due are few: they are looked up first, whatever the planner thinks of it.
  return `(SELECT * FROM ${schema}.run WHERE wake_at <= ${value(query.wakeBefore)}::bigint OFFSET 0) run`;
}

function conditionsOf(query: RunQuery, value: (given: SqlValue) => string): string[] {
  const conditions: string[] = [];
  if (query.planId !== undefined) {
    conditions.push(`run.plan = ${value(isUuid(query.planId) ? uuidOf(query.planId) : digestOf('no plan'))}`);
  }
  if (query.endUserId !== undefined) {
    const digest = endUserDigest(query.endUserId);
    conditions.push(digest === null ? 'run.end_user_digest IS NULL' : `run.end_user_digest = ${value(digest)}`);
  }
  if (query.updatedBefore !== undefined) conditions.push(`run.updated_at < ${value(query.updatedBefore)}::bigint`);
  if (query.wakeBefore !== undefined && query.labels && Object.keys(query.labels).length > 0) {
    conditions.push(`run.wake_at <= ${value(query.wakeBefore)}::bigint`);
  }
  return conditions;
}

/** One list of conditions for each state, or each error code, that is asked for: each has its own place in an index. */
function branchesOf(query: RunQuery, value: (given: SqlValue) => string): readonly (readonly string[])[] {
  const states = query.states && [...new Set(query.states.map(stateNumber))];
  const codes = query.codes && [...new Set<string>(query.codes)];
  if (states?.length === 0 || codes?.length === 0) return [['false']];
  if (codes) {
    const inStates = states ? [`run.state IN (${states.join(', ')})`] : [];
    return codes.map((code) => [`run.code = ${value(code)}`, ...inStates]);
  }
  return states ? states.map((state) => [`run.state = ${state}`]) : [[]];
}

function isUuid(id: string): boolean {
  return /^....-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
}
