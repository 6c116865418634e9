// What a store costs when it is full, and when many write at once.
//   node benchmarks/storage.mjs                        pages of lists and one run, at 1,000 and 100,000 stored runs; 200 writers
//   node benchmarks/storage.mjs --sizes 1000,10000     other sizes
//   node benchmarks/storage.mjs --stores sqlite        one of sqlite, postgres
//   node benchmarks/storage.mjs --json                 one JSON object on stdout
// PostgreSQL is that of DATABASE_URL, else one that is started for this. Needs `npm run build`.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import '../packages/sdk/test/lib/typescript-loader.mjs';
import { at, commit, fill, medians, now, planRecord, rounded, runId, sorted, states } from './full-store.mjs';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,100000' },
    stores: { type: 'string', default: 'sqlite,postgres' },
    writers: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
});
const sizes = options.sizes.split(',').map(Number);
const writers = Number(options.writers);
/** What is asked of a full store. */
function questions({ ids, plans }, middle) {
  const random = () => ids[Math.floor(Math.random() * ids.length)];
  return {
    'newest page': (storage) => storage.listRuns({}),
    'a page in the middle': (storage) => storage.listRuns({ cursor: middle }),
    // As /api/v0 lists: a page and how many there are.
    'page 20 of all, counted': async (storage) =>
      Promise.all([storage.listRuns({ limit: 20, skip: 380 }), storage.countRuns({})]),
    'newest complete ones, counted': async (storage) =>
      Promise.all([storage.listRuns({ limit: 20, states: ['COMPLETE'] }), storage.countRuns({ states: ['COMPLETE'] })]),
    'oldest unfinished': (storage) => storage.listRuns({ states, order: 'oldest' }),
    'waiting for a person': (storage) => storage.listRuns({ states: ['NEED_CLARIFICATION'] }),
    failed: (storage) => storage.listRuns({ states: ['FAILED'] }),
    'of a rare error code': (storage) => storage.listRuns({ codes: ['APPROVAL_REFUSED'] }),
    'of an end user': (storage) => storage.listRuns({ endUserId: 'cust_7' }),
    'of a label': (storage) => storage.listRuns({ labels: { customer: 'c_7' } }),
    'of two labels': (storage) => storage.listRuns({ labels: { batch: 'nightly', customer: 'c_7' } }),
    'of a plan': (storage) => storage.listRuns({ planId: plans[7].id }),
    'failed ones of a label': (storage) => storage.listRuns({ states: ['FAILED'], labels: { batch: 'nightly' } }),
    'what waits': (storage) => storage.listClarifications({}),
    'what waits for operators': (storage) => storage.listClarifications({ audiences: ['operator'] }),
    'what waits, of a label': (storage) => storage.listClarifications({ labels: { customer: 'c_7' } }),
    'what waits, of before': (storage) => storage.listClarifications({ raisedBefore: now + 200 }),
    'due now': (storage) => storage.listRuns({ readyAt: now + 1 }),
    'one run': (storage) => storage.loadRun(random()),
    'commands since': (storage) => storage.pollCommands([random()], '1'),
  };
}

/** Microseconds of each question, by size. */
async function lists(open) {
  const stores = [];
  for (const size of sizes) {
    const { storage, settle, close } = await open();
    const filled = await fill(storage, size);
    await settle();
    let middle;
    for (let page = 0; page < size / 2000 || middle === undefined; page += 1)
      middle = (await storage.listRuns({ limit: size < 2000 ? size / 2 : 1000, cursor: middle })).cursor;
    stores.push({ storage, close, asked: questions(filled, middle) });
  }
  const result = {};
  for (const name of Object.keys(stores[0].asked)) {
    const figures = await medians(
      stores.map(
        ({ storage, asked }) =>
          () =>
            asked[name](storage),
      ),
    );
    result[name] = Object.fromEntries(sizes.map((size, index) => [size, figures[index]]));
  }
  for (const { close } of stores) await close();
  return result;
}

