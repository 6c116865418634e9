import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { plainLine } from '../clarify/plain-text.ts';
import type { Portia, PortiaOptions } from '../client.ts';
import type { Config } from '../config/config.ts';
import { ensureError } from '../core/errors.ts';
import type { AnyTool } from '../core/tool.ts';
import type { ToolRegistry } from '../tool/registry.ts';
import type { Context, Io } from './command.ts';
import { type Input, usageError } from './input.ts';
import { writeLines } from './output.ts';
import { defaultExportOf } from './own-module.ts';
import { mustBeThere, ownSettings } from './store-settings.ts';

/** Reads `.env` of the working directory into the environment, where there is one; what is set already stays. */
export function loadEnvironment(input: Input): void {
  if (input.flag('no-env')) return;
  const file = resolve('.env');
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  try {
    process.loadEnvFile(file);
  } catch (error) {
    throw usageError(`.env cannot be read: ${ensureError(error).message}`, 'repair it, or leave it out with --no-env');
  }
}

/** The settings of a command: what was given on the command line, then the environment, then the defaults. */
export async function configOf(input: Input, more: Readonly<Record<string, unknown>> = {}): Promise<Config> {
  const { Config } = await import('../config/config.ts');
  return Config.fromDefault(await ownSettings(input, more));
}

/**
 * The tools of a command, with those of its MCP servers; `tell` hears of each that is left out. Closing them is the
 * caller's: `closeTools`, or the client's.
 */
export async function toolsOf(input: Input, config: Config, tell: (leftOut: string) => void): Promise<ToolRegistry> {
  const tools = await ownTools(input, config);
  const file = input.text('mcp-config');
  return file === undefined ? tools : tools.plus(await mcpTools(file, tell));
}

async function mcpTools(file: string, tell: (leftOut: string) => void): Promise<ToolRegistry> {
  let config: string;
  try {
    config = readFileSync(file, 'utf8');
  } catch (error) {
    throw usageError(
      `--mcp-config ${file}: ${ensureError(error).message}`,
      'give a file such as { "mcpServers": { … } }',
    );
  }
  const { McpToolRegistry } = await import('../tool/mcp/registry.ts');
  const tools = await McpToolRegistry.fromConfig(config);
  for (const { reason } of tools.skippedServers) tell(`left out: ${reason}`);
  for (const { server, name, reason } of tools.skipped)
    tell(`left out: the tool ${JSON.stringify(name)} of the MCP server ${JSON.stringify(server)}: ${reason}`);
  return tools;
}

/** Tells people what is left out. */
export function tellOn({ err }: Io): (leftOut: string) => void {
  return (leftOut) => writeLines(err, [plainLine(leftOut)]);
}

/** Those whose keys are set, all example tools, or those of a module. */
async function ownTools(input: Input, config: Config): Promise<ToolRegistry> {
  const which = input.text('tools');
  if (which === 'example') return (await import('../tool/library/registries.ts')).exampleToolRegistry;
  if (which !== undefined && which !== 'default') return toolsOfModule(which);
  const { defaultToolRegistry } = await import('../tool/library/registries.ts');
  const { createSearchTool } = await import('../tool/library/search-tool.ts');
  const { createCrawlTool, createExtractTool, createMapTool } = await import('../tool/library/site-tools.ts');
  const { createWeatherTool } = await import('../tool/library/weather-tool.ts');
  const { tavilyApiKey, openweathermapApiKey } = config;
  let tools = defaultToolRegistry({ tavilyApiKey, openWeatherMapApiKey: openweathermapApiKey, env: {} });
  if (tavilyApiKey) {
    const tavily = { apiKey: tavilyApiKey, baseUrl: config.tavilyBaseUrl };
    for (const create of [createSearchTool, createMapTool, createExtractTool, createCrawlTool])
      tools = tools.replaceTool(create(tavily) as AnyTool);
  }
  if (openweathermapApiKey) {
    tools = tools.replaceTool(
      createWeatherTool({ apiKey: openweathermapApiKey, baseUrl: config.openweathermapBaseUrl }),
    );
  }
  return tools;
}

async function toolsOfModule(path: string): Promise<ToolRegistry> {
  const { ToolRegistry } = await import('../tool/registry.ts');
  const tools = await defaultExportOf(
    'tools',
    path,
    'give example, or a module whose default export is a list of tools',
  );
  if (typeof tools !== 'object' || tools === null || !(Symbol.iterator in tools)) {
    throw usageError(`--tools ${path}: the default export is not a list of tools`, 'export default [tool({ … })]');
  }
  return tools instanceof ToolRegistry ? tools : new ToolRegistry(tools as Iterable<AnyTool>);
}

/** The client of a command. Closing it is the caller's. */
async function openClient(
  { input, io, reads }: Pick<Context, 'input' | 'io' | 'reads'>,
  options: Omit<PortiaOptions, 'config' | 'tools'> = {},
): Promise<Portia> {
  loadEnvironment(input);
  const { Portia } = await import('../client.ts');
  const config = await configOf(input);
  if (reads && input.text('storage') !== undefined) mustBeThere(config);
  return new Portia({ config, tools: await toolsOf(input, config, tellOn(io)), ...options });
}

/** Opens a client, works with it and closes it. */
export async function withClient<T>(
  context: Pick<Context, 'input' | 'io' | 'reads'>,
  work: (portia: Portia) => Promise<T>,
  options?: Omit<PortiaOptions, 'config' | 'tools'>,
): Promise<T> {
  const portia = await openClient(context, options);
  try {
    return await work(portia);
  } finally {
    await portia.close();
  }
}
