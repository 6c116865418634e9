import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ask, asker } from './asking.ts';

/** What a server did while it was kept busy, and what became of its memory. */
export interface Soaked {
  /** Runs that were started, asked, answered, followed and came to their end. */
  readonly runs: number;
  /** Bytes of the heap after a collection, sample by sample. */
  readonly heap: readonly number[];
  /** By how much the heap is larger in the last third than in the one before, medians of both; in bytes. */
  readonly grown: number;
  /** The runs that came and went between these two. */
  readonly between: number;
}

const config = `
import { PlanBuilderV2 } from 'portia-ts';
import { defineConfig } from 'portia-ts-server';
export default defineConfig({
  plans: {
    ask: new PlanBuilderV2('Ask, then say it again')
      .userInput({ stepName: 'why', message: 'Why?' })
      .functionStep({ stepName: 'again', args: {}, readOnly: true, function: () => 'x'.repeat(2000) })
      .build(),
  },
});
`;

/** Tells the size of its heap to whoever asks through the channel, which keeps no process alive. */
const probe = `
process.on('message', () => { globalThis.gc(); globalThis.gc(); process.send(process.memoryUsage().heapUsed); });
process.channel.unref();
`;

/**
 * Keeps a server busy for so many seconds: clients start runs, follow them, answer what they ask, and look at lists.
 * `modules` is a folder in which both packages are installed; `main` the command.
 */
export async function soak(modules: string, main: string, seconds: number, clients = 4): Promise<Soaked> {
  const folder = mkdtempSync(join(modules, 'soak-'));
  writeFileSync(join(folder, 'portia.config.mjs'), config);
  writeFileSync(join(folder, 'probe.mjs'), probe);
  const args = ['serve', '--port', '0', '--no-auth', '--json', '--log-level', 'error'];
  const child = spawn(process.execPath, ['--expose-gc', '--import', join(folder, 'probe.mjs'), main, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, DATABASE_URL: '' },
  });
  try {
    const ask = asker(await urlOf(child));
    const until = performance.now() + seconds * 1000;
    let runs = 0;
    const client = async (): Promise<void> => {
      while (performance.now() < until) {
        await oneRun(ask);
        runs += 1;
      }
    };
    const samples: Sample[] = [];
    const sampling = (async () => {
      while (performance.now() < until) {
        await sleep((seconds * 1000) / 24);
        samples.push({ runs, heap: await heapOf(child) });
      }
    })();
    await Promise.all([sampling, ...Array.from({ length: clients }, client)]);
    const third = Math.floor(samples.length / 3);
    const [before, after] = [middleOf(samples.slice(third, 2 * third)), middleOf(samples.slice(2 * third))];
    return {
      runs,
      heap: samples.map(({ heap }) => heap),
      grown: after.heap - before.heap,
      between: after.runs - before.runs,
    };
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function urlOf(child: ChildProcess): Promise<string> {
  let out = '';
  for await (const chunk of child.stdout ?? []) {
    out += String(chunk);
    const url = /"url": "([^"]+)"/.exec(out)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`the server did not start: ${out}`);
}

async function oneRun(ask: Ask): Promise<void> {
  const labels = { batch: 'soak' };
  const started = await ask('POST', '/api/v1/runs', { body: { plan: 'ask', endUser: 'carl', labels } });
  const path = `/api/v1/runs/${started.body.id}`;
  for (;;) {
    const { clarifications } = (await ask('GET', path)).body;
    if (clarifications.length > 0) {
      await ask('POST', `${path}/clarifications/${clarifications[0].id}/answer`, { body: { response: 'so' } });
      break;
    }
    await sleep(2);
  }
  // Ends with the run.
  const { body } = await ask('GET', `${path}/events`);
  if (!String(body).includes('run-end')) throw new Error(`a run did not end: ${body}`);
  await ask('GET', '/api/v1/runs?label=batch%3Dsoak&limit=20');
  await ask('GET', '/api/v1/clarifications?limit=20');
}

function heapOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('message', (heap) => resolve(Number(heap)));
    child.send('heap');
  });
}

interface Sample {
  readonly runs: number;
  readonly heap: number;
}

/** The medians: one sample that was taken at a bad moment says nothing. */
function middleOf(samples: readonly Sample[]): Sample {
  const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
  return { runs: median(samples.map(({ runs }) => runs)), heap: median(samples.map(({ heap }) => heap)) };
}

/** A folder of its own with both packages in it. */
export function soakFolder(): string {
  return mkdtempSync(join(tmpdir(), 'portia-soak-'));
}
