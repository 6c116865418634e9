import type { Audience } from '../core/clarification.ts';
import { type Commit, fromCommit, type RunEventBody } from '../core/event.ts';
import type { ClarificationUUID, PlanRunUUID } from '../core/ids.ts';
import { isFinished, type PlanRunState, type RunState } from '../core/run-state.ts';
import { badCursor, pageLimit, pageOf } from './run-query.ts';
import type { Awaitable, Page, RunSummary, StoredRun } from './storage-backend.ts';

/** A clarification that waits for its answer, as stores find it. */
export interface OpenClarification {
  readonly id: ClarificationUUID;
  readonly audience: Audience;
  /** Epoch milliseconds. */
  readonly raisedAt: number;
}

/** The same, with its run. */
export interface ListedClarification extends OpenClarification {
  readonly planRunId: PlanRunUUID;
}

/** Which open clarifications to list; those that have waited longest come first. */
export interface ClarificationQuery {
  /** For any of these. */
  readonly audiences?: readonly Audience[] | undefined;
  readonly endUserId?: string | undefined;
  /** Of runs with all of these labels, with these values. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Only those raised before this time. Epoch milliseconds. */
  readonly raisedBefore?: number | undefined;
  /** 1 to 1000; 50 unless given. */
  readonly limit?: number | undefined;
  /** From the page before. */
  readonly cursor?: string | undefined;
}

/** Differs from what it was whenever {@link openClarificationsOf} does. */
export function openMark(state: RunState): string {
  if (state.outstanding === 0 || isFinished(state)) return '';
  return `${state.outstanding} ${state.clarifications.at(-1)?.clarification.id}`;
}

/** What waits in a run, oldest first. Looks no further back than to the oldest of them. */
export function openClarificationsOf(state: RunState): readonly OpenClarification[] {
  if (isFinished(state)) return [];
  const open: OpenClarification[] = [];
  for (let at = state.clarifications.length - 1; at >= 0 && open.length < state.outstanding; at -= 1) {
    const record = state.clarifications[at];
    if (!record || record.clarification.resolved) continue;
    open.push({ id: record.clarification.id, audience: record.audience, raisedAt: record.raisedAt });
  }
  return open.reverse();
}

/** The same, of events alone: for runs that come from elsewhere. */
export function openClarificationsIn(
  events: Iterable<RunEventBody & { readonly at: number }>,
  state: PlanRunState,
): readonly OpenClarification[] {
  const open = new Map<string, OpenClarification>();
  for (const event of events) {
    if (event.type === 'clarification-raised') {
      const id = String(event.clarification['id']) as ClarificationUUID;
      open.set(id, { id, audience: event.audience, raisedAt: event.at });
    } else if (event.type === 'clarification-resolved') open.delete(event.id);
    else if (event.type === 'run-retry') open.clear();
  }
  return isFinished({ state }) ? [] : [...open.values()];
}

/** What waits in a run that is stored as it was elsewhere. */
export function openInStored({ status, commits }: StoredRun): readonly OpenClarification[] {
  return status.asks ?? openClarificationsIn(eventsIn(commits), status.state);
}

function* eventsIn(commits: readonly Commit[]): Generator<RunEventBody & { readonly at: number }> {
  for (const commit of commits) yield* fromCommit(commit);
}

/** A place in such a list: when it was raised, the number of its run in the store, and its id. */
export type ClarificationPlace = readonly [raisedAt: number, run: number, id: string];

/** A place as a cursor. */
export function clarificationCursor(place: ClarificationPlace): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** @throws PortiaError `CONFIG_INVALID` for what no page gave. */
export function readClarificationCursor(cursor: string): ClarificationPlace {
  try {
    const [raisedAt, run, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (Number.isSafeInteger(raisedAt) && Number.isSafeInteger(run) && typeof id === 'string')
      return [raisedAt as number, run as number, id];
  } catch {
    // No JSON, or no list.
  }
  throw badCursor(cursor);
}

/** An open clarification and where it stands. */
export interface PlacedClarification {
  readonly place: ClarificationPlace;
  readonly run: Pick<RunSummary, 'header'>;
  readonly clarification: OpenClarification;
}

/** One page of all that waits in a store which looks through its runs. */
export function pageOfClarifications(
  all: Iterable<PlacedClarification>,
  query: ClarificationQuery,
): Page<ListedClarification> {
  const limit = pageLimit(query.limit);
  const after = query.cursor === undefined ? undefined : readClarificationCursor(query.cursor);
  const found = [...all]
    .filter((one) => isWanted(one, query) && (after === undefined || inOrder(one.place, after) > 0))
    .sort((a, b) => inOrder(a.place, b.place));
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return pageOf(
    page.map(({ run, clarification }) => ({ planRunId: run.header.id, ...clarification })),
    found.length > limit && last ? clarificationCursor(last.place) : undefined,
  );
}

function isWanted({ run, clarification }: PlacedClarification, query: ClarificationQuery): boolean {
  const { audiences, endUserId, labels = {}, raisedBefore } = query;
  if (audiences && !audiences.includes(clarification.audience)) return false;
  if (endUserId !== undefined && run.header.endUserId !== endUserId) return false;
  if (raisedBefore !== undefined && clarification.raisedAt >= raisedBefore) return false;
  return Object.entries(labels).every(([name, value]) => run.header.labels?.[name] === value);
}

function inOrder(a: ClarificationPlace, b: ClarificationPlace): number {
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[1] !== b[1]) return a[1] - b[1];
  return a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0;
}

/** The same of a store that keeps no list of what waits: it reads the journals of all runs that are not finished. */
export async function clarificationsByReading(
  storage: {
    listRuns(query: {
      states: readonly PlanRunState[];
      limit: number;
      cursor?: string | undefined;
    }): Awaitable<Page<RunSummary>>;
    loadRun(id: PlanRunUUID): Awaitable<StoredRun | undefined>;
  },
  query: ClarificationQuery,
): Promise<Page<ListedClarification>> {
  const all: PlacedClarification[] = [];
  let cursor: string | undefined;
  do {
    const page = await storage.listRuns({ states: ['IN_PROGRESS', 'NEED_CLARIFICATION'], limit: 1_000, cursor });
    for (const { header } of page.items) {
      const run = await storage.loadRun(header.id);
      for (const clarification of run ? openClarificationsIn(eventsIn(run.commits), run.status.state) : [])
        all.push({ place: [clarification.raisedAt, 0, clarification.id], run: { header }, clarification });
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pageOfClarifications(all, query);
}
