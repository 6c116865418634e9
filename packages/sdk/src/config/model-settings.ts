import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import { parseModelName } from '../model/model-name.ts';
import { type LLMProvider, type ModelAgent, modelAgents, providers } from '../model/providers.ts';
import type { ModelSetting } from './config-options.ts';
import { invalid, type SettingReader, unknownName } from './setting-reader.ts';

/** The models of a client by what they are for. */
export type ModelSettings = { readonly [Agent in ModelAgent]?: ModelSetting };

/** Reads which models are named, and fills in those of the provider. @throws PortiaError `CONFIG_INVALID`, `MODEL_UNKNOWN` */
export function readModels(read: SettingReader, provider: LLMProvider | undefined): ModelSettings {
  const grouped = read.find('models')?.value ?? {};
  if (!isPlainObject(grouped)) throw invalid('models', 'is not an object', 'write { default: "openai/gpt-4.1" }');
  const inGroup = modelsInGroup(grouped);
  const models: { [Agent in ModelAgent]?: ModelSetting } = {};
  for (const agent of modelAgents) {
    const flat = `${agent}Model`;
    const found = read.find(flat, [`PORTIA_${agent.toUpperCase()}_MODEL`]);
    const group = inGroup.get(agent);
    if (group !== undefined && found?.inCode)
      throw invalid(flat, `is given twice: also as models.${agent}`, 'give one of the two');
    const setting = group === undefined ? found?.value : group;
    if (setting !== undefined)
      models[agent] = asModels(setting, group === undefined ? (found?.where ?? flat) : `models.${agent}`);
  }
  // Whoever names a default model means it for everything; a provider's own choice is taken only without one.
  if (models.default === undefined && provider) {
    for (const [agent, model] of Object.entries(providers[provider].models))
      models[agent as ModelAgent] ??= `${provider}/${model}`;
  }
  return Object.freeze(models);
}

// `default_model`, as Portia writes it in its groups, is the same as `default`.
function modelsInGroup(grouped: Readonly<Record<string, unknown>>): ReadonlyMap<ModelAgent, unknown> {
  const models = new Map<ModelAgent, unknown>();
  for (const [name, setting] of Object.entries(grouped)) {
    const agent = name.replace(/_?model$/i, '') as ModelAgent;
    if (!modelAgents.includes(agent)) throw unknownName(name, modelAgents, 'one of the models');
    if (setting !== undefined && setting !== null && setting !== '') models.set(agent, setting);
  }
  return models;
}

/** One model, or several: a list in code, names with commas between them in the environment. */
function asModels(setting: unknown, where: string): ModelSetting {
  const list = typeof setting === 'string' ? setting.split(',').filter((name) => name.trim() !== '') : setting;
  if (!Array.isArray(list)) return asModel(setting, where);
  if (list.length === 0) throw invalid(where, 'names no model', "write 'openai/gpt-4.1', or a list of such names");
  const models = list.map((one: unknown) => asModel(one, where));
  return models.length === 1 ? (models[0] as string | Model) : Object.freeze(models);
}

function asModel(setting: unknown, where: string): string | Model {
  if (typeof setting === 'string') {
    try {
      const { provider, model } = parseModelName(setting);
      return `${provider}/${model}`;
    } catch (error) {
      if (!PortiaError.isInstance(error)) throw error;
      throw new PortiaError({
        code: error.code,
        message: `${where}: ${error.message}`,
        hint: error.hint,
        details: error.details,
      });
    }
  }
  const object = setting as { readonly generate?: unknown; readonly doGenerate?: unknown } | null;
  if (typeof object?.generate === 'function') return setting as Model;
  throw invalid(
    where,
    'is not a model',
    typeof object?.doGenerate === 'function'
      ? 'wrap it: fromAiSdk(model), from portia-ts/ai-sdk'
      : 'give a name such as openai/gpt-4.1, or a Model',
  );
}

/** The name of a model or of each model of a list, for people. */
export function modelNames(setting: ModelSetting): string {
  return (Array.isArray(setting) ? (setting as readonly (string | Model)[]) : [setting as string | Model])
    .map((model) => (typeof model === 'string' ? model : model.id))
    .join(', ');
}

/** The models as JSON: their names. */
export function modelsToJson(models: ModelSettings): JsonObject {
  return Object.fromEntries(
    Object.entries(models).map(([agent, setting]): [string, JsonValue] => [agent, modelNames(setting)]),
  );
}
