import type { BudgetLimits } from '../core/budget.ts';
import type { Model } from '../core/model.ts';
import type { ModelCache } from '../model/cache/model-cache.ts';
import type { ModelPrices } from '../model/prices.ts';
import type { ModelAgent } from '../model/providers.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';

/** Where plans and runs are kept. */
export const StorageClass = {
  MEMORY: 'MEMORY',
  DISK: 'DISK',
  SQLITE: 'SQLITE',
  POSTGRES: 'POSTGRES',
  CLOUD: 'CLOUD',
} as const;
/** Where plans and runs are kept. */
export type StorageClass = (typeof StorageClass)[keyof typeof StorageClass];

/** How steps with a tool are executed: one model call for the arguments, or several that check each other. */
export const ExecutionAgentType = { ONE_SHOT: 'ONE_SHOT', DEFAULT: 'DEFAULT' } as const;
/** How steps with a tool are executed. */
export type ExecutionAgentType = (typeof ExecutionAgentType)[keyof typeof ExecutionAgentType];

/** A model, or its name: `openai/gpt-4.1`; or a list of them, of which the first that answers is used. */
export type ModelSetting = string | Model | readonly (string | Model)[];

type Text = string | undefined;

/**
 * The settings of a client. What is not given is taken from the environment (by {@link Config.fromDefault}), else
 * from the defaults. Names of choices may be written in any case, with `-` for `_`.
 */
export interface ConfigOptions {
  /** Whose models to use where none is named; else the first provider with a key. `PORTIA_LLM_PROVIDER`. */
  readonly llmProvider?: Text;
  /** Models by what they are for; the same as `defaultModel`, `planningModel` and so on. */
  readonly models?: { readonly [Agent in ModelAgent]?: ModelSetting | undefined } | undefined;
  /** For all that has no model of its own. `PORTIA_DEFAULT_MODEL`. */
  readonly defaultModel?: ModelSetting | undefined;
  /** `PORTIA_PLANNING_MODEL`. */
  readonly planningModel?: ModelSetting | undefined;
  /** `PORTIA_EXECUTION_MODEL`. */
  readonly executionModel?: ModelSetting | undefined;
  /** `PORTIA_INTROSPECTION_MODEL`. */
  readonly introspectionModel?: ModelSetting | undefined;
  /** `PORTIA_SUMMARIZER_MODEL`. */
  readonly summarizerModel?: ModelSetting | undefined;
  /** Milliseconds a model may take for one answer; 120,000 unless given. `PORTIA_MODEL_TIMEOUT_MS`. */
  readonly modelTimeoutMs?: number | undefined;
  /** Where model answers are cached: `memory`, `sqlite:<file>`, `redis://…`, or a cache of your own; nowhere unless given. `PORTIA_MODEL_CACHE`. */
  readonly modelCache?: string | ModelCache | undefined;
  /** Milliseconds a cached answer is good for; a day unless given. `PORTIA_MODEL_CACHE_TTL_MS`. */
  readonly modelCacheTtlMs?: number | undefined;
  /** A name under which all end users share cached answers; unless given, each has their own. `PORTIA_MODEL_CACHE_NAMESPACE`. */
  readonly modelCacheNamespace?: Text;
  /** The same as `modelCache` with a Redis address, as Portia names it. `LLM_REDIS_CACHE_URL`. */
  readonly llmRedisCacheUrl?: Text;

