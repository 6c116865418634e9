// What a server costs over HTTP: pages when its store is full, many clients that save runs at once, and its memory over time.
//   node benchmarks/server.mjs                        pages at 1,000 and 100,000 stored runs; 200 clients; ten minutes of runs
//   node benchmarks/server.mjs --sizes 1000,10000     other sizes
//   node benchmarks/server.mjs --soak 60              shorter; 0: not at all
//   node benchmarks/server.mjs --json                 one JSON object on stdout
// Needs `npm run build`.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import '../packages/sdk/test/lib/typescript-loader.mjs';
import { at, commit, fill, medians, now, planRecord, rounded, runId, sorted } from './full-store.mjs';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,100000' },
    clients: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    soak: { type: 'string', default: '600' },
    json: { type: 'boolean', default: false },
  },
});
const sizes = options.sizes.split(',').map(Number);
const clients = Number(options.clients);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'packages/sdk/dist/cli/main.js');

/** A server in a process of its own, on a file, that drives nothing. */
async function serve(folder) {
  const child = spawn(
    process.execPath,
    [main, 'serve', '--port', '0', '--no-auth', '--json', '--concurrency', '0', '--log-level', 'error'].concat([
      '--rate-limit',
      '1000000',
      '--storage',
      `sqlite:${join(folder, 'portia.db')}`,
    ]),
    { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  for await (const chunk of child.stdout) {
    out += chunk;
    if (out.includes('"storage": "') && out.includes('}')) break;
  }
  process.once('exit', () => child.kill('SIGKILL'));
  return {
    url: /"url": "([^"]+)"/.exec(out)[1],
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

const inFolder = async (work) => {
  const folder = mkdtempSync(join(tmpdir(), 'portia-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** A server whose store holds so many runs, and what is asked of it. */
async function full(folder, size) {
  const { sqliteStorage } = await import('portia-ts/sqlite');
  const storage = await sqliteStorage(join(folder, 'portia.db'));
  const { ids, plans } = await fill(storage, size);
  await storage.close();
  const server = await serve(folder);
  const get = async (path) => {
    const answer = await fetch(`${server.url}/api/v1${path}`);
    if (answer.status !== 200) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  const middle = (await get(`/runs?limit=${Math.min(1000, size / 2)}`)).cursor;
  const paths = {
    'newest page of runs': () => '/runs',
    'a later page': () => `/runs?cursor=${middle}`,
    'of two labels': () => '/runs?label=batch%3Dnightly&label=customer%3Dc_7',
    'failed ones of a label': () => '/runs?state=FAILED&label=batch%3Dnightly',
    'of an end user': () => '/runs?endUserId=cust_7',
    'of a plan': () => `/runs?planId=${plans[7].id}`,
    'what waits': () => '/clarifications',
    'what waits for operators': () => '/clarifications?audience=operator',
    'what waits, of a label': () => '/clarifications?label=customer%3Dc_7',
    'one run': () => `/runs/${ids[Math.floor(Math.random() * ids.length)]}`,
  };
  const asked = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, () => get(path())]));
  return { asked, stop: server.stop };
}

/** Microseconds of each page, by size. */
async function pages() {
  const folders = sizes.map(() => mkdtempSync(join(tmpdir(), 'portia-bench-')));
  try {
    const servers = [];
    for (const [index, size] of sizes.entries()) servers.push(await full(folders[index], size));
    const result = {};
    for (const name of Object.keys(servers[0].asked)) {
      const figures = await medians(servers.map(({ asked }) => asked[name]));
      result[name] = Object.fromEntries(sizes.map((size, index) => [size, figures[index]]));
    }
    for (const { stop } of servers) await stop();
    return result;
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** Clients that save runs at once, each one write after the other: a run, and four commits. Beside it the same without HTTP. */
async function saving() {
  const { sqliteStorage } = await import('portia-ts/sqlite');
  const { cloudStorage } = await import('portia-ts');
  const plan = planRecord();
  const claim = { owner: 'host/1/a', now, ttlMs: 30_000, isAlive: () => undefined };
  const measure = async (storages) => {
    const taken = [];
    const timed = async (write) => {
      const begun = performance.now();
      await write();
      taken.push(performance.now() - begun);
    };
    const begun = performance.now();
    const client = async (storage) => {
      while (performance.now() - begun < Number(options.seconds) * 1000) {
        const header = { id: runId(), planId: plan.id, endUserId: 'ada', createdAt: now, inputs: {} };
        await timed(() => storage.createRun(header, claim));
        for (let seq = 1; seq <= 4; seq += 1) {
          const state = seq === 4 ? 'COMPLETE' : 'IN_PROGRESS';
          const status = seq === 1 || seq === 4 ? { state, updatedAt: now } : undefined;
          await timed(() => storage.append(header.id, 1, commit(seq), status, seq === 4));
        }
      }
    };
    await Promise.all(storages.map(client));
    const times = sorted(taken);
    return {
      writes_per_s: Math.round(taken.length / ((performance.now() - begun) / 1000)),
      p50_ms: rounded(at(times, 0.5)),
      p99_ms: rounded(at(times, 0.99)),
    };
  };
  return inFolder(async (folder) => {
    const storage = await sqliteStorage(join(folder, 'floor.db'));
    await storage.savePlan(plan);
    const floor = await measure(Array.from({ length: clients }, () => storage));
    await storage.close();
    const server = await serve(folder);
    const connections = Array.from({ length: clients }, () => cloudStorage({ endpoint: server.url }));
    await (await connections[0]).savePlan(plan);
    const ours = await measure(await Promise.all(connections));
    for (const one of await Promise.all(connections)) await one.close();
    await server.stop();
    return { floor, ours };
  });
}

async function soaking(seconds) {
  const { soak } = await import('../packages/server/test/lib/soak.ts');
  // Below the repository, so that both packages are found.
  const folder = mkdtempSync(join(root, 'node_modules/.soak-'));
  try {
    const { runs, heap, grown, between } = await soak(folder, main, seconds);
    const last = rounded((heap.at(-1) ?? 0) / 1e6);
    return { runs, heap_mb: last, grown_kb: Math.round(grown / 1e3), between };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const result = { pages: await pages(), saving: await saving() };
if (Number(options.soak) > 0) result.soak = await soaking(Number(options.soak));
if (options.json) console.log(JSON.stringify(result));
else {
  const line = (...cells) =>
    console.log(cells.map((cell, index) => String(cell).padEnd(index === 0 ? 28 : 22)).join(''));
  line('over HTTP, SQLite', ...sizes.map((size) => `${size}, µs`), 'ratio');
  for (const [question, figures] of Object.entries(result.pages)) {
    const ratio = rounded(figures[sizes.at(-1)] / figures[sizes[0]]);
    line(question, ...sizes.map((size) => figures[size]), `${ratio}x`);
  }
  for (const [whose, figures] of Object.entries(result.saving))
    line(`${clients} clients, ${whose}`, ...Object.entries(figures).map(([what, value]) => `${what} ${value}`));
  if (result.soak) line('soak', ...Object.entries(result.soak).map(([what, value]) => `${what} ${value}`));
}
