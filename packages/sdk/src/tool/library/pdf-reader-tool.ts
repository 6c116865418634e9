import { ToolHardError } from '../../core/errors.ts';
import type { Tool } from '../../core/tool.ts';
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

/**
 * A tool that gives the text of a PDF file below a root folder, page by page, read here with `unpdf`: no key, and no
 * file leaves the machine. Pages that are only pictures have no text; it says so. A file that unfolds to more than 64 MiB
 * in one part is refused.
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
      const { pdfText } = await import('./pdf-text.ts');
      return pdfText(bytes, file_path, { maxPages, maxCharacters }, signal);
    },
  });
}

/** Reads PDF files below the current directory. */
export const pdfReaderTool: Tool<{ readonly file_path: string }, string> = createPdfReaderTool();
