import { badCursor, pageLimit, pageOf, pageSkip } from '../run-query.ts';
import type { Page } from '../storage-backend.ts';

/** What lists on disk are ordered by. */
interface Timed {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** A page of items by the time they were made and, for those of one time, by their id. */
export function pageByTime<T>(
  items: readonly T[],
  options: {
    readonly order?: 'newest' | 'oldest' | undefined;
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
    readonly skip?: number | undefined;
  },
  placeOf: (item: T) => Timed,
): Page<T> {
  const direction = options.order === 'oldest' ? 1 : -1;
  const after = options.cursor === undefined ? undefined : readPlace(options.cursor);
  const limit = pageLimit(options.limit);
  const wanted = after ? items.filter((item) => direction * compare(placeOf(item), after) > 0) : [...items];
  wanted.sort((a, b) => direction * compare(placeOf(a), placeOf(b)));
  wanted.splice(0, pageSkip(options.skip));
  const page = wanted.slice(0, limit);
  const last = page.at(-1);
  return pageOf(
    page,
    last !== undefined && wanted.length > limit ? `${placeOf(last).createdAt}.${placeOf(last).id}` : undefined,
  );
}

/** A cursor that is a name. */
export function textCursor(name: string): string {
  return `after.${encodeURIComponent(JSON.stringify(name))}`;
}

/** The name in such a cursor. @throws PortiaError `CONFIG_INVALID`. */
export function readTextCursor(cursor: string): string {
  try {
    return JSON.parse(decodeURIComponent(cursor.replace(/^after\./, ''))) as string;
  } catch {
    throw badCursor(cursor);
  }
}

function compare(a: Timed, b: Timed): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function readPlace(cursor: string): Timed {
  const [, createdAt, id] = /^(\d+)\.(.+)$/.exec(cursor) ?? [];
  if (createdAt === undefined || id === undefined) throw badCursor(cursor);
  return { createdAt: Number(createdAt), id };
}
