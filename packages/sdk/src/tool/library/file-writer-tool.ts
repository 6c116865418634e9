import { randomUUID } from 'node:crypto';
import { chmod, lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { ToolHardError } from '../../core/errors.ts';
import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, text } from './args.ts';
import { skippedFolders } from './find-file.ts';
import { type HeldFolder, holdFolder } from './held-folder.ts';
import { lookUp, openRoot, pathInside, systemCode } from './root-folder.ts';

/** Options of {@link createFileWriterTool}. */
export interface FileWriterToolOptions {
  /** The folder it writes to and never leaves; the current directory at the time of the call unless given. */
  readonly root?: string | undefined;
  /** Largest file it writes; 5 MiB unless given. */
  readonly maxBytes?: number | undefined;
  /**
   * After a crash in the middle of a call, look at the file: the very content that was to be written counts as
   * written. Off unless set: then a person decides.
   */
  readonly reconcile?: boolean | undefined;
}

/** The arguments of the file writer. */
export type FileWriterArgs = { readonly filename: string; readonly content: string };

/**
 * A tool that writes a text file below a root folder, new or over an old one. The file is there whole or not at all;
 * folders are not created, and nothing is written into `.git` or `node_modules`.
 */
export function createFileWriterTool(options: FileWriterToolOptions = {}): Tool<FileWriterArgs, string> {
  const { maxBytes = 5 * 1024 * 1024 } = options;
  return tool<FileWriterArgs, string>({
    id: 'file_writer_tool',
    name: 'File Writer Tool',
    description: 'Writes a text to a file, replacing the file if there is one. It creates no folders.',
    argsSchema: argsOf({
      filename: text('The file to write: its name, or its path within the folder'),
      content: text('The whole text of the file'),
    }),
    outputDescription: ['string', 'a confirmation that the file was written'],
    async run({ filename, content }, { signal }) {
      const bytes = Buffer.from(content, 'utf8');
      if (bytes.length > maxBytes)
        throw new ToolHardError(`the content has ${bytes.length} bytes; at most ${maxBytes} are written`);
      await inTarget(options.root, filename, (folder, file) => replaceFile(folder, file, bytes, filename, signal));
      return receipt(filename, bytes.length);
    },
    ...(options.reconcile && {
      async reconcile({ filename, content }) {
        const bytes = Buffer.from(content, 'utf8');
        const there = await inTarget(options.root, filename, (folder, file) => readFile(folder.file(file))).catch(
          () => undefined,
        );
        return there?.equals(bytes) ? receipt(filename, bytes.length) : 'unknown';
      },
    }),
  });
}

function receipt(filename: string, size: number): string {
  return `Wrote ${size} ${size === 1 ? 'byte' : 'bytes'} to ${filename}`;
}

/** Does something with the file in a folder that exists. @throws ToolHardError when that may not be written to. */
async function inTarget<T>(
  rootPath: string | undefined,
  filename: string,
  work: (folder: HeldFolder, file: string) => Promise<T>,
): Promise<T> {
  const root = await openRoot(rootPath ?? process.cwd());
  const path = pathInside(root, filename);
  const found = await lookUp(root, dirname(path), filename);
  if (path === root.path || !found?.stats.isDirectory())
    throw new ToolHardError(`the folder of ${JSON.stringify(filename)} does not exist`);
  const kept = relative(root.path, join(found.path, basename(path)))
    .split(sep)
    .find((part) => skippedFolders.has(part.toLowerCase()));
  if (kept !== undefined)
    throw new ToolHardError(`${JSON.stringify(filename)} is in ${kept}, where nothing is written`);
  const folder = await holdFolder(root, found.path, filename);
  try {
    return await work(folder, basename(path));
  } finally {
    await folder.close();
  }
}

/** Writes beside the file and moves it into place, so that nobody ever reads half of it. */
async function replaceFile(
  folder: HeldFolder,
  file: string,
  bytes: Uint8Array,
  filename: string,
  signal: AbortSignal,
): Promise<void> {
  const path = folder.file(file);
  const temporary = folder.file(`.${randomUUID()}.tmp`);
  try {
    const mode = await modeOf(path, filename);
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (mode !== undefined) await chmod(temporary, mode);
    if (signal.aborted) throw new ToolHardError(`the call was stopped before ${JSON.stringify(filename)} was written`);
    await folder.check();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof ToolHardError) throw error;
    throw new ToolHardError(`${JSON.stringify(filename)} could not be written: ${systemCode(error)}`);
  }
}

async function modeOf(path: string, filename: string): Promise<number | undefined> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats && !stats.isFile())
    throw new ToolHardError(`${JSON.stringify(filename)} is there already and is not a plain file`);
  return stats && stats.mode & 0o7777;
}

/** Writes text files below the current directory. */
export const fileWriterTool: Tool<FileWriterArgs, string> = createFileWriterTool();
