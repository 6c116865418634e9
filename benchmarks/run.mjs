// Measures ours and the floor side by side: each measurement in a new process, interleaved, medians of at least five.
//   npm run bench                      a table, with ratios to the floor
//   npm run bench -- --json            one JSON object on stdout
//   npm run bench -- --only w1,w2      some of w1, w2, w4, w5, w6, loop
//   npm run bench -- --quick           three of each, and no runs of 1000 steps: for a look, not for a claim
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { importTime, installed } from './footprint.mjs';

const options = {
  json: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: 'w1,w2,w4,w5,w6,loop' },
  reps: { type: 'string' },
};
const { json, quick, only, reps: given } = parseArgs({ options }).values;
const wanted = new Set(only.split(','));
const reps = Number(given ?? (quick ? 3 : 5));
/** How many rounds of a loop are measured, as one long loop and as many short ones. */
const rounds = quick ? 1_000 : 10_000;
const sizes = quick ? [10, 100] : [10, 100, 1000];
/** Who does which work: plain code, planned plans, and plans in code. */
const files = { floor: 'floor', ours: 'peer', builder: 'builder' };
const targetsOf = {
  w1: ['floor', 'ours', 'builder'],
  w2: ['floor', 'ours', 'builder'],
  w4: ['floor', 'ours', 'builder'],
  w5: ['floor', 'ours'],
  loop: ['builder'],
};
const worker = join(dirname(fileURLToPath(import.meta.url)), 'worker.mjs');

/** What is measured: where the figures go in the result, and what the worker is told. */
function listOfJobs() {
  const jobs = [];
  const add = (group, key, workload, args) => jobs.push({ group, key, workload, args });
  if (wanted.has('w1')) for (const n of sizes) add('w1', String(n), 'w1', { n });
  if (wanted.has('w2')) {
    for (const store of ['memory', 'disk', 'sqlite', 'sqlite-synced']) {
      for (const n of sizes) add(`w2_${store.replace('-', '_')}`, String(n), 'w2', { n, store });
    }
  }
  if (wanted.has('w4')) add('w4', undefined, 'w4', {});
  if (wanted.has('w5'))
    for (const store of ['memory', 'sqlite']) add(`w5_${store}`, undefined, 'w5', { store, runs: 1000 });
  if (wanted.has('loop')) for (const n of [10, rounds]) add(`loop_${n}`, undefined, 'loop', { n, rounds });
  return jobs;
}

function measure(file, { workload, args }, rep) {
  const verify = rep === 0 && workload === 'w2' && file !== 'floor' && args.store !== 'memory';
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--expose-gc', worker, file, workload, JSON.stringify({ ...args, verify })],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', reject);
    child.on('close', () => {
      const result = out === '' ? { error: errors } : JSON.parse(out);
      if (result.error) reject(new Error(`${file} ${workload} ${JSON.stringify(args)}: ${result.error}`));
      else resolve(result);
    });
  });
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};
const rounded = (value) => Number(value.toPrecision(3));

/** Figure by figure, the median of all repetitions. */
function medians(results) {
  const names = Object.keys(results[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, rounded(median(results.map((result) => result[name])))]));
}

async function measureAll(jobs) {
  const found = new Map(
    jobs.map((job) => [job, Object.fromEntries(targetsOf[job.workload].map((name) => [name, []]))]),
  );
  for (let rep = 0; rep < reps; rep += 1) {
    for (const job of jobs) {
      for (const [target, results] of Object.entries(found.get(job)))
        results.push(await measure(files[target], job, rep));
    }
    if (process.stderr.isTTY) process.stderr.write(`${rep + 1} of ${reps}\r`);
  }
  const result = {};
  for (const [{ group, key }, byTarget] of found) {
    result[group] ??= {};
    for (const [target, results] of Object.entries(byTarget)) {
      const figures = medians(results);
      result[group][target] ??= {};
      if (key === undefined) result[group][target] = figures;
      else result[group][target][key] = figures.us;
    }
  }
  return result;
}

function measureFootprint() {
  const times = Array.from({ length: Math.max(reps, 5) }, () => importTime());
  const { installed_mb, packages } = installed();
  return { ours: { import_ms: rounded(median(times)), installed_mb: rounded(installed_mb), packages } };
}

function print(result) {
  const line = (...cells) => console.log(cells.map((cell, at) => String(cell).padEnd(at === 0 ? 34 : 14)).join(''));
  line('', 'floor', 'ours', 'ratio', 'builder', 'ratio');
  for (const [group, { floor, ours, builder }] of Object.entries(result)) {
    for (const name of Object.keys(ours ?? builder)) {
      const least = floor?.[name];
      const label = /^\d+$/.test(name) ? `${group} N=${name}, µs/step` : `${group} ${name}`;
      const cells = [ours, builder].flatMap((by) => {
        const value = by?.[name];
        return [value ?? '-', value !== undefined && least ? `${rounded(value / least)}x` : '-'];
      });
      line(label, least ?? '-', ...cells);
    }
  }
}

const result = await measureAll(listOfJobs());
if (wanted.has('w6')) result.w6 = measureFootprint();
if (json) console.log(JSON.stringify(result));
else print(result);
