import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type AnyPlan,
  type AnyTool,
  type ConfigOptions,
  type ExecutionHooks,
  importModule,
  PortiaError,
  ToolRegistry,
} from 'portia-ts';
import { failureIn } from './config-module.ts';
import type { ServerDoors } from './sign-ins.ts';

/** What a server runs with: the default export of `portia.config.ts` (or `.mjs`, `.js`). */
export interface ServerConfig {
  /** The tools that plans on this server may use. */
  readonly tools?: ToolRegistry | Iterable<AnyTool> | undefined;
  /**
   * Ids of the tools that clients of Portia 0.9, which drive runs elsewhere, may call here: nobody asks the hooks of this
   * server before. Unless given, all of `tools` when there is no `beforeToolCall` hook, else none.
   */
  readonly remoteTools?: readonly string[] | undefined;
  /** Builder plans; those of an object can be started by their name in it. */
  readonly plans?: Readonly<Record<string, AnyPlan>> | Iterable<AnyPlan> | undefined;
  readonly executionHooks?: ExecutionHooks | undefined;
  /** Settings of the client, in place of the environment's. */
  readonly config?: Omit<ConfigOptions, 'storage' | 'storageClass' | 'storageDir' | 'env'> | undefined;
}

/** The same, made for each organisation: for tools that people sign in to. Nothing of it is shared between organisations. */
export type ServerConfigOf = (server: ServerDoors) => ServerConfig | Promise<ServerConfig>;

/** Gives its argument back: for the types of an editor. */
export function defineConfig<Config extends ServerConfig | ServerConfigOf>(config: Config): Config {
  return config;
}

const fileNames = ['portia.config.ts', 'portia.config.mjs', 'portia.config.js'];

/**
 * Reads the config module: `path`, or the one of the folder, or none.
 * @throws PortiaError `CONFIG_INVALID` for a module that cannot be used, `PACKAGE_MISSING` when TypeScript cannot be read.
 */
export async function readServerConfig(folder: string, path?: string): Promise<ServerConfig | ServerConfigOf> {
  const file =
    path === undefined ? fileNames.map((name) => join(folder, name)).find(existsSync) : resolve(folder, path);
  if (file === undefined) return {};
  const { default: config } = await importModule(file).catch(async (error: unknown) => {
    if (PortiaError.isInstance(error) && error.code === 'PACKAGE_MISSING') throw error;
    throw await failureIn(`${file} cannot be loaded`, error, file);
  });
  if (typeof config === 'function')
    return async (server) => checked(await called(config as ServerConfigOf, server, file), `the function in ${file}`);
  return checked(config, file);
}

/** What the function of a config module gives. What a tool says in words of ours, such as that somebody has to sign in, stays. */
async function called(config: ServerConfigOf, server: ServerDoors, file: string): Promise<unknown> {
  try {
    return await config(server);
  } catch (error) {
    throw PortiaError.isInstance(error) ? error : await failureIn(`the function in ${file} failed`, error, file);
  }
}

function checked(config: unknown, file: string): ServerConfig {
  if (typeof config !== 'object' || config === null) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${file} has no default export that is an object`,
      hint: "write export default defineConfig({ tools, plans }), with defineConfig from 'portia-ts-server'",
    });
  }
  const known = ['tools', 'remoteTools', 'plans', 'executionHooks', 'config'];
  const unknown = Object.keys(config).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${file} sets ${JSON.stringify(unknown)}, which there is not`,
      hint: `it may set ${known.join(', ')}`,
    });
  }
  const { tools, plans, executionHooks } = config as Readonly<Record<string, unknown>>;
  if (tools !== undefined && !(tools instanceof ToolRegistry) && !isIterable(tools)) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${file} sets tools to something that is neither a list of tools nor a registry`,
      hint: 'write tools: [myTool, otherTool]',
    });
  }
  for (const [what, list] of Object.entries({ tools, plans })) checkItems(list, `${file} sets ${what}`);
  // A hook in the wrong place would never be asked, and what it was to stop would happen.
  if (executionHooks !== undefined && (typeof executionHooks !== 'object' || executionHooks === null)) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${file} sets executionHooks to something that is not an object of hooks`,
      hint: "write executionHooks: { beforeToolCall: clarifyOnToolCalls('my_tool') }",
    });
  }
  return config;
}

/** What is forgotten most easily: to await a tool, or to build a plan. */
function checkItems(list: unknown, what: string): void {
  if (typeof list !== 'object' || list === null || (isIterable(list) && !Array.isArray(list))) return;
  for (const [name, item] of list instanceof ToolRegistry ? [] : Object.entries(list)) {
    if (typeof item?.id === 'string') continue;
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${what} with something that has no id at ${JSON.stringify(name)}`,
      hint: 'await what is made asynchronously, and end a plan with .build()',
    });
  }
}

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
