import type { Clock } from '../core/clock.ts';
import { PortiaError } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import type { Config } from '../config/config.ts';
import type { AiSdkLanguageModel } from './ai-sdk/language-model.ts';
import { fromAiSdk } from './ai-sdk/from-ai-sdk.ts';
import { type ModelName, parseModelName } from './model-name.ts';
import {
  callDefaultsOf,
  contextWindowOf,
  type LLMProvider,
  type ModelAgent,
  modelAgents,
  type ProviderEntry,
  providers,
} from './providers.ts';

/** What {@link createModel} needs of a {@link Config}. */
export type ModelSettings = Pick<Config, 'apiKey' | 'baseUrl' | 'modelTimeoutMs' | 'secrets'>;

/** For programs that bring their own clock or providers. */
export interface CreateModelOptions {
  readonly clock?: Clock;
  readonly providers?: Readonly<Partial<Record<LLMProvider, ProviderEntry>>>;
}

/**
 * A model by its name, `provider/model`. The provider's package and key are needed at the first `generate`, not
 * before: `PACKAGE_MISSING` and `MODEL_KEY_MISSING` come from there.
 *
 * @throws PortiaError `MODEL_UNKNOWN` for a name that cannot be read, or an unknown provider.
 */
export function createModel(name: string, settings: ModelSettings, options: CreateModelOptions = {}): Model {
  const parsed = parseModelName(name);
  const entry = options.providers?.[parsed.provider] ?? providers[parsed.provider];
  const id = `${parsed.provider}/${parsed.model}`;
  const contextWindow = contextWindowOf(parsed.model);
  let opened: Promise<Model> | undefined;
  const open = async (): Promise<Model> => {
    const { key, baseURL } = access(id, parsed.provider, entry, settings);
    const languageModel = await load(id, parsed, entry, key, baseURL);
    return fromAiSdk(languageModel, {
      id,
      contextWindow,
      timeoutMs: settings.modelTimeoutMs,
      defaults: callDefaultsOf(parsed.provider, parsed.model),
      secrets: settings.secrets,
      keyHint: `check ${keyPlaces(parsed.provider, entry)}`,
      ...(options.clock && { clock: options.clock }),
    });
  };
  return {
    id,
    contextWindow,
    async generate(request) {
      request.signal?.throwIfAborted();
      opened ??= open();
      return (await opened).generate(request);
    },
  };
}

function access(
  id: string,
  provider: LLMProvider,
  entry: ProviderEntry,
  settings: ModelSettings,
): { readonly key: string | undefined; readonly baseURL: string } {
  const key = settings.apiKey(provider);
  const own = settings.baseUrl(provider);
  // A server of one's own may need no key.
  if (key === undefined && entry.keyEnv.length > 0 && own === undefined) {
    throw new PortiaError({
      code: 'MODEL_KEY_MISSING',
      message: `${id} needs a key of ${entry.title}, and ${entry.keyEnv[0]} is not set`,
      hint: `set ${keyPlaces(provider, entry)}`,
      details: { model: id, variables: entry.keyEnv },
    });
  }
  return { key, baseURL: own === undefined ? entry.baseUrl : withPath(own, entry.defaultPath) };
}

function keyPlaces(provider: LLMProvider, entry: ProviderEntry): string {
  const [variable] = entry.keyEnv;
  return variable === undefined ? 'the server' : `${variable} in the environment, or ${provider}ApiKey in the Config`;
}

function withPath(url: string, path: string | undefined): string {
  return path !== undefined && new URL(url).pathname === '/' ? `${url.replace(/\/+$/, '')}${path}` : url;
}

type ProviderInstance = Readonly<Record<string, unknown>> & ((model: string) => AiSdkLanguageModel);

async function load(
  id: string,
  { provider, model }: ModelName,
  entry: ProviderEntry,
  key: string | undefined,
  baseURL: string,
): Promise<AiSdkLanguageModel> {
  const module = await importPackage(id, entry.package);
  const factory = module[entry.factory];
  if (typeof factory !== 'function') throw packageUnfit(id, entry);
  const made = factory({
    // These packages would read variables of the process for what they are not given.
    apiKey: key ?? (entry.keyEnv.length > 0 ? 'none' : undefined),
    baseURL,
    ...(entry.factory === 'createOpenAICompatible' && { name: provider }),
    ...entry.settings,
  }) as ProviderInstance;
  const make = entry.method === undefined ? made : made[entry.method];
  if (typeof make !== 'function') throw packageUnfit(id, entry);
  return (make as (model: string) => AiSdkLanguageModel)(model);
}

async function importPackage(id: string, name: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(name)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const { code, message = '' } = (cause ?? {}) as { readonly code?: unknown; readonly message?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(name)) throw cause;
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: `${id} needs the package ${name}, which is not installed`,
      hint: `npm i ${name}`,
      details: { package: name },
    });
  }
}

function packageUnfit(id: string, entry: ProviderEntry): PortiaError {
  return new PortiaError({
    code: 'PACKAGE_MISSING',
    message: `${id} needs another version of ${entry.package}: the one installed has no ${entry.factory}`,
    hint: `npm i ${entry.package}`,
    details: { package: entry.package },
  });
}

/** The models of a client: by what they are for, or by name. */
export interface ModelSet {
  /**
   * The model of an agent (`default`, `planning`, …; unset ones are the default), or a model by its name. A Model is
   * given back as it is.
   *
   * @throws PortiaError `MODEL_UNKNOWN` for a name that cannot be read.
   */
  get(which: ModelAgent | string | Model): Model;
}

/** The models a {@link Config} names, each made once, when it is first asked for. */
export function modelSet(config: Config, options: CreateModelOptions = {}): ModelSet {
  const made = new Map<string, Model>();
  let unset: Model | undefined;
  const named = (name: string): Model => {
    let model = made.get(name);
    if (!model) {
      model = createModel(name, config, options);
      made.set(name, model);
    }
    return model;
  };
  return {
    get(which) {
      if (typeof which !== 'string') return which;
      const isAgent = (modelAgents as readonly string[]).includes(which);
      const setting = isAgent ? (config.models[which as ModelAgent] ?? config.models.default) : which;
      unset ??= unsetModel(config.llmProvider);
      if (setting === undefined) return unset;
      return typeof setting === 'string' ? named(setting) : setting;
    },
  };
}

/** Stands where no model is set: plans without model steps never notice. */
function unsetModel(provider: LLMProvider | undefined): Model {
  const variables = Object.values(providers).flatMap(({ keyEnv }) => keyEnv.slice(0, 1));
  return {
    id: 'none',
    contextWindow: contextWindowOf(''),
    async generate() {
      throw provider
        ? new PortiaError({
            code: 'CONFIG_NOT_FOUND',
            message: `${providers[provider].title} has no default model, and none is named`,
            hint: `name one: defaultModel: '${provider}/${providers[provider].example}', or PORTIA_DEFAULT_MODEL`,
          })
        : new PortiaError({
            code: 'MODEL_KEY_MISSING',
            message: 'a model is needed, and no key of a model provider is set',
            hint: `set one of ${variables.join(', ')}, or name a model of a server of your own: PORTIA_DEFAULT_MODEL=ollama/llama3.1`,
            details: { variables },
          });
    },
  };
}
