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
  azure: 'azure-openai',
  bedrock: 'amazon',
  'amazon-bedrock': 'amazon',
};

/** The provider of this name, in any case and with `_` or `-`; `undefined` when there is none. */
export function providerNamed(name: string): LLMProvider | undefined {
  const id = name.trim().toLowerCase().replaceAll('_', '-');
  return Object.hasOwn(aliases, id) ? aliases[id] : undefined;
}

/** What to do about a provider that has no entry here. */
export function providerHint(): string {
  return `known providers: ${Object.keys(providers).join(', ')}; for others give fromAiSdk(model), from portia-ts/ai-sdk`;
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
      hint: `write provider/model, such as openai/gpt-4.1; ${providerHint()}`,
      details: { known: Object.keys(providers) },
    });
  }
  const name = trimmed.slice(0, slash);
  const provider = providerNamed(name);
  if (!provider) {
    throw new PortiaError({
      code: 'MODEL_UNKNOWN',
      message: `the model ${JSON.stringify(text)} has the unknown provider ${JSON.stringify(name)}`,
      hint: providerHint(),
      details: { known: Object.keys(providers) },
    });
  }
  return { provider, model };
}
