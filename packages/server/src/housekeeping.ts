import type { ControlStore } from './control/control-store.ts';
import type { ServerLog } from './server-log.ts';
import type { Tenants } from './tenants.ts';

/** How often it is looked for what is over, in milliseconds. */
const usualEveryMs = 600_000;

/** What {@link Housekeeping} works with. */
export interface HousekeepingOptions {
  readonly tenants: Tenants;
  readonly control: ControlStore;
  readonly log: ServerLog;
  /** Finished runs go this long after their last change, in milliseconds; absent: they stay. */
  readonly pruneAfterMs?: number | undefined;
  readonly everyMs?: number | undefined;
}

/** Removes what is over: kept answers, tokens that expired, and old runs where that is wanted. Several processes may do so. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #timer: NodeJS.Timeout;
  #work: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), options.everyMs ?? usualEveryMs);
    const { pruneAfterMs, log } = options;
    if (pruneAfterMs !== undefined)
      log.info({ pruneAfterHours: pruneAfterMs / 3_600_000 }, 'finished runs are removed after this time');
    this.#look();
  }

  /** Stops at the end of the batch that is at work. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await this.#work;
  }

  #look(): void {
    this.#work ??= this.#lookNow().finally(() => {
      this.#work = undefined;
    });
  }

  async #lookNow(): Promise<void> {
    const { control, log, pruneAfterMs } = this.#options;
    const { signal } = this.#closing;
    try {
      await control.forgetWhatIsOver(() => signal.aborted);
      if (pruneAfterMs === undefined) return;
      for (const organisation of await control.organisations()) await this.#prune(organisation, pruneAfterMs);
    } catch (err) {
      log.warn({ err }, 'what is over could not be removed; it is tried again');
    }
  }

  async #prune(organisation: string, olderThanMs: number): Promise<void> {
    const { tenants, log } = this.#options;
    const { signal } = this.#closing;
    if (signal.aborted) return;
    try {
      const { portia } = await tenants.get(organisation);
      const { runs } = await portia.storage.prune({ olderThanMs, signal });
      if (runs > 0) log.info({ organisation, runs }, 'finished runs were removed');
    } catch (err) {
      log.warn({ organisation, err }, 'finished runs could not be removed; it is tried again');
    }
  }
}