/** Many clients at once: each makes runs of a few commits, one after the other. Next to it, plain inserts as many. */
async function writing(open) {
  const { storage, insert, close } = await open();
  const plan = planRecord();
  await storage.savePlan(plan);
  const claim = { owner: 'host/1/a', now, ttlMs: 30_000, isAlive: () => undefined };
  const oneRun = async (timed) => {
    const header = { id: runId(), planId: plan.id, endUserId: 'ada', createdAt: now, inputs: {} };
    await timed(() => storage.createRun(header, claim));
    for (let seq = 1; seq <= 4; seq += 1) {
      const status =
        seq === 1 || seq === 4 ? { state: seq === 4 ? 'COMPLETE' : 'IN_PROGRESS', updatedAt: now } : undefined;
      await timed(() => storage.append(header.id, 1, commit(seq), status, seq === 4));
    }
  };
  const oneFloor = async (timed) => {
    for (let write = 0; write < 5; write += 1) await timed(() => insert(randomUUID(), commit(write).events));
  };
  const result = {};
  for (const [name, work] of Object.entries({ floor: oneFloor, ours: oneRun })) {
    const taken = [];
    const timed = async (write) => {
      const begun = performance.now();
      await write();
      taken.push(performance.now() - begun);
    };
    const begun = performance.now();
    const client = async () => {
      while (performance.now() - begun < 5_000) await work(timed);
    };
    await Promise.all(Array.from({ length: writers }, client));
    const seconds = (performance.now() - begun) / 1000;
    const times = sorted(taken);
    result[name] = {
      writes_per_s: Math.round(taken.length / seconds),
      p50_ms: rounded(at(times, 0.5)),
      p99_ms: rounded(at(times, 0.99)),
    };
  }
  await close();
  return result;
}

async function sqlite() {
  const { sqliteStorage } = await import('portia-ts/sqlite');
  const { default: Database } = await import('libsql');
  return {
    async open() {
      const dir = mkdtempSync(join(tmpdir(), 'portia-bench-'));
      const storage = await sqliteStorage(join(dir, 'portia.db'));
      const floor = new Database(join(dir, 'floor.db'));
      floor.prepare('PRAGMA journal_mode = WAL').get();
      floor.exec('PRAGMA synchronous = NORMAL; CREATE TABLE event (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID');
      const statement = floor.prepare('INSERT INTO event VALUES (?, ?)');
      return {
        storage,
        insert: async (id, body) => statement.run([id, body]),
        settle: async () => {},
        async close() {
          await storage.close();
          floor.close();
          rmSync(dir, { recursive: true, force: true });
        },
      };
    },
    stop: async () => {},
  };
}

async function postgres() {
  const { postgresStorage } = await import('portia-ts/postgres');
  const { default: pg } = await import('pg');
  const { startPostgres, freshSchema } = await import('../packages/sdk/test/lib/postgres.ts');
  const server = await startPostgres();
  return {
    async open() {
      const schema = freshSchema();
      const pool = new pg.Pool({ connectionString: server.url, max: 20 });
      pool.on('error', () => {});
      const storage = await postgresStorage({ pool, schema });
      await pool.query(`CREATE TABLE ${schema}.event (id uuid PRIMARY KEY, body text)`);
      return {
        storage,
        insert: (id, body) => pool.query(`INSERT INTO ${schema}.event VALUES ($1, $2)`, [id, body]),
        // What a running database does by itself within a minute.
        settle: () => pool.query('ANALYZE'),
        async close() {
          await storage.close();
          await pool.query(`DROP SCHEMA ${schema} CASCADE`);
          await pool.end();
        },
      };
    },
    stop: () => server.stop(),
  };
}

const result = {};
for (const name of options.stores.split(',')) {
  const store = await { sqlite, postgres }[name]();
  result[name] = { lists: await lists(store.open), writing: await writing(store.open) };
  await store.stop();
}
if (options.json) console.log(JSON.stringify(result));
else {
  const line = (...cells) =>
    console.log(cells.map((cell, index) => String(cell).padEnd(index === 0 ? 32 : 22)).join(''));
  for (const [name, { lists: asked, writing: written }] of Object.entries(result)) {
    line(name, ...sizes.map((size) => `${size}, µs`), 'ratio');
    for (const [question, figures] of Object.entries(asked)) {
      const [least, most] = [figures[sizes[0]], figures[sizes.at(-1)]];
      line(question, ...sizes.map((size) => figures[size]), `${rounded(most / least)}x`);
    }
    for (const [whose, figures] of Object.entries(written))
      line(`${writers} writers, ${whose}`, ...Object.entries(figures).map(([what, value]) => `${what} ${value}`));
    line('');
  }
}
