import { PortiaError } from 'portia-ts';
import { type ControlStore, defaultOrganisation } from '../control/control-store.ts';
import { keyOfHeader } from './api-keys.ts';
import { forbidden, type Principal } from './principal.ts';

/** A principal, and the organisation whose data it works with. */
export interface Authenticated {
  readonly principal: Principal;
  readonly organisation: string;
  /** The id of the key of the request, where the server has keys of its own. */
  readonly keyId?: string;
  /** Whether it may still come in, for what goes on after the request was let in; absent: it may. */
  readonly holds?: () => Promise<boolean>;
}

/** Says who makes a request. @throws PortiaError `UNAUTHENTICATED` */
export type Authenticate = (request: Request) => Promise<Authenticated>;

/** Keys of the control store, in `Authorization: Api-Key <key>` or `Bearer <key>`. */
export function byApiKey(control: ControlStore): Authenticate {
  return async (request) => {
    const text = keyOfHeader(request.headers.get('authorization'));
    if (text === undefined) throw unauthenticated('the request carries no key', howToCome);
    const apiKey = await control.findKey(text);
    // What is wrong with a key is nobody's business who does not have it.
    if (!apiKey) throw unauthenticated('the key is unknown, expired or revoked', howToCome);
    const { endUserId, scopes, organisation, id } = apiKey;
    const principal: Principal =
      endUserId === null ? { id: `key:${id}`, scopes } : { id: endUserId, scopes, endUserId };
    return { principal, organisation, keyId: id, holds: async () => (await control.findKey(text)) !== undefined };
  };
}

/**
 * Every program of this machine may do everything: for loopback only. A browser is a program of this machine, too, and
 * the pages in it are not: what another site has sent (also under a name of its own that it lets mean this machine) is
 * refused, and so is what a proxy hands on from elsewhere.
 */
export function withoutAuth(): Authenticate {
  const authenticated: Authenticated = {
    principal: { id: 'local', scopes: ['admin'] },
    organisation: defaultOrganisation,
  };
  return async ({ url, headers }) => {
    const why = fromElsewhere(headers.get('host') ?? new URL(url).host, headers);
    if (why === undefined) return authenticated;
    throw forbidden(
      `this server runs without auth, for programs of its own machine, and ${why}`,
      'run it with keys: leave --no-auth out, and npx portia-ts keys create makes one',
    );
  };
}

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Why a request is not one of a program of this machine; `undefined`: it is. */
function fromElsewhere(host: string, headers: Headers): string | undefined {
  const own = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : undefined;
  if (!own || !loopbackNames.has(own.hostname)) return `the request is for the host ${JSON.stringify(host)}`;
  const origin = headers.get('origin');
  if (origin !== null && origin !== own.origin) return `the request is from a page of ${JSON.stringify(origin)}`;
  const site = headers.get('sec-fetch-site') ?? 'none';
  if (site !== 'none' && site !== 'same-origin') return 'the request is from a page of another site';
  const hop = ['forwarded', 'x-forwarded-for', 'x-real-ip'].find((name) => headers.has(name));
  return hop && `the request came through a proxy (it has the header ${hop})`;
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

const howToCome = 'send Authorization: Api-Key <key>; an admin, or whoever runs this server, makes one';

function unauthenticated(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'UNAUTHENTICATED', message, hint });
}
