import { PortiaError } from '../../core/errors.ts';
import { isPlainObject } from '../../core/json.ts';
import type { McpServerSpec } from './server-options.ts';

/** Servers as the configuration files of MCP hosts name them. */
export interface McpConfig {
  readonly mcpServers?: Readonly<Record<string, McpConfigServer>> | undefined;
  /** The same, as some hosts call it. */
  readonly servers?: Readonly<Record<string, McpConfigServer>> | undefined;
}

/** One server of a configuration: `command` for a process, `url` for a web address. */
export interface McpConfigServer {
  readonly type?: string | undefined;
  readonly command?: string | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly disabled?: boolean | undefined;
  /** Its tools are left out while it cannot be used, where else all fails. */
  readonly optional?: boolean | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The servers of a configuration. @throws PortiaError `CONFIG_INVALID`, `CONFIG_NOT_FOUND`. */
export function serversOf(config: McpConfig | string, env: Env): McpServerSpec[] {
  const parsed: unknown = typeof config === 'string' ? parse(config) : config;
  const found = isPlainObject(parsed) ? (parsed['mcpServers'] ?? parsed['servers']) : undefined;
  if (!isPlainObject(found))
    throw invalid('has no mcpServers', 'give { "mcpServers": { "name": { "command": "…" } } }');
  return Object.entries(found).flatMap(([name, server]) => {
    if (!isPlainObject(server)) throw invalid(`mcpServers.${name} is not an object`);
    return server['disabled'] === true ? [] : [serverOf(name, server, env)];
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`is not JSON: ${(error as Error).message}`);
  }
}

function serverOf(serverName: string, server: Readonly<Record<string, unknown>>, env: Env): McpServerSpec {
  const where = `mcpServers.${serverName}`;
  const { command, url, type, optional } = server;
  if (optional !== undefined && typeof optional !== 'boolean') throw invalid(`${where}.optional is not true or false`);
  const common = { serverName, ...(optional !== undefined && { optional }) };
  const text = (value: unknown, name: string): string => {
    if (typeof value !== 'string' || value === '') throw invalid(`${where}.${name} is not a text`);
    return filledIn(value, `${where}.${name}`, env);
  };
  const texts = (value: unknown, name: string): Record<string, string> | undefined => {
    if (value === undefined) return undefined;
    if (!isPlainObject(value)) throw invalid(`${where}.${name} is not an object of texts`);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, text(item, `${name}.${key}`)]));
  };
  if (command !== undefined) {
    const { args = [] } = server;
    if (!Array.isArray(args)) throw invalid(`${where}.args is not a list`);
    return {
      transport: 'stdio',
      ...common,
      command: text(command, 'command'),
      args: args.map((item, index) => (item === '' ? '' : text(item, `args.${index}`))),
      env: texts(server['env'], 'env'),
      cwd: server['cwd'] === undefined ? undefined : text(server['cwd'], 'cwd'),
    };
  }
  if (url === undefined) throw invalid(`${where} has neither command nor url`);
  const address = text(url, 'url');
  if (!URL.canParse(address)) throw invalid(`${where}.url is not a web address`);
  return {
    transport: type === 'sse' ? 'sse' : 'http',
    ...common,
    url: address,
    headers: texts(server['headers'], 'headers'),
  };
}

/** The text with `${NAME}` and `${env:NAME}` replaced, once. */
function filledIn(text: string, where: string, env: Env): string {
  return text.replace(/\$\{(?:env:)?(\w+)\}/g, (_whole, name: string) => {
    const value = env[name];
    if (value !== undefined) return value;
    throw new PortiaError({
      code: 'CONFIG_NOT_FOUND',
      message: `the MCP configuration needs the variable ${name} at ${where}, which is not set`,
      hint: `set ${name} in the environment`,
    });
  });
}

function invalid(what: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'CONFIG_INVALID', message: `the MCP configuration ${what}`, hint });
}
