import type { Paint, Style } from './paint.ts';
import { cut, pad, textWidth, wrap } from './text.ts';

/** A cell: its text, and how it looks. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** A column. */
export interface Column {
  readonly title: string;
  /** Widest it gets; a longer text is cut. */
  readonly most?: number | undefined;
  /** Breaks into lines instead of being cut. */
  readonly wraps?: true | undefined;
  /** Takes the width that is left, and breaks into lines. One at most. */
  readonly fills?: true | undefined;
}

const gap = '  ';
const leastFill = 16;

/** Rows under titles, in columns as wide as what they hold and all together no wider than `width`. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  const widths = columnWidths(columns, rows, options.width);
  const titles = columns.map(({ title }, index) => pad(cut(title, widths[index] ?? 0), widths[index] ?? 0));
  const lines = [options.paint.dim(titles.join(gap).trimEnd())];
  for (const row of rows) lines.push(...rowLines(columns, row, widths));
  return lines.map((line) => `  ${line}`);
}

function columnWidths(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number): number[] {
  const natural = columns.map(({ title, most = Number.POSITIVE_INFINITY }, index) =>
    Math.min(most, Math.max(textWidth(title), ...rows.map((row) => textWidth(textOfCell(row[index]))))),
  );
  const fills = columns.findIndex((column) => column.fills);
  if (fills < 0) return natural;
  const others = natural.reduce((sum, one, index) => (index === fills ? sum : sum + one + gap.length), gap.length);
  natural[fills] = Math.max(leastFill, Math.min(natural[fills] ?? 0, width - others));
  return natural;
}

function rowLines(columns: readonly Column[], row: readonly Cell[], widths: readonly number[]): string[] {
  const cells = columns.map(({ fills, wraps }, index) => {
    const width = widths[index] ?? 0;
    const text = textOfCell(row[index]);
    return fills || wraps ? wrap(text, width) : [cut(text, width)];
  });
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const last = cells.findLastIndex((lines) => (lines[line] ?? '') !== '');
    return cells
      .slice(0, last + 1)
      .map((lines, index) => {
        const text = index === last ? (lines[line] ?? '') : pad(lines[line] ?? '', widths[index] ?? 0);
        const cell = row[index];
        return typeof cell === 'object' ? cell.style(text) : text;
      })
      .join(gap);
  });
}

function textOfCell(cell: Cell | undefined): string {
  return typeof cell === 'object' ? cell.text : (cell ?? '');
}
