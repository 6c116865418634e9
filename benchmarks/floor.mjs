// What the same work costs in plain code without any library: a loop, an append to a list, a file or a table. No run can
// be faster; how much slower a run is, as a ratio, is what the benchmarks tell.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const name = 'floor';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function stepsOf(n, output = async (index) => `output-${index}`) {
  return Array.from({ length: n }, (_, index) => () => output(index));
}

async function runSteps(steps, stored = () => {}) {
  const outputs = [];
  for (const [index, step] of steps.entries()) {
    const output = await step();
    outputs.push(output);
    stored(index, output);
  }
  return outputs.length;
}

/** A place to put one line after the other. */
async function openLog(store, dir) {
  if (store === 'memory') {
    const lines = [];
    let bytes = 0;
    const put = (line) => {
      lines.push(line);
      bytes += line.length;
    };
    return { put, bytes: () => bytes, close() {} };
  }
  if (store.startsWith('sqlite')) return openTable(store, dir);
  const file = openSync(join(dir, 'runs.jsonl'), 'a');
  const synced = store.endsWith('synced');
  const put = (line) => {
    writeSync(file, `${line}\n`);
    if (synced) fdatasyncSync(file);
  };
  return { put, close: () => closeSync(file) };
}

async function openTable(store, dir) {
  const { default: Database } = await import('libsql');
  const database = new Database(join(dir, 'floor.db'));
  database.prepare('PRAGMA journal_mode = WAL').get();
  database.exec(`PRAGMA synchronous = ${store.endsWith('synced') ? 'FULL' : 'NORMAL'}`);
  database.exec('CREATE TABLE event (run TEXT, seq INTEGER, body TEXT, PRIMARY KEY (run, seq)) WITHOUT ROWID');
  const insert = database.prepare('INSERT INTO event VALUES (?, ?, ?)');
  return { put: (line, run, seq) => insert.run([run, seq, line]), close: () => database.close() };
}

/** W1: a loop over functions. */
export async function linear(n) {
  const steps = stepsOf(n);
  return { run: () => runSteps(steps), close() {} };
}

/** W2: the same, one line stored after each. */
export async function persisted(n, store, dir) {
  const steps = stepsOf(n);
  const { put, bytes, close } = await openLog(store, dir);
  const run = (id) => runSteps(steps, (seq, output) => put(JSON.stringify({ run: id, seq, output }), id, seq));
  return { run, bytes, close };
}

/** W4: steps that each sleep. */
export async function sleeper(n, ms) {
  const steps = stepsOf(n, async (index) => {
    await sleep(ms);
    return `output-${index}`;
  });
  return { run: () => runSteps(steps), close() {} };
}

/** W5: one line when it waits, one when it is answered. */
export async function pause(store, dir) {
  const { put, bytes, close } = await openLog(store, dir);
  const waiting = new Map();
  return {
    async suspend(id) {
      const line = JSON.stringify({ id, status: 'waiting', outputs: ['output-0'], question: 'approve?' });
      waiting.set(id, line);
      put(line, id, 0);
      return id;
    },
    async resume(id, response) {
      const state = JSON.parse(waiting.get(id));
      waiting.delete(id);
      state.outputs.push(response, 'output-2');
      put(JSON.stringify({ id, status: 'complete', outputs: state.outputs }), id, 1);
      return state.outputs.length;
    },
    bytes,
    close,
  };
}
