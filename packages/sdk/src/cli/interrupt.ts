import { exitCodes } from './exit-codes.ts';

/**
 * Ctrl-C while a run is driven: the first stops driving, so that the run can be resumed; the second ends the process
 * at once.
 */
export class Interrupt {
  readonly #controller = new AbortController();
  /** What stopped it; absent while nothing did. */
  by: 'SIGINT' | 'SIGTERM' | undefined;
  readonly #listeners = { SIGINT: () => this.#take('SIGINT'), SIGTERM: () => this.#take('SIGTERM') };
  #armed = false;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when it is stopped. */
  happened(): Promise<void> {
    const { signal } = this;
    return new Promise((resolve) => {
      // A pending promise keeps no process alive, and neither does a listener for signals.
      const alive = setInterval(() => {}, 1 << 30);
      const done = (): void => {
        clearInterval(alive);
        resolve();
      };
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Takes over the signals of this process. Without it they end the process, as ever. */
  arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    for (const [name, listener] of Object.entries(this.#listeners)) process.on(name, listener);
  }

  /** Gives the signals back. */
  disarm(): void {
    this.#armed = false;
    for (const [name, listener] of Object.entries(this.#listeners)) process.off(name, listener);
  }

  #take(name: 'SIGINT' | 'SIGTERM'): void {
    if (this.by) process.exit(name === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated);
    this.by = name;
    this.#controller.abort(new Error(`stopped by ${name}`));
  }

  /** Stops driving without a signal: there is nobody left who could answer. */
  stop(): void {
    this.#controller.abort(new Error('stopped'));
  }
}
