import { pino } from 'pino';
import type { Logger } from 'portia-ts';

/** The log of a server: one line of JSON for each entry, without secrets. */
export type ServerLog = Pick<import('pino').Logger, 'info' | 'warn' | 'error' | 'debug' | 'trace'>;

/** Where keys could stand in what is logged. They are cut out, wherever a line came from. */
const secrets = ['authorization', '*.authorization', 'headers.authorization', 'key', 'secret', 'apiKey', '*.apiKey'];

/** What is written of an error: of the fields that programs hang on theirs (requests, headers, bodies) only the code. */
function errorForLog(thrown: unknown, depth = 0): unknown {
  if (!(thrown instanceof Error)) return typeof thrown;
  const { name, message, stack, code, cause } = thrown as NodeJS.ErrnoException;
  return {
    type: name,
    message,
    stack,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(cause !== undefined && depth < 5 && { cause: errorForLog(cause, depth + 1) }),
  };
}

/** A log to stderr, so that stdout stays for results; `silent` writes nothing. */
export function serverLog(
  level: string,
  to: { write(line: string): unknown } = pino.destination({ dest: 2, sync: true }),
): ServerLog {
  return pino(
    { level, redact: { paths: secrets, censor: '[secret]' }, serializers: { err: (thrown) => errorForLog(thrown) } },
    to,
  );
}

/** The same log for the library. */
export function libraryLogger(log: ServerLog, organisation: string): Logger {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      log[level]({ organisation, ...fields }, message);
  return { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
