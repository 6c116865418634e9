import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startCommand, type Running } from '../../sdk/test/lib/command-process.ts';
import { startWorlds, type Worlds } from '../../sdk/test/lib/outside-world.ts';
import { startPostgres, type TestPostgres } from '../../sdk/test/lib/postgres.ts';
import { type Ask, asker, until } from './lib/asking.ts';
import { installInto } from './lib/installed.ts';
import { writeShop } from './lib/shop.ts';

let installed: string;
let main: string;
let postgres: TestPostgres;
let worlds: Worlds;
const running: Running[] = [];

beforeAll(async () => {
  installed = mkdtempSync(join(tmpdir(), 'portia-server-'));
  main = installInto(installed);
  worlds = await startWorlds();
  postgres = await startPostgres({ own: true });
}, 120_000);
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(async () => {
  await worlds.close();
  await postgres.stop();
  rmSync(installed, { recursive: true, force: true });
});

const command = (...args: string[]): Running => {
  const env = { DATABASE_URL: postgres.url };
  const one = startCommand([process.execPath, main, ...args], { cwd: installed, env });
  running.push(one);
  return one;
};

async function serve(): Promise<Ask> {
  const server = command('serve', '--port', '0', '--json', '--log-level', 'silent');
  let out = '';
  server.child.stdout?.on('data', (chunk: string) => (out += chunk));
  await server.written(/"storage"/);
  expect(out).toContain('postgres:');
  return asker(/"url": "([^"]+)"/.exec(out)?.[1] ?? '');
}

describe('two servers on one PostgreSQL database', () => {
  it('share keys and runs, drive each once, and outlast a restart of the database', async () => {
    const world = worlds.fresh();
    writeShop(installed, world.url);
    const made = await command('keys', 'create', '--scope', 'admin').ended;
    expect(made.code, made.stderr).toBe(0);
    const as = made.stdout.trim();
    const [one, two] = await Promise.all([serve(), serve()]);
    const start = (ask: Ask, order: number) =>
      ask('POST', '/api/v1/runs', { as, body: { plan: 'order', planRunInputs: { order } } });
    const started = await Promise.all(Array.from({ length: 20 }, (_, order) => start(order % 2 ? one : two, order)));
    expect(started.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    await until(async () => world.effects.length > 10, 'the runs are in flight');
    await postgres.restart();
    const runs = await until(async () => {
      const { status, body } = await two('GET', '/api/v1/runs?limit=100', { as });
      return status === 200 && body.items.every((run: { state: string }) => run.state === 'COMPLETE') && body.items;
    }, 'all runs end');
    expect(runs).toHaveLength(20);
    const keys = (kind: string) => world.effects.filter((effect) => effect.kind === kind).map(({ key }) => key);
    // Nobody died, so nothing was done again: each call was made once, by one of the two.
    expect(new Set(keys('mail')).size).toBe(20);
    expect(keys('mail')).toHaveLength(20);
    expect(new Set(keys('charge')).size).toBe(40);

    const revoked = await one('DELETE', `/api/v1/keys/${as.split('_')[1]}`, { as });
    expect(revoked.status).toBe(200);
    expect((await two('GET', '/api/v1/me', { as })).status).toBe(401);
  }, 90_000);
});
