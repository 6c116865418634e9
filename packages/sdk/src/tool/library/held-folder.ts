import { constants, existsSync } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { ToolHardError } from '../../core/errors.ts';
import { type RootFolder, systemCode } from './root-folder.ts';

/** A folder below the root, held so that its files are reached through it and not through what its path leads to now. */
export interface HeldFolder {
  /** The path of a file in it. */
  file(name: string): string;
  /** @throws ToolHardError when it is no longer where it was. Only needed where {@link file} cannot rule it out. */
  check(): Promise<void>;
  close(): Promise<void>;
}

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Holds the folder at a path without links below the root. On Linux it is entered part by part from the root, following
 * no link, and files are reached through its handle: nobody can exchange a part of the way for a link meanwhile. Node has
 * no such door elsewhere: there the place is checked, and the moment between a check and what follows it stays open.
 * @throws ToolHardError when a part of the way is no folder any more.
 */
export async function holdFolder(root: RootFolder, path: string, name: string): Promise<HeldFolder> {
  const moved = (): ToolHardError =>
    new ToolHardError(`the folder of ${JSON.stringify(name)} changed its place while it was opened`);
  if (!existsSync('/proc/self/fd')) {
    return {
      file: (file) => `${path}${sep}${file}`,
      async check() {
        if ((await realpath(path).catch(() => undefined)) !== path) throw moved();
      },
      close: async () => {},
    };
  }
  let held: FileHandle | undefined;
  try {
    held = await open(root.path, asFolder);
    for (const part of relative(root.path, path).split(sep).filter(Boolean)) {
      const next: FileHandle = await open(`/proc/self/fd/${held.fd}/${part}`, asFolder);
      await held.close();
      held = next;
    }
  } catch (error) {
    await held?.close();
    const code = systemCode(error);
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENOENT') throw moved();
    throw new ToolHardError(`the folder of ${JSON.stringify(name)} cannot be opened: ${code}`);
  }
  const { fd } = held;
  const handle = held;
  return {
    file: (file) => `/proc/self/fd/${fd}/${file}`,
    check: async () => {},
    close: () => handle.close(),
  };
}
