import { ToolHardError } from '../../core/errors.ts';
import type { Tool } from '../../core/tool.ts';
import { importOptional } from '../../model/import-optional.ts';
import { tool } from '../tool.ts';
import { argsOf, text } from './args.ts';
import { readFileInside } from './read-file-inside.ts';

/** Options of {@link createPdfReaderTool}. */
export interface PdfReaderToolOptions {
  /** The folder it reads from and never leaves; the current directory at the time of the call unless given. */
  readonly root?: string | undefined;
  /** Largest file; 20 MiB unless given. */
  readonly maxBytes?: number | undefined;
  /** Pages that are read; 500 unless given. */
  readonly maxPages?: number | undefined;
  /** Characters that are given; 1,000,000 unless given. */
  readonly maxCharacters?: number | undefined;
}

interface PdfDocument {
  readonly numPages: number;
  getPage(number: number): Promise<{ getTextContent(): Promise<{ readonly items: readonly TextItem[] }> }>;
  destroy(): Promise<void>;
}

interface TextItem {
  readonly str?: string;
  readonly hasEOL?: boolean;
}

/**
 * A tool that gives the text of a PDF file below a root folder, page by page, read here with `unpdf`: no key, and no
 * file leaves the machine. Pages that are only pictures have no text; it says so.
 */
export function createPdfReaderTool(options: PdfReaderToolOptions = {}): Tool<{ readonly file_path: string }, string> {
  const { maxBytes = 20 * 1024 * 1024, maxPages = 500, maxCharacters = 1_000_000 } = options;
  return tool({
    id: 'pdf_reader_tool',
    name: 'PDF Reader Tool',
    description: 'Reads a PDF file and gives its text, page by page. It reads no text from pictures.',
    argsSchema: argsOf({ file_path: text('The PDF file: its name, or its path within the folder') }),
    outputDescription: ['string', 'the text, with a line before each page'],
    readOnly: true,
    shouldSummarize: true,
    timeoutMs: 120_000,
    async run({ file_path }, { signal }) {
      const bytes = await readFileInside(options.root ?? process.cwd(), file_path, maxBytes);
      if (!Buffer.from(bytes.subarray(0, 1024)).includes('%PDF-'))
        throw new ToolHardError(`${JSON.stringify(file_path)} is not a PDF file`);
      const module = await importOptional('the PDF reader', 'unpdf');
      const open = module['getDocumentProxy'] as (data: Uint8Array, options: object) => Promise<PdfDocument>;
      let document: PdfDocument | undefined;
      try {
        document = await open(new Uint8Array(bytes), { isEvalSupported: false, verbosity: 0, stopAtErrors: false });
        return await textOfPages(document, maxPages, maxCharacters, signal);
      } catch (error) {
        signal.throwIfAborted();
        const { name } = error as { readonly name?: unknown };
        const why = name === 'PasswordException' ? 'it needs a password' : 'it is damaged';
        throw new ToolHardError(`${JSON.stringify(file_path)} cannot be read: ${why}`);
      } finally {
        await document?.destroy();
      }
    },
  });
}

async function textOfPages(
  document: PdfDocument,
  maxPages: number,
  maxCharacters: number,
  signal: AbortSignal,
): Promise<string> {
  const parts: string[] = [];
  let size = 0;
  for (let number = 1; number <= document.numPages; number += 1) {
    signal.throwIfAborted();
    if (number > maxPages || size > maxCharacters) {
      parts.push(`(${document.numPages - number + 1} more pages were not read)`);
      break;
    }
    const { items } = await (await document.getPage(number)).getTextContent();
    const words = items
      .map(({ str = '', hasEOL }) => (hasEOL ? `${str}\n` : str))
      .join('')
      .trim();
    const page = `--- Page ${number} of ${document.numPages} ---\n${words.slice(0, maxCharacters) || '(no text)'}`;
    size += page.length;
    parts.push(page);
  }
  return parts.join('\n\n');
}

/** Reads PDF files below the current directory. */
export const pdfReaderTool: Tool<{ readonly file_path: string }, string> = createPdfReaderTool();
