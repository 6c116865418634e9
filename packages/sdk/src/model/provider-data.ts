import type { LLMProvider, ProviderEntry, ProviderOptions } from './providers.ts';

// What is known of providers and their models: the one place to bring up to date. Everything here is data; what is
// done with it is in providers.ts, provider-access.ts and ai-sdk/.
//
// From the contract (Portia 0.9), and not to be changed: the ids of the providers, the order in which one is chosen by
// the keys that are set, the environment variables named first, the base URLs, the API version of Azure, the default
// models of openai, mistralai, google, azure-openai, openrouter and grok, OpenAI's seed, the reasoning effort of o3-mini
// and o4-mini, and the thinking budget of Claude 3.7. Ours: the default models of anthropic, amazon and groq, whose own are
// no longer served; `custom` by name; all numbers and lists of models below the table.

/** When the names and numbers here were last looked at. */
export const providerDataDate = '2026-11-28';

// Without `includeUsage` a streamed answer does not say what it cost.
const compatibleSettings = { supportsStructuredOutputs: true, includeUsage: true } as const;
const compatible = { package: '@ai-sdk/openai-compatible', factory: 'createOpenAICompatible' } as const;

// The models that reason refuse to be told how many calls to make.
const openaiWays = {
  seed: 343,
  oneCall: { prefix: 'gpt-', options: { openai: { parallelToolCalls: false } } },
} as const;

