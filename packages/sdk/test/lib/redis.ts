// A real Redis server for tests. `REDIS_URL` names one that runs already; else `redis-server` is started on a free port of
// the loopback interface, without files. It ends with the process that started it, also when that is killed.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';

/** A server that tests may use. */
export interface TestRedis {
  readonly url: string;
  /** Ends a server that was started here. */
  stop(): Promise<void>;
  /** Starts one that was stopped, on the same port. */
  start(): Promise<void>;
}

/** Whether a server can be started here; where it cannot, tests that need one of their own are skipped by name. */
export const canStartRedis: boolean = spawnSync('redis-server', ['--version']).status === 0;
/** Whether there is a server to test against. */
export const hasRedis: boolean = process.env['REDIS_URL'] !== undefined || canStartRedis;

/** Gives a server: that of `REDIS_URL`, or one started for the caller. `own`: always one started for the caller. */
export async function startRedis({ own = false }: { readonly own?: boolean } = {}): Promise<TestRedis> {
  const given = process.env['REDIS_URL'];
  if (given && !own) return { url: given, stop: async () => {}, start: async () => {} };
  const port = await freePort();
  let server: ChildProcess | undefined = await serve(port);
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      if (!server) return;
      const exit = once(server, 'exit');
      server.stdin?.end();
      server = undefined;
      await exit;
    },
    start: async () => {
      server = await serve(port);
    },
  };
}

/** The end of stdin, which a killed parent leaves as well, ends the server. */
const keeper = '"$@" & server=$!; read -r _; kill $server; wait $server';

async function serve(port: number): Promise<ChildProcess> {
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    tmpdir(),
  ];
  const server = spawn('/bin/sh', ['-c', keeper, 'keeper', 'redis-server', ...settings], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await new Promise<void>((resolve, reject) => {
    let log = '';
    server.stdout?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('Ready to accept connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`redis-server did not start: ${log}`)));
  });
  return server;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
