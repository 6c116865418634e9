import { setImmediate as air } from 'node:timers/promises';

/** Characters that are written at once. */
const pieceLength = 65_536;
/**
 * Milliseconds between signs of life on a connection that has nothing to say: proxies cut silent ones. Whoever has taken
 * nothing from one sign to the next, and something was there to take, is gone.
 */
const heartbeatMs = 15_000;

/** What a stream of server-sent events is made of. */
export interface EventStreamInit {
  /** The events as texts, one after another; the next is asked for when the one before was taken. Ends when `signal` does. */
  readonly events: (signal: AbortSignal) => AsyncGenerator<readonly string[], void, undefined>;
  /** Whether whoever follows may still do so; asked at every sign of life. */
  readonly holds: () => Promise<boolean>;
  /** Each of them ends the stream. */
  readonly until: readonly AbortSignal[];
  /** Called once, however the stream ends, and whether it was read or not; with what went wrong, if it did. */
  readonly ended: (error?: unknown) => void;
}

/**
 * Server-sent events as a body. It holds one event and one piece of it, at most: as long as the client takes nothing,
 * nothing further is made. Between two pieces everybody else has a turn.
 */
export function eventStream(init: EventStreamInit): ReadableStream<Uint8Array> {
  const stream = new EventStream(init);
  return new ReadableStream(
    {
      start: (controller) => stream.start(controller),
      pull: () => stream.pull(),
      cancel: () => stream.end(),
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}

const text = new TextEncoder();

class EventStream {
  readonly #init: EventStreamInit;
  readonly #leaving = new AbortController();
  readonly #leave = (): void => this.end();
  readonly #events: AsyncGenerator<readonly string[], void, undefined>;
  readonly #beat: NodeJS.Timeout;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #left: string[] = [];
  /** How much of the first of them was written. */
  #written = 0;
  #isAsked = false;
  #wasAsked = false;
  #isOver = false;

  constructor(init: EventStreamInit) {
    this.#init = init;
    this.#events = init.events(this.#leaving.signal);
    this.#beat = setInterval(() => this.#giveSign(), heartbeatMs);
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    for (const signal of this.#init.until) {
      signal.addEventListener('abort', this.#leave);
      if (signal.aborted) this.end();
    }
  }

  async pull(): Promise<void> {
    this.#isAsked = true;
    this.#wasAsked = true;
    try {
      await air();
      while (this.#left.length === 0 && !this.#isOver) {
        const { done, value } = await this.#events.next();
        if (done) this.end();
        else this.#left = [...value];
      }
      const piece = this.#nextPiece();
      if (piece !== undefined && !this.#isOver) this.#controller?.enqueue(text.encode(piece));
    } catch (error) {
      this.end(error);
    } finally {
      this.#isAsked = false;
    }
  }

  /** What is written next: a small event whole, so that none of them is cut off when a stream ends. */
  #nextPiece(): string | undefined {
    let piece = '';
    for (let [first] = this.#left; first !== undefined && piece.length < pieceLength; [first] = this.#left) {
      let end = this.#written + pieceLength - piece.length;
      // Two halves of one character stay together.
      if ((first.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1;
      piece += first.slice(this.#written, end);
      this.#written = end;
      if (end < first.length) continue;
      this.#left.shift();
      this.#written = 0;
    }
    return piece === '' ? undefined : piece;
  }

  #giveSign(): void {
    if (!this.#isAsked && !this.#wasAsked) return this.end();
    this.#wasAsked = false;
    if (this.#isAsked && this.#left.length === 0 && this.#controller?.desiredSize === 0)
      this.#controller.enqueue(text.encode(': \n\n'));
    this.#init.holds().then(
      (still) => still || this.end(),
      () => undefined,
    );
  }

  end(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#beat);
    for (const signal of this.#init.until) signal.removeEventListener('abort', this.#leave);
    this.#leaving.abort();
    this.#left = [];
    // What it waits for, it was just told of.
    this.#events.return().catch(() => undefined);
    try {
      this.#controller?.close();
    } catch {
      // It was cancelled.
    }
    this.#init.ended(error);
  }
}
