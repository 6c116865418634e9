import { PortiaError } from '../core/errors.ts';
import { LLMProvider, providers } from './providers.ts';

/** A model's name, taken apart. */
export interface ModelName {
  readonly provider: LLMProvider;
  readonly model: string;
}

const aliases: Readonly<Record<string, LLMProvider>> = {
  ...Object.fromEntries(Object.values(LLMProvider).map((id) => [id, id])),
  mistral: 'mistralai',
  'google-generative-ai': 'google',
  xai: 'grok',
};

/** Providers that are known by name but have no entry here: their models come as objects. */
const byPackage: Readonly<Record<string, string>> = {
  amazon: '@ai-sdk/amazon-bedrock',
  'azure-openai': '@ai-sdk/azure',
  custom: 'an @ai-sdk provider package',
};

/** The provider of this name, in any case and with `_` or `-`; `undefined` when there is none. */
export function providerNamed(name: string): LLMProvider | undefined {
  const id = name.trim().toLowerCase().replaceAll('_', '-');
  return Object.hasOwn(aliases, id) ? aliases[id] : undefined;
}

/** What to do instead for a provider that has no entry here. */
export function providerHint(name: string): string {
  const id = name.trim().toLowerCase().replaceAll('_', '-');
  const from = Object.hasOwn(byPackage, id) ? byPackage[id] : undefined;
  return from
    ? `make the model with ${from} and give it as an object: fromAiSdk(model), from portia-ts/ai-sdk`
    : `known providers: ${Object.keys(providers).join(', ')}; for others give fromAiSdk(model), from portia-ts/ai-sdk`;
}

/** Reads `provider/model`, split at the first slash. @throws PortiaError `MODEL_UNKNOWN` */
export function parseModelName(text: string): ModelName {
  const trimmed = text.trim();
  const slash = trimmed.indexOf('/');
  const model = trimmed.slice(slash + 1).trim();
  if (slash <= 0 || model === '') {
    throw new PortiaError({
      code: 'MODEL_UNKNOWN',
      message: `${JSON.stringify(text)} is not a model name`,
      hint: `write provider/model, such as openai/gpt-4.1; ${providerHint('')}`,
      details: { known: Object.keys(providers) },
    });
  }
  const name = trimmed.slice(0, slash);
  const provider = providerNamed(name);
  if (!provider) {
    throw new PortiaError({
      code: 'MODEL_UNKNOWN',
      message: `the model ${JSON.stringify(text)} has the unknown provider ${JSON.stringify(name)}`,
      hint: providerHint(name),
      details: { known: Object.keys(providers) },
    });
  }
  return { provider, model };
}
