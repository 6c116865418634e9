import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { extname, relative, sep, basename } from 'node:path';
import {
  type Clarification,
  isApproved,
  MultipleChoiceClarification,
  UserVerificationClarification,
} from '../../core/clarification.ts';
import { ToolHardError } from '../../core/errors.ts';
import type { Tool, ToolRunContext } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, text } from './args.ts';
import { readers } from './file-text.ts';
import { findFile } from './find-file.ts';
import { lookUp, openRoot, pathInside, type RootFolder, systemCode } from './root-folder.ts';

/** Options of {@link createFileReaderTool}. */
export interface FileReaderToolOptions {
  /** The folder it reads from and never leaves; the current directory at the time of the call unless given. */
  readonly root?: string | undefined;
  /** Largest file it reads; 5 MiB unless given. */
  readonly maxBytes?: number | undefined;
}

const id = 'file_reader_tool';
const kinds = Object.keys(readers).join(', ');

/**
 * A tool that reads text files below a root folder: .txt, .log and .md as they are, .json indented, .csv as a table.
 * A name it does not find is looked for in the folders below; then a person confirms the one file found, or chooses
 * among several.
 */
export function createFileReaderTool(options: FileReaderToolOptions = {}): Tool<{ readonly filename: string }, string> {
  const { maxBytes = 5 * 1024 * 1024 } = options;
  return tool({
    id,
    name: 'File Reader Tool',
    description: `Reads a file and gives its text. It reads ${kinds}. When there is no such file, it looks in the folders below and asks which one is meant.`,
    argsSchema: argsOf({ filename: text('The file to read: its name, or its path within the folder') }),
    outputDescription: ['string', 'the text of the file'],
    readOnly: true,
    async run({ filename }, context) {
      const root = await openRoot(options.root ?? process.cwd());
      const path = pathInside(root, filename);
      const show = readerFor(filename);
      if (await lookUp(root, path, filename)) return show(await readText(root, path, filename, maxBytes));
      const meant = await askWhich(root, filename, context);
      if (typeof meant !== 'string') return meant;
      return show(await readText(root, pathInside(root, meant), meant, maxBytes));
    },
  });
}

function readerFor(filename: string): (text: string) => string {
  const kind = extname(filename).toLowerCase();
  const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined;
  if (!read) throw new ToolHardError(`${JSON.stringify(filename)} cannot be read: only ${kinds} are supported`);
  return read;
}

async function readText(root: RootFolder, path: string, name: string, maxBytes: number): Promise<string> {
  const found = await lookUp(root, path, name);
  if (!found) throw new ToolHardError(`there is no file ${JSON.stringify(name)}`);
  if (!found.stats.isFile()) throw new ToolHardError(`${JSON.stringify(name)} is not a file`);
  const bytes = await readBytes(found.path, name, maxBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ToolHardError(`${JSON.stringify(name)} is not UTF-8 text`);
  }
}

/** Reads at most `maxBytes`, through a handle that follows no link and does not wait for a pipe. */
async function readBytes(path: string, name: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      if (size > maxBytes)
        throw new ToolHardError(`${JSON.stringify(name)} has ${size} bytes; at most ${maxBytes} are read`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ToolHardError) throw error;
    throw new ToolHardError(`${JSON.stringify(name)} cannot be read: ${systemCode(error)}`);
  }
}

/** The path a person said is meant, or the question. */
async function askWhich(root: RootFolder, filename: string, context: ToolRunContext): Promise<string | Clarification> {
  const { paths, complete } = await findFile(root, basename(filename), context.signal);
  const wanted = relative(root.path, pathInside(root, filename)).split(sep).join('/');
  const [first, second] = paths;
  if (first === undefined) {
    const where = complete
      ? 'here or in the folders below'
      : 'here or in the part of the folders below that was searched';
    throw new ToolHardError(`there is no file ${JSON.stringify(wanted)} ${where}`);
  }
  if (second === undefined) {
    const userGuidance = `There is no file ${JSON.stringify(wanted)}. Read ${JSON.stringify(first)} instead?`;
    const answered = answeredBefore(context, userGuidance);
    if (!answered) return UserVerificationClarification({ userGuidance, source: id });
    if (isApproved(answered)) return first;
    throw new ToolHardError(
      `there is no file ${JSON.stringify(wanted)}, and ${JSON.stringify(first)} is not the one that is meant`,
    );
  }
  const userGuidance = `There is no file ${JSON.stringify(wanted)}, but there are files of that name in other folders. Which one is meant?`;
  const answered = answeredBefore(context, userGuidance);
  if (typeof answered?.response === 'string') return answered.response;
  return MultipleChoiceClarification({ userGuidance, source: id, argumentName: 'filename', options: paths });
}

/** The answer to this very question; an agent may ask for several files in one step. */
function answeredBefore(context: ToolRunContext, userGuidance: string): Clarification | undefined {
  return context.clarifications.findLast(
    (asked) => asked.resolved && asked.source === id && asked.userGuidance === userGuidance,
  );
}

/** Reads text files below the current directory. */
export const fileReaderTool: Tool<{ readonly filename: string }, string> = createFileReaderTool();
