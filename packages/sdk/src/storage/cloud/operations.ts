import { z } from 'zod';
import { EndUser, endUserFields } from '../../core/end-user.ts';
import { type Commit, fromCommit } from '../../core/event.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { LocalDataValue } from '../../core/output.ts';
import { PlanRunState, type RunHeader } from '../../core/run-state.ts';
import type { NamedOutput } from '../house.ts';
import type {
  Claim,
  Command,
  DriverRecord,
  PlanRecord,
  RunQuery,
  RunStatus,
  StorageBackend,
  StoredRun,
} from '../storage-backend.ts';
import type { ClarificationQuery } from '../open-clarifications.ts';

/**
 * The operations of a store over HTTP, `POST <base>/<operation>`: what each takes, and what it does. Everything that
 * comes in is checked for its form here, so that a store never sees what it could choke on.
 */

const most = 2_147_483_647;
const text = z.string();
const time = z.int();
const small = z.int().min(0).max(most);
const planId = z.custom<PlanUUID>((value) => PlanUUID.is(String(value)), 'is not the id of a plan');
const runId = z.custom<PlanRunUUID>((value) => PlanRunUUID.is(String(value)), 'is not the id of a run');
const object = z.record(text, z.unknown());
/** A value came as JSON and is none but JSON; it is not looked at. */
const value = z.custom<unknown>((given) => given !== undefined, 'is missing');
const output = z.object({ value, summary: text.nullish() }) as unknown as z.ZodType<LocalDataValue>;
const error = z.looseObject({ code: text, message: text });
const cursor = text.optional();
const limit = z.number().optional();

const plan = z.object({
  id: planId,
  hash: text,
  query: text,
  document: object,
  beside: object.optional(),
  createdAt: time,
}) as unknown as z.ZodType<PlanRecord>;
const header = z.looseObject({
  id: runId,
  planId,
  endUserId: text,
  createdAt: time,
  inputs: z.record(text, output),
  startAt: time.optional(),
  runKey: text.optional(),
  labels: z.record(text, text).optional(),
  outputSchema: object.optional(),
}) as unknown as z.ZodType<RunHeader>;
const status = z.object({
  state: z.enum(PlanRunState),
  updatedAt: time,
  wakeAt: time.optional(),
  error: error.optional(),
  planId: planId.optional(),
  asks: z.array(z.object({ id: text, audience: text, raisedAt: time })).optional(),
}) as unknown as z.ZodType<RunStatus>;
const commit: z.ZodType<Commit> = z.object({ seq: small.min(1), at: time, events: text }).transform((given) => {
  fromCommit(given);
  return given;
});
const command = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('answer'),
    key: text,
    at: time,
    response: value,
    resolvedBy: text.nullable(),
    as: text.nullable(),
    via: text,
  }),
  z.object({ type: z.literal('cancel'), key: text, at: time, by: text.nullable(), reason: text.nullable() }),
  z.object({ type: z.literal('receipt'), key: text, at: time, outcome: object }),
]) as unknown as z.ZodType<Command>;
const driver: z.ZodType<DriverRecord> = z.object({ owner: text, epoch: small, expiresAt: time });
const outputs: z.ZodType<readonly NamedOutput[]> = z.array(z.object({ name: text, output }));
const run = z.object({
  header,
  status,
  epoch: small.optional(),
  commits: z.array(commit),
  commands: z.array(command),
}) as unknown as z.ZodType<Omit<StoredRun, 'driver'>>;
const query = z.object({
  states: z.array(z.enum(PlanRunState)).optional(),
  planId: text.optional(),
  endUserId: text.optional(),
  labels: z.record(text, text).optional(),
  codes: z.array(text).optional(),
  readyAt: time.optional(),
  drivenFrom: text.optional(),
  updatedBefore: time.optional(),
  order: z.enum(['newest', 'oldest']).optional(),
  limit,
  cursor,
  skip: z.number().optional(),
}) as unknown as z.ZodType<RunQuery>;
const clarificationQuery = z.object({
  audiences: z.array(text).optional(),
  endUserId: text.optional(),
  labels: z.record(text, text).optional(),
  raisedBefore: time.optional(),
  limit,
  cursor,
}) as unknown as z.ZodType<ClarificationQuery>;
/** A claim without its function: the caller has looked at some drivers, and says which of them are alive. */
const claim = z.object({
  owner: text,
  now: time,
  ttlMs: z.int().min(0).max(most),
  verdicts: z.array(z.object({ driver, alive: z.boolean().nullable() })),
});

/** What a caller says of a driver it was shown; `null`: its heartbeat decides. */
export interface Verdict {
  readonly driver: DriverRecord;
  readonly alive: boolean | null;
}

/** A claim as it travels. */
export type SentClaim = Omit<Claim, 'isAlive'> & { readonly verdicts: readonly Verdict[] };

interface Operation {
  readonly takes: z.ZodType;
  does(storage: StorageBackend, given: never): unknown;
}

function operation<T>(takes: z.ZodType<T>, does: (storage: StorageBackend, given: T) => unknown): Operation {
  return { takes, does };
}