  /** `OPENAI_API_KEY`. */
  readonly openaiApiKey?: Text;
  /** `ANTHROPIC_API_KEY`. */
  readonly anthropicApiKey?: Text;
  /** `MISTRAL_API_KEY`. */
  readonly mistralaiApiKey?: Text;
  /** `GOOGLE_API_KEY`. */
  readonly googleApiKey?: Text;
  /** `OPENROUTER_API_KEY`. */
  readonly openrouterApiKey?: Text;
  /** `XAI_API_KEY`. */
  readonly grokApiKey?: Text;
  /** `GROQ_API_KEY`. */
  readonly groqApiKey?: Text;
  /** `AZURE_OPENAI_API_KEY`; needs `azureOpenaiEndpoint` too. */
  readonly azureOpenaiApiKey?: Text;
  /** For Amazon Bedrock, in place of AWS's own keys. `AWS_BEARER_TOKEN_BEDROCK`. */
  readonly amazonApiKey?: Text;
  /** `AWS_ACCESS_KEY_ID`. */
  readonly awsAccessKeyId?: Text;
  /** `AWS_SECRET_ACCESS_KEY`. */
  readonly awsSecretAccessKey?: Text;
  /** For temporary keys. `AWS_SESSION_TOKEN`. */
  readonly awsSessionToken?: Text;
  /** `AWS_DEFAULT_REGION`. */
  readonly awsDefaultRegion?: Text;
  /** A profile of AWS's own files, in place of keys. `AWS_CREDENTIALS_PROFILE_NAME`. */
  readonly awsCredentialsProfileName?: Text;
  /** The key of `customBaseUrl`, where it has one. `CUSTOM_API_KEY`. */
  readonly customApiKey?: Text;
  /** Any server that speaks OpenAI's chat completions. `OPENAI_BASE_URL`. */
  readonly openaiBaseUrl?: Text;
  /** `ANTHROPIC_BASE_URL`. */
  readonly anthropicBaseUrl?: Text;
  /** `MISTRAL_BASE_URL`. */
  readonly mistralaiBaseUrl?: Text;
  /** `GOOGLE_BASE_URL`. */
  readonly googleBaseUrl?: Text;
  /** `OPENROUTER_BASE_URL`. */
  readonly openrouterBaseUrl?: Text;
  /** `XAI_BASE_URL`. */
  readonly grokBaseUrl?: Text;
  /** `GROQ_BASE_URL`. */
  readonly groqBaseUrl?: Text;
  /** `http://localhost:11434/v1` unless given. `OLLAMA_BASE_URL`. */
  readonly ollamaBaseUrl?: Text;
  /** `https://<resource>.openai.azure.com`. `AZURE_OPENAI_ENDPOINT`. */
  readonly azureOpenaiEndpoint?: Text;
  /** `2025-01-01-preview` unless given. `AZURE_OPENAI_API_VERSION`. */
  readonly azureOpenaiApiVersion?: Text;
  /** Made from the region unless given. `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`. */
  readonly amazonBaseUrl?: Text;
  /** The server of models named `custom/…`: any that speaks OpenAI's chat completions. `CUSTOM_BASE_URL`. */
  readonly customBaseUrl?: Text;

  /** `memory`, `disk:<folder>`, `sqlite:<file>`, `postgres://…`, `cloud`, or a backend of your own. `PORTIA_STORAGE`. */
  readonly storage?: string | StorageBackend | undefined;
  /** The same by class; `MEMORY` unless given. `PORTIA_STORAGE_CLASS`. */
  readonly storageClass?: Text;
  /** The folder of `DISK`, and of the file `portia.db` of `SQLITE`; `.portia` unless given. `PORTIA_STORAGE_DIR`. */
  readonly storageDir?: Text;
  /** Seals the contents of runs with a key of their end user; needs `secretKey`. `false` unless given. `PORTIA_ENCRYPT_RUNS`. */
  readonly encryptRuns?: boolean | undefined;
  /**
   * What secrets at rest are sealed with: 32 bytes as base64 or hexadecimal (`openssl rand -base64 32`); several with
   * commas, the first one seals. `PORTIA_SECRET_KEY`.
   */
  readonly secretKey?: Text;
  /** The address of the database of `POSTGRES`; read only when that is chosen. `DATABASE_URL`. */
  readonly databaseUrl?: Text;

