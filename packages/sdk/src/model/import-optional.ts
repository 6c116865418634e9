import { PortiaError, ToolHardError } from '../core/errors.ts';

/**
 * Imports an optional package when it is needed.
 * @throws PortiaError `PACKAGE_MISSING` with the one line that installs it; `who` needs it.
 */
export async function importOptional(who: string, name: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(name)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const { code, message = '' } = (cause ?? {}) as { readonly code?: unknown; readonly message?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(name)) throw cause;
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: `${who} needs the package ${name}, which is not installed`,
      hint: `npm i ${name}`,
      details: { package: name },
    });
  }
}

/**
 * The same for a tool with effects, before it has had any: the call did not happen, which only a hard error says.
 * @throws ToolHardError with the line that installs it.
 */
export async function importBeforeEffects(who: string, name: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await importOptional(who, name);
  } catch (error) {
    if (!PortiaError.isInstance(error)) throw error;
    throw new ToolHardError(error.message, { ...(error.hint !== undefined && { hint: error.hint }), cause: error });
  }
}
