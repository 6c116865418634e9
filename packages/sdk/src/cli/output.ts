import { plainLine } from '../clarify/plain-text.ts';
import { ensureError, PortiaError, type PortiaErrorCode } from '../core/errors.ts';
import type { Io, Sheet } from './command.ts';
import { colourPaint, plainPaint, wantsColour } from './view/paint.ts';

/** Writes lines; none is nothing. */
export function writeLines(sheet: Sheet, lines: readonly string[]): void {
  if (lines.length > 0) sheet.write(`${lines.join('\n')}\n`);
}

/** Writes a value as JSON, for people and programs to read. */
export function writeJson(sheet: Sheet, value: unknown): void {
  sheet.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** An error as the command line tells it. */
export interface ToldError {
  readonly code: PortiaErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Writes an error: `{ "error": … }`, or in words. */
export function writeError(sheet: Sheet, error: ToldError, json: boolean): void {
  const { code, message, hint } = error;
  if (json)
    return sheet.write(`${JSON.stringify({ error: { code, message, ...(hint !== undefined && { hint }) } })}\n`);
  const { paint } = sheet;
  writeLines(sheet, [
    `${paint.red('✗')} ${paint.bold(code)}: ${plainLine(message)}`,
    ...(hint ? [`  ${paint.dim(plainLine(hint))}`] : []),
  ]);
}

// Hints of the library speak of code; here is what to type instead.
const hints: { readonly [Code in PortiaErrorCode]?: string } = {
  RUN_BUSY: 'look at it with `runs show`, answer or cancel it from here; it is taken over when that process dies',
  PLAN_RUN_NOT_FOUND:
    'check the id, and that --storage or --storage-dir name the store the run was made in; `runs list` shows what is there',
  PLAN_NOT_FOUND: 'check the id, and that --storage or --storage-dir name the store the plan was made in',
  CLARIFICATION_NOT_FOUND: 'list what is open with `clarifications list RUN_ID`',
  CLARIFICATION_FORBIDDEN: 'say in what capacity you answer: --as operator, --as role:NAME, or --as endUser --by ID',
  INPUT_MISSING: 'give a value with --input NAME=VALUE, for each',
};

/** What a thrown value says on the command line. */
export function toldError(thrown: unknown): ToldError {
  const error = ensureError(thrown);
  if (!PortiaError.isInstance(error))
    return {
      code: 'INTERNAL',
      message: `${error.name}: ${error.message}`,
      hint: 'this is a defect; PORTIA_DEBUG=1 shows where',
    };
  return { code: error.code, message: error.message, hint: hints[error.code] ?? hintOf(error) };
}

function hintOf({ code, hint, details }: PortiaError): string | undefined {
  if (code === 'TOOL_NOT_FOUND') return `${hint ?? ''}; --tools says which tools there are`.replace(/^; /, '');
  if (code !== 'MODEL_KEY_MISSING' || details?.['variables'] === undefined) return hint;
  const set =
    details['model'] === undefined
      ? 'set OPENAI_API_KEY, or the key of another provider, in the environment or in .env'
      : hint;
  return `${set}; npx portia-ts demo needs no key`;
}

/** The streams of this process. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  const sheet = (stream: NodeJS.WriteStream): Sheet => ({
    write: (text) => void stream.write(text),
    isLive: stream.isTTY === true && env['TERM'] !== 'dumb',
    get width() {
      return stream.isTTY ? stream.columns || 80 : stream === stdout ? Number.POSITIVE_INFINITY : 120;
    },
    paint: wantsColour(stream, env) ? colourPaint : plainPaint,
  });
  return { out: sheet(stdout), err: sheet(stderr), canAsk: stdin.isTTY === true && stderr.isTTY === true };
}
