import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshSchema, startPostgres, type TestPostgres } from '../../../test/lib/postgres.ts';
import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { createCheckSqlTool, createGetTableSchemasTool, createListTablesTool, createRunSqlTool } from './sql-tools.ts';

let server: TestPostgres;
let database: string;
let client: pg.Client;
const schema = freshSchema();
const reader = `${schema}_reader`;

beforeAll(async () => {
  server = await startPostgres();
  client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query(`CREATE SCHEMA ${schema}; SET search_path = ${schema};
    CREATE TABLE orders (id bigint PRIMARY KEY, city text NOT NULL, total numeric, at timestamptz);
    INSERT INTO orders VALUES (1, 'Paris', 10.5, '2026-01-02T03:04:05Z'), (2, 'Rome', NULL, NULL), (3, 'Rome', 7, NULL);
    CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM orders; SELECT 1';
    CREATE VIEW trap AS SELECT wipe() AS n;
    CREATE SEQUENCE numbers;
    CREATE FUNCTION count_up(int) RETURNS int LANGUAGE sql AS 'SELECT nextval(''numbers'')::int';
    CREATE FUNCTION count_up(int, int) RETURNS int LANGUAGE sql AS 'SELECT count_up($1)';
    CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = count_up);
    CREATE TYPE coin AS (n int);
    CREATE FUNCTION minted(int) RETURNS coin LANGUAGE sql AS 'SELECT ROW(count_up($1))::coin';
    CREATE CAST (int AS coin) WITH FUNCTION minted(int);
    CREATE FUNCTION spent(coin) RETURNS int LANGUAGE sql AS 'SELECT count_up(0)';
    CREATE CAST (coin AS int) WITH FUNCTION spent(coin);
    CREATE FUNCTION is_new(int) RETURNS bool LANGUAGE sql AS 'SELECT count_up($1) IS NOT NULL';
    CREATE DOMAIN ticket AS int CHECK (is_new(VALUE));
    CREATE AGGREGATE tally(int) (SFUNC = count_up, STYPE = int, INITCOND = '0');
    CREATE FUNCTION says_stable() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN PERFORM wipe(); RETURN 1; END';
    CREATE FUNCTION stable_number() RETURNS bigint LANGUAGE plpgsql STABLE AS 'DECLARE n bigint; BEGIN EXECUTE ''SELECT nextval(''''numbers'''')'' INTO n; RETURN n; END';
    CREATE FUNCTION stable_file() RETURNS oid LANGUAGE plpgsql STABLE AS 'DECLARE n oid; BEGIN EXECUTE ''SELECT lo_create(0)'' INTO n; RETURN n; END';
    CREATE FUNCTION "nextval" (text, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE TABLE secrets (word text);
    INSERT INTO secrets VALUES ('hunter2')`);
  await client.query(`CREATE ROLE ${reader}; GRANT USAGE ON SCHEMA ${schema} TO ${reader};
    GRANT SELECT ON ${schema}.orders TO ${reader}`);
  database = `${server.url}?options=-csearch_path%3D${schema}`;
}, 120_000);
afterAll(async () => {
  await client?.query(`DROP SCHEMA ${schema} CASCADE; DROP OWNED BY ${reader}; DROP ROLE ${reader}`);
  await client?.end();
  await server?.stop();
});

const run = (query: string, options: object = {}, more: object = {}): Promise<unknown> =>
  Promise.resolve(createRunSqlTool({ database, ...options }).run({ query, ...more }, toolContext()));
const errorOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    (value) => new Error(`gave ${JSON.stringify(value)}`),
    (error: Error) => error,
  );
const count = async (): Promise<unknown> => (await client.query('SELECT count(*)::int AS n FROM orders')).rows[0];

