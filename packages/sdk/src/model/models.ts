import type { Clock } from '../core/clock.ts';
import { PortiaError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import { type Logger, silentLogger } from '../observe/logger.ts';
import type { Config } from '../config/config.ts';
import type { ModelSetting } from '../config/config-options.ts';
import type { AiSdkLanguageModel } from './ai-sdk/language-model.ts';
import { fromAiSdk } from './ai-sdk/from-ai-sdk.ts';
import { cachedModel, ownerPrefix } from './cache/cached-model.ts';
import type { ModelCache } from './cache/model-cache.ts';
import { firstThatAnswers } from './fallback.ts';
import { importOptional } from './import-optional.ts';
import { type ModelName, parseModelName } from './model-name.ts';
import { type AccessSettings, type FactorySettings, factorySettings, keyPlaces } from './provider-access.ts';
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
export type ModelSettings = AccessSettings & Pick<Config, 'modelTimeoutMs' | 'secrets'>;

/** For programs that bring their own clock or providers. */
export interface CreateModelOptions {
  readonly clock?: Clock;
  readonly providers?: Readonly<Partial<Record<LLMProvider, ProviderEntry>>>;
  /** How often a call is made again; as {@link FromAiSdkOptions}. */
  readonly retries?: number;
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
  const open = async (): Promise<Model> =>
    fromAiSdk(await load(id, parsed, entry, factorySettings(id, parsed.provider, entry, settings)), {
      id,
      contextWindow,
      timeoutMs: settings.modelTimeoutMs,
      defaults: callDefaultsOf(parsed.provider, parsed.model),
      secrets: settings.secrets,
      keyHint: `check ${keyPlaces(entry)}`,
      ...(options.retries !== undefined && { retries: options.retries }),
      ...(options.clock && { clock: options.clock }),
    });
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

type ProviderInstance = Readonly<Record<string, unknown>> & ((model: string) => AiSdkLanguageModel);

async function load(
  id: string,
  { model }: ModelName,
  entry: ProviderEntry,
  settings: FactorySettings,
): Promise<AiSdkLanguageModel> {
  const module = await importOptional(id, entry.package);
  const factory = module[entry.factory];
  if (typeof factory !== 'function') throw packageUnfit(id, entry);
  const made = factory(settings) as ProviderInstance;
  const method = entry.method === undefined ? undefined : made[entry.method];
  // A line of the package that has given up the method makes its models by itself.
  return (typeof method === 'function' ? (method as ProviderInstance) : made)(model);
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
   * The model of an agent (`default`, `planning`, …; unset ones are the default), or a model by its name; of a list,
   * the first that answers. A Model is given back as it is.
   *
   * @throws PortiaError `MODEL_UNKNOWN` for a name that cannot be read.
   */
  get(which: ModelAgent | ModelSetting): Model;
  /** Removes an end user's answers from the cache. */
  forget(endUserId: string): Promise<void>;
  /** Lets go of the cache of answers. */
  close(): Promise<void>;
}

/** What {@link modelSet} takes beside the config. */
export interface ModelSetOptions extends CreateModelOptions {
  /** Where answers are looked up first. */
  readonly cache?: ModelCache | undefined;
  readonly logger?: Logger;
}

/** The models a {@link Config} names, each made once, when it is first asked for. */
export function modelSet(config: Config, options: ModelSetOptions = {}): ModelSet {
  const { cache, logger = silentLogger } = options;
  const namespace = config.modelCache?.namespace;
  const wrapped = new WeakMap<Model, Model>();
  const withCache = (model: Model, settings: JsonValue): Model => {
    if (!cache) return model;
    const known = wrapped.get(model) ?? cachedModel(model, { cache, namespace, settings, logger });
    wrapped.set(model, known);
    return known;
  };
  const made = new Map<string, Model>();
  const once = (key: string, make: () => Model): Model => {
    let model = made.get(key);
    if (!model) {
      model = make();
      made.set(key, model);
    }
    return model;
  };
  const one = (which: string | Model, retries?: number): Model =>
    typeof which !== 'string'
      ? withCache(which, null)
      : once(`${which} ${retries ?? ''}`, () =>
          withCache(
            createModel(which, config, { ...options, ...(retries !== undefined && { retries }) }),
            settingsOf(which, config),
          ),
        );
  const list = (models: readonly (string | Model)[]): Model => {
    const make = (): Model =>
      firstThatAnswers(
        models.map((model, index) => one(model, index < models.length - 1 ? retriesBeforeNext : undefined)),
      );
    return models.every((model) => typeof model === 'string') ? once(models.join(','), make) : make();
  };
  return {
    get(which) {
      const isAgent = typeof which === 'string' && (modelAgents as readonly string[]).includes(which);
      const setting = isAgent ? (config.models[which as ModelAgent] ?? config.models.default) : asList(which);
      if (setting === undefined) return once('', () => unsetModel(config.llmProvider));
      return isList(setting) ? list(setting) : one(setting);
    },
    async forget(endUserId) {
      await cache?.forget?.(ownerPrefix(endUserId));
    },
    async close() {
      // A cache that was given as an object is its owner's to close.
      if (config.modelCache?.kind !== 'custom') await cache?.close();
    },
  };
}

/** What changes the answers of a model beside the request, as far as it is known here; no secrets. */
function settingsOf(name: string, config: Config): JsonObject {
  const { provider, model } = parseModelName(name);
  const { more = [] } = providers[provider];
  const own = more.filter(({ secret }) => !secret).map(({ option }) => config.providerSetting(option) ?? null);
  const defaults = callDefaultsOf(provider, model) as unknown as JsonObject;
  return { url: config.baseUrl(provider) ?? null, own, defaults };
}

/** A model that has another behind it is not insisted on. */
const retriesBeforeNext = 1;

/** Names with commas between them are a list. */
function asList(setting: ModelSetting): ModelSetting {
  if (typeof setting !== 'string' || !setting.includes(',')) return setting;
  return setting.split(',').map((name) => name.trim());
}

function isList(setting: ModelSetting): setting is readonly (string | Model)[] {
  return Array.isArray(setting);
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
            hint: 'set OPENAI_API_KEY, ANTHROPIC_API_KEY or the key of another provider in the environment (in code: openaiApiKey and the like), or name a model of a server of your own: PORTIA_DEFAULT_MODEL=ollama/llama3.1',
            details: { variables },
          });
    },
  };
}
