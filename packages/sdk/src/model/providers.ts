import { callOptions, contextWindows, defaultContextWindow, providerTable, takesTemperature } from './provider-data.ts';

/** The providers that model names (`provider/model`) can begin with. */
export const LLMProvider = {
  OPENAI: 'openai',
  ANTHROPIC: 'anthropic',
  MISTRALAI: 'mistralai',
  GOOGLE: 'google',
  AMAZON: 'amazon',
  AZURE_OPENAI: 'azure-openai',
  CUSTOM: 'custom',
  OLLAMA: 'ollama',
  OPENROUTER: 'openrouter',
  GROK: 'grok',
  GROQ: 'groq',
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
  /** The method of the provider that makes a language model; the provider itself is called when there is none. */
  readonly method?: string;
  /** How it is reached when a key and a base URL are not all it needs. */
  readonly access?: 'aws' | 'azure';
  /** The option of the Config that holds the key; absent when there is none. */
  readonly keyOption?: string;
  /** Environment variables that hold the key, first found wins; none when no key is needed. */
  readonly keyEnv: readonly string[];
  /** The option of the Config that holds the base URL. */
  readonly urlOption: string;
  readonly baseUrlEnv: readonly string[];
  /** Absent: it has to be set. */
  readonly baseUrl?: string;
  /** Appended to a base URL that has no path: what people set for this provider often lacks it. */
  readonly defaultPath?: string;
  /** Further settings of this provider. */
  readonly more?: readonly ProviderSetting[];
  /** The options that choose this provider when they are set, all of one list; the key unless given. */
  readonly chosenBy?: readonly (readonly string[])[];
  /** Further settings of the factory. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Models by what they are for; what is absent uses `default`. */
  readonly models: { readonly [Agent in ModelAgent]?: string };
  /** The model used in hints when there is no default. */
  readonly example: string;
  /** Beginnings of names of models that take no JSON Schema: it is written into the prompt. */
  readonly schemaInPrompt?: readonly string[];
  /** Sent with every request, so that equal questions are more likely to get equal answers. */
  readonly seed?: number;
  /** How its models are told to make one tool call at a time, and which of them take it, by the beginning of the name. */
  readonly oneCall?: { readonly prefix: string; readonly options: ProviderOptions };
}

/** What a provider's package takes beside the request, by the name the package has for itself. */
export type ProviderOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A setting that only one provider has. */
export interface ProviderSetting {
  readonly option: string;
  readonly env: readonly string[];
  readonly secret?: true;
  readonly default?: string;
}

/** All providers, in the order in which one is chosen by the keys that are set. */
export const providers: Readonly<Record<LLMProvider, ProviderEntry>> = providerTable;

/** All providers by name, in the same order. */
export const providerNames: readonly LLMProvider[] = Object.keys(providers) as LLMProvider[];

/** The bare name of a model: without vendor, region or path, in lower case. */
function bareName(model: string): string {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase();
  // Bedrock's names: region, vendor, model.
  return /^(?:[a-z]+\.)?(?:amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen)\.(.+)$/.exec(name)?.[1] ?? name;
}

/** Tokens that fit into one request to this model, by its bare name or `vendor/name`; 100,000 when unknown. */
export function contextWindowOf(model: string): number {
  const name = bareName(model);
  return contextWindows.find(([prefix]) => name.startsWith(prefix))?.[1] ?? defaultContextWindow;
}

/** What is sent with every request to a model. */
export interface CallDefaults {
  readonly temperature?: number;
  readonly seed?: number;
  readonly providerOptions?: ProviderOptions;
  /** Sent in the place of a temperature, except where an answer in a schema is asked for. */
  readonly thinking?: ProviderOptions;
  /** Sent where one tool call at a time is asked for. */
  readonly oneCall?: ProviderOptions;
  /** The model takes no JSON Schema: it is written into the prompt, and JSON is asked for. */
  readonly schemaInPrompt?: true;
}

/** What is sent with every request to this model: no randomness where it may be asked for, reasoning effort, thinking. */
export function callDefaultsOf(provider: LLMProvider, model: string): CallDefaults {
  const name = bareName(model);
  const { seed, oneCall, schemaInPrompt } = providers[provider];
  const found = callOptions.find(({ providers: of, prefix }) => of.includes(provider) && name.startsWith(prefix));
  const begins = (prefix: string): boolean => name.startsWith(prefix);
  return {
    ...(found && (found.thinks ? { thinking: found.options } : { providerOptions: found.options })),
    ...((!found || found.thinks) && takesTemperature.some(begins) && { temperature: 0 }),
    ...(seed !== undefined && { seed }),
    ...(oneCall && begins(oneCall.prefix) && { oneCall: oneCall.options }),
    ...(schemaInPrompt?.some(begins) && { schemaInPrompt: true as const }),
  };
}
