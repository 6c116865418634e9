import type { Context } from 'hono';
import type { Principal } from '../auth/principal.ts';
import type { Tenant } from '../tenants.ts';

/** What routes find in their context. `principal` and `tenant` are set below `/api`, by the guard. */
export interface Env {
  Variables: {
    requestId: string;
    principal: Principal;
    tenant: Tenant;
  };
}

/** The context of a route. */
export type AppContext = Context<Env>;
