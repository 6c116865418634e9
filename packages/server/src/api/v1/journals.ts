import { setImmediate as air } from 'node:timers/promises';
import type { PlanRunUUID, RunEvent } from 'portia-ts';
import type { Tenant } from '../../tenants.ts';

/** Events of a run that were stored when somebody came to follow it. */
export class Past {
  /** In order, and none that was seen already. */
  events: readonly RunEvent[];
  /** The number of the last one, or of the last that was seen already. */
  readonly last: number;
  #release: (() => void) | undefined;

  constructor(events: readonly RunEvent[], last: number, release: () => void) {
    this.events = events;
    this.last = last;
    this.#release = release;
  }

  /** They are no longer needed; said twice, it counts once. */
  release(): void {
    this.events = [];
    this.#release?.();
    this.#release = undefined;
  }
}

interface Journal {
  readonly after: number;
  readonly events: Promise<readonly RunEvent[]>;
  readers: number;
}

/**
 * The journals of runs that are being caught up on. However many do so at once, a journal is read and held once; and of
 * two journals one is read after the other, with a turn for everybody else in between.
 */
export class Journals {
  readonly #open = new Map<string, Journal>();
  #turn: Promise<unknown> = Promise.resolve();

  /** What is stored after the event `after`; to be released. @throws PortiaError what reading it throws. */
  async past(tenant: Tenant, id: PlanRunUUID, after: number): Promise<Past> {
    const name = `${tenant.organisation}/${id}`;
    let journal = this.#open.get(name);
    if (journal === undefined || journal.after > after) {
      journal = { after, events: this.#read(tenant, id, after), readers: 0 };
      this.#open.set(name, journal);
    }
    const release = this.#hold(name, journal);
    try {
      const all = await journal.events;
      // What came since it was read is asked for by whoever follows on.
      const events = all.filter(({ seq }) => seq > after);
      return new Past(events, events.at(-1)?.seq ?? after, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #hold(name: string, journal: Journal): () => void {
    journal.readers += 1;
    return () => {
      journal.readers -= 1;
      if (journal.readers === 0 && this.#open.get(name) === journal) this.#open.delete(name);
    };
  }

  #read({ portia }: Tenant, id: PlanRunUUID, after: number): Promise<readonly RunEvent[]> {
    const read = this.#turn.then(() => air()).then(() => portia.storage.getEvents(id, after));
    this.#turn = read.catch(() => undefined);
    return read;
  }
}
