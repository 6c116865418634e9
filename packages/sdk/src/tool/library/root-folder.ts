import type { Stats } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ToolHardError } from '../../core/errors.ts';

/** A folder that file tools do not leave, whatever name they are given. */
export interface RootFolder {
  /** Its path, with links resolved. */
  readonly path: string;
}

/** Opens a root folder. @throws ToolHardError when it is not there. */
export async function openRoot(path: string): Promise<RootFolder> {
  try {
    return { path: await realpath(path) };
  } catch (error) {
    throw new ToolHardError(`the folder of the file tools cannot be opened: ${systemCode(error)}`, {
      hint: `create ${path}, or give another root`,
    });
  }
}

/**
 * The absolute path that a name stands for. The name is read relative to the root; nothing is looked up.
 * @throws ToolHardError for an empty name, one with a NUL, and one that leads out of the root.
 */
export function pathInside(root: RootFolder, name: string): string {
  if (name.trim() === '' || name.includes('\0')) throw new ToolHardError(`${JSON.stringify(name)} is not a file name`);
  const path = resolve(root.path, name);
  if (!isInside(root, path)) throw outside(name);
  return path;
}

/**
 * What is at a path, and where it really is.
 * @returns `undefined` when there is nothing.
 * @throws ToolHardError when links lead out of the root.
 */
export async function lookUp(
  root: RootFolder,
  path: string,
  name: string,
): Promise<{ readonly path: string; readonly stats: Stats } | undefined> {
  try {
    const real = await realpath(path);
    if (!isInside(root, real)) throw outside(name);
    return { path: real, stats: await lstat(real) };
  } catch (error) {
    if (error instanceof ToolHardError) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ToolHardError(`${JSON.stringify(name)} cannot be opened: ${code}`);
  }
}

/** Whether an absolute path is the root or below it. */
export function isInside(root: RootFolder, path: string): boolean {
  const way = relative(root.path, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The system's word for a failure, such as EACCES; messages of the system would show whole paths. */
export function systemCode(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown failure';
}

function outside(name: string): ToolHardError {
  return new ToolHardError(`${JSON.stringify(name)} is outside the folder the file tools may use`);
}
