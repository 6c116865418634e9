import { createInterface } from 'node:readline/promises';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type ClarificationHandler,
  handleClarification,
  type OnError,
  type OnResolution,
} from '../clarify/clarification-handler.ts';
import { TerminalClarificationHandler } from '../clarify/terminal-handler.ts';
import type { Clarification } from '../core/clarification.ts';
import type { LiveView } from './view/live-view.ts';

/** A person at this terminal, who is asked while nothing else is written there. */
export class TerminalPerson {
  readonly #terminal = new TerminalClarificationHandler();
  /** Set while something is shown that has to make room for questions. */
  view: LiveView | undefined;
  readonly #onSilence: () => void;

  /** `onSilence`: a question was left open because the input has ended. */
  constructor(onSilence: () => void) {
    this.#onSilence = onSilence;
  }

  /** Asks one question, and gives whether it was answered, or given up. */
  async ask(clarification: Clarification, onResolution: OnResolution, onError: OnError): Promise<boolean> {
    // What has happened up to now is shown first.
    await turn();
    await turn();
    this.view?.pause();
    let answered = false;
    try {
      await handleClarification(
        this.#terminal,
        clarification,
        async (asked, response) => {
          await onResolution(asked, response);
          answered = true;
        },
        async (asked, error) => {
          answered = true;
          await onError(asked, error);
        },
      );
    } finally {
      this.view?.resume();
    }
    const asksNothing = clarification.category === 'Action' && !clarification.requireConfirmation;
    if (!answered && !asksNothing) this.#onSilence();
    return answered;
  }

  /** The same, as the engine calls it. */
  get handler(): ClarificationHandler {
    const ask = async (clarification: Clarification, onResolution: OnResolution, onError: OnError): Promise<void> => {
      await this.ask(clarification, onResolution, onError);
    };
    return {
      handleAction: ask,
      handleInput: ask,
      handleMultipleChoice: ask,
      handleValueConfirmation: ask,
      handleUserVerification: ask,
      handleCustom: ask,
    };
  }

  close(): void {
    this.#terminal.close();
  }
}

/** Asks for a yes; everything else, the end of the input included, is a no. */
export async function askYes(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const over = new AbortController();
  terminal.on('close', () => over.abort());
  // In raw mode ctrl-C is only a key: pass it on as what people expect it to be.
  terminal.on('SIGINT', () => {
    terminal.close();
    process.kill(process.pid, 'SIGINT');
  });
  try {
    const answer = await terminal.question(question, { signal: over.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    process.stderr.write('\n');
    return false;
  } finally {
    terminal.close();
  }
}
