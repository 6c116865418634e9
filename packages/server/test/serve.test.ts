import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, type Running, startCommand } from '../../sdk/test/lib/command-process.ts';
import { startWorlds, type World, type Worlds } from '../../sdk/test/lib/outside-world.ts';
import { type Ask, asker, until } from './lib/asking.ts';
import { installInto } from './lib/installed.ts';
import { writeShop } from './lib/shop.ts';

let installed: string;
let main: string;
let worlds: Worlds;
let world: World;
let folder: string;
const running: Running[] = [];

beforeAll(async () => {
  installed = mkdtempSync(join(tmpdir(), 'portia-server-'));
  main = installInto(installed);
  worlds = await startWorlds();
}, 120_000);
afterAll(async () => {
  await worlds.close();
  rmSync(installed, { recursive: true, force: true });
});
beforeEach(() => {
  world = worlds.fresh();
  folder = mkdtempSync(join(installed, 'project-'));
  writeShop(folder, world.url);
});
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});

const command = (...args: string[]): Running => {
  const one = startCommand([process.execPath, main, ...args], { cwd: folder });
  running.push(one);
  return one;
};
const ran = (...args: string[]): Promise<Ended> => command(...args).ended;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

interface Served {
  readonly ask: Ask;
  readonly url: string;
  readonly server: Running;
}

/** Starts a server in a process of its own, and waits until it listens. */
async function serve(...args: string[]): Promise<Served> {
  const server = command('serve', '--port', '0', '--json', '--log-level', 'error', ...args);
  let out = '';
  server.child.stdout?.on('data', (chunk: string) => (out += chunk));
  await server.written(/"storage"/);
  const url = /"url": "([^"]+)"/.exec(out)?.[1] ?? '';
  return { server, url, ask: asker(url) };
}

describe('portia.handler', () => {
  it('is the API within a program of your own, which says who asks', async () => {
    writeFileSync(
      join(folder, 'program.mjs'),
      `import { Config, memoryStorage, Plan, Portia } from 'portia-ts';
      const portia = new Portia({ config: new Config({ storage: memoryStorage() }) });
      const handle = await portia.handler({
        authorize: (request) => {
          const id = request.headers.get('x-user');
          return id === 'olga' ? { id, scopes: ['operator'] } : id ? { id, scopes: [], endUserId: id } : null;
        },
      });
      const plan = new Plan({ planContext: { query: 'q', toolIds: [] }, steps: [], planInputs: [] });
      await portia.createPlanRun(plan, { endUser: 'carl' });
      const told = [];
      for (const user of ['olga', 'carl', 'dora', undefined]) {
        const headers = user ? { 'x-user': user } : {};
        const answer = await handle(new Request('http://here/api/v1/runs', { headers }));
        told.push([answer.status, (await answer.json()).items?.length ?? null]);
      }
      console.log(JSON.stringify(told));
      await portia.close();`,
    );
    const program = startCommand([process.execPath, 'program.mjs'], { cwd: folder });
    running.push(program);
    const { code, stdout, stderr } = await program.ended;
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual([
      [200, 1],
      [200, 1],
      [200, 0],
      [401, null],
    ]);
  });
});

