import { createHash, randomUUID } from 'node:crypto';
import { PlanRunUUID } from '../../core/ids.ts';
import type { Watchers } from '../watchers.ts';

/** What is used of a `Client` of `pg` that listens. */
export interface PgListener {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  on(event: 'notification', listener: (message: { payload?: string | undefined }) => void): unknown;
  on(event: 'error' | 'end', listener: () => void): unknown;
  end(): Promise<void>;
  /** Lets the process end while the connection is open. */
  unref?(): void;
}

const retryMs = { first: 200, most: 5_000 } as const;

/**
 * Hears what other processes say of runs (`NOTIFY`), over a connection of its own. It only makes things quicker: what is
 * missed while the connection is down is found by polling.
 */
export class Listener {
  /** What this process says begins with this, so that it does not hear itself. */
  readonly self: string = randomUUID().slice(0, 8);
  readonly channel: string;
  readonly #connect: () => PgListener;
  readonly #watchers: Watchers;
  #client: PgListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #closed = false;
  #wait: number = retryMs.first;

  constructor(schema: string, connect: () => PgListener, watchers: Watchers) {
    this.channel = `portia_${createHash('sha256').update(schema).digest('hex').slice(0, 32)}`;
    this.#connect = connect;
    this.#watchers = watchers;
  }

  /** Begins to listen, once. */
  start(): void {
    if (this.#started || this.#closed) return;
    this.#started = true;
    void this.#listen();
  }

  async #listen(): Promise<void> {
    this.#timer = undefined;
    if (this.#closed) return;
    const client = this.#connect();
    this.#client = client;
    let over = false;
    const again = (): void => {
      if (over) return;
      over = true;
      void client.end().catch(() => undefined);
      if (this.#closed) return;
      this.#timer = setTimeout(() => void this.#listen(), this.#wait);
      this.#timer.unref();
      this.#wait = Math.min(retryMs.most, this.#wait * 2);
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', ({ payload }) => this.#heard(payload ?? ''));
    try {
      await client.connect();
      client.unref?.();
      await client.query(`LISTEN ${this.channel}`);
      this.#wait = retryMs.first;
    } catch {
      again();
    }
  }

  #heard(payload: string): void {
    const [from, what, id = ''] = payload.split(' ');
    if (from === this.self || !PlanRunUUID.is(id)) return;
    if (what === 'command' || what === 'commit') this.#watchers.tell(id, what);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#client?.end().catch(() => undefined);
  }
}
