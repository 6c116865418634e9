import type { Portia } from './client.ts';
import type { ConfigOptions } from './config/config-options.ts';
import { PortiaError } from './core/errors.ts';
import { importOptional } from './model/import-optional.ts';
import type { Rotation } from './storage/encrypted/rotate.ts';
import type { StorageBackend } from './storage/storage-backend.ts';

/** What is used of `portia-ts-server`, which depends on this package and is loaded only when it is asked for. */
export interface ServerPackage {
  serve(options: {
    readonly port?: number | undefined;
    readonly host?: string | undefined;
    readonly noAuth?: boolean | undefined;
    readonly configFile?: string | undefined;
    readonly concurrency?: number | undefined;
    readonly maxBodyBytes?: number | undefined;
    readonly rateLimit?: number | undefined;
    readonly trustProxy?: number | undefined;
    readonly privateWebhooks?: boolean | undefined;
    readonly pruneAfterMs?: number | undefined;
    readonly publicUrl?: string | undefined;
    readonly corsOrigins?: readonly string[] | undefined;
    readonly logLevel?: string | undefined;
    readonly settings?: ConfigOptions | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<{ readonly url: string; readonly storage: string; close(): Promise<void> }>;
  manageKeys(settings: ConfigOptions, request: KeyRequest): Promise<readonly ServedKey[]>;
  rotateSecrets(settings: ConfigOptions): Promise<Rotation>;
  organisations(settings: ConfigOptions): Promise<readonly string[]>;
  organisationSettings(settings: ConfigOptions, organisation: string): Promise<ConfigOptions>;
  createHandler(
    portia: Portia,
    storage: StorageBackend,
    options: HandlerOptions,
  ): (request: Request) => Promise<Response>;
}

/** What is asked about keys. */
export type KeyRequest = { readonly organisation?: string | undefined } & (
  | {
      readonly do: 'create';
      readonly name: string;
      readonly scopes?: readonly string[] | undefined;
      readonly expiresInDays?: number | undefined;
    }
  | { readonly do: 'list' }
  | { readonly do: 'revoke'; readonly id: string }
);

/** A key; its secret only when it was just made. Times are epoch milliseconds. */
export interface ServedKey {
  readonly id: string;
  readonly organisation: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly key?: string;
  /** Tokens of end users made with it, which end with it. */
  readonly tokens?: number;
}

/** Who makes a request, as the host program says. */
export interface HandlerPrincipal {
  /** Stands as `resolvedBy` in the record of what they answer. */
  readonly id: string;
  /** `admin`, `operator`, `client`, `driver`, `role:<name>`; see docs/keys-and-tenants.md. */
  readonly scopes: readonly ('admin' | 'operator' | 'client' | 'driver' | `role:${string}`)[];
  /** For an end user: whose runs they see. Give no scopes then. */
  readonly endUserId?: string | undefined;
}

/** How the API of the server becomes part of a program of your own. */
export interface HandlerOptions {
  /** Who makes a request; `null` and `undefined` mean nobody, who is refused with 401. */
  readonly authorize: (
    request: Request,
  ) => HandlerPrincipal | null | undefined | Promise<HandlerPrincipal | null | undefined>;
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

/** Loads the server. @throws PortiaError `PACKAGE_MISSING` with the line that installs it. */
export async function loadServer(): Promise<ServerPackage> {
  return (await importOptional('the server', 'portia-ts-server')) as unknown as ServerPackage;
}

/** @throws PortiaError `CONFIG_INVALID`: without a check of who asks, everybody would come in. */
export function checkAuthorize({ authorize }: HandlerOptions): void {
  if (typeof authorize === 'function') return;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: 'a handler needs authorize(request): it says who makes a request',
    hint: "authorize: (request) => ({ id: 'me', scopes: ['admin'] }) lets everybody do everything",
  });
}
