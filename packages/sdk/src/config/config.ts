import { inspect } from 'node:util';
import { type BudgetLimits, readBudget } from '../core/budget.ts';
import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { type ModelPrices, readPrices } from '../model/prices.ts';
import { type LLMProvider, providers } from '../model/providers.ts';
import { LogLevel } from '../observe/logger.ts';
import { type CacheChoice, readModelCache } from './cache-choice.ts';
import { type ConfigOptions, ExecutionAgentType, type StorageClass } from './config-options.ts';
import { type ModelSettings, modelsToJson, readModels } from './model-settings.ts';
import { readProviders } from './provider-settings.ts';
import { asFlag, invalid, SettingReader } from './setting-reader.ts';
import { defaultApiEndpoint, readStorage, type StorageChoice } from './storage-choice.ts';

const secretNames = {
  portiaApiKey: ['PORTIA_API_KEY'],
  tavilyApiKey: ['TAVILY_API_KEY'],
  openweathermapApiKey: ['OPENWEATHERMAP_API_KEY'],
  secretKey: ['PORTIA_SECRET_KEY'],
} as const;

/** Switches that are known; others may be set too. */
export interface FeatureFlags extends Readonly<Record<string, boolean>> {
  /** Large outputs are kept in agent memory. */
  readonly agentMemoryEnabled: boolean;
}

/**
 * The settings of a client, read and checked once. Secrets are kept apart: they are in no printed form, no JSON and
 * no spread copy.
 */
export class Config {
  /** The provider whose models are used where none is named; chosen by the keys that are set unless given. */
  readonly llmProvider: LLMProvider | undefined;
  /** What was named, or chosen with the provider; unset ones use `default`. */
  readonly models: ModelSettings;
  /** Milliseconds. */
  readonly modelTimeoutMs: number;
  /** Where model answers are cached; absent: nowhere. */
  readonly modelCache: CacheChoice | undefined;
  readonly storage: StorageChoice;
  readonly storageDir: string;
  /** Whether the contents of runs are sealed with a key of their end user. */
  readonly encryptRuns: boolean;
  /** Absent: nothing is logged. */
  readonly defaultLogLevel: LogLevel | undefined;
  readonly executionAgentType: ExecutionAgentType;
  readonly largeOutputThresholdTokens: number;
  /** What all runs and plannings of the client may spend together, in this process. */
  readonly budget: BudgetLimits | undefined;
  readonly modelPrices: ModelPrices;
  readonly featureFlags: FeatureFlags;
  readonly argumentClarificationsEnabled: boolean;
  /** Steps of one run at once, where nothing else is said; 1 runs everything in order. */
  readonly maxConcurrency: number;
  /** Steps at work in all runs of the client at once; absent: not limited. */
  readonly maxConcurrencyPerClient: number | undefined;
  readonly portiaApiEndpoint: string;
  readonly portiaDashboardUrl: string;
  readonly tavilyBaseUrl: string;
  readonly openweathermapBaseUrl: string;
  readonly #providerSettings: ReadonlyMap<string, string>;
  readonly #secrets: ReadonlyMap<string, string>;

