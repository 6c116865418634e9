import { createInterface, type Interface } from 'node:readline/promises';
import type {
  ActionClarification,
  Clarification,
  CustomClarification,
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
  ValueConfirmationClarification,
} from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import { type JsonValue, sameJson } from '../core/json.ts';
import type { ClarificationHandler, OnError, OnResolution } from './clarification-handler.ts';
import { plainLine, plainText } from './plain-text.ts';

/** What is used of a readable stream of Node. */
interface TerminalInput {
  on(event: string, listener: (...args: never[]) => void): unknown;
  removeListener(event: string, listener: (...args: never[]) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/** What is used of a writable stream of Node. */
interface TerminalOutput {
  write(text: string): unknown;
}

/** Where {@link TerminalClarificationHandler} reads and writes; told without the types of Node, which not everybody has. */
export interface TerminalStreams {
  /** A readable stream of Node; `process.stdin` unless given. */
  readonly input?: TerminalInput | undefined;
  /** A writable stream of Node, or whatever takes text; `process.stderr` unless given: stdout is for results. */
  readonly output?: TerminalOutput | undefined;
}

/** Reads one line: an answer, or what to say before asking again. */
type Reader<T> = (line: string) => { readonly value: T } | { readonly again: string };

/**
 * Asks in a terminal, one question at a time. An answer that does not fit is asked for again. When the input ends, or
 * ctrl-C is pressed, the question stays open and the run can be resumed later. `close` lets go of the input.
 */
export class TerminalClarificationHandler implements ClarificationHandler {
  readonly #streams: TerminalStreams;
  readonly #lines: string[] = [];
  #terminal: Interface | undefined;
  #ended = false;
  #wake: (() => void) | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(streams: TerminalStreams = {}) {
    this.#streams = streams;
  }

  /** Shows the link; waits for a yes only where one is required, else the run waits until the tool is ready. */
  handleAction(clarification: ActionClarification, onResolution: OnResolution, onError: OnError): Promise<void> {
    const link = `Please follow this link to go on: ${plainLine(clarification.actionUrl)}`;
    if (!clarification.requireConfirmation) return this.#inTurn(async () => this.#say(clarification, link));
    return this.#inTurn(async () => {
      this.#say(clarification, link);
      await this.#confirm(clarification, 'Done?', onResolution, onError);
    });
  }

  handleInput(clarification: InputClarification, onResolution: OnResolution): Promise<void> {
    return this.#inTurn(async () => {
      this.#say(clarification);
      await this.#ask('Please enter a value', notEmpty, (value) => onResolution(clarification, value));
    });
  }

  /** Options are numbered, unless they are such numbers themselves; an option can be typed out too. */
  handleMultipleChoice(clarification: MultipleChoiceClarification, onResolution: OnResolution): Promise<void> {
    return this.#inTurn(async () => {
      const { options } = clarification;
      const numbered = !options.some((option) => isPosition(labelOf(option), options.length));
      this.#say(
        clarification,
        ...options.map((option, index) => `  ${numbered ? `${index + 1})` : '-'} ${plainLine(labelOf(option))}`),
      );
      await this.#ask('Please choose a value', choice(options, numbered), (value) =>
        onResolution(clarification, value),
      );
    });
  }

  handleValueConfirmation(
    clarification: ValueConfirmationClarification,
    onResolution: OnResolution,
    onError: OnError,
  ): Promise<void> {
    return this.#inTurn(async () => {
      this.#say(clarification);
      await this.#confirm(clarification, 'Is this right?', onResolution, onError);
    });
  }

  handleUserVerification(clarification: UserVerificationClarification, onResolution: OnResolution): Promise<void> {
    return this.#inTurn(async () => {
      this.#say(clarification);
      await this.#ask('Yes or no? [y/N]', yesOrNo, (value) => onResolution(clarification, value));
    });
  }

  handleCustom(clarification: CustomClarification, onResolution: OnResolution): Promise<void> {
    return this.#inTurn(async () => {
      this.#say(clarification, `Additional data: ${plainText(JSON.stringify(clarification.data))}`);
      await this.#ask('Please enter a value', notEmpty, (value) => onResolution(clarification, value));
    });
  }

  /** Stops reading; open questions stay open. */
  close(): void {
    this.#terminal?.close();
  }

  async #confirm(
    clarification: Clarification,
    question: string,
    onResolution: OnResolution,
    onError: OnError,
  ): Promise<void> {
    await this.#ask(`${question} [y/N]`, yesOrNo, (yes) =>
      yes ? onResolution(clarification, true) : onError(clarification, rejected(clarification)),
    );
  }

  /** Questions of parallel steps are asked one after the other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #write(text: string): void {
    (this.#streams.output ?? process.stderr).write(text);
  }

  #say(clarification: Clarification, ...lines: readonly string[]): void {
    this.#write(`\n${[plainText(clarification.userGuidance), ...lines].join('\n')}\n`);
  }

  /** Asks until an answer fits and is taken, or the input ends. */
  async #ask<T>(question: string, read: Reader<T>, answer: (value: T) => void | Promise<void>): Promise<void> {
    for (;;) {
      const line = await this.#line(`${question}: `);
      if (line === undefined) return;
      const given = read(line.trim());
      if ('again' in given) {
        this.#write(`${given.again}\n`);
        continue;
      }
      try {
        await answer(given.value);
        return;
      } catch (error) {
        if (!PortiaError.isInstance(error) || !reported.has(error.code)) throw error;
        this.#write(`${plainText(error.message)}${error.hint ? ` (${plainText(error.hint)})` : ''}\n`);
        if (error.code !== 'CLARIFICATION_RESPONSE_INVALID') return;
      }
    }
  }

  /** The next line, also one typed ahead; `undefined` when there are no more. */
  async #line(prompt: string): Promise<string | undefined> {
    const terminal = this.#open();
    terminal.setPrompt(prompt);
    if (this.#lines.length > 0 || this.#ended) this.#write(prompt);
    else terminal.prompt();
    while (this.#lines.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    // A paused input does not keep the process alive while nothing is asked.
    if (!this.#ended) terminal.pause();
    return this.#lines.shift();
  }

  #open(): Interface {
    if (this.#terminal) return this.#terminal;
    // readline asks for whole streams; without a terminal it uses no more of them than is declared here.
    const input = (this.#streams.input ?? process.stdin) as NodeJS.ReadableStream;
    const output = (this.#streams.output ?? process.stderr) as NodeJS.WritableStream;
    const isTerminal = (stream: object): boolean => 'isTTY' in stream && stream.isTTY === true;
    const terminal = createInterface({
      input,
      output,
      terminal: isTerminal(input) && isTerminal(output),
      historySize: 0,
    });
    terminal.on('line', (line) => {
      this.#lines.push(line);
      this.#wake?.();
    });
    terminal.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
    // In raw mode ctrl-C is only a key: pass it on as what people expect it to be.
    terminal.on('SIGINT', () => {
      terminal.close();
      process.kill(process.pid, 'SIGINT');
    });
    this.#terminal = terminal;
    return terminal;
  }
}

/** Errors that concern the answer, not the program: shown to the person, who may try again after the first of them. */
const reported: ReadonlySet<string> = new Set([
  'CLARIFICATION_RESPONSE_INVALID',
  'CLARIFICATION_ALREADY_RESOLVED',
  'CLARIFICATION_EXPIRED',
  'CLARIFICATION_FORBIDDEN',
]);

function rejected({ planRunId }: Clarification): PortiaError {
  return new PortiaError({
    code: 'CLARIFICATION_FAILED',
    message: 'Clarification was rejected by the user',
    planRunId: planRunId ?? undefined,
  });
}

const notEmpty: Reader<string> = (line) =>
  line === '' ? { again: 'An empty answer does not answer the question.' } : { value: line };

const yesOrNo: Reader<boolean> = (line) => {
  const word = line.toLowerCase();
  if (word === 'y' || word === 'yes') return { value: true };
  if (word === '' || word === 'n' || word === 'no') return { value: false };
  return { again: 'Please answer y or n.' };
};

function isPosition(text: string, count: number): boolean {
  return /^[1-9]\d*$/.test(text) && Number(text) <= count;
}

/** Texts as they are, all else as JSON. */
function labelOf(option: JsonValue): string {
  return typeof option === 'string' && option !== '' ? option : JSON.stringify(option);
}

/** An option typed out, as text or as JSON, or its number. */
function choice(options: readonly JsonValue[], numbered: boolean): Reader<JsonValue> {
  return (line) => {
    const typed = options.find((option) => labelOf(option) === line) ?? fromJson(line, options);
    if (typed !== undefined) return { value: typed };
    const chosen = numbered && isPosition(line, options.length) ? options[Number(line) - 1] : undefined;
    if (chosen !== undefined) return { value: chosen };
    return {
      again: numbered
        ? `Please answer with a number from 1 to ${options.length}, or with the value itself.`
        : 'Please answer with one of the values.',
    };
  };
}

function fromJson(line: string, options: readonly JsonValue[]): JsonValue | undefined {
  try {
    const value = JSON.parse(line) as JsonValue;
    return options.find((option) => sameJson(option, value));
  } catch {
    return undefined;
  }
}
