import { type ServerType, serve as listen } from '@hono/node-server';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Config, type ConfigOptions, PortiaError } from 'portia-ts';
import { createApp } from './app.ts';
import { byApiKey, withoutAuth } from './auth/authenticate.ts';
import { type ControlStore, defaultOrganisation } from './control/control-store.ts';
import { openControl } from './control/open-control.ts';
import { usualLimits, usualRate } from './handler.ts';
import { readServerConfig } from './server-config.ts';
import { serverLog, type ServerLog } from './server-log.ts';
import { type Tenant, Tenants } from './tenants.ts';
import { SqlSecrets } from './control/sql-secrets.ts';
import { readTrustProxy } from './http/address.ts';
import { readOrigins } from './http/cross-origin.ts';
import { Housekeeping } from './housekeeping.ts';
import { SignInDesk, tellSignIn } from './sign-ins.ts';
import { WebhookSender } from './webhooks/webhook-sender.ts';
import { WebhookStore } from './webhooks/webhook-store.ts';
import { WebhookWatch } from './webhooks/webhook-watch.ts';

/** How a server is started. */
export interface ServeOptions {
  /** 18999 unless given; 0 takes a free one. */
  readonly port?: number | undefined;
  /** The address to listen on: `127.0.0.1` unless given. */
  readonly host?: string | undefined;
  /** Everybody who reaches the port may do everything. Refused on any address but the loopback ones. */
  readonly noAuth?: boolean | undefined;
  /** Settings of the client: storage, models. The environment's where not given. */
  readonly settings?: ConfigOptions | undefined;
  /** The config module; `portia.config.ts`, `.mjs` or `.js` of the folder unless given. */
  readonly configFile?: string | undefined;
  /** Where the config module is looked for; the working directory unless given. */
  readonly folder?: string | undefined;
  /** Runs driven at once, in each organisation: 10 unless given. 0: this process only answers requests. */
  readonly concurrency?: number | undefined;
  /** Bytes of a body: 32 MiB unless given. */
  readonly maxBodyBytes?: number | undefined;
  /** Requests a second of one key: 2000 unless given. */
  readonly rateLimit?: number | undefined;
  /**
   * How many proxies of yours stand before the server, each adding to `X-Forwarded-For`: the client's address is read from
   * there, for limits that go by address. 0 unless given: the header is not believed.
   */
  readonly trustProxy?: number | undefined;
  /** Pages of these origins may use the API from a browser, such as `https://app.example.org`; none unless given. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Finished runs are removed this long after their last change, in milliseconds; they stay unless given. */
  readonly pruneAfterMs?: number | undefined;
  /** How browsers reach this server, for sign-ins: `https://portia.example.org`; its own address unless given. */
  readonly publicUrl?: string | undefined;
  /** Whether webhooks may go to private addresses; only with `noAuth` unless given. */
  readonly privateWebhooks?: boolean | undefined;
  /** `trace` to `fatal`, or `silent`: `info` unless given. */
  readonly logLevel?: string | undefined;
  /** Ends a start that is not done yet: what was opened is closed, and `serve` rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:18999` */
  readonly url: string;
  /** Where runs are kept, for people. */
  readonly storage: string;
  /**
   * Takes no more requests, gives those at work a moment, stops driving (runs stay resumable) and closes the stores.
   */
  close(): Promise<void>;
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);
/**
 * Milliseconds that a connection may lie idle. Longer than clients keep theirs (those of Portia 0.9 five seconds, and they
 * try nothing twice), and than proxies usually do: whoever closes first must not be the one that is about to be asked.
 */
const idleMs = 75_000;
/** Milliseconds that requests at work get before their connections are closed. */
const graceMs = 5_000;

/**
 * Starts a server: the API, and a worker for every organisation.
 * @throws PortiaError `CONFIG_INVALID` for what would be unsafe or cannot work, and what opening a store throws.
 */