describe('the SQL tools on PostgreSQL', () => {
  it('run a query with parameters and give typed rows', async () => {
    const query = 'SELECT id, city, total, at FROM orders WHERE city = $1 OR id = $2 ORDER BY id LIMIT 2';
    expect(await run(query, {}, { params: ['Rome', 1] })).toEqual({
      columns: ['id', 'city', 'total', 'at'],
      rows: [
        ['1', 'Paris', '10.5', '2026-01-02T03:04:05.000Z'],
        ['2', 'Rome', null, null],
      ],
      truncated: false,
    });
    expect(await run('SELECT random() < 2 AS yes')).toMatchObject({ rows: [[true]] });
  });

  it('give no more rows than allowed, and stop what takes too long', async () => {
    expect(await run('SELECT * FROM generate_series(1, 1000) AS i', { maxRows: 2 })).toMatchObject({
      rows: [[1], [2]],
      truncated: true,
    });
    const slow = 'SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b';
    expect((await errorOf(run(slow, { timeoutMs: 300 }))).message).toMatch(/statement timeout/);
  });

  it('do not take rows that fill the memory', async () => {
    const before = process.memoryUsage();
    expect((await errorOf(run("SELECT repeat('x', 300000000)"))).message).toBe('the rows are longer than 32 MiB');
    const after = process.memoryUsage();
    expect(after.external + after.heapUsed - before.external - before.heapUsed).toBeLessThan(250_000_000);
    const cut = (await run("SELECT repeat('x', 20000) AS x")) as { rows: string[][] };
    expect(cut.rows[0]?.[0]).toHaveLength(10_000 + '… (20000 characters)'.length);
  });

  it('list tables, give columns and check queries', async () => {
    expect(await createListTablesTool({ database }).run({}, toolContext())).toEqual(
      expect.arrayContaining(['orders', 'trap']),
    );
    expect(await createGetTableSchemasTool({ database }).run({ tables: ['orders'] }, toolContext())).toEqual({
      orders: [
        { name: 'id', type: 'bigint', nullable: false, primary_key: true },
        { name: 'city', type: 'text', nullable: false, primary_key: false },
        { name: 'total', type: 'numeric', nullable: true, primary_key: false },
        { name: 'at', type: 'timestamp with time zone', nullable: true, primary_key: false },
      ],
    });
    const check = (query: string) => createCheckSqlTool({ database }).run({ query }, toolContext());
    expect(await check('SELECT 1')).toEqual({ ok: true });
    expect(await check('SELEC 1')).toMatchObject({ ok: false });
  });

  it.each([
    "INSERT INTO orders VALUES (9, 'x')",
    "WITH x AS (INSERT INTO orders VALUES (9, 'x') RETURNING id) SELECT * FROM x",
    'WITH d AS (DELETE FROM orders RETURNING 1) SELECT count(*) FROM d',
    'DELETE FROM orders',
    'CREATE TEMP TABLE t (a int)',
    'SELECT 1; DELETE FROM orders',
    'COMMIT',
    'COMMIT; DELETE FROM orders',
    'SET TRANSACTION READ WRITE',
    "SELECT set_config('transaction_read_only', 'off', false)",
    'SELECT wipe()',
    'SELECT * FROM trap',
    "SELECT nextval('numbers')",
    'SELECT pg_terminate_backend(pg_backend_pid())',
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    'SELECT pg_sleep(10)',
    'SELECT pg_advisory_lock(1)',
    "COPY orders TO PROGRAM 'cat > /tmp/evil'",
    "COPY (SELECT 1) TO '/tmp/evil'",
    'DO $$ BEGIN DELETE FROM orders; END $$',
    'LISTEN x',
    "NOTIFY x, 'y'",
    'VACUUM',
    'EXPLAIN ANALYZE DELETE FROM orders',
    'ANALYZE DELETE FROM orders',
    '(ANALYZE) DELETE FROM orders',
    'CREATE TABLE t AS SELECT 1',
    'SELECT * INTO t FROM orders',
    'SELECT * FROM orders FOR UPDATE',
    // A function with effects that no name in the statement shows.
    'SELECT 1 <+> 2',
    `SELECT 1 OPERATOR(${schema}.<+>) 2`,
    'SELECT id FROM orders ORDER BY (id::int <+> 1)',
    'SELECT 5::coin',
    'SELECT ROW(5)::coin::int',
    'SELECT 5::ticket',
    'SELECT CAST(id::int AS ticket) FROM orders',
    'SELECT tally(1) FROM orders',
    'SELECT tally(1) OVER () FROM orders',
    // One that lies about itself: the transaction refuses.
    'SELECT says_stable()',
    'SELECT stable_number()',
    'SELECT stable_file()',
    "SELECT setval('numbers', 99)",
    "SELECT query_to_xml('DELETE FROM orders', true, true, '')",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_notify('x', 'y')",
    "SELECT pg_logical_emit_message(false, 'x', 'y')",
    "SELECT set_config('role', 'none', true)",
    'SET ROLE none',
    'RESET ROLE',
    'PREPARE x AS DELETE FROM orders',
    'EXECUTE x',
    'CALL x()',
    'LOCK TABLE orders',
    'SELECT pg_catalog."nextval"(\'numbers\')',
  ])('refuse for good, read-only: %s', async (query) => {
    const error = await errorOf(run(query));
    expect(error.message).not.toMatch(/^gave/);
    expect(error).toBeInstanceOf(ToolHardError);
    expect(await count()).toEqual({ n: 3 });
    const { rows } = await client.query(
      `SELECT (SELECT is_called FROM numbers) AS counted, (SELECT count(*)::int FROM pg_largeobject_metadata) AS objects`,
    );
    expect(rows).toEqual([{ counted: false, objects: 0 }]);
  });

  it.each([
    ["SELECT '1 <+> 2' || ' nextval(1) 5::ticket ' AS words", ' nextval'],
    ['SELECT id AS tally, city AS coin FROM orders LIMIT 1', 'Paris'],
    ['SELECT 1::int + 2 AS n', '3'],
    ["SELECT count(*), max(at)::text, string_agg(city, ', ') FROM orders", 'Rome'],
    ['SELECT row_number() OVER (ORDER BY id) FROM orders', '3'],
    ["SELECT now() > '2020-01-01'::timestamptz AS yes", 'true'],
  ])('run what only looks like it: %s', async (query, part) => {
    expect(JSON.stringify(await run(query))).toContain(part);
  });

  it('take on a role, which no statement lays down again', async () => {
    const as = { role: reader };
    expect(await run('SELECT current_user AS who', as)).toMatchObject({ rows: [[reader]] });
    expect(await run('SELECT count(*) FROM orders', as)).toMatchObject({ rows: [['3']] });
    expect((await errorOf(run('SELECT * FROM secrets', as))).message).toMatch(/permission denied/);
    expect((await errorOf(run("SELECT set_config('role', 'none', false)", as))).message).toMatch(/set_config/);
    expect((await errorOf(run('RESET ROLE', { ...as, write: true }))).message).not.toMatch(/^gave.*hunter2/);
    expect((await errorOf(run('SELECT * FROM secrets', { ...as, write: true }))).message).toMatch(/permission denied/);
    expect((await errorOf(run('SELECT 1', { role: 'no"body' }))).message).toMatch(/does not exist/);
  });

  it('write when asked to, whole or not at all', async () => {
    const write = { write: true };
    expect(await run('INSERT INTO orders VALUES (4, $1)', write, { params: ['Oslo'] })).toMatchObject({ rows: [[1]] });
    expect(await count()).toEqual({ n: 4 });
    expect(
      await errorOf(run("INSERT INTO orders SELECT i, 'x' FROM generate_series(5, 1, -1) i", write)),
    ).toBeInstanceOf(ToolHardError);
    expect(await run('DELETE FROM orders WHERE id = 4 RETURNING city', write)).toMatchObject({ rows: [['Oslo']] });
    expect(await count()).toEqual({ n: 3 });
  });

  it('never tell the address, which holds a password', async () => {
    const error = await errorOf(run('SELECT 1', { database: 'postgres://user:hunter2@127.0.0.1:1/x' }));
    expect(error).toBeInstanceOf(ToolSoftError);
    expect(error.message).toBe('the database could not be reached: ECONNREFUSED');
  });
});
