// The command line in this process, with what it says.
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Sheet } from '../../src/cli/command.ts';
import { plainPaint } from '../../src/cli/view/paint.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command that nobody can be asked by. */
export async function cli(...args: string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const sheet = (name: 'out' | 'err'): Sheet => ({
    isLive: false,
    width: 120,
    paint: plainPaint,
    write(text) {
      said[name] += text;
    },
  });
  const code = await runCommandLine(args, { out: sheet('out'), err: sheet('err'), canAsk: false });
  return { code, ...said };
}
