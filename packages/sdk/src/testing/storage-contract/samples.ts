import { defaultEndUserId } from '../../core/end-user.ts';
import { PortiaError } from '../../core/errors.ts';
import { type Commit, type RunEventBody, toCommit } from '../../core/event.ts';
import { ClarificationUUID, PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { RunHeader } from '../../core/run-state.ts';
import type {
  Claim,
  Command,
  DriverRecord,
  PlanRecord,
  RunStatus,
  StorageBackend,
} from '../../storage/storage-backend.ts';

/** When everything in the samples happens. Epoch milliseconds. */
export const now = 1_767_225_600_000;
/** How long a sample driver is believed to be alive. */
export const ttlMs = 30_000;

/** A plan of three steps. */
export function samplePlan(init: Partial<PlanRecord> = {}): PlanRecord {
  const id = init.id ?? PlanUUID.random();
  const query = init.query ?? 'Which stock price grew faster in 2024, Amazon or Google?';
  return {
    id,
    hash: 'first',
    query,
    document: {
      id,
      plan_context: { query, tool_ids: ['search_tool'] },
      steps: [0, 1, 2].map((step) => ({
        task: `Find price ${step}`,
        inputs: [],
        tool_id: 'search_tool',
        output: `$price_${step}`,
        condition: null,
      })),
      plan_inputs: [],
    },
    createdAt: now,
    ...init,
  };
}

/** A header of a run. */
export function sampleHeader(planId: PlanUUID, init: Partial<RunHeader> = {}): RunHeader {
  return { id: PlanRunUUID.random(), planId, endUserId: defaultEndUserId, createdAt: now, inputs: {}, ...init };
}

/** A claim of a driver of whom nothing is known but its heartbeat. */
export function sampleClaim(init: Partial<Claim> = {}): Claim {
  return { owner: 'host/1/a', now, ttlMs, isAlive: () => undefined, ...init };
}

/** A run that is stored, claimed by a driver. */
export async function storedRun(
  storage: StorageBackend,
  init: Partial<RunHeader> = {},
): Promise<{ readonly header: RunHeader; readonly id: PlanRunUUID; readonly driver: DriverRecord }> {
  const plan = samplePlan(init.planId ? { id: init.planId } : {});
  if (!init.planId) await storage.savePlan(plan);
  const { header, driver } = await storage.createRun(sampleHeader(plan.id, init), sampleClaim());
  if (!driver) throw new Error('createRun with a claim gave no driver');
  return { header, id: header.id, driver };
}

const startEvent: RunEventBody = { type: 'run-start', epoch: 1, host: 'host', version: '0.1.0' };

/** A first commit: one event, number 1. */
export const firstCommit: Commit = toCommit(1, now, [startEvent]);

/** The commit of a finished step; its events begin at `seq`. */
export function stepCommit(seq: number, step: number = seq, value: string = `output-${step}`): Commit {
  return toCommit(seq, now + seq, [{ type: 'step-end', step, output: { value } }]);
}

/** The status of a run that works. */
export const working: RunStatus = { state: 'IN_PROGRESS', updatedAt: now + 1 };

/** An answer to a question. */
export function sampleAnswer(init: Partial<Extract<Command, { type: 'answer' }>> = {}): Command {
  return {
    type: 'answer',
    key: ClarificationUUID.random(),
    at: now,
    response: 'yes',
    resolvedBy: null,
    as: null,
    via: 'library',
    ...init,
  };
}

/** The code of the PortiaError that this throws or rejects with; otherwise what it gave or threw. */
export async function codeOf(attempt: () => unknown): Promise<unknown> {
  try {
    return await attempt();
  } catch (thrown) {
    return PortiaError.isInstance(thrown) ? thrown.code : thrown;
  }
}

/** Changes whatever can be changed in a value, to see whether somebody else notices. */
export function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    spoil((value as Record<string, unknown>)[key]);
    Reflect.set(value, key, 'spoiled');
  }
  Reflect.set(value, 'spoiled', true);
}

/** A copy to compare with later. */
export function copyOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
