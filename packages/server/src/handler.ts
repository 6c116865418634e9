import type { Portia, StorageBackend } from 'portia-ts';
import { createApp, type Limits } from './app.ts';
import { type Authorize, byHostProgram } from './auth/authenticate.ts';
import { readTrustProxy } from './http/address.ts';
import type { Rate } from './http/rate-limit.ts';
import { serverLog } from './server-log.ts';
import { tenantOf } from './tenants.ts';

/** Bodies up to 32 MiB: large outputs travel through the storage door. */
export const usualLimits: Limits = { maxBodyBytes: 32 * 1024 * 1024 };
/** Drivers on CLOUD storage make many small requests; this stops what runs away. */
export const usualRate: Rate = { perSecond: 2_000, burst: 4_000 };

/** How the API becomes part of a program of your own. */
export interface HandlerOptions {
  /**
   * Who makes a request: your own check of sessions or keys. `null` and `undefined` mean nobody, who is refused with
   * 401.
   */
  readonly authorize: Authorize;
  /** Bytes of a body: 32 MiB unless given. */
  readonly maxBodyBytes?: number | undefined;
  /** Requests a second of one principal: 2000 unless given. */
  readonly rateLimit?: number | undefined;
  /**
   * How many proxies of yours stand before the server, each adding to `X-Forwarded-For`: the client's address is read from
   * there, for limits that go by address. 0 unless given: the header is not believed.
   */
  readonly trustProxy?: number | undefined;
  /** `info`, `warn` and so on, to stderr; nothing is logged unless given. */
  readonly logLevel?: string | undefined;
}

/**
 * The API of a client as a fetch handler: `/api/v1`, `/health` and `/openapi.json`. It drives nothing: call
 * `portia.work()` beside it. Keys are yours to manage, in `authorize`.
 */
export function createHandler(
  portia: Portia,
  storage: StorageBackend,
  options: HandlerOptions,
): (request: Request) => Promise<Response> {
  const tenant = tenantOf(portia, storage);
  const { rateLimit, maxBodyBytes = usualLimits.maxBodyBytes } = options;
  const app = createApp({
    authenticate: byHostProgram(options.authorize),
    tenantFor: async () => tenant,
    rate: rateLimit === undefined ? usualRate : { perSecond: rateLimit, burst: 2 * rateLimit },
    limits: { maxBodyBytes },
    trustProxy: readTrustProxy(options.trustProxy),
    log: serverLog(options.logLevel ?? 'silent'),
    readiness: async () => void (await storage.listRuns({ limit: 1 })),
  });
  return async (request) => app.fetch(request);
}
