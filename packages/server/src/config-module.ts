import { execFile } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PortiaError } from 'portia-ts';

/** What went wrong in a config module: its own message, and the place in it where that can be told. */
export async function failureIn(what: string, error: unknown, file: string): Promise<PortiaError> {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  // Of JavaScript that cannot be parsed, Node keeps the place to itself; asked to check the file, it tells.
  const isUnparsed = error instanceof SyntaxError && !file.endsWith('.ts');
  const place = placeIn(stack) ?? (isUnparsed ? placeIn(await checked(file)) : undefined);
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${what}: ${message}${place === undefined || message.includes(place) ? '' : ` (${place})`}`,
    hint: (PortiaError.isInstance(error) && error.hint) || 'correct it there, and start the server again',
    cause: error,
  });
}

/** The first file of nobody's package in a stack, as `file:line:column`. */
function placeIn(stack: string): string | undefined {
  for (const line of stack.split('\n')) {
    const [, named = '', at] =
      /(?:^|at |\()((?:file:|[A-Za-z]:[\\/]|\/)[^()]*?):(\d+(?::\d+)?)\)?$/.exec(line.trim()) ?? [];
    const path = named.startsWith('file:') ? fileURLToPath(named) : named;
    if (at !== undefined && isAbsolute(path) && !path.includes('node_modules')) return `${path}:${at}`;
  }
  return undefined;
}

function checked(file: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--check', file], { timeout: 5_000 }, (_, __, told) => resolve(told));
  });
}
