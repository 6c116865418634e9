import type { PlanRunUUID } from '../core/ids.ts';
import type { Logger } from '../observe/logger.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import type { Driver } from './driver.ts';

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
    if (this.#timer) return;
    this.#beat = this.#polled = Date.now();
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#unwatch ??= this.#storage.watch((id, what) => {
      if (what === 'command' && this.#drivers.has(id)) void this.poll();
    });
  }

  remove(driver: Driver): void {
    this.#drivers.delete(driver.id);
    if (this.#drivers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Stops all drivers and forgets the storage. */
  close(): void {
    for (const driver of this.#drivers.values()) driver.stop();
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
    if (this.#storage.shared && now - this.#polled >= pollMs) void this.poll();
  }

  /** Fetches the commands given since the last time and hands them to their drivers. */
  async poll(): Promise<void> {
    if (this.#polling) await this.#polling;
    this.#polled = Date.now();
    this.#polling = this.#quietly(undefined, async () => {
      const { commands, mark } = await this.#storage.pollCommands([...this.#drivers.keys()], this.#mark);
      this.#mark = mark;
      for (const { id, command } of commands) this.#drivers.get(id)?.deliver(command);
    });
    await this.#polling;
    this.#polling = undefined;
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