export async function serve(options: ServeOptions = {}): Promise<RunningServer> {
  const { port = 18999, host = '127.0.0.1', noAuth = false, settings = {} } = options;
  refuseOpenDoor(host, noAuth);
  const trustProxy = readTrustProxy(options.trustProxy);
  refuseNoAddress(options.publicUrl);
  refuseNoAge(options.pruneAfterMs);
  const { signal } = options;
  const serverConfig = await unless(signal, readServerConfig(options.folder ?? process.cwd(), options.configFile));
  const own = typeof serverConfig === 'function' ? {} : serverConfig.config;
  const base = Config.fromDefault({ ...own, ...settings });
  const log = serverLog(options.logLevel ?? 'info');
  const control = await openControlUnless(signal, base);
  const { concurrency } = options;
  const outbox = new WebhookStore(control.sql, base.secretKey);
  const sender = new WebhookSender(outbox, log, { allowPrivate: options.privateWebhooks ?? noAuth });
  const secrets = new SqlSecrets(control.sql, base.secretKey);
  const desks = new Map<string, SignInDesk>();
  let publicUrl = '';
  const desk = (organisation: string): SignInDesk => {
    const known = desks.get(organisation) ?? new SignInDesk(organisation, secrets, log, () => publicUrl);
    desks.set(organisation, known);
    return known;
  };
  const tenants: Tenants = new Tenants({
    settings,
    serverConfig,
    log,
    work: concurrency === 0 ? undefined : { concurrency },
    doors: (organisation) => desk(organisation).doors,
    attend: (tenant) => new WebhookWatch(tenant, outbox, log, () => sender.ring()),
  });
  let server: ServerType | undefined;
  try {
    const { rateLimit, maxBodyBytes = usualLimits.maxBodyBytes } = options;
    const app = createApp({
      authenticate: noAuth ? withoutAuth() : byApiKey(control),
      tenantFor: (organisation) => tenants.get(organisation),
      rate: rateLimit === undefined ? usualRate : { perSecond: rateLimit, burst: 2 * rateLimit },
      limits: { maxBodyBytes },
      log,
      readiness: async () => {
        const { storage } = await tenants.get(defaultOrganisation);
        await storage.listRuns({ limit: 1 });
        await control.organisations();
      },
      control,
      outbox,
      corsOrigins: readOrigins(options.corsOrigins),
      trustProxy,
      takeBack: async (organisation, url) => {
        if (!(await control.organisations()).includes(organisation)) throw nobodySignsIn();
        return desk(organisation).complete(url, () => openOne(tenants, organisation, log));
      },
    });
    server = listen({ fetch: app.fetch, port, hostname: host });
    if ('keepAliveTimeout' in server) server.keepAliveTimeout = idleMs;
    await listening(server, host, port);
    const url = urlOf(host, (server.address() as AddressInfo).port);
    publicUrl = (options.publicUrl ?? url).replace(/\/+$/, '');
    await unless(signal, openAll(tenants, control, log));
    const { pruneAfterMs } = options;
    const housekeeping = new Housekeeping({ tenants, control, log, pruneAfterMs });
    const listener = server;
    return {
      url,
      storage: base.storage.name,
      close: async () => {
        await housekeeping.close();
        await close(listener, tenants, sender, control);
      },
    };
  } catch (error) {
    server?.close();
    if (server && 'closeAllConnections' in server) server.closeAllConnections();
    await tenants.close();
    await sender.close();
    await control.close();
    throw error;
  }
}

/** Fails closed: without keys, nobody from elsewhere may come in. */
function refuseOpenDoor(host: string, noAuth: boolean): void {
  if (!noAuth || loopback.has(host)) return;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `without auth a server listens on a loopback address only, and ${JSON.stringify(host)} is none`,
    hint: 'leave --no-auth out and make keys with npx portia-ts keys create, or listen on 127.0.0.1',
  });
}

/** Waits for a part of the start, which may be in the hands of others: of a config module, or of a server it asks. */
async function unless<T>(signal: AbortSignal | undefined, part: Promise<T>): Promise<T> {
  if (!signal) return part;
  const heard = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { signal: heard.signal });
  });
  try {
    return await Promise.race([part, stopped]);
  } finally {
    heard.abort();
  }
}

async function openControlUnless(signal: AbortSignal | undefined, base: Config): Promise<ControlStore> {
  const opening = openControl(base);
  try {
    return await unless(signal, opening);
  } catch (error) {
    opening.then((late) => late.close()).catch(() => undefined);
    throw error;
  }
}

function refuseNoAddress(publicUrl: string | undefined): void {
  if (publicUrl === undefined || /^https?:$/.test(URL.canParse(publicUrl) ? new URL(publicUrl).protocol : '')) return;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${JSON.stringify(publicUrl)} is no address by which browsers reach a server`,
    hint: 'give --public-url https://portia.example.org',
  });
}

/** Nothing would be left of a run by the time somebody asks for its result. */
function refuseNoAge(pruneAfterMs: number | undefined): void {
  if (pruneAfterMs === undefined || (Number.isFinite(pruneAfterMs) && pruneAfterMs > 0)) return;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `runs cannot be removed ${pruneAfterMs} ms after they finished`,
    hint: 'give --prune-after 90d, or leave it out: then they stay',
  });
}

/** Opens every organisation, so that its worker takes up what is unfinished. One that cannot be opened stops nobody else. */
async function openAll(tenants: Tenants, control: ControlStore, log: ServerLog): Promise<void> {
  await tenants.get(defaultOrganisation).catch((error: unknown) => {
    if (!tellSignIn(log, defaultOrganisation, error)) throw error;
  });
  for (const organisation of await control.organisations())
    if (organisation !== defaultOrganisation) await openOne(tenants, organisation, log);
}

async function openOne(tenants: Tenants, organisation: string, log: ServerLog): Promise<Tenant | undefined> {
  try {
    return await tenants.get(organisation);
  } catch (err) {
    if (!tellSignIn(log, organisation, err))
      log.error({ organisation, err }, 'the store of an organisation cannot be opened');
    return undefined;
  }
}

function nobodySignsIn(): PortiaError {
  return new PortiaError({ code: 'SIGN_IN_FAILED', message: 'this address belongs to no sign-in that is open' });
}

async function listening(server: ServerType, host: string, port: number): Promise<void> {
  try {
    if (!server.listening) await once(server, 'listening');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `cannot listen on ${host}:${port}: ${code === 'EADDRINUSE' ? 'the port is taken' : message}`,
      hint: 'choose another one with --port, or 0 for a free one',
      cause,
    });
  }
}

function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

async function close(
  server: ServerType,
  tenants: Tenants,
  sender: WebhookSender,
  control: ControlStore,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  if ('closeIdleConnections' in server) server.closeIdleConnections();
  const late = setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), graceMs);
  await tenants.close();
  await closed;
  clearTimeout(late);
  await sender.close();
  await control.close();
}
