import { styleText } from 'node:util';

/** Gives a text a look, or leaves it as it is. */
export type Style = (text: string) => string;

/** The looks a view uses. */
export interface Paint {
  readonly bold: Style;
  readonly dim: Style;
  readonly red: Style;
  readonly green: Style;
  readonly yellow: Style;
  readonly cyan: Style;
}

const as: (format: Parameters<typeof styleText>[0]) => Style = (format) => (text) =>
  // The caller decides whether there is colour; newer Node would look at stdout, and we mostly write to stderr.
  styleText(format, text, { validateStream: false });

/** For terminals. */
export const colourPaint: Paint = {
  bold: as('bold'),
  dim: as('dim'),
  red: as('red'),
  green: as('green'),
  yellow: as('yellow'),
  cyan: as('cyan'),
};

const same: Style = (text) => text;

/** For files, pipes and people who asked for no colour. */
export const plainPaint: Paint = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

/** Whether a stream gets colour: a terminal, unless `NO_COLOR` is set; anything, when `FORCE_COLOR` is. */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}
