import { ToolHardError } from '../../core/errors.ts';
import { importOptional } from '../../model/import-optional.ts';
import { markdownTable } from './file-text.ts';

/** How far a workbook may unfold, in bytes; a small file can hold gigabytes. */
const mostUnzipped = 100 * 1024 * 1024;
const mostParts = 1_000;
/** Cells from the first to the farthest, empty ones between included. */
const mostCells = 500_000;

interface Zip {
  unzipSync(
    bytes: Uint8Array,
    options: { filter(part: { readonly name: string; readonly originalSize: number }): boolean },
  ): Readonly<Record<string, Uint8Array>>;
  zipSync(parts: Readonly<Record<string, Uint8Array>>, options: { readonly level: 0 }): Uint8Array;
}

/**
 * An Excel workbook (.xlsx) as text: a table for each sheet, dates as ISO. What is in it is measured before it is read.
 * @throws ToolHardError for what is no workbook, or unfolds to more than 100 MiB or 500,000 cells; PortiaError
 * `PACKAGE_MISSING` without `read-excel-file` and `fflate`.
 */
export async function workbookText(bytes: Uint8Array): Promise<string> {
  const zip = (await importOptional('the file reader, for .xlsx,', 'fflate')) as unknown as Zip;
  const excel = await importOptional('the file reader, for .xlsx,', 'read-excel-file/universal');
  const readSheets = excel['default'] as (input: ArrayBuffer) => Promise<readonly Sheet[]>;
  const parts = unzip(zip, bytes);
  for (const [name, part] of Object.entries(parts)) if (/^xl\/worksheets\/.*\.xml$/i.test(name)) measure(part);
  try {
    // Packed anew without compression: nothing is unfolded that was not measured.
    const safe = zip.zipSync(parts, { level: 0 });
    const sheets = await readSheets(safe.buffer as ArrayBuffer);
    return sheets.map(sheetText).join('\n\n');
  } catch {
    throw new ToolHardError('the file is no readable Excel workbook');
  }
}

interface Sheet {
  readonly sheet: string;
  readonly data: readonly (readonly unknown[])[];
}

function unzip(zip: Zip, bytes: Uint8Array): Readonly<Record<string, Uint8Array>> {
  let total = 0;
  let count = 0;
  let parts: Readonly<Record<string, Uint8Array>>;
  try {
    parts = zip.unzipSync(bytes, {
      filter({ name, originalSize }) {
        if (!/\.(?:xml|rels)$/i.test(name)) return false;
        total += originalSize;
        count += 1;
        if (total > mostUnzipped || count > mostParts)
          throw new ToolHardError('the workbook unfolds to more than is read: it may be a zip bomb');
        return true;
      },
    });
  } catch (error) {
    if (error instanceof ToolHardError) throw error;
    throw new ToolHardError('the file is no Excel workbook (.xlsx)');
  }
  if (!parts['xl/workbook.xml']) throw new ToolHardError('the file is no Excel workbook (.xlsx)');
  return parts;
}

/** Refuses a sheet with a cell far away: readers fill the space before it. */
function measure(part: Uint8Array): void {
  const xml = new TextDecoder().decode(part);
  let row = 1;
  let column = 1;
  for (const [, place = ''] of xml.matchAll(
    /<(?:[\w.-]+:)?(?:c|row|dimension)\b[^>]*?\s(?:r|ref)\s*=\s*["']([^"']*)["']/g,
  )) {
    const corners = /^(?:[A-Z]{1,3}\d{1,7}:)?([A-Z]{0,3})(\d{1,7})$/.exec(place);
    if (!corners) throw new ToolHardError('the workbook has a cell without a readable place');
    row = Math.max(row, Number(corners[2]));
    column = Math.max(column, columnNumber(corners[1] ?? ''));
  }
  if (row * column > mostCells)
    throw new ToolHardError(
      `a sheet reaches over ${row} rows and ${column} columns; at most ${mostCells} cells are read`,
    );
}

function columnNumber(letters: string): number {
  return [...letters].reduce((number, letter) => number * 26 + letter.charCodeAt(0) - 64, 0);
}

function sheetText({ sheet, data }: Sheet): string {
  return `Sheet: ${sheet}\n${markdownTable(data.map((row) => row.map(cellText)))}`;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return value instanceof Date ? value.toISOString() : String(value);
}