/** All providers, in the order in which one is chosen by the keys that are set. */
export const providerTable: Readonly<Record<LLMProvider, ProviderEntry>> = {
  openai: {
    title: 'OpenAI',
    package: '@ai-sdk/openai',
    factory: 'createOpenAI',
    // The chat route is what compatible servers speak; the responses route is OpenAI's alone.
    method: 'chat',
    keyOption: 'openaiApiKey',
    keyEnv: ['OPENAI_API_KEY'],
    urlOption: 'openaiBaseUrl',
    baseUrlEnv: ['OPENAI_BASE_URL'],
    baseUrl: 'https://api.openai.com/v1',
    models: { default: 'gpt-4.1', planning: 'o3-mini', introspection: 'o4-mini' },
    example: 'gpt-4.1',
    ...openaiWays,
  },
  anthropic: {
    title: 'Anthropic',
    package: '@ai-sdk/anthropic',
    factory: 'createAnthropic',
    keyOption: 'anthropicApiKey',
    keyEnv: ['ANTHROPIC_API_KEY'],
    urlOption: 'anthropicBaseUrl',
    baseUrlEnv: ['ANTHROPIC_BASE_URL'],
    baseUrl: 'https://api.anthropic.com/v1',
    defaultPath: '/v1',
    models: { default: 'claude-sonnet-4-5' },
    example: 'claude-sonnet-4-5',
    oneCall: { prefix: '', options: { anthropic: { disableParallelToolUse: true } } },
  },
  mistralai: {
    title: 'Mistral',
    package: '@ai-sdk/mistral',
    factory: 'createMistral',
    keyOption: 'mistralaiApiKey',
    keyEnv: ['MISTRAL_API_KEY'],
    urlOption: 'mistralaiBaseUrl',
    baseUrlEnv: ['MISTRAL_BASE_URL'],
    baseUrl: 'https://api.mistral.ai/v1',
    defaultPath: '/v1',
    models: { default: 'mistral-large-latest' },
    example: 'mistral-large-latest',
    oneCall: { prefix: '', options: { mistral: { parallelToolCalls: false } } },
  },
  google: {
    title: 'Google',
    package: '@ai-sdk/google',
    factory: 'createGoogleGenerativeAI',
    keyOption: 'googleApiKey',
    keyEnv: ['GOOGLE_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY'],
    urlOption: 'googleBaseUrl',
    baseUrlEnv: ['GOOGLE_BASE_URL'],
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    defaultPath: '/v1beta',
    models: { default: 'gemini-2.5-flash', planning: 'gemini-2.5-pro', introspection: 'gemini-2.5-flash' },
    example: 'gemini-2.5-flash',
  },
  amazon: {
    title: 'Amazon Bedrock',
    package: '@ai-sdk/amazon-bedrock',
    factory: 'createAmazonBedrock',
    access: 'aws',
    keyOption: 'amazonApiKey',
    keyEnv: ['AWS_BEARER_TOKEN_BEDROCK'],
    urlOption: 'amazonBaseUrl',
    baseUrlEnv: ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'],
    // `{region}` is filled in.
    baseUrl: 'https://bedrock-runtime.{region}.amazonaws.com',
    more: [
      { option: 'awsAccessKeyId', env: ['AWS_ACCESS_KEY_ID'], secret: true },
      { option: 'awsSecretAccessKey', env: ['AWS_SECRET_ACCESS_KEY'], secret: true },
      { option: 'awsSessionToken', env: ['AWS_SESSION_TOKEN'], secret: true },
      { option: 'awsDefaultRegion', env: ['AWS_DEFAULT_REGION', 'AWS_REGION'] },
      { option: 'awsCredentialsProfileName', env: ['AWS_CREDENTIALS_PROFILE_NAME'] },
    ],
    chosenBy: [['awsAccessKeyId'], ['awsCredentialsProfileName'], ['amazonApiKey']],
    // The Claude 3.7 that Portia 0.9 names is no longer served, and its `eu.` models answer in Europe alone.
    models: { default: 'global.anthropic.claude-sonnet-4-5-20250929-v1:0' },
    example: 'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
  },
  'azure-openai': {
    title: 'Azure OpenAI',
    package: '@ai-sdk/azure',
    factory: 'createAzure',
    method: 'chat',
    access: 'azure',
    keyOption: 'azureOpenaiApiKey',
    keyEnv: ['AZURE_OPENAI_API_KEY'],
    urlOption: 'azureOpenaiEndpoint',
    baseUrlEnv: ['AZURE_OPENAI_ENDPOINT'],
    defaultPath: '/openai',
    more: [{ option: 'azureOpenaiApiVersion', env: ['AZURE_OPENAI_API_VERSION'], default: '2025-01-01-preview' }],
    chosenBy: [['azureOpenaiApiKey', 'azureOpenaiEndpoint']],
    // Names of deployments: what they are called is the account's own choice.
    models: { default: 'gpt-4.1', planning: 'o3-mini', introspection: 'o4-mini' },
    example: 'gpt-4.1',
    ...openaiWays,
  },
  openrouter: {
    title: 'OpenRouter',
    ...compatible,
    keyOption: 'openrouterApiKey',
    keyEnv: ['OPENROUTER_API_KEY'],
    urlOption: 'openrouterBaseUrl',
    baseUrlEnv: ['OPENROUTER_BASE_URL'],
    baseUrl: 'https://openrouter.ai/api/v1',
    settings: compatibleSettings,
    models: { default: 'moonshotai/kimi-k2', planning: 'moonshotai/kimi-k2' },
    example: 'moonshotai/kimi-k2',
  },
  grok: {
    title: 'Grok (xAI)',
    package: '@ai-sdk/xai',
    factory: 'createXai',
    method: 'chat',
    keyOption: 'grokApiKey',
    keyEnv: ['XAI_API_KEY'],
    urlOption: 'grokBaseUrl',
    baseUrlEnv: ['XAI_BASE_URL', 'GROK_BASE_URL'],
    baseUrl: 'https://api.x.ai/v1',
    defaultPath: '/v1',
    models: { default: 'grok-4-0709' },
    example: 'grok-4-0709',
  },
  groq: {
    title: 'Groq',
    package: '@ai-sdk/groq',
    factory: 'createGroq',
    keyOption: 'groqApiKey',
    keyEnv: ['GROQ_API_KEY'],
    urlOption: 'groqBaseUrl',
    baseUrlEnv: ['GROQ_BASE_URL'],
    baseUrl: 'https://api.groq.com/openai/v1',
    // The llama3-*-8192 models that Portia 0.9 names are no longer served; these took their place.
    models: { default: 'llama-3.1-8b-instant', planning: 'llama-3.3-70b-versatile' },
    example: 'llama-3.3-70b-versatile',
    oneCall: { prefix: '', options: { groq: { parallelToolCalls: false } } },
    // These answer with JSON, but take no schema for it.
    schemaInPrompt: ['llama-3', 'gemma', 'qwen', 'deepseek'],
  },
  ollama: {
    title: 'Ollama',
    ...compatible,
    keyEnv: [],
    urlOption: 'ollamaBaseUrl',
    baseUrlEnv: ['OLLAMA_BASE_URL'],
    baseUrl: 'http://localhost:11434/v1',
    defaultPath: '/v1',
    settings: compatibleSettings,
    models: {},
    example: 'llama3.1',
  },
  custom: {
    title: 'a server that speaks OpenAI’s chat completions',
    ...compatible,
    keyOption: 'customApiKey',
    keyEnv: ['CUSTOM_API_KEY'],
    urlOption: 'customBaseUrl',
    baseUrlEnv: ['CUSTOM_BASE_URL'],
    settings: compatibleSettings,
    // It has no default model, so a key alone chooses nothing.
    chosenBy: [],
    models: {},
    example: 'my-model',
  },
};

