import { Config, type ConfigOptions, PortiaError } from 'portia-ts';
import { isScope, type Scope } from './auth/principal.ts';
import { type ApiKey, type ControlStore, defaultOrganisation } from './control/control-store.ts';
import { lookAtControl, openControl } from './control/open-control.ts';

/** What is asked of {@link manageKeys}. */
export type KeyRequest =
  | {
      readonly do: 'create';
      readonly organisation?: string | undefined;
      readonly name: string;
      /** `client` unless given. */
      readonly scopes?: readonly string[] | undefined;
      readonly expiresInDays?: number | undefined;
    }
  | { readonly do: 'list'; readonly organisation?: string | undefined }
  | { readonly do: 'revoke'; readonly organisation?: string | undefined; readonly id: string };

/** The keys that were asked for; of one that was just made, with the secret, which is never shown again. */
export type KeyAnswer = readonly (ApiKey & { readonly key?: string; readonly tokens?: number })[];

/**
 * Makes, lists and revokes the keys of an organisation, beside the store that `settings` name. An organisation is made
 * with its first key.
 * @throws PortiaError `CONFIG_INVALID` for scopes and names that cannot be, `NOT_FOUND`.
 */
export async function manageKeys(settings: ConfigOptions, request: KeyRequest): Promise<KeyAnswer> {
  const config = Config.fromDefault(settings);
  const control = await (request.do === 'create' ? openControl(config) : lookAtControl(config));
  try {
    return await answer(control, request);
  } finally {
    await control.close();
  }
}

async function answer(control: ControlStore, request: KeyRequest): Promise<KeyAnswer> {
  const { organisation = defaultOrganisation } = request;
  if (request.do === 'list') {
    const tokens = await control.countTokens(organisation);
    return (await control.listKeys(organisation)).map((key) => ({ ...key, tokens: tokens.get(key.id) ?? 0 }));
  }
  if (request.do === 'revoke') return [await control.revokeKey(organisation, request.id)];
  const scopes = scopesOf(request.scopes);
  await control.addOrganisation(organisation);
  const { apiKey, key } = await control.createKey({
    organisation,
    name: request.name,
    scopes,
    expiresAt: request.expiresInDays === undefined ? undefined : Date.now() + request.expiresInDays * 86_400_000,
  });
  return [{ ...apiKey, key }];
}

function scopesOf(given: readonly string[] = []): readonly Scope[] {
  const scopes = given.length > 0 ? given : ['client'];
  return scopes.map((scope) => {
    if (isScope(scope)) return scope;
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `there is no scope ${JSON.stringify(scope)}`,
      hint: 'there are admin, operator, client, driver and role:<name>',
    });
  });
}
