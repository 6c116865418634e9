import type { RunEvent, RunNotice } from '../../core/event.ts';
import type { Progress } from './progress.ts';
import { cutStyled } from './text.ts';

/** Where a view is written: a terminal, or anything that takes text. */
export interface Paper {
  write(text: string): void;
  /** Whether what was written can be written over. */
  readonly isLive: boolean;
  /** Columns. */
  readonly width: number;
}

/** Milliseconds between frames. */
const frameMs = 80;

/**
 * Shows progress: on a terminal with the steps in flight below what is done, else line by line. Between
 * {@link pause} and {@link resume} nothing is written, so that a question can stand there.
 */
export class LiveView {
  readonly #paper: Paper;
  readonly #progress: Progress;
  #shown = 0;
  #held: string[] | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(paper: Paper, progress: Progress) {
    this.#paper = paper;
    this.#progress = progress;
    if (paper.isLive) this.#timer = setInterval(() => this.#repaint(), frameMs).unref();
  }

  /** Shows what an event says. */
  take(signal: RunEvent | RunNotice): void {
    const lines = this.#progress.take(signal).filter(({ plainOnly }) => !(plainOnly && this.#paper.isLive));
    this.print(...lines.map(({ text }) => text));
  }

  /** Writes lines that stay. */
  print(...lines: readonly string[]): void {
    if (this.#held) this.#held.push(...lines);
    else if (this.#paper.isLive) this.#paint(lines);
    else if (lines.length > 0) this.#paper.write(`${lines.join('\n')}\n`);
  }

  pause(): void {
    if (this.#held) return;
    this.#erase();
    this.#held = [];
  }

  resume(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held) this.print(...held);
  }

  /** Takes away what is only of the moment. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.resume();
    this.#erase();
  }

  #repaint(): void {
    if (!this.#held) this.#paint([]);
  }

  #paint(lines: readonly string[]): void {
    const live = this.#timer ? this.#progress.live(Date.now()) : [];
    if (lines.length === 0 && live.length === 0 && this.#shown === 0) return;
    const width = Math.max(20, this.#paper.width - 1);
    const stay = lines.map((line) => `${cutStyled(line, width)}\n`);
    const moment = live.map((line) => `${cutStyled(line, width)}\n`);
    this.#paper.write(this.#eraser() + stay.join('') + moment.join(''));
    this.#shown = moment.length;
  }

  #erase(): void {
    if (this.#shown > 0) this.#paper.write(this.#eraser());
    this.#shown = 0;
  }

  #eraser(): string {
    return this.#shown > 0 ? `\r\u001b[${this.#shown}A\u001b[0J` : '';
  }
}