/** All operations, by the last part of their path. */
export const operations: ReadonlyMap<string, Operation> = new Map([
  ['save-plan', operation(z.object({ plan }), (storage, given) => storage.savePlan(given.plan))],
  ['get-plan', operation(z.object({ id: text }), (storage, { id }) => storage.getPlan(id as PlanUUID))],
  [
    'list-plans',
    operation(z.object({ query: text.optional(), limit, cursor }), (storage, filter) =>
      storage.listPlans(filter as { query?: string }),
    ),
  ],
  [
    'create-run',
    operation(z.object({ header, claim: claim.optional() }), (storage, given) =>
      storage.createRun(given.header, given.claim && claimOf(given.claim).claim),
    ),
  ],
  [
    'load-run',
    operation(z.object({ id: text, after: small.optional() }), (storage, { id, after }) =>
      storage.loadRun(id as PlanRunUUID, after),
    ),
  ],
  ['list-runs', operation(z.object({ query }), (storage, given) => storage.listRuns(given.query))],
  [
    'list-clarifications',
    operation(z.object({ query: clarificationQuery }), (storage, given) => storage.listClarifications(given.query)),
  ],
  ['count-runs', operation(z.object({ query }), (storage, given) => storage.countRuns(given.query))],
  ['tally-runs', operation(z.object({}), (storage) => storage.tallyRuns())],
  ['claim-run', operation(z.object({ id: text, claim }), claimRun)],
  [
    'heartbeat',
    operation(
      z.object({ drivers: z.array(z.object({ id: text, epoch: small })), expiresAt: time }),
      (storage, { drivers, expiresAt }) => storage.heartbeat(drivers as never, expiresAt),
    ),
  ],
  [
    'release-run',
    operation(z.object({ id: text, epoch: z.int() }), (storage, { id, epoch }) =>
      inRange(epoch) ? storage.releaseRun(id as PlanRunUUID, epoch) : undefined,
    ),
  ],
  [
    'append',
    operation(
      z.object({ id: text, epoch: z.int(), commit, status: status.optional(), release: z.boolean().optional() }),
      (storage, given) =>
        inRange(given.epoch) &&
        storage.append(given.id as PlanRunUUID, given.epoch, given.commit, given.status, given.release),
    ),
  ],
  ['put-command', operation(z.object({ id: text, command }), putCommand)],
  [
    'poll-commands',
    operation(z.object({ ids: z.array(text), after: text.optional() }), (storage, { ids, after }) =>
      storage.pollCommands(ids as PlanRunUUID[], after),
    ),
  ],
  [
    'save-output',
    operation(z.object({ id: text, name: text, output }), (storage, given) =>
      storage.saveOutput(given.id as PlanRunUUID, given.name, given.output),
    ),
  ],
  [
    'get-output',
    operation(z.object({ id: text, name: text }), (storage, { id, name }) =>
      storage.getOutput(id as PlanRunUUID, name),
    ),
  ],
  ['list-outputs', operation(z.object({ id: text }), (storage, { id }) => storage.listOutputs(id as PlanRunUUID))],
  [
    'save-end-user',
    operation(z.object({ user: object, only: z.array(z.enum(endUserFields)).optional() }), (storage, { user, only }) =>
      storage.saveEndUser(EndUser(user as never), only),
    ),
  ],
  ['get-end-user', operation(z.object({ id: text }), (storage, { id }) => storage.getEndUser(id))],
  ['list-end-users', operation(z.object({ limit, cursor }), (storage, page) => storage.listEndUsers(page))],
  [
    'import-run',
    operation(z.object({ run, outputs }), (storage, given) =>
      storage.importRun({ ...given.run, driver: undefined }, given.outputs),
    ),
  ],
  [
    'remove-runs',
    operation(z.object({ ids: z.array(text), before: time }), (storage, { ids, before }) =>
      storage.removeRuns(ids as PlanRunUUID[], before),
    ),
  ],
]);

function inRange(epoch: number): boolean {
  return epoch >= 0 && epoch <= most;
}

/** A claim that stops at a driver its caller has not judged yet. */
function claimOf({ verdicts, ...given }: SentClaim): { readonly claim: Claim; readonly unjudged: () => boolean } {
  let stopped = false;
  return {
    unjudged: () => stopped,
    claim: {
      ...given,
      isAlive(driver) {
        const verdict = verdicts.find((known) => sameDriver(known.driver, driver));
        if (verdict) return verdict.alive ?? undefined;
        stopped = true;
        return true;
      },
    },
  };
}

function sameDriver(a: DriverRecord, b: DriverRecord): boolean {
  return a.owner === b.owner && a.epoch === b.epoch && a.expiresAt === b.expiresAt;
}

async function claimRun(storage: StorageBackend, given: { id: string; claim: SentClaim }): Promise<unknown> {
  const { claim: made, unjudged } = claimOf(given.claim);
  const result = await storage.claimRun(given.id as PlanRunUUID, made);
  return { ...result, unjudged: !result.claimed && unjudged() };
}

/** The command that stands, and whether it is the one that was given now. */
async function putCommand(storage: StorageBackend, given: { id: string; command: Command }): Promise<unknown> {
  let added = false;
  const stop = storage.watch((id, what) => {
    if (id === given.id && what === 'command') added = true;
  });
  try {
    return { command: await storage.putCommand(given.id as PlanRunUUID, given.command), added };
  } finally {
    stop();
  }
}
