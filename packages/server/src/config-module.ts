import { execFile } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PortiaError } from 'portia-ts';

/** What a config module gives away. */
export interface ConfigModule {
  readonly default?: unknown;
}

/**
 * Loads a module of whoever runs the server.
 * @throws PortiaError `CONFIG_INVALID` with what is wrong in it, and where; `PACKAGE_MISSING` when TypeScript cannot be read.
 */
export async function importModule(file: string): Promise<ConfigModule> {
  try {
    return (await import(pathToFileURL(file).href)) as ConfigModule;
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ERR_UNKNOWN_FILE_EXTENSION')
      return importTypeScript(file);
    throw await failureIn(`${file} cannot be loaded`, error, file);
  }
}

/** Node reads TypeScript by itself from 22.18 on; before, jiti does. */
async function importTypeScript(file: string): Promise<ConfigModule> {
  const { createJiti } = await import('jiti').catch((cause: unknown) => {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: `this version of Node.js cannot read ${file} by itself, and the package jiti is not installed`,
      hint: 'npm i jiti (or write portia.config.mjs)',
      cause,
    });
  });
  try {
    return await createJiti(import.meta.url).import(file);
  } catch (error) {
    throw await failureIn(`${file} cannot be loaded`, error, file);
  }
}

/** What went wrong in a config module: its own message, and the place in it where that can be told. */
export async function failureIn(what: string, error: unknown, file: string): Promise<PortiaError> {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  // Of JavaScript that cannot be parsed, Node keeps the place to itself; asked to check the file, it tells.
  const isUnparsed = error instanceof SyntaxError && !file.endsWith('.ts');
  const place = placeIn(stack) ?? (isUnparsed ? placeIn(await checked(file)) : undefined);
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${what}: ${message}${place === undefined || message.includes(place) ? '' : ` (${place})`}`,
    hint: (PortiaError.isInstance(error) && error.hint) || 'correct it there, and start the server again',
    cause: error,
  });
}

/** The first file of nobody's package in a stack, as `file:line:column`. */
function placeIn(stack: string): string | undefined {
  for (const line of stack.split('\n')) {
    const [, named = '', at] =
      /(?:^|at |\()((?:file:|[A-Za-z]:[\\/]|\/)[^()]*?):(\d+(?::\d+)?)\)?$/.exec(line.trim()) ?? [];
    const path = named.startsWith('file:') ? fileURLToPath(named) : named;
    if (at !== undefined && isAbsolute(path) && !path.includes('node_modules')) return `${path}:${at}`;
  }
  return undefined;
}

function checked(file: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--check', file], { timeout: 5_000 }, (_, __, told) => resolve(told));
  });
}
