/** How much is logged. `SILENT` logs nothing. */
export const LogLevel = {
  TRACE: 'TRACE',
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  CRITICAL: 'CRITICAL',
  SILENT: 'SILENT',
} as const;
/** How much is logged. */
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/** What a message is about, beside its words. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the library says what it does. Bring your own, or use {@link consoleLogger}. Must not throw. */
export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => {};

/** Logs nothing: the default of the library. */
export const silentLogger: Logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Where {@link consoleLogger} writes: one line a call. */
export interface LogStream {
  write(line: string): unknown;
}

const ranks: Readonly<Record<LogLevel, number>> = {
  TRACE: 0,
  DEBUG: 1,
  INFO: 2,
  WARNING: 3,
  ERROR: 4,
  CRITICAL: 5,
  SILENT: 6,
};

/**
 * Logs lines of `time LEVEL message key=value` to stderr, or to the stream given. Values of keys that look like
 * secrets and the `secrets` given are never written; texts are cut at 1000 characters.
 */
export function consoleLogger(
  level: LogLevel = LogLevel.INFO,
  options: { readonly stream?: LogStream; readonly secrets?: readonly string[] } = {},
): Logger {
  const { stream = process.stderr, secrets = [] } = options;
  const redact = redactor(secrets);
  const fieldText = (fields: LogFields): string => {
    try {
      return written(redact.fields(fields));
    } catch (error) {
      return ` (fields cannot be read: ${error instanceof Error ? error.name : typeof error})`;
    }
  };
  const at = (name: LogLevel): Logger['info'] => {
    if (ranks[name] < ranks[level]) return nothing;
    return (message, fields) => {
      const line = `${new Date().toISOString()} ${name.padEnd(7)} ${oneLine(cut(redact.text(message)))}`;
      stream.write(`${line}${fields ? fieldText(fields) : ''}\n`);
    };
  };
  return { trace: at('TRACE'), debug: at('DEBUG'), info: at('INFO'), warn: at('WARNING'), error: at('ERROR') };
}

function written(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        ` ${key}=${oneLine(cut(typeof value === 'string' && /^[^\s="]+$/.test(value) ? value : asText(value)))}`,
    )
    .join('');
}

function asText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

const longest = 1000;

function cut(text: string): string {
  return text.length <= longest
    ? text
    : `${text.slice(0, longest)}...[truncated - only first ${longest} characters shown]`;
}

// One call is one line, and control characters of what is logged do not reach the terminal.
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (found) => {
    if (found === '\n') return '\\n';
    return found === '\t' ? ' ' : `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

const secretKey =
  /authorization|cookie|credential|pass(word|phrase|wd)|secret|api[-_ ]?key|private[-_ ]?key|(^|[-_a-z])token$/i;
const hidden = '[redacted]';

/** Takes secrets out of texts and of values, by the names of keys and by the secrets it is given. */
export interface Redactor {
  text(text: string): string;
  fields(fields: LogFields): LogFields;
}

/** A {@link Redactor} that knows these secrets. Those shorter than 6 characters are ignored: they hide too much. */
export function redactor(secrets: readonly string[]): Redactor {
  const known = secrets.filter((secret) => secret.length >= 6).sort((a, b) => b.length - a.length);
  const text = (value: string): string => known.reduce((left, secret) => left.replaceAll(secret, hidden), value);
  const walk = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return text(value);
    if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
    if (value instanceof Error) return text(`${value.name}: ${value.message}`);
    if (depth > 6) return '[…]';
    if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1));
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return walk(toJSON.call(value), depth + 1);
    return walkFields(value as LogFields, depth);
  };
  const walkFields = (fields: LogFields, depth: number): LogFields =>
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        secretKey.test(key) && value ? hidden : walk(value, depth + 1),
      ]),
    );
  return { text, fields: (fields) => walkFields(fields, 0) };
}
