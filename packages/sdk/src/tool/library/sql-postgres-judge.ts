import { ToolHardError } from '../../core/errors.ts';

/** Functions that give another value each time and change nothing. */
const harmless = [
  'random',
  'random_normal',
  'clock_timestamp',
  'timeofday',
  'gen_random_uuid',
  'uuidv4',
  'uuidv7',
  'setseed',
];

/** The rows of a statement about the statement. */
type Ask = (text: string, values?: readonly unknown[]) => Promise<readonly (readonly unknown[])[]>;

/**
 * By what a plan shows that it calls a VOLATILE function: its name, an operator, the type of a cast, of a domain that
 * checks with it or of values that are read and written with it, an aggregate. A cast that is implicit is not shown.
 * Columns: the kind, the name that is shown, the function.
 */
const volatileSql = `
  WITH volatile AS (
    SELECT p.oid, p.proname FROM pg_catalog.pg_proc p
    WHERE p.provolatile = 'v' AND NOT (p.proname = ANY ($1::text[]) AND p.pronamespace = 'pg_catalog'::regnamespace)
  ), shown AS (
    -- Built-in types have other names in plans than in the catalogue.
    SELECT t.oid, n.name FROM pg_catalog.pg_type t, unnest(ARRAY[t.typname::text, split_part(format_type(t.oid, NULL), ' ', 1)]) AS n(name)
  ), checks AS (
    SELECT c.contypid AS type, d.refobjid AS function
    FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass
    WHERE c.contypid <> 0
  )
  SELECT 'operator', o.oprname::text, v.proname::text FROM pg_catalog.pg_operator o JOIN volatile v ON v.oid = o.oprcode
  UNION ALL
  SELECT 'type', t.name, v.proname::text
  FROM pg_catalog.pg_cast c JOIN volatile v ON v.oid = c.castfunc JOIN shown t ON t.oid = c.casttarget
  UNION ALL
  SELECT 'type', t.typname::text, v.proname::text FROM pg_catalog.pg_type t
  JOIN volatile v ON v.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout)
  UNION ALL
  SELECT 'type', t.typname::text, v.proname::text FROM checks k
  JOIN volatile v ON v.oid = k.function JOIN pg_catalog.pg_type t ON t.oid = k.type
  UNION ALL
  SELECT 'function', a.proname::text, v.proname::text FROM pg_catalog.pg_aggregate g
  JOIN pg_catalog.pg_proc a ON a.oid = g.aggfnoid
  JOIN volatile v ON v.oid IN (g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
  UNION ALL
  SELECT 'function', v.proname::text, v.proname::text FROM volatile v`;

/**
 * Lets a statement pass that PostgreSQL can explain and that calls nothing with effects. It is planned, not run: planning
 * itself evaluates functions that are marked IMMUTABLE or STABLE, in the read-only transaction.
 * @throws ToolHardError naming the function; what the database says of a statement it cannot explain.
 */
export async function judge(ask: Ask, query: string, params: readonly unknown[]): Promise<void> {
  if (/^\s*explain\b/i.test(query)) throw new ToolHardError('give the statement itself, without EXPLAIN');
  const lines = await ask(`EXPLAIN (VERBOSE, COSTS OFF) ${query}`, params);
  const used = namesIn(lines.map(([line]) => String(line)).join('\n'));
  for (const [kind, name, called] of await ask(volatileSql, [harmless]))
    if (used[kind as keyof Names].has(String(name)))
      throw new ToolHardError(`the function ${String(called)} may have effects and is not run`, {
        hint: 'mark it STABLE in the database if it has none',
      });
}

interface Names {
  readonly function: ReadonlySet<string>;
  readonly operator: ReadonlySet<string>;
  readonly type: ReadonlySet<string>;
}

const name = String.raw`(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))`;

/** The names in a plan by what they stand for. Texts are left out, so that what they say is not read as the plan. */
function namesIn(plan: string): Names {
  const text = plan.replace(/'(?:[^']|'')*'/g, "''");
  const found = (pattern: string): ReadonlySet<string> =>
    new Set(
      [...text.matchAll(new RegExp(pattern, 'gu'))].map(
        (match) => match.at(-2)?.replaceAll('""', '"') ?? match.at(-1) ?? '',
      ),
    );
  return {
    function: found(`${name}\\s*\\(`),
    type: found(`::(?:${name}\\.)?${name}`),
    operator: new Set(text.match(/[-+*/<>=~!@#%^&|`?]+/g)),
  };
}
