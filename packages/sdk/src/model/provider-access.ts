import { PortiaError } from '../core/errors.ts';
import type { Config } from '../config/config.ts';
import { importOptional } from './import-optional.ts';
import type { LLMProvider, ProviderEntry } from './providers.ts';

/** What the way to a provider is found from. */
export type AccessSettings = Pick<Config, 'apiKey' | 'baseUrl' | 'providerSetting'>;

/** The settings a provider's factory is called with. Everything is given, so that no package reads the environment. */
export type FactorySettings = Readonly<Record<string, unknown>>;

/**
 * The settings for one provider.
 * @throws PortiaError `MODEL_KEY_MISSING` or `CONFIG_NOT_FOUND`, naming what to set.
 */
export function factorySettings(
  id: string,
  provider: LLMProvider,
  entry: ProviderEntry,
  settings: AccessSettings,
): FactorySettings {
  if (entry.access === 'aws') return awsSettings(id, provider, entry, settings);
  const own = settings.baseUrl(provider);
  const key = settings.apiKey(provider);
  if (entry.access !== 'azure') {
    // A server of one's own may need no key.
    if (key === undefined && own === undefined && entry.keyEnv.length > 0 && entry.baseUrl !== undefined)
      throw keyMissing(id, provider, entry);
    return {
      apiKey: key ?? (entry.keyEnv.length > 0 ? 'none' : undefined),
      baseURL: address(id, entry, own),
      ...(entry.factory === 'createOpenAICompatible' && { name: provider }),
      ...entry.settings,
    };
  }
  if (key === undefined) throw keyMissing(id, provider, entry);
  return {
    apiKey: key,
    baseURL: address(id, entry, own),
    apiVersion: settings.providerSetting('azureOpenaiApiVersion'),
    // The API version of the contract belongs to the route with the deployment in it.
    useDeploymentBasedUrls: true,
  };
}

function awsSettings(
  id: string,
  provider: LLMProvider,
  entry: ProviderEntry,
  settings: AccessSettings,
): FactorySettings {
  const set = (option: string): string | undefined => settings.providerSetting(option);
  const profile = set('awsCredentialsProfileName');
  const [accessKeyId, secretAccessKey] = [set('awsAccessKeyId'), set('awsSecretAccessKey')];
  const apiKey = settings.apiKey(provider);
  const own = settings.baseUrl(provider);
  const hasKeys = accessKeyId !== undefined && secretAccessKey !== undefined;
  if (!hasKeys && profile === undefined && apiKey === undefined) {
    const missing = accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
    throw new PortiaError({
      code: 'MODEL_KEY_MISSING',
      message: `${id} needs credentials of AWS, and ${missing} is not set`,
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_CREDENTIALS_PROFILE_NAME, or AWS_BEARER_TOKEN_BEDROCK; in code awsAccessKeyId, awsSecretAccessKey, awsCredentialsProfileName, amazonApiKey',
      details: { model: id, variables: [...entry.keyEnv, 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] },
    });
  }
  const region = set('awsDefaultRegion');
  if (region === undefined) throw settingMissing(id, 'a region of AWS', 'AWS_DEFAULT_REGION', 'awsDefaultRegion');
  return {
    region,
    baseURL: own ?? entry.baseUrl?.replace('{region}', region),
    // Empty texts keep the package from reading the environment.
    apiKey: apiKey ?? '',
    ...(apiKey === undefined && hasKeys && { accessKeyId, secretAccessKey, sessionToken: set('awsSessionToken') }),
    ...(apiKey === undefined && !hasKeys && { credentialProvider: profileCredentials(id, profile as string) }),
  };
}

/** Credentials of a profile of AWS's own files; kept until shortly before they expire. */
function profileCredentials(id: string, profile: string): () => Promise<AwsCredentials> {
  let known: AwsCredentials | undefined;
  let provide: (() => Promise<AwsCredentials>) | undefined;
  return async () => {
    if (known && (known.expiration === undefined || known.expiration.getTime() > Date.now() + 60_000)) return known;
    provide ??= (
      (await importOptional(id, '@aws-sdk/credential-providers')) as {
        readonly fromIni: (options: { readonly profile: string }) => () => Promise<AwsCredentials>;
      }
    ).fromIni({ profile });
    known = await provide();
    return known;
  };
}

interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

function address(id: string, entry: ProviderEntry, own: string | undefined): string {
  const url = own ?? entry.baseUrl;
  if (url === undefined) throw settingMissing(id, 'an address', entry.baseUrlEnv[0] ?? '', entry.urlOption);
  if (own === undefined || entry.defaultPath === undefined || new URL(own).pathname !== '/') return url;
  return `${own.replace(/\/+$/, '')}${entry.defaultPath}`;
}

function settingMissing(id: string, what: string, variable: string, option: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_NOT_FOUND',
    message: `${id} needs ${what}, and ${variable} is not set`,
    hint: `set ${variable} in the environment, or ${option} in the Config`,
    details: { model: id, setting: option },
  });
}

function keyMissing(id: string, provider: LLMProvider, entry: ProviderEntry): PortiaError {
  return new PortiaError({
    code: 'MODEL_KEY_MISSING',
    message: `${id} needs a key of ${entry.title}, and ${entry.keyEnv[0]} is not set`,
    hint: `set ${keyPlaces(entry)}`,
    details: { model: id, provider, variables: entry.keyEnv },
  });
}

/** Where the key of a provider stands, for hints. */
export function keyPlaces({ keyEnv: [variable], keyOption, access }: ProviderEntry): string {
  if (access === 'aws') return 'the credentials of AWS, their rights and the region';
  return variable === undefined ? 'the server' : `${variable} in the environment, or ${keyOption} in the Config`;
}
