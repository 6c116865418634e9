import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { ToolHardError } from '../../core/errors.ts';
import { isInside, lookUp, openRoot, pathInside, type RootFolder, systemCode } from './root-folder.ts';

/** Reads a file below a folder, whole. @throws ToolHardError when it is not there, not a file, too long, or outside. */
export async function readFileInside(folder: string, name: string, maxBytes: number): Promise<Uint8Array> {
  return readBytesInside(await openRoot(folder), name, maxBytes);
}

/** The same, below a folder that is open. */
export async function readBytesInside(root: RootFolder, name: string, maxBytes: number): Promise<Uint8Array> {
  const found = await lookUp(root, pathInside(root, name), name);
  if (!found) throw new ToolHardError(`there is no file ${JSON.stringify(name)}`);
  if (!found.stats.isFile()) throw new ToolHardError(`${JSON.stringify(name)} is not a file`);
  return readHandle(root, found.path, name, maxBytes);
}

/** Reads at most `maxBytes`, through a handle that follows no link and does not wait for a pipe. */
async function readHandle(root: RootFolder, path: string, name: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      // A folder on the way may have become a link since it was looked at.
      if (!isInside(root, await placeOf(file, path)))
        throw new ToolHardError(`${JSON.stringify(name)} changed its place while it was opened`);
      if (!stats.isFile()) throw new ToolHardError(`${JSON.stringify(name)} is not a file`);
      if (stats.size > maxBytes)
        throw new ToolHardError(`${JSON.stringify(name)} has ${stats.size} bytes; at most ${maxBytes} are read`);
      return await readAtMost(file, maxBytes, name);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ToolHardError) throw error;
    throw new ToolHardError(`${JSON.stringify(name)} cannot be read: ${systemCode(error)}`);
  }
}

/** Where an open file is. Linux says it of the handle itself; elsewhere it is what the path leads to now. */
async function placeOf(file: FileHandle, path: string): Promise<string> {
  return realpath(`/proc/self/fd/${file.fd}`).catch(() => realpath(path));
}

/** The bytes of a file that may grow while it is read. */
async function readAtMost(file: FileHandle, maxBytes: number, name: string): Promise<Uint8Array> {
  const bytes = await file.readFile();
  if (bytes.length > maxBytes) throw new ToolHardError(`${JSON.stringify(name)} has more than ${maxBytes} bytes`);
  return bytes;
}
