import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { AnyTool } from '../../core/tool.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { testTool } from '../../testing/tool-contract.ts';
import {
  createCheckSqlTool,
  createGetTableSchemasTool,
  createListTablesTool,
  createRunSqlTool,
  createSqlTools,
} from './sql-tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'portia-sql-'));
const database = join(folder, 'shop #1?.db');

beforeAll(() => {
  const db = new Database(database);
  db.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT NOT NULL, total REAL, photo BLOB);
    INSERT INTO orders VALUES (1, 'Paris', 10.5, x'00ff'), (2, 'Rome', NULL, NULL), (3, 'Rome', 7, NULL);
    CREATE INDEX by_city ON orders (city);
    CREATE VIEW spy AS SELECT readfile('/etc/hostname') AS secret;
    CREATE VIEW romans AS SELECT * FROM orders WHERE city = 'Rome'`);
  db.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (query: string, options: object = {}, more: object = {}): Promise<unknown> =>
  Promise.resolve(createRunSqlTool({ database, ...options }).run({ query, ...more }, toolContext()));
const errorOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    (value) => new Error(`gave ${JSON.stringify(value)}`),
    (error: Error) => error,
  );
const count = (): unknown => {
  const db = new Database(database);
  try {
    return { n: (db.prepare('SELECT count(*) FROM orders').raw(true).all() as unknown[][])[0]?.[0] };
  } finally {
    db.close();
  }
};

describe('the SQL tools on SQLite', () => {
  it('run a query with parameters and give typed rows', async () => {
    expect(
      await run('SELECT id, city, total, photo FROM orders WHERE city = ? ORDER BY id', {}, { params: ['Rome'] }),
    ).toEqual({
      columns: ['id', 'city', 'total', 'photo'],
      rows: [
        [2, 'Rome', null, null],
        [3, 'Rome', 7, null],
      ],
      truncated: false,
    });
    expect(await run('SELECT photo FROM orders WHERE id = 1')).toMatchObject({ rows: [['(2 bytes)']] });
    expect(await run('WITH r AS (SELECT * FROM romans) SELECT count(*) AS n FROM r; ')).toMatchObject({
      rows: [[2]],
    });
    expect(await run("SELECT value FROM json_each('[1,2]')")).toMatchObject({ rows: [[1], [2]] });
  });

  it('give no more rows than allowed, and say so', async () => {
    const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n';
    expect(await run(endless, { maxRows: 2 })).toEqual({ columns: ['i'], rows: [[1], [2]], truncated: true });
  });

  it('stop a statement that takes too long, and one that is aborted, while others go on', async () => {
    const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';
    expect((await errorOf(run(endless, { timeoutMs: 150 }))).message).toBe('the statement took more than 0.15 s');
    const late = `SELECT 1 UNION ALL SELECT * FROM (${endless})`;
    expect((await errorOf(run(late, { timeoutMs: 150 }))).message).toBe('the statement took more than 0.15 s');
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('stopped')), 50);
    const call = createRunSqlTool({ database }).run({ query: endless }, toolContext({ signal: controller.signal }));
    expect((await errorOf(Promise.resolve(call))).message).toBe('stopped');
  });

  it('list tables and views, and give their columns', async () => {
    expect(await createListTablesTool({ database }).run({}, toolContext())).toEqual(['orders', 'romans', 'spy']);
    const schemas = createGetTableSchemasTool({ database });
    expect(await schemas.run({ tables: ['orders'] }, toolContext())).toMatchObject({
      orders: [
        { name: 'id', type: 'INTEGER', nullable: true, primary_key: true },
        { name: 'city', type: 'TEXT', nullable: false, primary_key: false },
        { name: 'total' },
        { name: 'photo' },
      ],
    });
    const hostile = { tables: ["orders'); DROP TABLE orders; --"] };
    expect(await errorOf(Promise.resolve(schemas.run(hostile, toolContext())))).toBeInstanceOf(ToolHardError);
    expect(count()).toEqual({ n: 3 });
  });

  it('say whether a query could be run', async () => {
    const check = (query: string) => createCheckSqlTool({ database }).run({ query }, toolContext());
    expect(await check('SELECT 1')).toEqual({ ok: true });
    expect(await check('SELEC 1')).toMatchObject({ ok: false, error: expect.stringContaining('syntax error') });
    expect(await check('DELETE FROM orders')).toMatchObject({ ok: false });
    expect(count()).toEqual({ n: 3 });
  });

  it.each([
    "INSERT INTO orders VALUES (9, 'x', 1, NULL)",
    "WITH x AS (SELECT 9) INSERT INTO orders SELECT 9, 'x', 1, NULL FROM x RETURNING id",
    'UPDATE orders SET total = 0 RETURNING id',
    'DELETE FROM orders',
    'DROP TABLE orders',
    'CREATE TEMP TABLE t (a)',
    'PRAGMA user_version = 7',
    'PRAGMA query_only = 0',
    'PRAGMA writable_schema = 1',
    'PRAGMA hard_heap_limit = 100000000',
    '/* c */ pragma main.soft_heap_limit(100000000) -- c',
    'PRAGMA "hard_heap_limit" = 100000000',
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA rekey = 'x'",
    "PRAGMA table_info('orders') = 1",
    'PRAGMA cache_size = 1000000',
    'PRAGMA database_list',
    ';PRAGMA hard_heap_limit = 100000000',
    'PRAGMA journal_mode = DELETE',
    "ATTACH 'evil.db' AS evil",
    "VACUUM INTO 'evil.db'",
    'SELECT 1; DELETE FROM orders',
    "SELECT ';'; DELETE FROM orders",
    'SELECT 1 /* ; */ ; DROP TABLE orders',
    'EXPLAIN DELETE FROM orders',
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('evil.db', 'x')",
    "SELECT upper(ReadFile('/etc/passwd'))",
    "SELECT * FROM fsdir('/')",
    "SELECT name FROM orders, fsdir('/tmp')",
    'SELECT * FROM spy',
    "SELECT load_extension('evil')",
    'BEGIN IMMEDIATE',
    'REINDEX',
    'ANALYZE',
  ])('refuse for good, read-only: %s', async (query) => {
    const before = readdirSync(process.cwd());
    const error = await errorOf(run(query));
    expect(error.message).not.toMatch(/^gave/);
    expect(error).toBeInstanceOf(ToolHardError);
    expect(count()).toEqual({ n: 3 });
    expect(readdirSync(process.cwd())).toEqual(before);
    // What holds for the whole process is as it was.
    expect(await run('SELECT * FROM pragma_hard_heap_limit, pragma_soft_heap_limit')).toMatchObject({ rows: [[0, 0]] });
  });

  it('give the pragmas that say how tables are made', async () => {
    expect(await run("PRAGMA table_info('orders');")).toMatchObject({
      columns: ['cid', 'name', 'type', 'notnull', 'dflt_value', 'pk'],
      rows: [[0, 'id', 'INTEGER', 0, null, 1], expect.anything(), expect.anything(), expect.anything()],
    });
    expect(await run('PRAGMA foreign_key_list(orders)')).toMatchObject({ rows: [] });
    expect(await createCheckSqlTool({ database }).run({ query: 'PRAGMA table_list' }, toolContext())).toEqual({
      ok: true,
    });
    expect(await run('PRAGMA table_info(orders)', { write: true })).toMatchObject({ columns: expect.anything() });
  });

  it.each([{}, { write: true }])('leave long values where they are, with %j', async (options) => {
    const before = process.memoryUsage();
    const query = `SELECT zeroblob(80000000) AS a, hex(zeroblob(20000000)) AS b, 'é' AS c, NULL AS d, 1.5 AS e`;
    const { rows } = (await run(query, options)) as { rows: string[][] };
    const [[a, b, ...others] = []] = rows;
    expect([a, others]).toEqual(['(80000000 bytes)', ['é', null, 1.5]]);
    expect(b).toBe(`${'0'.repeat(10_000)}… (40000000 characters)`);
    const after = process.memoryUsage();
    expect(after.external + after.heapUsed - before.external - before.heapUsed).toBeLessThan(50_000_000);
  });

  it('write when asked to, and even then reach no other file', async () => {
    const write = { write: true };
    expect(await run('INSERT INTO orders VALUES (4, ?, 1, NULL)', write, { params: ['Oslo'] })).toEqual({
      columns: ['changes'],
      rows: [[1]],
      truncated: false,
    });
    expect(await run('DELETE FROM orders WHERE id = 4 RETURNING city', write)).toMatchObject({ rows: [['Oslo']] });
    for (const query of [
      "ATTACH 'evil.db' AS e",
      "SELECT writefile('evil.db', 'x')",
      "VACUUM INTO 'evil.db'",
      'DELETE FROM orders; SELECT 1',
    ])
      expect(await errorOf(run(query, write))).toBeInstanceOf(ToolHardError);
    expect([existsSync('evil.db'), count()]).toEqual([false, { n: 3 }]);
    expect([createRunSqlTool(write).readOnly, createRunSqlTool().readOnly]).toEqual([false, true]);
  });

  it('let a call choose a database only below a root, and need one at all', async () => {
    const pick = (db_path: unknown, options: object) =>
      errorOf(run('SELECT 1 AS one', options, { config_json: { db_path } }));
    expect((await pick('x.db', {})).message).toMatch(/calls cannot choose another/);
    expect((await pick('../../etc/passwd', { root: folder })).message).toMatch(/outside the folder/);
    expect((await pick('shop #1?.db', { root: folder })).message).toMatch(/^gave .*"one"/);
    expect(await pick(7, { root: folder })).toBeInstanceOf(ToolSoftError);
    const none = await errorOf(run('SELECT 1', { database: undefined }));
    expect(none).toBeInstanceOf(ToolSoftError);
    expect((await errorOf(run('SELECT 1', { database: join(folder, 'none.db') }))).message).toMatch(/cannot be opened/);
    expect(existsSync(join(folder, 'none.db'))).toBe(false);
  });
});

const cases: Readonly<Record<string, { valid: object; invalid: object }>> = {
  run_sql: { valid: { query: 'SELECT 1' }, invalid: { query: 1 } },
  list_tables: { valid: {}, invalid: { config_json: 'x' } },
  get_table_schemas: { valid: { tables: ['orders'] }, invalid: { tables: 'orders' } },
  check_sql: { valid: { query: 'SELECT 1' }, invalid: {} },
};
for (const made of createSqlTools({ database }) as readonly AnyTool[]) {
  const { valid, invalid } = cases[made.id] ?? { valid: {}, invalid: {} };
  testTool(made, { valid: [valid], invalid: [invalid] }, { describe, it, expect });
}
