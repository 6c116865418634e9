import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ToldError } from '../output.ts';

/** What a worker says to the process that started it. */
export type WorkerMessage =
  /** It is inside a call of the file writer. */
  | { readonly type: 'inside'; readonly callId: string }
  /** Its run waits for a person; it goes on when it is told to. */
  | { readonly type: 'waiting' }
  | { readonly type: 'ended' }
  | { readonly type: 'failed'; readonly error: ToldError }
  /** The process is gone. */
  | { readonly type: 'gone'; readonly how: string };

/** The command of this very package, wherever its code was put by the build. */
const main = join(createRequire(import.meta.url).resolve('portia-ts/package.json'), '../dist/cli/main.js');

/** A process that drives the run of the demo. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #said: WorkerMessage[] = [];
  readonly #gone: Promise<void>;
  #wake: (() => void) | undefined;

  constructor(args: readonly string[]) {
    this.#child = fork(main, ['demo-worker', ...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => this.#put(message as WorkerMessage));
    this.#gone = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#put({ type: 'gone', how });
        resolve();
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  #put(message: WorkerMessage): void {
    this.#said.push(message);
    this.#wake?.();
  }

  /** What it says next. After `gone` there is nothing more. */
  async next(): Promise<WorkerMessage> {
    for (;;) {
      const said = this.#said.shift();
      if (said) return said;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Tells a worker whose run waits that it can go on. */
  goOn(): void {
    this.#child.send({ type: 'go-on' });
  }

  /** Ends the process as `kill -9` does: nothing of it runs any more. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  /** Asks it to stop driving, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#gone;
  }
}
