import { PortiaError } from 'portia-ts';
import { type ControlStore, defaultOrganisation } from '../control/control-store.ts';
import { keyOfHeader } from './api-keys.ts';
import type { Principal } from './principal.ts';

/** A principal, and the organisation whose data it works with. */
export interface Authenticated {
  readonly principal: Principal;
  readonly organisation: string;
}

/** Says who makes a request. @throws PortiaError `UNAUTHENTICATED` */
export type Authenticate = (request: Request) => Promise<Authenticated>;

/** Keys of the control store, in `Authorization: Api-Key <key>` or `Bearer <key>`. */
export function byApiKey(control: ControlStore): Authenticate {
  return async (request) => {
    const text = keyOfHeader(request.headers.get('authorization'));
    if (text === undefined) throw unauthenticated('the request carries no key');
    const apiKey = await control.findKey(text);
    // What is wrong with a key is nobody's business who does not have it.
    if (!apiKey) throw unauthenticated('the key is unknown, expired or revoked');
    const { endUserId, scopes, organisation, id } = apiKey;
    const principal: Principal =
      endUserId === null ? { id: `key:${id}`, scopes } : { id: endUserId, scopes, endUserId };
    return { principal, organisation };
  };
}

/** Everybody who reaches the server may do everything: for loopback only. */
export function withoutAuth(): Authenticate {
  const authenticated: Authenticated = {
    principal: { id: 'local', scopes: ['admin'] },
    organisation: defaultOrganisation,
  };
  return async () => authenticated;
}

/** What a program says of a request in {@link HandlerOptions.authorize}; nothing means nobody. */
export type Authorize = (request: Request) => Principal | null | undefined | Promise<Principal | null | undefined>;

/** The host program says who it is. */
export function byHostProgram(authorize: Authorize): Authenticate {
  return async (request) => {
    const principal = await authorize(request);
    if (!principal) throw unauthenticated('the program that runs this server does not let this request in');
    return { principal, organisation: defaultOrganisation };
  };
}

function unauthenticated(message: string): PortiaError {
  return new PortiaError({
    code: 'UNAUTHENTICATED',
    message,
    hint: 'send Authorization: Api-Key <key>; npx portia-ts keys create makes one',
  });
}
