import { createRequire } from 'node:module';
import type { Config } from '../../config/config.ts';
import { modelNames } from '../../config/model-settings.ts';
import { ensureError } from '../../core/errors.ts';
import { providers } from '../../model/providers.ts';
import { openStorage } from '../../storage/open-storage.ts';
import { closeTools } from '../../tool/close-tools.ts';
import { version } from '../../version.ts';
import type { Command, Sheet } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Input } from '../input.ts';
import { configOf, loadEnvironment, toolsOf } from '../open-client.ts';
import { modelOptions, placeOptions, toolOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { isYetToBeMade } from '../store-settings.ts';
import { pad } from '../view/text.ts';

/** One thing that was looked at. */
interface Check {
  readonly name: string;
  /** `off`: not there, and not needed unless somebody wants it. */
  readonly state: 'ok' | 'off' | 'problem';
  readonly says: string;
}

/** Looks at what this package needs and can use here. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'look at what is there: Node, packages, keys (by name only), models, tools, the store',
  words: [0, 0],
  options: { ...toolOptions, ...modelOptions, ...placeOptions },
  async run({ input, io, json }) {
    const checks = await look(input);
    const isWell = !checks.some(({ state }) => state === 'problem');
    if (json) writeJson(io.out, { ok: isWell, version, checks });
    else writeLines(io.out, lines(checks, io.out));
    return isWell ? exitCodes.complete : exitCodes.failed;
  },
};

function lines(checks: readonly Check[], { paint }: Sheet): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const marks = { ok: paint.green('✓'), off: paint.dim('–'), problem: paint.red('✗') };
  return [
    `${paint.bold('portia-ts')} ${version}`,
    ...checks.map(
      ({ name, state, says }) => `  ${marks[state]} ${pad(name, width)}  ${state === 'off' ? paint.dim(says) : says}`,
    ),
  ];
}

async function look(input: Input): Promise<Check[]> {
  const checks: Check[] = [nodeCheck()];
  try {
    loadEnvironment(input);
    const config = await configOf(input);
    checks.push(
      ...packageChecks(),
      ...keyChecks(config),
      modelCheck(config),
      ...(await toolChecks(input, config)),
      await storeCheck(config),
    );
  } catch (error) {
    checks.push({ name: 'settings', state: 'problem', says: ensureError(error).message });
  }
  return checks;
}

function nodeCheck(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNew = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'Node',
    state: isNew ? 'ok' : 'problem',
    says: isNew ? process.versions.node : `${process.versions.node}; 20.19 or later is needed`,
  };
}

function packageChecks(): Check[] {
  const names = [...new Set(['libsql', ...Object.values(providers).map((entry) => entry.package)])];
  return names.map((name) => {
    const found = installedVersion(name);
    return { name, state: found === undefined ? 'off' : 'ok', says: found ?? `not installed: npm i ${name}` };
  });
}

/** The version of an installed package; empty when it does not tell, `undefined` when it is not there. */
function installedVersion(name: string): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    return String((require(`${name}/package.json`) as { readonly version?: unknown }).version);
  } catch {
    try {
      import.meta.resolve(name);
      return 'installed';
    } catch {
      return undefined;
    }
  }
}

function keyChecks(config: Config): Check[] {
  const check = (names: readonly string[], isSet: boolean, what: string): Check => ({
    name: names[0] ?? '',
    state: isSet ? 'ok' : 'off',
    says: isSet ? 'set' : `not set: ${what}`,
  });
  const ofProviders = Object.entries(providers)
    .filter(([, { keyEnv }]) => keyEnv.length > 0)
    .map(([id, { keyEnv, title, chosenBy = [] }]) => {
      const hasKey = config.apiKey(id as keyof typeof providers) !== undefined;
      const hasOther = chosenBy.some(
        ([option]) => option !== undefined && config.providerSetting(option) !== undefined,
      );
      return check(keyEnv, hasKey || hasOther, `models of ${title}`);
    });
  return [
    ...ofProviders,
    check(['TAVILY_API_KEY'], config.tavilyApiKey !== undefined, 'web search'),
    check(['OPENWEATHERMAP_API_KEY'], config.openweathermapApiKey !== undefined, 'the weather'),
  ];
}

function modelCheck({ models }: Config): Check {
  const { default: model } = models;
  if (model === undefined)
    return { name: 'model', state: 'off', says: 'none: set a key of a provider, or name one with --model' };
  return { name: 'model', state: 'ok', says: modelNames(model) };
}

async function toolChecks(input: Input, config: Config): Promise<Check[]> {
  const leftOut: Check[] = [];
  try {
    const tools = await toolsOf(input, config, (says) => leftOut.push({ name: 'tools', state: 'off', says }));
    await closeTools(tools);
    return [{ name: 'tools', state: 'ok', says: tools.toolIds().join(', ') }, ...leftOut];
  } catch (error) {
    return [{ name: 'tools', state: 'problem', says: ensureError(error).message }];
  }
}

async function storeCheck(config: Config): Promise<Check> {
  const { encryptRuns, secretKey } = config;
  try {
    if (await isYetToBeMade(config)) {
      // The key of one that will be encrypted is looked at all the same.
      await openStorage({ storage: { class: 'MEMORY', name: 'memory' }, encryptRuns, secretKey });
      return { name: 'store', state: 'off', says: `${config.storage.name}: none yet, the first run or plan makes it` };
    }
    const storage = await openStorage(config);
    try {
      await storage.listRuns({ limit: 1 });
    } finally {
      await storage.close();
    }
    return { name: 'store', state: 'ok', says: config.storage.name };
  } catch (error) {
    return { name: 'store', state: 'problem', says: `${config.storage.name}: ${ensureError(error).message}` };
  }
}
