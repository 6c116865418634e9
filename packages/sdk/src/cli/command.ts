import type { Input, OptionSpecs } from './input.ts';
import type { Interrupt } from './interrupt.ts';
import type { Paper } from './view/live-view.ts';
import type { Paint } from './view/paint.ts';

/** A stream that is written to, and what it can show. */
export interface Sheet extends Paper {
  readonly paint: Paint;
}

/** Where a command writes: results to `out`, all that is for people to `err`. */
export interface Io {
  readonly out: Sheet;
  readonly err: Sheet;
  /** Whether a person is at the other end, who sees questions and can answer them. */
  readonly canAsk: boolean;
}

/** What a command is run with. */
export interface Context {
  readonly input: Input;
  readonly io: Io;
  readonly interrupt: Interrupt;
  /** Whether results and errors are JSON. */
  readonly json: boolean;
  /** Whether it works on what a store holds: one that is named then has to be there. */
  readonly reads: boolean;
}

/** One command. */
export interface Command {
  /** As it is typed: `runs list`. */
  readonly name: string;
  /** What follows it, for the help: `RUN_ID`. */
  readonly args?: string;
  readonly summary: string;
  /** Lines below the summary in the command's own help. */
  readonly details?: readonly string[];
  /** How many words may follow it. */
  readonly words: readonly [least: number, most: number];
  readonly options: OptionSpecs;
  /** It works on what a store holds, and makes none where one is named that is not there. */
  readonly reads?: true;
  /** Not in the help: for this package itself. */
  readonly hidden?: true;
  /** Does it, and gives the exit code. */
  run(context: Context): Promise<number>;
}
