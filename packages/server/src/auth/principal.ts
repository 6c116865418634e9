import { type Audience, PortiaError } from 'portia-ts';

/**
 * What a key allows. `admin`: everything, keys and webhooks included. `operator`: reads all runs, cancels and retries
 * them, answers what operators and end users are asked, and erases people. `role:<name>`: sees and answers what is addressed to that
 * role, and nothing else. `client`: starts and reads runs, and makes tokens for end users; it answers nothing itself.
 * `driver`: what `client` may, and the whole store (CLOUD storage and `/api/v0`): whoever drives runs elsewhere.
 */
export type Scope = 'admin' | 'operator' | 'client' | 'driver' | `role:${string}`;

/** Who makes a request. */
export interface Principal {
  /** Stands as `resolvedBy` in the record of what they answer; of an end user, `endUserId` does. */
  readonly id: string;
  readonly scopes: readonly Scope[];
  /** For a token of an end user: whose. Such a principal has no scopes. */
  readonly endUserId?: string | undefined;
}

/** Whether a text is a scope. */
export function isScope(text: string): text is Scope {
  return /^(admin|operator|client|driver|role:[A-Za-z0-9][\w.-]{0,63})$/.test(text);
}

/** What can be asked of a principal; see {@link Scope} for who may what. */
export type Permission = 'manage' | 'start' | 'read-all' | 'steer' | 'store' | 'erase';

const grants: Readonly<Record<Permission, readonly Scope[]>> = {
  manage: ['admin'],
  start: ['admin', 'client', 'driver'],
  'read-all': ['admin', 'operator', 'client', 'driver'],
  steer: ['admin', 'operator', 'client', 'driver'],
  store: ['admin', 'driver'],
  erase: ['admin', 'operator'],
};

/** Whether a principal may do something. */
export function may(principal: Principal, permission: Permission): boolean {
  return principal.scopes.some((scope) => grants[permission].includes(scope));
}

/** @throws PortiaError `FORBIDDEN` unless the principal may do it. */
export function demand(principal: Principal, permission: Permission): void {
  if (may(principal, permission)) return;
  throw forbidden(`this needs a key with the scope ${grants[permission].join(' or ')}`);
}

/** The error for what a key does not allow. */
export function forbidden(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'FORBIDDEN', message, hint });
}

/** What a principal is counted under. Whoever names end users can name none like a key. */
export function countedAs({ id, endUserId }: Principal): string {
  return endUserId === undefined ? id : `end-user:${endUserId}`;
}

/** The roles of a principal. */
export function rolesOf(principal: Principal): readonly `role:${string}`[] {
  return principal.scopes.filter((scope): scope is `role:${string}` => scope.startsWith('role:'));
}

/** Whether a principal may see a clarification of a run that it may see itself. */
export function seesAudience(principal: Principal, audience: Audience): boolean {
  if (may(principal, 'read-all')) return true;
  if (principal.endUserId !== undefined) return audience === 'endUser';
  return rolesOf(principal).some((role) => role === audience);
}

/**
 * In what capacity a principal answers a clarification: the one that fits its audience, else the strongest it has, which
 * the engine then refuses. `undefined`: it has none at all.
 */
export function capacityFor(principal: Principal, audience: Audience): Audience | undefined {
  if (principal.endUserId !== undefined) return 'endUser';
  if (principal.scopes.includes('admin')) return audience === 'endUser' ? 'operator' : audience;
  const roles = rolesOf(principal);
  const role = roles.find((own) => own === audience);
  if (role !== undefined) return role;
  return principal.scopes.includes('operator') ? 'operator' : roles[0];
}