  /** `TRACE` to `CRITICAL`, or `SILENT`; nothing is logged unless given. `PORTIA_LOG_LEVEL`. */
  readonly defaultLogLevel?: Text;
  /** `ONE_SHOT` unless given. `PORTIA_EXECUTION_AGENT_TYPE`. */
  readonly executionAgentType?: Text;
  /** Outputs estimated larger than this are kept in agent memory; 1000 unless given. `PORTIA_LARGE_OUTPUT_THRESHOLD_TOKENS`. */
  readonly largeOutputThresholdTokens?: number | undefined;
  /** Steps of one run at once, where the plan says nothing else. 8 unless given; 1 runs everything in order. `PORTIA_MAX_CONCURRENCY`. */
  readonly maxConcurrency?: number | undefined;
  /** Steps at work in all runs of the client at once; not limited unless given. `PORTIA_MAX_CONCURRENCY_PER_CLIENT`. */
  readonly maxConcurrencyPerClient?: number | undefined;
  /** What all runs and plannings of the client may spend together, in this process, since it was made. */
  readonly budget?: BudgetLimits | undefined;
  /** US dollars per million tokens, by `provider/model` or `provider/*`; before the prices this package knows. */
  readonly modelPrices?: ModelPrices | undefined;
  /** Switches by name. `PORTIA_FEATURE_<NAME>`. */
  readonly featureFlags?: Readonly<Record<string, boolean>> | undefined;
  /** Whether execution agents ask people for arguments they do not know. `PORTIA_ARGUMENT_CLARIFICATIONS_ENABLED`. */
  readonly argumentClarificationsEnabled?: boolean | undefined;

  /** `PORTIA_API_KEY`. Kept for programs that read it; this package calls no cloud. */
  readonly portiaApiKey?: Text;
  /** `PORTIA_API_ENDPOINT`. Kept like `portiaApiKey`. */
  readonly portiaApiEndpoint?: Text;
  /** `PORTIA_DASHBOARD_URL`. Kept like `portiaApiKey`. */
  readonly portiaDashboardUrl?: Text;
  /** For the search tools. `TAVILY_API_KEY`. */
  readonly tavilyApiKey?: Text;
  /** `TAVILY_BASE_URL`. */
  readonly tavilyBaseUrl?: Text;
  /** For the weather tool. `OPENWEATHERMAP_API_KEY`. */
  readonly openweathermapApiKey?: Text;
  /** `OPENWEATHERMAP_BASE_URL`. */
  readonly openweathermapBaseUrl?: Text;

  /** The environment to read, in place of the process's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

// Written as an object so that an option without a line here does not compile.
const names: Readonly<Record<keyof ConfigOptions, true>> = {
  llmProvider: true,
  models: true,
  defaultModel: true,
  planningModel: true,
  executionModel: true,
  introspectionModel: true,
  summarizerModel: true,
  modelTimeoutMs: true,
  modelCache: true,
  modelCacheTtlMs: true,
  modelCacheNamespace: true,
  llmRedisCacheUrl: true,
  openaiApiKey: true,
  anthropicApiKey: true,
  mistralaiApiKey: true,
  googleApiKey: true,
  openrouterApiKey: true,
  grokApiKey: true,
  groqApiKey: true,
  azureOpenaiApiKey: true,
  amazonApiKey: true,
  awsAccessKeyId: true,
  awsSecretAccessKey: true,
  awsSessionToken: true,
  awsDefaultRegion: true,
  awsCredentialsProfileName: true,
  customApiKey: true,
  openaiBaseUrl: true,
  anthropicBaseUrl: true,
  mistralaiBaseUrl: true,
  googleBaseUrl: true,
  openrouterBaseUrl: true,
  grokBaseUrl: true,
  groqBaseUrl: true,
  ollamaBaseUrl: true,
  azureOpenaiEndpoint: true,
  azureOpenaiApiVersion: true,
  amazonBaseUrl: true,
  customBaseUrl: true,
  storage: true,
  storageClass: true,
  storageDir: true,
  databaseUrl: true,
  encryptRuns: true,
  secretKey: true,
  defaultLogLevel: true,
  executionAgentType: true,
  largeOutputThresholdTokens: true,
  maxConcurrency: true,
  maxConcurrencyPerClient: true,
  budget: true,
  modelPrices: true,
  featureFlags: true,
  argumentClarificationsEnabled: true,
  portiaApiKey: true,
  portiaApiEndpoint: true,
  portiaDashboardUrl: true,
  tavilyApiKey: true,
  tavilyBaseUrl: true,
  openweathermapApiKey: true,
  openweathermapBaseUrl: true,
  env: true,
};

/** The names of all options. */
export const optionNames: readonly string[] = Object.keys(names);
