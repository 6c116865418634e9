import { Config, type ConfigOptions, PortiaError } from 'portia-ts';
import { defaultOrganisation } from './control/control-store.ts';
import { readOrganisations } from './control/open-control.ts';
import { placeOf } from './tenants.ts';

/** The organisations of a server whose store `settings` name, `default` among them. Nothing is made by asking. */
export async function organisations(settings: ConfigOptions): Promise<readonly string[]> {
  return readOrganisations(Config.fromDefault(settings));
}

/**
 * The same settings with the store of an organisation in place of the server's own: for a program that is to work on it.
 * @throws PortiaError `CONFIG_INVALID` when there is no such organisation.
 */
export async function organisationSettings(settings: ConfigOptions, organisation: string): Promise<ConfigOptions> {
  if (organisation === defaultOrganisation) return settings;
  const base = Config.fromDefault(settings);
  const known = await readOrganisations(base);
  if (!known.includes(organisation)) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `the server on ${base.storage.name} has no organisation ${JSON.stringify(organisation)}`,
      hint:
        known.length > 1
          ? `it has ${known.join(', ')}`
          : `npx portia-ts keys create --organisation ${organisation} makes it, with its first key`,
    });
  }
  const { storageClass: _, storageDir: __, ...others } = settings;
  return { ...others, storage: placeOf(base, organisation) };
}
