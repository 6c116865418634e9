import { join } from 'node:path';
import { createApp } from '../../src/app.ts';
import { byApiKey } from '../../src/auth/authenticate.ts';
import type { Scope } from '../../src/auth/principal.ts';
import { ControlStore, defaultOrganisation } from '../../src/control/control-store.ts';
import { postgresSql } from '../../src/control/postgres-sql.ts';
import { sqliteSql } from '../../src/control/sql.ts';
import type { Rate } from '../../src/http/rate-limit.ts';
import type { ServerConfig, ServerConfigOf } from '../../src/server-config.ts';
import { serverLog } from '../../src/server-log.ts';
import { Tenants } from '../../src/tenants.ts';
import { WebhookSender } from '../../src/webhooks/webhook-sender.ts';
import { WebhookStore } from '../../src/webhooks/webhook-store.ts';
import { WebhookWatch } from '../../src/webhooks/webhook-watch.ts';
import { type Ask, asker } from './asking.ts';

/** A whole server in this process, without a port: keys, organisations, workers. */
export interface TestServer {
  readonly ask: Ask;
  readonly control: ControlStore;
  readonly send: (request: Request) => Promise<Response>;
  /** A new key. */
  key(...scopes: readonly Scope[]): Promise<string>;
  keyOf(organisation: string, ...scopes: readonly Scope[]): Promise<string>;
  tokenOf(endUserId: string, organisation?: string, lifeMs?: number): Promise<string>;
  close(): Promise<void>;
}

/** Starts one: in memory, or with its stores in a folder or a database, where another one finds them. */
export async function testServer(
  serverConfig: ServerConfig | ServerConfigOf = {},
  {
    rate = { perSecond: 1e6, burst: 1e6 },
    maxBodyBytes = 1_000_000,
    work = true,
    log: lines,
    folder,
    postgres,
  }: {
    readonly rate?: Rate;
    readonly maxBodyBytes?: number;
    readonly work?: boolean;
    /** Gets the lines of the log. */
    readonly log?: string[];
    readonly folder?: string;
    /** The address of a PostgreSQL database, with `?schema=` for the runs: in place of a folder. */
    readonly postgres?: string;
  } = {},
): Promise<TestServer> {
  const sql = postgres ? postgresSql(postgres) : sqliteSql(folder ? join(folder, 'control.db') : ':memory:');
  const control = await ControlStore.open(await sql, 'a secret of this test');
  const log = lines ? serverLog('info', { write: (line) => lines.push(line) }) : serverLog('silent');
  const outbox = new WebhookStore(control.sql, 'a secret of this test');
  const sender = new WebhookSender(outbox, log, { allowPrivate: true });
  const tenants = new Tenants({
    settings: { storage: postgres ?? (folder ? `sqlite:${join(folder, 'portia.db')}` : 'memory'), env: {} },
    serverConfig,
    log,
    work: work ? { pollMs: 200 } : undefined,
    attend: (tenant) => new WebhookWatch(tenant, outbox, log, () => sender.ring()),
  });
  const app = createApp({
    authenticate: byApiKey(control),
    tenantFor: (organisation) => tenants.get(organisation),
    rate,
    limits: { maxBodyBytes },
    log,
    readiness: async () => {},
    control,
    outbox,
  });
  const send = async (request: Request): Promise<Response> => app.fetch(request);
  const keyOf = async (organisation: string, ...scopes: readonly Scope[]): Promise<string> => {
    await control.addOrganisation(organisation);
    return (await control.createKey({ organisation, name: 'for a test', scopes })).key;
  };
  return {
    send,
    control,
    ask: asker('http://server.test', send),
    keyOf,
    key: (...scopes) => keyOf(defaultOrganisation, ...scopes),
    async tokenOf(endUserId, organisation = defaultOrganisation, lifeMs = 60_000) {
      const made = await control.createKey({
        organisation,
        name: 'token',
        scopes: [],
        endUserId,
        expiresAt: Date.now() + lifeMs,
      });
      return made.key;
    },
    async close() {
      await tenants.close();
      await sender.close();
      await control.close();
    },
  };
}
