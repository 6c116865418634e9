import type { ServerDoors } from './sign-ins.ts';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type AnyPlan,
  type AnyTool,
  type ConfigOptions,
  type ExecutionHooks,
  PortiaError,
  type ToolRegistry,
} from 'portia-ts';

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
  const module = await importModule(file);
  const config = module.default;
  if (typeof config === 'function')
    return async (server) => checked(await (config as ServerConfigOf)(server), `the function in ${file}`);
  return checked(config, file);
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
  const { executionHooks } = config as { readonly executionHooks?: unknown };
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

async function importModule(file: string): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return importTypeScript(file);
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `${file} cannot be loaded: ${message}`,
      hint: 'see the cause',
      cause: error,
    });
  }
}

/** Node reads TypeScript by itself from 22.18 on; before, jiti does. */
async function importTypeScript(file: string): Promise<{ readonly default?: unknown }> {
  const { createJiti } = await import('jiti').catch((cause: unknown) => {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: `this version of Node.js cannot read ${file} by itself, and the package jiti is not installed`,
      hint: 'npm i jiti (or write portia.config.mjs)',
      cause,
    });
  });
  return createJiti(import.meta.url).import(file);
}
