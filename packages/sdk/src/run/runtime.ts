import type { Clock } from '../core/clock.ts';
import type { EndUser } from '../core/end-user.ts';
import type { Plan } from '../core/plan.ts';
import type { Schema } from '../core/schema.ts';
import type { Config } from '../config/config.ts';
import type { ModelSet } from '../model/models.ts';
import type { PriceBook } from '../model/prices.ts';
import type { Logger } from '../observe/logger.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import type { ToolRegistry } from '../tool/registry.ts';
import type { ClientBudget } from './budget.ts';
import type { Driver } from './driver.ts';
import type { DriverPool } from './driver-pool.ts';
import type { EventBus } from './event-bus.ts';
import type { HookTurns } from './hook-turns.ts';
import type { ExecutionHooks } from './hooks.ts';
import type { Prepared } from './prepared.ts';
import type { Gate, ToolLimits } from './limits.ts';

/** What the engine works with: the doors, opened. */
export interface Runtime {
  readonly config: Config;
  readonly storage: StorageBackend;
  readonly models: ModelSet;
  readonly prices: PriceBook;
  /** What this client may spend; absent: as much as its runs may. */
  readonly clientBudget: ClientBudget | undefined;
  readonly tools: ToolRegistry;
  readonly hooks: ExecutionHooks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bus: EventBus;
  readonly drivers: DriverPool;
  readonly toolLimits: ToolLimits;
  /** Limits the steps at work in all runs of the client, where the config does. */
  readonly stepGate: Gate | undefined;
  /** Name of this machine, as it stands in the record. */
  readonly host: string;
}

/** One run while it is driven. */
export interface DrivenRun {
  readonly runtime: Runtime;
  readonly driver: Driver;
  readonly plan: Plan;
  readonly prepared: Prepared;
  /** What the final output must fit. */
  readonly outputSchema: Schema | undefined;
  endUser: EndUser;
  /** Whose turn it is to ask the hooks before steps and calls. */
  readonly turns: HookTurns;
  /** The hook after steps, at work. */
  telling?: Promise<void> | undefined;
}
