import { providerNamed, providerHint } from '../model/model-name.ts';
import { type LLMProvider, providerNames, providers } from '../model/providers.ts';
import { type Found, invalid, type SettingReader } from './setting-reader.ts';

/** What was set of all providers: keys, addresses and the settings only one of them has, each by its option. */
export interface ProviderSettings {
  readonly secrets: ReadonlyMap<string, string>;
  readonly open: ReadonlyMap<string, string>;
  /** The provider whose models are used where none is named. */
  readonly provider: LLMProvider | undefined;
}

/** Reads what is set of all providers, and chooses one of them. @throws PortiaError `CONFIG_INVALID` */
export function readProviders(read: SettingReader): ProviderSettings {
  const found = new Map<string, Found<string>>();
  const secrets = new Map<string, string>();
  const open = new Map<string, string>();
  const keep = (option: string, setting: Found<string> | undefined, into: Map<string, string>): void => {
    if (!setting) return;
    found.set(option, setting);
    into.set(option, setting.value);
  };
  for (const name of providerNames) {
    const { keyOption, keyEnv, urlOption, baseUrlEnv, more = [] } = providers[name];
    if (keyOption !== undefined) keep(keyOption, read.foundText(keyOption, keyEnv), secrets);
    keep(urlOption, read.foundUrl(urlOption, baseUrlEnv), open);
    for (const { option, env, secret, default: otherwise } of more) {
      keep(option, read.foundText(option, env), secret ? secrets : open);
      if (otherwise !== undefined && !open.has(option)) open.set(option, otherwise);
    }
  }
  return { secrets, open, provider: named(read) ?? chosen(found, true) ?? chosen(found, false) };
}

function named(read: SettingReader): LLMProvider | undefined {
  const found = read.foundText('llmProvider', ['PORTIA_LLM_PROVIDER']);
  if (!found) return undefined;
  const provider = providerNamed(found.value);
  if (!provider)
    throw invalid(found.where, `names the unknown provider ${JSON.stringify(found.value)}`, providerHint());
  return provider;
}

/** The first provider that has all it needs, all of it in code or all of it in the environment. */
function chosen(found: ReadonlyMap<string, Found<string>>, inCode: boolean): LLMProvider | undefined {
  return providerNames.find((name) => {
    const { keyOption, chosenBy = keyOption === undefined ? [] : [[keyOption]] } = providers[name];
    return chosenBy.some((options) => options.every((option) => found.get(option)?.inCode === inCode));
  });
}
