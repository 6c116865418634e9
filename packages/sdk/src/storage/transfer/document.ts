import { endUserFromWire, endUserToWire, type EndUser } from '../../core/end-user.ts';
import { PortiaError } from '../../core/errors.ts';
import { type Commit, fromCommit } from '../../core/event.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { LocalDataValue } from '../../core/output.ts';
import { PlanRunState, type RunHeader } from '../../core/run-state.ts';
import { Plan } from '../../core/plan.ts';
import type { NamedOutput } from '../house.ts';
import type { Command, PlanRecord, RunStatus, StoredRun } from '../storage-backend.ts';

/** The version of the format; a file of a later one is refused. */
const version = 1;

/** The first line of an export. */
export const firstLine: string = JSON.stringify({ type: 'portia-ts-export', v: version });

/** The last line of an export: without it, or with another number of documents before it, something was lost. */
export function lastLine(documents: number): string {
  return JSON.stringify({ type: 'end', documents });
}

/** One document of a store, as it is carried from one to another. */
export type Document =
  | { readonly type: 'plan'; readonly plan: PlanRecord }
  | { readonly type: 'run'; readonly run: StoredRun; readonly outputs: readonly NamedOutput[] }
  | { readonly type: 'end-user'; readonly endUser: EndUser };

/** The line of a plan. What stands in values keeps its order; the fields around them have one of their own. */
export function planLine({ id, hash, query, createdAt, document, beside }: PlanRecord): string {
  return JSON.stringify({ type: 'plan', id, hash, query, createdAt, document, beside });
}

/** The line of a run: everything but its driver, which is a process of the store it came from. */
export function runLine(
  { header, status, epoch, commits, commands }: StoredRun,
  outputs: readonly NamedOutput[],
): string {
  const { id, planId, endUserId, createdAt, inputs, runKey, labels, startAt, ...more } = header;
  const rest = Object.fromEntries(Object.entries(more).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { state, updatedAt, wakeAt, error, planId: goesBy } = status;
  return JSON.stringify({
    type: 'run',
    header: { id, planId, endUserId, createdAt, inputs, runKey, labels, startAt, ...rest },
    status: { state, updatedAt, wakeAt, error, ...(goesBy !== undefined && goesBy !== planId && { planId: goesBy }) },
    epoch: epoch ?? lastEpoch(commits),
    commits: commits.map(({ seq, at, events }) => [seq, at, events]),
    commands,
    outputs: outputs.map(({ name, output: { value, summary } }) => ({ name, value, summary })),
  });
}

/** The line of an end user. */
export function endUserLine(user: EndUser): string {
  return JSON.stringify({ type: 'end-user', ...endUserToWire(user) });
}

/** Stores that do not say which epoch was the last: it stands in the journal, with whoever began it. */
function lastEpoch(commits: readonly Commit[]): number {
  let last = 0;
  for (const event of commits.flatMap(fromCommit)) if (event.type === 'run-start') last = Math.max(last, event.epoch);
  return last;
}

/** What a line of an export holds: a document, or where the export begins and ends. */
export type Line = Document | { readonly type: 'begin' } | { readonly type: 'end'; readonly documents: number };

/**
 * Reads a line.
 * @throws PortiaError `STORAGE_CORRUPT` for a line that is none, and for a file of a newer release.
 */
export function readLine(line: string): Line {
  const read = parsed(line);
  switch (read['type']) {
    case 'portia-ts-export':
      if (read['v'] !== version) throw newerRelease(read['v']);
      return { type: 'begin' };
    case 'end':
      return { type: 'end', documents: Number(read['documents']) };
    case 'plan':
      return { type: 'plan', plan: readPlan(read) };
    case 'run':
      return { type: 'run', ...readRun(read) };
    case 'end-user': {
      const { type, ...wire } = read;
      return { type: 'end-user', endUser: endUserFromWire(wire) };
    }
    default:
      throw corrupt(`is of the unknown type ${JSON.stringify(read['type'])}`);
  }
}

/** The id in a line that may be damaged, for people. */
export function idIn(line: string): string | undefined {
  return /"(?:id|external_id)":"((?:plan|prun)-[0-9a-f-]+|[^"\\]{1,200})"/.exec(line)?.[1];
}