describe('portia-ts serve', () => {
  it('drives a run from another process end to end, with keys made on the command line', async () => {
    const key = async (...scope: string[]): Promise<string> => {
      const { code, stdout, stderr } = await ran('keys', 'create', ...scope.flatMap((one) => ['--scope', one]));
      expect(code, stderr).toBe(0);
      return stdout.trim();
    };
    const client = await key();
    const operator = await key('operator');
    const { ask, server, url } = await serve();
    const ready = await ask('GET', '/ready');
    expect(ready.body).toEqual({ status: 'ready' });
    // Longer than the five seconds after which clients of Portia 0.9 close a connection: they try nothing twice.
    expect(ready.headers.get('keep-alive')).toBe('timeout=75');
    expect((await ask('GET', '/api/v1/runs')).status).toBe(401);

    const started = await ask('POST', '/api/v1/runs', {
      as: client,
      body: { plan: 'refund', planRunInputs: { order: 7 }, endUser: 'carl' },
    });
    const path = `/api/v1/runs/${started.body.id}`;
    const carl = (await ask('POST', '/api/v1/end-users/carl/tokens', { as: client })).body.token;
    const open = (as: string) =>
      until(async () => {
        const { body } = await ask('GET', '/api/v1/clarifications', { as });
        return body.items.find((one: { audience: string }) => as === carl || one.audience === 'operator');
      }, 'a question');
    const answer = (id: string, response: unknown, as: string) =>
      ask('POST', `${path}/clarifications/${id}/answer`, { as, body: { response } });
    expect((await answer((await open(carl)).id, 'It broke', carl)).status).toBe(200);
    const approval = await open(operator);
    expect((await answer(approval.id, true, carl)).status).toBe(403);
    expect(world.effects).toEqual([]);
    expect((await answer(approval.id, true, operator)).status).toBe(200);
    const ended = await until(async () => {
      const { body } = await ask('GET', path, { as: client });
      return body.state === 'COMPLETE' && body;
    }, 'the end of the run');
    expect(ended.finalOutput.value).toEqual({ id: 'refund_1' });
    expect(world.count('refund')).toBe(1);

    const waiting = await ask('POST', '/api/v1/runs', {
      as: client,
      body: { plan: 'refund', planRunInputs: { order: 8 } },
    });
    const headers = { authorization: `Bearer ${client}` };
    const following = await fetch(`${url}/api/v1/runs/${waiting.body.id}/events`, { headers });
    let told = '';
    const followed = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of following.body ?? []) told += decoder.decode(chunk as Uint8Array, { stream: true });
    })();
    await until(async () => told.includes('clarification-raised'), 'the question is told');
    server.child.kill('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 0, stderr: '' });
    await followed;
    expect(told.endsWith('\n\n')).toBe(true);
  });

  it('ends 50 runs that were in flight when it was killed, and repeats nothing in silence', async () => {
    const before = await serve('--no-auth', '--concurrency', '50');
    const ids: string[] = await Promise.all(
      Array.from({ length: 50 }, async (_, order) => {
        const body = { plan: 'order', planRunInputs: { order } };
        return (await before.ask('POST', '/api/v1/runs', { body })).body.id;
      }),
    );
    await until(async () => world.effects.length > 60, 'the runs are in flight');
    before.server.child.kill('SIGKILL');
    await before.server.ended;
    const happened = world.effects.length;

    const { ask } = await serve('--no-auth', '--concurrency', '50');
    const asked = new Set<string>();
    const settle = async (): Promise<void> => {
      const { body } = await ask('GET', '/api/v1/clarifications?limit=100');
      for (const { id, planRunId, argumentName, options } of body.items) {
        expect(argumentName).toBe('unknown_call');
        asked.add(planRunId);
        const path = `/api/v1/runs/${planRunId}/clarifications/${id}/answer`;
        await ask('POST', path, { body: { response: options[0] } });
      }
    };
    const all = await until(async () => {
      await settle();
      const { body } = await ask('GET', '/api/v1/runs?limit=100');
      return body.items.every((run: { state: string }) => run.state === 'COMPLETE') && body.items;
    }, 'all runs end');
    expect(all.map((run: { id: string }) => run.id).sort()).toEqual(ids.sort());
    expect(happened).toBeLessThan(150);
    expect(asked.size).toBeGreaterThan(0);

    const orders = (kind: string): number[] =>
      world.effects.filter((effect) => effect.kind === kind).map(({ body }) => (body as { order: number }).order);
    const mails = orders('mail');
    expect(new Set(mails).size).toBe(50);
    // Only what a person said to do again may have happened twice.
    expect(mails.length - 50).toBeLessThanOrEqual(asked.size);
    const keys = new Set(world.effects.filter(({ kind }) => kind === 'charge').map(({ key }) => key));
    expect(keys.size).toBe(100);
  }, 60_000);

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    'ends at once by %s while its config is not there yet, and is not ready until then',
    async (signal, code) => {
      const config = "console.error('asked'); setInterval(() => {}, 1_000); await new Promise(() => {});";
      writeFileSync(join(folder, 'portia.config.mjs'), `export default async () => { ${config} };`);
      const port = await freePort();
      const server = command('serve', '--no-auth', '--port', String(port), '--log-level', 'error');
      await server.written(/asked/);
      const asked = Date.now();
      const ready = await fetch(`http://127.0.0.1:${port}/ready`);
      expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ready' }]);
      // Somebody who waits for an answer holds nothing up.
      const waiting = fetch(`http://127.0.0.1:${port}/api/v1/me`).catch(() => undefined);
      server.child.kill(signal);
      expect(await server.ended).toMatchObject({ code, stderr: 'asked\n' });
      expect(Date.now() - asked).toBeLessThan(5_000);
      await waiting;
    },
  );

  it('ends at once by SIGTERM while its config module is not read yet', async () => {
    const config = "console.error('asked'); setInterval(() => {}, 1_000); await new Promise(() => {});";
    writeFileSync(join(folder, 'portia.config.mjs'), `${config}; export default {};`);
    const server = command('serve', '--no-auth', '--port', '0');
    await server.written(/asked/);
    server.child.kill('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 143, stderr: 'asked\n' });
  });

  it('keys are made by many processes at once, where there is no store yet', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ran('keys', 'create')));
    expect(made.filter(({ code }) => code !== 0)).toEqual([]);
    expect(new Set(made.map(({ stdout }) => stdout.trim())).size).toBe(8);
  });

  const notParsed = 'export default {\n  tools: [\n  plans: {} };\n';
  const notBuilt =
    "import { PlanBuilderV2 } from 'portia-ts';\nexport default { plans: { refund: new PlanBuilderV2('q') } };\n";
  const throws = "export default () => {\n  throw new Error('boom');\n};\n";
  it.each([
    ['is no JavaScript', 'a.mjs', notParsed, /a\.mjs cannot be loaded: .*Unexpected token.*a\.mjs:3/],
    ['is no TypeScript', 'a.ts', notParsed, /a\.ts cannot be loaded: .*a\.ts/],
    ['throws', 'b.mjs', "\nthrow new Error('boom');\n", /b\.mjs cannot be loaded: boom \(.*b\.mjs:2:7\)/],
    ['is a function that throws', 'c.mjs', throws, /the function in .*c\.mjs failed: boom \(.*c\.mjs:2:9\)/],
    ['is such a function in TypeScript', 'c.ts', throws, /the function in .*c\.ts failed: boom \(.*c\.ts:2:9\)/],
    [
      'names a package that is not there',
      'd.mjs',
      "import 'not-there-at-all';\n",
      /d\.mjs cannot be loaded: .*not-there-at-all/,
    ],
    [
      'has a tool that is not awaited',
      'f.mjs',
      'export default { tools: [Promise.resolve()] };\n',
      /f\.mjs sets tools with .* at "0"/,
    ],
    ['has a plan that is not built', 'g.mjs', notBuilt, /g\.mjs sets plans with something that has no id at "refund"/],
    ['has tools in an object', 'e.mjs', 'export default { tools: {} };\n', /e\.mjs sets tools to something/],
  ])('says what is wrong, and where, with a config that %s', async (_what, name, text, message) => {
    writeFileSync(join(folder, name), text);
    const { code, stderr } = await ran('serve', '--no-auth', '--port', '0', '--config', name);
    expect(stderr).toMatch(/^✗ CONFIG_INVALID: /);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('opens no door without a check: not without keys on an address of others, and not by a config it cannot read', async () => {
    const open = await ran('serve', '--no-auth', '--host', '0.0.0.0', '--port', '0');
    expect(open.code).toBe(2);
    expect(open.stderr).toContain('without auth a server listens on a loopback address only');
    writeFileSync(join(folder, 'portia.config.mjs'), 'export default { executionHooks: () => true };');
    const wrong = await ran('serve', '--no-auth', '--port', '0');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('executionHooks');
  });
});
