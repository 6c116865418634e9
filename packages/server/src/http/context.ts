import type { Context } from 'hono';
import type { Principal } from '../auth/principal.ts';
import type { Tenant } from '../tenants.ts';

/** What routes find in their context. All but the first three are set below `/api`, by the guard. */
export interface Env {
  Variables: {
    requestId: string;
    /** The W3C trace context of the request, where it brought one that is valid. */
    traceparent: string | undefined;
    /** What came with it, where that is valid, too. */
    tracestate: string | undefined;
    /** The address of the client, behind as many proxies as the server was told of. */
    address: string;
    principal: Principal;
    keyId: string | undefined;
    tenant: Tenant;
    /** Whether the principal may still come in: for answers that last. */
    holds: () => Promise<boolean>;
  };
}

/** The context of a route. */
export type AppContext = Context<Env>;
