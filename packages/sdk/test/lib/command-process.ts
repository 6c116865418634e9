import { type ChildProcess, spawn } from 'node:child_process';

/** How a command ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in a process of its own. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until it has written something that fits, on either stream. */
  written(pattern: RegExp): Promise<void>;
}

/** Settings of this machine that would change what a command does. */
const keep = ['PATH', 'HOME', 'TMPDIR', 'LANG'];

/** Starts a command with a clean environment. Its input has ended unless `input` is left open with `'open'`. */
export function startCommand(
  command: readonly string[],
  options: {
    readonly cwd: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly input?: 'open' | undefined;
  },
): Running {
  const inherited = Object.fromEntries(
    keep.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const [file = process.execPath, ...args] = command;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...inherited, ...options.env } as NodeJS.ProcessEnv,
    stdio: [options.input === 'open' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  const looks = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
      for (const look of looks) look();
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  const written = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(text.stdout) && !pattern.test(text.stderr)) return;
        looks.delete(look);
        resolve();
      };
      looks.add(look);
      look();
      void ended.then(
        () => reject(new Error(`it ended without writing ${pattern}:\n${text.stderr}${text.stdout}`)),
        reject,
      );
    });
  return { child, ended, written };
}