  /**
   * The settings given, and defaults; the environment is read only from `options.env`.
   * @throws PortiaError `CONFIG_INVALID` or `MODEL_UNKNOWN`, naming the setting.
   */
  constructor(options: ConfigOptions = {}) {
    const read = new SettingReader(options);
    const ofProviders = readProviders(read);
    this.#secrets = new Map([...ofProviders.secrets, ...readSecrets(read)]);
    this.#providerSettings = ofProviders.open;
    this.llmProvider = ofProviders.provider;
    this.models = readModels(read, this.llmProvider);
    this.modelTimeoutMs = read.count('modelTimeoutMs', ['PORTIA_MODEL_TIMEOUT_MS']) ?? 120_000;
    this.storageDir = read.text('storageDir', ['PORTIA_STORAGE_DIR']) ?? '.portia';
    this.storage = readStorage(read, this.storageDir);
    this.encryptRuns = read.flag('encryptRuns', ['PORTIA_ENCRYPT_RUNS']) ?? false;
    this.modelCache = readModelCache(read, this.storageDir);
    this.defaultLogLevel = read.choice('defaultLogLevel', ['PORTIA_LOG_LEVEL'], {
      ...LogLevel,
      WARN: LogLevel.WARNING,
    });
    this.executionAgentType =
      read.choice('executionAgentType', ['PORTIA_EXECUTION_AGENT_TYPE'], ExecutionAgentType) ??
      ExecutionAgentType.ONE_SHOT;
    this.largeOutputThresholdTokens =
      read.count('largeOutputThresholdTokens', ['PORTIA_LARGE_OUTPUT_THRESHOLD_TOKENS']) ?? 1000;
    this.budget = readClientBudget(options.budget);
    this.modelPrices = readPrices(options.modelPrices);
    this.featureFlags = readFlags(read);
    this.argumentClarificationsEnabled =
      read.flag('argumentClarificationsEnabled', ['PORTIA_ARGUMENT_CLARIFICATIONS_ENABLED']) ?? false;
    this.maxConcurrency = Math.max(1, read.count('maxConcurrency', ['PORTIA_MAX_CONCURRENCY']) ?? 8);
    this.maxConcurrencyPerClient = read.count('maxConcurrencyPerClient', ['PORTIA_MAX_CONCURRENCY_PER_CLIENT']);
    this.portiaApiEndpoint = read.url('portiaApiEndpoint', ['PORTIA_API_ENDPOINT']) ?? defaultApiEndpoint;
    this.portiaDashboardUrl = read.url('portiaDashboardUrl', ['PORTIA_DASHBOARD_URL']) ?? 'https://app.portialabs.ai';
    this.tavilyBaseUrl = read.url('tavilyBaseUrl', ['TAVILY_BASE_URL']) ?? 'https://api.tavily.com';
    this.openweathermapBaseUrl =
      read.url('openweathermapBaseUrl', ['OPENWEATHERMAP_BASE_URL']) ?? 'https://api.openweathermap.org';
    // Not a method: its computed name has no place in declarations that are made file by file.
    Object.defineProperty(this, inspect.custom, { value: () => `Config ${inspect(this.toJSON())}` });
    Object.freeze(this);
  }

  /** The settings given, then those of the environment (`options.env`, else the process's own), then the defaults. */
  static fromDefault(options: ConfigOptions = {}): Config {
    return new Config({ ...options, env: options.env ?? process.env });
  }

  get storageClass(): StorageClass | 'CUSTOM' {
    return this.storage.class;
  }
  get portiaApiKey(): string | undefined {
    return this.#secrets.get('portiaApiKey');
  }
  /** What secrets at rest are sealed with. */
  get secretKey(): string | undefined {
    return this.#secrets.get('secretKey');
  }
  get tavilyApiKey(): string | undefined {
    return this.#secrets.get('tavilyApiKey');
  }
  get openweathermapApiKey(): string | undefined {
    return this.#secrets.get('openweathermapApiKey');
  }

  /** The key of a provider. */
  apiKey(provider: LLMProvider): string | undefined {
    return this.#secrets.get(providers[provider].keyOption ?? '');
  }

  /** The base URL set for a provider; `undefined` when it is the provider's own. */
  baseUrl(provider: LLMProvider): string | undefined {
    return this.#providerSettings.get(providers[provider].urlOption);
  }

  /** A setting that only one provider has, such as `awsDefaultRegion`, by its option. */
  providerSetting(option: string): string | undefined {
    return this.#secrets.get(option) ?? this.#providerSettings.get(option);
  }

