import { pathToFileURL } from 'node:url';
import { PortiaError } from './core/errors.ts';

/**
 * Loads a module of whoever runs a program, such as one that the command line names: JavaScript, or TypeScript, which
 * Node reads by itself from 22.18 on; before, jiti does. `file` is an absolute path. What the module throws comes as it is.
 * @throws PortiaError `PACKAGE_MISSING` when TypeScript cannot be read.
 */
export async function importModule(file: string): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
  }
  const { createJiti } = await import('jiti').catch((cause: unknown) => {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: `this version of Node.js cannot read ${file} by itself, and the package jiti is not installed`,
      hint: 'npm i jiti (or write it in JavaScript, as .mjs)',
      cause,
    });
  });
  return await createJiti(import.meta.url).import(file);
}