function parsed(line: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw corrupt('is not JSON', cause);
  }
  if (!isPlainObject(value)) throw corrupt('is not a JSON object');
  return value as JsonObject;
}

function readPlan(read: JsonObject): PlanRecord {
  const { id, hash, query, createdAt, document, beside } = read;
  if (!PlanUUID.is(String(id)) || typeof hash !== 'string' || typeof query !== 'string' || !isTime(createdAt))
    throw corrupt('lacks the id, hash, query or time of a plan');
  if (!isPlainObject(document) || (beside !== undefined && !isPlainObject(beside)))
    throw corrupt('lacks the document of a plan');
  const plan = Plan.fromJSON(document);
  if (plan.id !== id) throw corrupt(`has the document of another plan, ${plan.id}`);
  return {
    id: plan.id,
    hash,
    query,
    document: document as JsonObject,
    ...(beside !== undefined && { beside: beside as JsonObject }),
    createdAt,
  };
}

function readRun(read: JsonObject): { readonly run: StoredRun; readonly outputs: readonly NamedOutput[] } {
  const { epoch, commands, outputs } = read;
  if (!Number.isSafeInteger(epoch) || !Array.isArray(commands) || !Array.isArray(outputs))
    throw corrupt('lacks the epoch, commands or outputs of a run');
  const commits = readCommits(read['commits']);
  return {
    run: {
      header: readHeader(read['header']),
      status: readStatus(read['status']),
      driver: undefined,
      epoch: epoch as number,
      commits,
      commands: commands.map(readCommand),
    },
    outputs: outputs.map(readOutput),
  };
}

function readHeader(value: JsonValue | undefined): RunHeader {
  const header = (isPlainObject(value) ? value : {}) as Partial<RunHeader>;
  const { id, planId, endUserId, createdAt, inputs } = header;
  if (!PlanRunUUID.is(String(id)) || !PlanUUID.is(String(planId)) || typeof endUserId !== 'string')
    throw corrupt('lacks the id, plan or end user of a run');
  if (!isTime(createdAt) || !isPlainObject(inputs)) throw corrupt('lacks the time or inputs of a run');
  return header as RunHeader;
}

function readStatus(value: JsonValue | undefined): RunStatus {
  const status = (isPlainObject(value) ? value : {}) as Partial<RunStatus>;
  if (!Object.hasOwn(PlanRunState, String(status.state)) || !isTime(status.updatedAt))
    throw corrupt('lacks the state of a run');
  if (status.planId !== undefined && !PlanUUID.is(String(status.planId))) throw corrupt('names a plan by no id');
  return status as RunStatus;
}

function readCommits(value: JsonValue | undefined): readonly Commit[] {
  if (!Array.isArray(value)) throw corrupt('lacks the commits of a run');
  let next = 1;
  return value.map((item) => {
    const [seq, at, events] = Array.isArray(item) ? item : [];
    if (seq !== next || !isTime(at) || typeof events !== 'string')
      throw corrupt(`has a journal with a gap: event ${next} is missing`);
    const commit = { seq, at, events };
    next += fromCommit(commit).length;
    return commit;
  });
}

function readCommand(value: JsonValue): Command {
  const { type, key } = (isPlainObject(value) ? value : {}) as Partial<Command>;
  if ((type !== 'answer' && type !== 'cancel' && type !== 'receipt') || typeof key !== 'string')
    throw corrupt('has a command of no known type');
  return value as unknown as Command;
}

function readOutput(value: JsonValue): NamedOutput {
  if (!isPlainObject(value) || typeof value['name'] !== 'string' || value['value'] === undefined)
    throw corrupt('has an output without name or value');
  const { name, value: content, summary } = value as { name: string; value: JsonValue; summary?: string | null };
  return { name, output: LocalDataValue(content, summary ?? null) };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function corrupt(what: string, cause?: unknown): PortiaError {
  return new PortiaError({
    code: 'STORAGE_CORRUPT',
    message: `the line ${what}`,
    hint: 'export it again from the store it came from',
    cause,
  });
}

function newerRelease(found: unknown): PortiaError {
  return new PortiaError({
    code: 'STORAGE_CORRUPT',
    message: `the export is of version ${JSON.stringify(found)}; this release reads version ${version}`,
    hint: 'use the release of portia-ts that wrote it, or a newer one',
    details: { newer: true },
  });
}
