import type { ElicitResult } from '@modelcontextprotocol/client';
import type { ToolRunContext } from '../../core/tool.ts';
import type { Question } from './elicitation.ts';

/** A question that came while a call is in flight; the server waits for `answer`. */
export interface LiveQuestion {
  readonly question: Question;
  answer(result: ElicitResult): void;
}

/** What comes next of a call in flight. */
export type Turn<Result> =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'question'; readonly live: LiveQuestion };

/**
 * One call on its way. It outlives the execution of the step that made it: while a person is asked it is parked, and
 * whoever goes on with the step takes it up again.
 */
export class Flight<Result = unknown> {
  /** Of the execution that waits for it now; of the last one while it is parked. */
  context: ToolRunContext;
  parked = false;
  /** The questions it is parked for, by the id of a clarification. */
  asked: { readonly ids: readonly string[]; readonly live: LiveQuestion } | undefined;
  samplingCalls = 0;
  /** The connection ended because something on it was longer than is read. */
  tooLong = false;
  readonly #abort: AbortController = new AbortController();
  readonly #waiting: LiveQuestion[] = [];
  #wake: (() => void) | undefined;
  #outcome: Turn<Result> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: ToolRunContext) {
    this.context = context;
  }

  /** Aborted when the call is given up. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether the call has come to its end. */
  get ended(): boolean {
    return this.#outcome !== undefined;
  }

  /** Begins the call. */
  start(call: (flight: Flight<Result>) => Promise<Result>): void {
    call(this).then(
      (result) => this.#end({ kind: 'result', result }),
      (error: unknown) => this.#end({ kind: 'error', error }),
    );
  }

  #end(outcome: Turn<Result>): void {
    this.#outcome = outcome;
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  /** A question of the server; resolves to the answer. */
  ask(question: Question): Promise<ElicitResult> {
    return new Promise((answer) => {
      this.#waiting.push({ question, answer });
      this.#wake?.();
    });
  }

  /** Waits for what comes next. While it does, the signal of the execution cancels the call. */
  async next(): Promise<Turn<Result>> {
    clearTimeout(this.#timer);
    this.parked = false;
    this.asked = undefined;
    const { signal } = this.context;
    const cancel = (): void => this.#abort.abort(signal.reason);
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for (;;) {
        if (this.#outcome) return this.#outcome;
        const live = this.#waiting.shift();
        if (live) return { kind: 'question', live };
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /** Leaves the call waiting for a person, at most so long. */
  park(live: LiveQuestion, ids: readonly string[], waitMs: number): void {
    this.parked = true;
    this.asked = { live, ids };
    this.#timer = setTimeout(() => this.give(`nobody answered within ${waitMs} ms`), waitMs).unref();
  }

  /** Gives the call up: the server is told that it is cancelled. */
  give(reason: string): void {
    clearTimeout(this.#timer);
    this.#abort.abort(new Error(reason));
  }
}
