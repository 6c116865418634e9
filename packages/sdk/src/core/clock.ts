import type { ClarificationUUID, PlanRunUUID, PlanUUID } from './ids.ts';

/** The door to time. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The door to chance: fresh ids. */
export interface Ids {
  plan(): PlanUUID;
  planRun(): PlanRunUUID;
  clarification(): ClarificationUUID;
}