/** Tokens that fit into one request, when nothing better is known. */
export const defaultContextWindow = 100_000;

/** Tokens that fit into one request, by the beginning of the bare model name; the first that fits. */
export const contextWindows: readonly (readonly [prefix: string, tokens: number])[] = [
  ['gpt-4.1', 1_047_576],
  ['gpt-4o', 128_000],
  ['gpt-4-turbo', 128_000],
  ['gpt-4', 8_192],
  ['gpt-3.5-turbo', 16_385],
  ['gpt-5', 272_000],
  ['gpt-oss', 131_072],
  ['o1-mini', 128_000],
  ['o1', 200_000],
  ['o3', 200_000],
  ['o4', 200_000],
  ['claude-', 200_000],
  ['gemini-1.5-pro', 2_097_152],
  ['gemini-', 1_048_576],
  ['mistral-large', 128_000],
  ['kimi-k2', 131_072],
  ['grok-4', 256_000],
  ['grok-3', 131_072],
  ['llama-3', 131_072],
  ['llama3-', 8_192],
];

/** Beginnings of names of models that are known to accept a temperature; newer ones refuse requests that set it. */
export const takesTemperature: readonly string[] = [
  'gpt-4',
  'gpt-3.5',
  'claude-3',
  'claude-sonnet-4',
  'claude-haiku-4',
  'gemini-2',
  'mistral-',
  'kimi-k2',
  'llama',
];

/** Options sent with every request, by provider and the beginning of the bare model name. */
export const callOptions: readonly {
  readonly providers: readonly string[];
  readonly prefix: string;
  readonly options: ProviderOptions;
  /** The model thinks first: not asked of answers in a schema, which some of these refuse to give then. */
  readonly thinks?: true;
}[] = [
  { providers: ['openai', 'azure-openai'], prefix: 'o3-mini', options: { openai: { reasoningEffort: 'medium' } } },
  { providers: ['openai', 'azure-openai'], prefix: 'o4-mini', options: { openai: { reasoningEffort: 'medium' } } },
  {
    providers: ['anthropic'],
    prefix: 'claude-3-7-sonnet',
    options: { anthropic: { thinking: { type: 'enabled', budgetTokens: 3_000 } } },
    thinks: true,
  },
  {
    providers: ['amazon'],
    prefix: 'claude-3-7-sonnet',
    options: { bedrock: { reasoningConfig: { type: 'enabled', budgetTokens: 3_000 } } },
    thinks: true,
  },
];

/** What the structured output of a provider cannot express, by the beginning of the AI SDK's name of it. */
export interface SchemaSupport {
  readonly prefix: string;
  /** How objects whose members are not named in the schema are asked for instead. */
  readonly openMaps?: 'tool' | 'prompt';
  /** How schemas that refer to themselves are asked for instead. */
  readonly recursive?: 'tool' | 'prompt';
  /** Keywords that are refused; they are written into descriptions. */
  readonly without?: readonly string[];
}

/** Those that have limits; all others take any schema, with strict mode where the schema is within its rules. */
export const schemaSupport: readonly SchemaSupport[] = [
  // Its package closes every object, which leaves an open one empty.
  { prefix: 'anthropic', openMaps: 'tool', recursive: 'tool' },
  { prefix: 'amazon-bedrock', openMaps: 'tool', recursive: 'tool' },
  // Its package knows no members without names, and refuses recursion.
  { prefix: 'google', openMaps: 'prompt', recursive: 'prompt' },
  {
    prefix: 'xai',
    without: [
      'minLength',
      'maxLength',
      'pattern',
      'format',
      'minItems',
      'maxItems',
      'uniqueItems',
      'minContains',
      'maxContains',
      'minProperties',
      'maxProperties',
    ],
  },
];
