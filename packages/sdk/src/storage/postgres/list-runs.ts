import { noRuns, pageLimit, pageOf, pageSkip, readCursor, readReadyCursor, readyCursor } from '../run-query.ts';
import { stateNumber, stateOfNumber } from '../state-numbers.ts';
import type { Page, RunQuery, RunSummary, RunTally } from '../storage-backend.ts';
import type { Database, SqlValue } from './database.ts';
import { digestOf, endUserDigest, labelDigests, type RunRow, runColumns, summaryOf, uuidOf } from './rows.ts';
import { mayBeReady, readyAt } from './schema.ts';

/**
 * One page of the runs that are asked for, in the order of their numbers, which is that of their creation. Every filter
 * has an index that is in this order, too, so that a page costs the same however many runs there are.
 */
export async function listRuns(database: Database, query: RunQuery): Promise<Page<RunSummary>> {
  if (query.readyAt !== undefined) return listReady(database, query);
  const limit = pageLimit(query.limit);
  const labels = await rarestFirst(database, labelDigests(query.labels));
  const { text, values } = statementOf(database.schema, { query, labels, limit: limit + 1 });
  const rows = await database.rows<RunRow>(text, values);
  const page = rows.slice(0, limit);
  return pageOf(page.map(summaryOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
}

/** How many runs there are that are asked for. */
export async function countRuns(database: Database, given: RunQuery): Promise<number> {
  const query = { ...given, cursor: undefined };
  const labels = await rarestFirst(database, labelDigests(query.labels));
  const { branches, values } = partsOf(database.schema, query, labels);
  const text = branches.map(({ from, where }) => `SELECT count(*) FROM ${from} ${where}`).join(' UNION ALL ');
  const [row] = await database.rows<{ count: string }>(`SELECT sum(count) AS count FROM (${text}) parts`, values);
  return Number(row?.count ?? 0);
}

/** How many runs there are of each state, and of each error code. */
export async function tallyRuns(database: Database): Promise<RunTally> {
  const found = noRuns();
  const codes: Record<string, number> = {};
  const rows = await database.rows<{ state: number | null; code: string | null; count: string }>(
    `SELECT state, NULL AS code, count(*) AS count FROM ${database.schema}.run GROUP BY state
     UNION ALL
     SELECT NULL, code, count(*) FROM ${database.schema}.run WHERE code IS NOT NULL GROUP BY code`,
  );
  for (const { state, code, count } of rows) {
    if (state !== null) found[stateOfNumber(state)] = Number(count);
    else if (code !== null) codes[code] = Number(count);
  }
  return { states: found, codes };
}

/** Runs that are ready, in the order in which they became so: it is that of their index. */
async function listReady(database: Database, query: RunQuery): Promise<Page<RunSummary>> {
  const limit = pageLimit(query.limit);
  const values: SqlValue[] = [];
  const value = (given: SqlValue): string => `$${values.push(given)}`;
  const anyOf = branchesOf(query, value).map((all) => all.join(' AND ') || 'true');
  const conditions = [
    ...conditionsOf(query, value),
    ...drivenFrom(query, value),
    ...labelDigests(query.labels).map((digest) => hasLabel(database.schema, value(digest))),
    `(${anyOf.join(' OR ')})`,
  ];
  if (query.cursor !== undefined) {
    const { since, number } = readReadyCursor(query.cursor);
    conditions.push(`(${readyAt}, run.n) > (${value(since)}::bigint, ${value(number)}::bigint)`);
  }
  const rows = await database.rows<RunRow & { readonly ready_at: number }>(
    `SELECT ${runColumns}, ${readyAt} AS ready_at FROM ${database.schema}.run
     WHERE ${conditions.join(' AND ')} ORDER BY ${readyAt}, run.n
     LIMIT ${value(limit + 1)} OFFSET ${value(pageSkip(query.skip))}`,
    values,
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return pageOf(page.map(summaryOf), last && readyCursor({ since: last.ready_at, number: last.n }));
}

const hasLabel = (schema: string, digest: string): string =>
  `EXISTS (SELECT 1 FROM ${schema}.label l WHERE l.digest = ${digest} AND l.run = run.n)`;

/** No name goes on with it. */
const lastCharacter = '\u{10ffff}';

function drivenFrom({ drivenFrom: owner }: RunQuery, value: (given: SqlValue) => string): string[] {
  if (owner === undefined) return [];
  const end = value(`${owner}${lastCharacter}`);
  return [`run.owner COLLATE "C" >= ${value(owner)} AND run.owner COLLATE "C" < ${end}`];
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

/** The parts of a list, of which no run is in two, and the values for their conditions. */
interface Parts {
  readonly branches: readonly { readonly from: string; readonly where: string }[];
  readonly number: string;
  readonly values: readonly SqlValue[];
}

function partsOf(schema: string, query: RunQuery, digests: readonly string[]): Parts {
  const values: SqlValue[] = [];
  const value = (given: SqlValue): string => `$${values.push(given)}`;
  const cursor = query.cursor === undefined ? undefined : value(readCursor(query.cursor));
  const driven = drivenFrom(query, value);
  // Those that are driven are few: they are looked up first, whatever the planner thinks of it.
  const first = driven.length > 0 ? undefined : digests[0];
  const labels = first === undefined ? digests : digests.slice(1);
  const from = sourceOf(schema, driven, first, value);
  // The label's own number has to be bounded and ordered by: its index is the one that is used then.
  const number = first === undefined ? 'run.n' : 'label.run';
  const conditions = [
    ...conditionsOf(query, value),
    ...(cursor === undefined ? [] : [`${number} ${query.order === 'oldest' ? '>' : '<'} ${cursor}::bigint`]),
    ...labels.map((digest) => hasLabel(schema, value(digest))),
  ];
  const branches = branchesOf(query, value).map((more) => {
    const all = [...conditions, ...more];
    return { from, where: all.length > 0 ? `WHERE ${all.join(' AND ')}` : '' };
  });
  return { branches, number, values };
}

function statementOf(
  schema: string,
  { query, labels, limit }: { query: RunQuery; labels: readonly string[]; limit: number },
): { readonly text: string; readonly values: readonly SqlValue[] } {
  const { branches, number, values: conditions } = partsOf(schema, query, labels);
  const values = [...conditions];
  const value = (given: SqlValue): string => `$${values.push(given)}`;
  const order = query.order === 'oldest' ? 'ASC' : 'DESC';
  const skip = pageSkip(query.skip);
  const place = `LIMIT ${value(limit)} OFFSET ${value(skip)}`;
  // Each branch comes in order from its index; of all of them no more than what is left out and a page each is read.
  const bound = branches.length === 1 ? place : `LIMIT ${value(limit + skip)}`;
  const texts = branches.map(
    ({ from, where }) => `SELECT ${runColumns} FROM ${from} ${where} ORDER BY ${number} ${order} ${bound}`,
  );
  if (texts.length === 1) return { text: texts[0] as string, values };
  const union = texts.map((text) => `(${text})`).join(' UNION ALL ');
  return { text: `SELECT * FROM (${union}) run ORDER BY n ${order} ${place}`, values };
}

function sourceOf(
  schema: string,
  driven: readonly string[],
  label: string | undefined,
  value: (given: SqlValue) => string,
): string {
  if (label !== undefined) {
    return `(SELECT * FROM ${schema}.label WHERE digest = ${value(label)}) label JOIN ${schema}.run ON run.n = label.run`;
  }
  return driven.length > 0 ? `(SELECT * FROM ${schema}.run WHERE ${driven.join()} OFFSET 0) run` : `${schema}.run`;
}

function conditionsOf(query: RunQuery, value: (given: SqlValue) => string): string[] {
  const conditions: string[] = [];
  if (query.readyAt !== undefined) conditions.push(mayBeReady, `${readyAt} <= ${value(query.readyAt)}::bigint`);
  if (query.planId !== undefined) {
    conditions.push(
      `COALESCE(run.plan_now, run.plan) = ${value(isUuid(query.planId) ? uuidOf(query.planId) : digestOf('no plan'))}`,
    );
  }
  if (query.endUserId !== undefined) {
    const digest = endUserDigest(query.endUserId);
    conditions.push(digest === null ? 'run.end_user_digest IS NULL' : `run.end_user_digest = ${value(digest)}`);
  }
  if (query.updatedBefore !== undefined) conditions.push(`run.updated_at < ${value(query.updatedBefore)}::bigint`);
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
