// One measurement in a process of its own: `node worker.mjs <floor|peer> <workload> <arguments as JSON>` prints one line of
// JSON. Ours must have come to its end with all its outputs, or the measurement is an error.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [, , target, workload, text] = process.argv;
const given = JSON.parse(text);
const contender = await import(`./${target}.mjs`);

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};
const megabytes = (bytes) => bytes / 1024 / 1024;

/** Bytes this process has handed to the system to write; undefined where it does not say. */
function bytesWritten() {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

/** Folds what SQLite keeps beside its file into it, so that bytes at rest can be counted. */
async function fold(dir) {
  const databases = readdirSync(dir).filter((name) => name.endsWith('.db'));
  if (databases.length === 0) return;
  const { default: Database } = await import('libsql');
  for (const name of databases) {
    const database = new Database(join(dir, name));
    database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    database.close();
  }
}

function bytesAtRest(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, path, name }) => sum + statSync(join(parentPath ?? path, name)).size, 0);
}

/** Milliseconds of each run, until there were `max` or the time is up. */
async function times(run, { ms, max }) {
  const taken = [];
  const end = performance.now() + ms;
  while (taken.length === 0 || (taken.length < max && performance.now() < end)) {
    const begun = performance.now();
    const outputs = await run();
    taken.push(performance.now() - begun);
    if (outputs !== given.n) throw new Error(`a run of ${given.n} steps has ${outputs} outputs`);
  }
  return taken;
}

/** What is read back in a new process has all outputs. */
function verify(dir) {
  const task = JSON.stringify({ store: given.store, dir, n: given.n });
  const child = spawnSync(process.execPath, [process.argv[1], target, 'readback', task], { encoding: 'utf8' });
  const { outputs, error } = JSON.parse(child.stdout || '{}');
  if (outputs !== given.n)
    throw new Error(error ?? `read back in a new process, the run has ${outputs} outputs: ${child.stderr}`);
}

const workloads = {
  async w1() {
    const { run } = await contender.linear(given.n);
    await times(run, { ms: 250, max: 30 });
    return { us: (median(await times(run, { ms: 350, max: 20_000 })) * 1000) / given.n };
  },

  async w2(dir) {
    const { run, close } = await contender.persisted(given.n, given.store, dir);
    let count = 0;
    const next = () => run(`run-${++count}`);
    await times(next, { ms: 150, max: 10 });
    const us = (median(await times(next, { ms: 400, max: 60 })) * 1000) / given.n;
    await close();
    if (given.verify) verify(dir);
    return { us };
  },

  /** How many outputs the newest run of a store has. */
  async readback() {
    return { outputs: await contender.readBack(given.store, given.dir, given.n) };
  },

  async w4() {
    const { run } = await contender.sleeper(10, 10);
    await Promise.all(Array.from({ length: 20 }, run));
    globalThis.gc?.();
    const begun = performance.now();
    const outputs = await Promise.all(Array.from({ length: 1000 }, run));
    const wall = performance.now() - begun;
    if (outputs.some((count) => count !== 10)) throw new Error('a run has not all its outputs');
    return { wall_ms: wall, rss_mb: megabytes(process.resourceUsage().maxRSS * 1024) };
  },

  /** So many rounds in all, `n` of them a run: time, bytes stored and memory kept of a round. */
  async loop() {
    const { run, bytes } = await contender.loop(given.n);
    await times(run, { ms: 300, max: 20 });
    globalThis.gc?.();
    const before = { bytes: bytes(), heap: process.memoryUsage().heapUsed };
    // Time of the processor: a long run is interrupted more often than a short one, and that is not its fault.
    const began = process.cpuUsage();
    await times(run, { ms: Number.POSITIVE_INFINITY, max: given.rounds / given.n });
    const { user, system } = process.cpuUsage(began);
    globalThis.gc?.();
    return {
      cpu_us: (user + system) / given.rounds,
      bytes: (bytes() - before.bytes) / given.rounds,
      heap: (process.memoryUsage().heapUsed - before.heap) / given.rounds,
    };
  },

  async w5(dir) {
    const { suspend, resume, bytes, close } = await contender.pause(given.store, dir);
    const { runs } = given;
    for (let n = 0; n < 20; n += 1) await resume(await suspend(`warm-${n}`), 'yes');
    await fold(dir);
    const atRest = async () => {
      await fold(dir);
      return bytes ? bytes() : bytesAtRest(dir);
    };
    const before = await atRest();
    const written = bytesWritten();
    const handles = [];
    const begun = performance.now();
    for (let n = 0; n < runs; n += 1) handles.push(await suspend(`run-${n}`));
    const suspended = performance.now() - begun;
    const wrote = bytes ? bytes() - before : written === undefined ? undefined : bytesWritten() - written;
    const rests = (await atRest()) - before;
    const resumed = performance.now();
    for (const handle of handles)
      if ((await resume(handle, 'yes')) !== 3) throw new Error('a run has not all its outputs');
    const us = ((suspended + performance.now() - resumed) * 1000) / runs;
    await close();
    return { us, bytes_at_rest: rests / runs, bytes_written: wrote === undefined ? undefined : wrote / runs };
  },
};

const dir = mkdtempSync(join(tmpdir(), 'portia-bench-'));
try {
  console.log(JSON.stringify(await workloads[workload](dir)));
} catch (error) {
  console.log(JSON.stringify({ error: String(error?.stack ?? error) }));
}
rmSync(dir, { recursive: true, force: true });
process.exit(0);
