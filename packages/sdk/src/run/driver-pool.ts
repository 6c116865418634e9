import type { PlanRunUUID } from '../core/ids.ts';
import type { Logger } from '../observe/logger.ts';
import type { Command, StorageBackend } from '../storage/storage-backend.ts';
import type { Driver } from './driver.ts';
import { graceMs } from './guard.ts';

/** Milliseconds until a driver on another host counts as dead without a heartbeat. */
export const driverTtlMs = 30_000;
const tickMs = 100;
const heartbeatMs = driverTtlMs / 3;
const pollMs = 300;

/**
 * The drivers at work on one storage. One timer for all of them writes what has waited too long, keeps their
 * heartbeats, and fetches what was said from outside.
 */
export class DriverPool {
  readonly #storage: StorageBackend;
  readonly #logger: Logger;
  readonly #drivers = new Map<PlanRunUUID, Driver>();
  #timer: NodeJS.Timeout | undefined;
  #unwatch: (() => void) | undefined;
  #mark: string | undefined;
  #whenEmpty: (() => void) | undefined;
  /** Whose commands are still to be fetched from the first one on: some may have come while the run was being loaded. */
  readonly #fresh = new Set<PlanRunUUID>();
  #beat = 0;
  #polled = 0;
  #polling: Promise<void> | undefined;

  constructor(storage: StorageBackend, logger: Logger) {
    this.#storage = storage;
    this.#logger = logger;
  }

  get size(): number {
    return this.#drivers.size;
  }

  get(id: PlanRunUUID): Driver | undefined {
    return this.#drivers.get(id);
  }

  add(driver: Driver): void {
    this.#drivers.set(driver.id, driver);
    this.#fresh.add(driver.id);
    if (this.#timer) return;
    this.#beat = this.#polled = Date.now();
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#unwatch ??= this.#storage.watch((id, what) => {
      if (what === 'command' && this.#drivers.has(id)) void this.poll();
    });
  }

  remove(driver: Driver): void {
    // A driver that lost its run may go after another one of this process has taken it.
    if (this.#drivers.get(driver.id) !== driver) return;
    this.#drivers.delete(driver.id);
    this.#fresh.delete(driver.id);
    if (this.#drivers.size > 0) return;
    this.#rest();
    this.#whenEmpty?.();
  }

  /** Stops all drivers, and waits a moment for what their calls in flight still have to put on record. */
  async close(): Promise<void> {
    for (const driver of this.#drivers.values()) driver.stop();
    if (this.#drivers.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 2 * graceMs);
        this.#whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#rest();
  }

  /** Without drivers there is nothing to tend: no timer, and no ear in the storage. */
  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #tick(): void {
    const now = Date.now();
    for (const driver of this.#drivers.values()) {
      if (driver.dirty && now - driver.pendingSince >= tickMs) void this.#quietly(driver, async () => driver.commit());
    }
    if (now - this.#beat >= heartbeatMs) {
      this.#beat = now;
      const drivers = [...this.#drivers.values()].map(({ id, record }) => ({ id, epoch: record.epoch }));
      void this.#quietly(undefined, async () => this.#storage.heartbeat(drivers, now + driverTtlMs));
    }
    if ((this.#storage.shared || this.#fresh.size > 0) && now - this.#polled >= pollMs) void this.poll();
  }

  /** Fetches the commands given since the last time and hands them to their drivers. */
  async poll(): Promise<void> {
    if (this.#polling) await this.#polling;
    this.#polled = Date.now();
    this.#polling = this.#quietly(undefined, async () => {
      const fresh = [...this.#fresh];
      if (fresh.length > 0 && this.#mark !== undefined)
        this.#deliver(await this.#storage.pollCommands(fresh, undefined));
      for (const id of fresh) this.#fresh.delete(id);
      const { commands, mark } = await this.#storage.pollCommands([...this.#drivers.keys()], this.#mark);
      this.#mark = mark;
      this.#deliver({ commands });
    });
    await this.#polling;
    this.#polling = undefined;
  }

  #deliver({
    commands,
  }: {
    readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[];
  }): void {
    for (const { id, command } of commands) this.#drivers.get(id)?.deliver(command);
  }

  /** Whoever needs the outcome meets the same failure at the next commit. */
  async #quietly(driver: Driver | undefined, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#logger.warn('storage did not take a write in the background; it is tried again', {
        ...(driver && { planRunId: driver.id }),
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
