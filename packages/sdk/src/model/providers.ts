/** The providers that model names (`provider/model`) can begin with. */
export const LLMProvider = {
  OPENAI: 'openai',
  ANTHROPIC: 'anthropic',
  MISTRALAI: 'mistralai',
  GOOGLE: 'google',
  OPENROUTER: 'openrouter',
  GROK: 'grok',
  GROQ: 'groq',
  OLLAMA: 'ollama',
} as const;
/** A provider that model names can begin with. */
export type LLMProvider = (typeof LLMProvider)[keyof typeof LLMProvider];

/** What models are used for; each may have its own. */
export const modelAgents = ['default', 'planning', 'execution', 'introspection', 'summarizer'] as const;
/** What a model is used for. */
export type ModelAgent = (typeof modelAgents)[number];

/** One provider: the package that talks to it, and what is known of it. */
export interface ProviderEntry {
  /** For people. */
  readonly title: string;
  readonly package: string;
  /** The export of the package that makes the provider. */
  readonly factory: string;
  /** The method of the provider that makes a language model; the provider itself is called when absent. */
  readonly method?: string;
  /** Environment variables that hold the key, first found wins; none when no key is needed. */
  readonly keyEnv: readonly string[];
  readonly baseUrlEnv: readonly string[];
  readonly baseUrl: string;
  /** Appended to a base URL that has no path: what people set for this provider often lacks it. */
  readonly defaultPath?: string;
  /** Further settings of the factory. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Models by what they are for; what is absent uses `default`. */
  readonly models: { readonly [Agent in ModelAgent]?: string };
  /** The model used in hints when there is no default. */
  readonly example: string;
}

const compatible = {
  package: '@ai-sdk/openai-compatible',
  factory: 'createOpenAICompatible',
} as const;

/** All providers, in the order in which one is chosen by the keys that are set. */
export const providers: Readonly<Record<LLMProvider, ProviderEntry>> = {
  openai: {
    title: 'OpenAI',
    package: '@ai-sdk/openai',
    factory: 'createOpenAI',
    // The chat route is what compatible servers speak; the responses route is OpenAI's alone.
    method: 'chat',
    keyEnv: ['OPENAI_API_KEY'],
    baseUrlEnv: ['OPENAI_BASE_URL'],
    baseUrl: 'https://api.openai.com/v1',
    models: { default: 'gpt-4.1', planning: 'o3-mini', introspection: 'o4-mini' },
    example: 'gpt-4.1',
  },
  anthropic: {
    title: 'Anthropic',
    package: '@ai-sdk/anthropic',
    factory: 'createAnthropic',
    keyEnv: ['ANTHROPIC_API_KEY'],
    baseUrlEnv: ['ANTHROPIC_BASE_URL'],
    baseUrl: 'https://api.anthropic.com/v1',
    defaultPath: '/v1',
    // The Claude 3.5 and 3.7 models that Portia 0.9 names are no longer served.
    models: { default: 'claude-sonnet-4-5' },
    example: 'claude-sonnet-4-5',
  },
  mistralai: {
    title: 'Mistral',
    ...compatible,
    keyEnv: ['MISTRAL_API_KEY'],
    baseUrlEnv: ['MISTRAL_BASE_URL'],
    baseUrl: 'https://api.mistral.ai/v1',
    settings: { supportsStructuredOutputs: true },
    models: { default: 'mistral-large-latest' },
    example: 'mistral-large-latest',
  },
  google: {
    title: 'Google',
    package: '@ai-sdk/google',
    factory: 'createGoogleGenerativeAI',
    keyEnv: ['GOOGLE_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY'],
    baseUrlEnv: ['GOOGLE_BASE_URL'],
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    defaultPath: '/v1beta',
    models: { default: 'gemini-2.5-flash', planning: 'gemini-2.5-pro', introspection: 'gemini-2.5-flash' },
    example: 'gemini-2.5-flash',
  },
  openrouter: {
    title: 'OpenRouter',
    ...compatible,
    keyEnv: ['OPENROUTER_API_KEY'],
    baseUrlEnv: ['OPENROUTER_BASE_URL'],
    baseUrl: 'https://openrouter.ai/api/v1',
    settings: { supportsStructuredOutputs: true },
    models: { default: 'moonshotai/kimi-k2' },
    example: 'moonshotai/kimi-k2',
  },
  grok: {
    title: 'Grok (x.ai)',
    ...compatible,
    keyEnv: ['XAI_API_KEY'],
    baseUrlEnv: ['XAI_BASE_URL', 'GROK_BASE_URL'],
    baseUrl: 'https://api.x.ai/v1',
    settings: { supportsStructuredOutputs: true },
    models: { default: 'grok-4-0709' },
    example: 'grok-4-0709',
  },
  groq: {
    title: 'Groq',
    ...compatible,
    keyEnv: ['GROQ_API_KEY'],
    baseUrlEnv: ['GROQ_BASE_URL'],
    baseUrl: 'https://api.groq.com/openai/v1',
    // The llama3-*-8192 models that Portia 0.9 names are no longer served.
    models: { default: 'llama-3.1-8b-instant', planning: 'llama-3.3-70b-versatile' },
    example: 'llama-3.3-70b-versatile',
  },
  ollama: {
    title: 'Ollama',
    ...compatible,
    keyEnv: [],
    baseUrlEnv: ['OLLAMA_BASE_URL'],
    baseUrl: 'http://localhost:11434/v1',
    defaultPath: '/v1',
    settings: { supportsStructuredOutputs: true },
    models: {},
    example: 'llama3.1',
  },
};

/** Tokens that fit into one request, when nothing better is known. */
const defaultContextWindow = 100_000;

// By the beginning of the bare model name; the first that fits.
const contextWindows: readonly (readonly [prefix: string, tokens: number])[] = [
  ['gpt-4.1', 1_047_576],
  ['gpt-4o', 128_000],
  ['gpt-4-turbo', 128_000],
  ['gpt-4', 8_192],
  ['gpt-3.5-turbo', 16_385],
  ['gpt-5', 272_000],
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

/** Tokens that fit into one request to this model, by its bare name or `vendor/name`; 100,000 when unknown. */
export function contextWindowOf(model: string): number {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase();
  return contextWindows.find(([prefix]) => name.startsWith(prefix))?.[1] ?? defaultContextWindow;
}

/** What is sent with every request to a model. */
export interface CallDefaults {
  readonly temperature?: number;
  readonly providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

// Models known to accept a temperature; newer ones refuse requests that set it.
const settled = [
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

/** What is sent with every request to this model: no randomness where it may be asked for, and reasoning effort. */
export function callDefaultsOf(provider: LLMProvider, model: string): CallDefaults {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase();
  if (provider === 'openai' && /^o[34]-mini/.test(name))
    return { providerOptions: { openai: { reasoningEffort: 'medium' } } };
  return settled.some((prefix) => name.startsWith(prefix)) ? { temperature: 0 } : {};
}
