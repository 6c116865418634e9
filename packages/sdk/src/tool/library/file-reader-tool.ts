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
import { decodeText, readers } from './file-text.ts';
import { findFile } from './find-file.ts';
import { readBytesInside } from './read-file-inside.ts';
import { lookUp, openRoot, pathInside, type RootFolder } from './root-folder.ts';

/** Options of {@link createFileReaderTool}. */
export interface FileReaderToolOptions {
  /** The folder it reads from and never leaves; the current directory at the time of the call unless given. */
  readonly root?: string | undefined;
  /** Largest file it reads; 5 MiB unless given. */
  readonly maxBytes?: number | undefined;
  /** The encoding of text files that are not UTF-8 and do not say what they are, such as `windows-1252`. None unless given. */
  readonly encoding?: string | undefined;
}

const id = 'file_reader_tool';
const kinds = [...Object.keys(readers), '.xlsx'].join(', ');

/**
 * A tool that reads files below a root folder: .txt, .log and .md as they are, .json indented, .csv and .xlsx as tables.
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
      const show = readerFor(filename, options.encoding);
      if (await lookUp(root, path, filename)) return show(await readBytesInside(root, filename, maxBytes), filename);
      const meant = await askWhich(root, filename, context);
      if (typeof meant !== 'string') return meant;
      return show(await readBytesInside(root, meant, maxBytes), meant);
    },
  });
}

/** How a kind of file becomes text. */
type Reader = (bytes: Uint8Array, name: string) => string | Promise<string>;

function readerFor(filename: string, encoding: string | undefined): Reader {
  const kind = extname(filename).toLowerCase();
  if (kind === '.xlsx') return async (bytes) => (await import('./spreadsheet.ts')).workbookText(bytes);
  const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined;
  if (!read) {
    // An agent sees the message and not the hint, so the way out stands in it.
    const way = kind === '.xls' ? '; .xls is the format before 2007: save the workbook as .xlsx or .csv' : '';
    throw new ToolHardError(`${JSON.stringify(filename)} cannot be read: only ${kinds} are supported${way}`);
  }
  return (bytes, name) => read(decodeText(bytes, name, encoding));
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
