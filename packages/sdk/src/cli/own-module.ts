import { resolve } from 'node:path';
import { ensureError, PortiaError } from '../core/errors.ts';
import { importModule } from '../import-module.ts';
import { usageError } from './input.ts';

/**
 * What the module that an option names gives away; `hint` says what it is to be.
 * @throws PortiaError `USAGE` for a module that cannot be loaded, `PACKAGE_MISSING` when TypeScript cannot be read.
 */
export async function defaultExportOf(option: string, path: string, hint: string): Promise<unknown> {
  try {
    return (await importModule(resolve(path))).default;
  } catch (thrown) {
    if (PortiaError.isInstance(thrown) && thrown.code === 'PACKAGE_MISSING') throw thrown;
    const error = ensureError(thrown);
    throw usageError(`--${option} ${path}: ${error.message}`, (PortiaError.isInstance(error) && error.hint) || hint);
  }
}
