import { PortiaError } from '../core/errors.ts';
import type { PlanRunState } from '../core/run-state.ts';
import { planNow } from './plan-now.ts';
import { states } from './state-numbers.ts';
import type { Page, RunQuery, RunStatus, RunSummary, RunTally } from './storage-backend.ts';

/** How many items a page has: 1 to 1000, 50 unless given. */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return 50;
  return Math.min(1000, Math.max(1, Math.trunc(limit) || 1));
}

/** How many of a list to leave out first: 0 unless given. */
export function pageSkip(skip: number | undefined): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.trunc(skip ?? 0) || 0));
}

/**
 * From when on a run can be driven on by itself; undefined for one that waits for somebody, or is over. Epoch
 * milliseconds, 0 where it could be at any time.
 */
export function readySince({ status, driver }: Pick<RunSummary, 'status' | 'driver'>): number | undefined {
  const { state, wakeAt } = status;
  const due = wakeAt ?? (state === 'IN_PROGRESS' || state === 'READY_TO_RESUME' ? 0 : undefined);
  return due === undefined ? undefined : Math.max(due, driver?.expiresAt ?? 0);
}

/** A place in the list of runs that are ready: since when, and what tells those of one time apart. */
export interface ReadyPlace {
  readonly since: number;
  readonly number: number;
}

/** The cursor of such a place. */
export function readyCursor({ since, number }: ReadyPlace): string {
  return `ready.${since}.${number}`;
}

/** The place such a cursor names. @throws PortiaError `CONFIG_INVALID`. */
export function readReadyCursor(cursor: string): ReadyPlace {
  const [, since, number] = /^ready\.(\d{1,16})\.(\d{1,15})$/.exec(cursor) ?? [];
  if (since === undefined || number === undefined) throw badCursor(cursor);
  return { since: Number(since), number: Number(number) };
}

/** Whether a run is one of those asked for. */
export function matchesQuery(query: RunQuery, { header, status, driver }: RunSummary): boolean {
  if (query.states && !query.states.includes(status.state)) return false;
  if (query.planId !== undefined && query.planId !== planNow({ header, status })) return false;
  if (query.endUserId !== undefined && query.endUserId !== header.endUserId) return false;
  if (query.codes && !(status.error && query.codes.includes(status.error.code))) return false;
  if (query.readyAt !== undefined && !((readySince({ status, driver }) ?? Number.POSITIVE_INFINITY) <= query.readyAt))
    return false;
  if (query.drivenFrom !== undefined && !driver?.owner.startsWith(query.drivenFrom)) return false;
  if (query.updatedBefore !== undefined && status.updatedAt >= query.updatedBefore) return false;
  for (const [label, value] of Object.entries(query.labels ?? {})) if (header.labels?.[label] !== value) return false;
  return true;
}

/** The tally of runs that are at hand. */
export function tallyOf(runs: Iterable<{ readonly status: RunStatus }>): RunTally {
  const codes: Record<string, number> = {};
  const found = noRuns();
  for (const { status } of runs) {
    found[status.state] += 1;
    if (status.error) codes[status.error.code] = (codes[status.error.code] ?? 0) + 1;
  }
  return { states: found, codes };
}

/** A count for each state, to be counted up. */
export function noRuns(): Record<PlanRunState, number> {
  return Object.fromEntries(states.map((state) => [state, 0])) as Record<PlanRunState, number>;
}

/** The place in a list that a cursor names; it stays where it is while the list grows. @throws PortiaError `CONFIG_INVALID`. */
export function readCursor(cursor: string): number {
  const place = /^\d{1,15}$/.test(cursor) ? Number(cursor) : Number.NaN;
  if (Number.isNaN(place)) throw badCursor(cursor);
  return place;
}

/** Refuses a cursor that no page gave. */
export function badCursor(cursor: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${JSON.stringify(cursor)} is not the cursor of a page of this list`,
    hint: 'give the cursor exactly as the page before had it, or none for the first page',
    details: { cursor },
  });
}

/** One page, with a cursor where more may follow. */
export function pageOf<T>(items: readonly T[], cursor: string | undefined): Page<T> {
  return cursor === undefined ? { items } : { items, cursor };
}

/** How a list is paged through. */
interface Paging {
  readonly order?: 'newest' | 'oldest' | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly skip?: number | undefined;
}

/** A page of a list that is kept in the order of its making and never loses an item: numbers are places. */
export function pageOfList<Item, T>(
  list: readonly Item[],
  options: Paging,
  pick: (item: Item) => T | undefined,
): Page<T> {
  return page(
    list,
    options,
    (cursor) => cursor,
    (_item, place) => place,
    pick,
  );
}

/** A page of a list whose items have numbers that grow, and of which some may have gone; cursors are numbers. */
export function pageOfNumbered<Item extends { readonly number: number }, T>(
  list: readonly Item[],
  options: Paging,
  pick: (item: Item) => T | undefined,
): Page<T> {
  const oldest = options.order === 'oldest';
  // The place of the item with this number, or of the one that came before it in this order.
  const placeOf = (cursor: number): number => {
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle] as Item).number < cursor) low = middle + 1;
      else high = middle;
    }
    return list[low]?.number === cursor ? low : oldest ? low - 1 : low;
  };
  return page(list, options, placeOf, ({ number }) => number, pick);
}

function page<Item, T>(
  list: readonly Item[],
  options: Paging,
  placeOf: (cursor: number) => number,
  numberOf: (item: Item, place: number) => number,
  pick: (item: Item) => T | undefined,
): Page<T> {
  const step = options.order === 'oldest' ? 1 : -1;
  const start = step === 1 ? 0 : list.length - 1;
  const limit = pageLimit(options.limit);
  const items: T[] = [];
  let [last, left] = [0, pageSkip(options.skip)];
  for (
    let at = options.cursor === undefined ? start : placeOf(readCursor(options.cursor)) + step;
    at >= 0 && at < list.length;
    at += step
  ) {
    const item = pick(list[at] as Item);
    if (item === undefined) continue;
    left -= 1;
    if (left >= 0) continue;
    // A cursor is given only when something follows, and then it is the number of the last item given.
    if (items.length === limit) return pageOf(items, String(last));
    items.push(item);
    last = numberOf(list[at] as Item, at);
  }
  return pageOf(items, undefined);
}
