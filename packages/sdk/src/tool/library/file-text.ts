import { ToolHardError } from '../../core/errors.ts';

/** How files of each kind are shown to a model; other kinds are not read. */
export const readers: Readonly<Record<string, (text: string) => string>> = {
  '.txt': (text) => text,
  '.log': (text) => text,
  '.md': (text) => text,
  '.json': indentJson,
  '.csv': csvTable,
};

/**
 * JSON text with two spaces of indentation. It is only laid out anew: long numbers keep all their digits. Text that
 * indentation would make several times as long stays as it is.
 * @throws ToolHardError when it is not JSON.
 */
function indentJson(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    throw new ToolHardError('the file is not valid JSON');
  }
  const out: string[] = [];
  let room = 4 * text.length + 10_000;
  let depth = 0;
  let before = '';
  for (const [piece] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    const closes = piece === '}' || piece === ']';
    if (closes) depth -= 1;
    const empty = closes && (before === '{' || before === '[');
    const newLine = closes ? !empty : before === '{' || before === '[' || before === ',';
    if (newLine) {
      room -= 2 * depth + 1;
      if (room < 0) return text;
      out.push(`\n${'  '.repeat(depth)}`);
    }
    out.push(piece === ':' ? ': ' : piece);
    if (piece === '{' || piece === '[') depth += 1;
    before = piece;
  }
  return out.join('');
}

/** Comma-separated values as a table. */
function csvTable(text: string): string {
  return markdownTable(csvRows(text));
}

/** Rows as a table: a line a row, cells between bars, a rule under the first row. */
export function markdownTable(table: readonly (readonly string[])[]): string {
  const [head, ...rows] = table;
  if (!head) return '';
  const width = rows.reduce((widest, row) => Math.max(widest, row.length), head.length);
  const line = (cells: readonly string[]): string =>
    `| ${Array.from({ length: width }, (_, index) => cell(cells[index] ?? '')).join(' | ')} |`;
  return [line(head), `|${' --- |'.repeat(width)}`, ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|')
    .trim();
}

/** Splits comma-separated values (RFC 4180); empty lines are left out. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /(?:"([^"]*(?:""[^"]*)*)"([^,\r\n]*)|((?:[^",\r\n][^,\r\n]*)?))(,|\r?\n|\r|$)/gy;
  while (field.lastIndex < text.length || row.length > 0) {
    const found = field.exec(text);
    if (!found) throw new ToolHardError('the file is not valid CSV: a quotation mark is never closed');
    const [, quoted, after = '', plain = '', end] = found;
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"') + after);
    if (end === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
    if (end === '') break;
  }
  return rows;
}

const byteOrderMarks: readonly (readonly [encoding: string, mark: readonly number[]])[] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/**
 * The text of a file: in the encoding its first bytes name, else UTF-8, else `otherwise`.
 * @throws ToolHardError when it is not text in any of them.
 */
export function decodeText(bytes: Uint8Array, name: string, otherwise: string | undefined): string {
  const marked = byteOrderMarks.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte));
  for (const encoding of marked ? [marked[0]] : ['utf-8', ...(otherwise === undefined ? [] : [otherwise])]) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch {
      // The next one, if there is any.
    }
  }
  const known = marked?.[0].toUpperCase() ?? ['UTF-8', otherwise].filter(Boolean).join(' or ');
  throw new ToolHardError(`${JSON.stringify(name)} is not ${known} text`, {
    hint: "for files in another encoding give the tool encoding, such as 'windows-1252'",
  });
}