  /** All secrets that are set, for whoever has to keep them out of what is printed. */
  get secrets(): readonly string[] {
    const { modelCache, storage } = this;
    const addresses = [
      ...(modelCache?.kind === 'redis' ? [modelCache.url()] : []),
      ...(storage.class === 'POSTGRES' ? [storage.url()] : []),
    ];
    return [...this.#secrets.values(), ...addresses.flatMap(passwordsIn)];
  }

  /** A setting that has to be there. @throws PortiaError `CONFIG_NOT_FOUND` */
  mustGet<Name extends Extract<keyof Config, string>>(name: Name): NonNullable<Config[Name]> {
    const value = this[name];
    if (value !== undefined && value !== null) return value;
    const known = Object.hasOwn(secretNames, name)
      ? ` or set ${secretNames[name as keyof typeof secretNames].join(' or ')}`
      : '';
    throw new PortiaError({
      code: 'CONFIG_NOT_FOUND',
      message: `the setting ${name} is needed and not set`,
      hint: `give it to Config.fromDefault({ ${name}: … })${known}`,
      details: { setting: name },
    });
  }

  /** The settings without secrets: of those it says only that they are set. */
  toJSON(): JsonObject {
    const shown: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(this)) {
      if (value === undefined) continue;
      if (name === 'models') shown[name] = modelsToJson(this.models);
      // What is opened is told by its name: the rest of it may be an object, or hold a password.
      else
        shown[name] =
          name === 'storage' || name === 'modelCache' ? (value as { name: string }).name : (value as JsonValue);
    }
    for (const [option, value] of this.#providerSettings)
      shown[option] = URL.canParse(value) ? withoutPassword(value) : value;
    for (const name of this.#secrets.keys()) shown[name] = '[set]';
    return shown;
  }

  toString(): string {
    return `Config ${JSON.stringify(this)}`;
  }
}

/** The settings of the environment and the defaults. */
export function defaultConfig(): Config {
  return Config.fromDefault();
}

function readSecrets(read: SettingReader): Map<string, string> {
  const secrets = new Map<string, string>();
  for (const [option, envNames] of Object.entries(secretNames)) {
    const value = read.text(option, envNames);
    if (value !== undefined) secrets.set(option, value);
  }
  return secrets;
}

/** Nobody is asked for a client: it stops, and its runs go on elsewhere. */
function readClientBudget(given: unknown): BudgetLimits | undefined {
  const budget = readBudget(given, 'budget');
  if (!budget?.onBudget && !budget?.maxOutputTokens) return budget;
  throw invalid('budget', 'holds onBudget or maxOutputTokens', 'those belong to the budget of a run');
}

function readFlags(read: SettingReader): FeatureFlags {
  const given = read.find('featureFlags')?.value ?? {};
  if (!isPlainObject(given)) throw invalid('featureFlags', 'is not an object', 'write { agentMemoryEnabled: false }');
  const fromCode = Object.entries(given).map(
    ([name, on]) => [flagName(name), asFlag(on, `featureFlags.${name}`)] as const,
  );
  const fromEnv = read.flagsByPrefix('PORTIA_FEATURE_').map(([name, on]) => [flagName(name), on] as const);
  return Object.freeze({ agentMemoryEnabled: true, ...Object.fromEntries(fromEnv), ...Object.fromEntries(fromCode) });
}

// `feature_flag_agent_memory_enabled`, as Portia writes it, and `agentMemoryEnabled` are the same flag.
function flagName(name: string): string {
  if (!/[_-]/.test(name) && name !== name.toUpperCase()) return name;
  return name
    .toLowerCase()
    .replace(/^(feature_)?flag_/, '')
    .replace(/[_-]+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The password of an address, as it is written there and as it is. */
function passwordsIn(url: string): readonly string[] {
  const { password } = new URL(url);
  return password === '' ? [] : [password, decodeURIComponent(password)];
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.username === '' && parsed.password === '') return url;
  parsed.username = '';
  parsed.password = '';
  return parsed.href;
}
