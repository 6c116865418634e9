import { pageLimit, pageOf, pageSkip, type ReadyPlace, readReadyCursor, readyCursor } from '../run-query.ts';
import type { Page, RunQuery } from '../storage-backend.ts';

interface Entry<Item> extends ReadyPlace {
  readonly item: Item;
}

/** Items in the order of the time from when on they are ready, so that those that are now are found without the others. */
export class ReadyList<Item extends { readonly number: number }> {
  readonly #entries: Entry<Item>[] = [];
  readonly #known = new Map<Item, Entry<Item>>();

  /** Says from when on an item is ready; `undefined`: it is not, until something is said of it again. */
  set(item: Item, since: number | undefined): void {
    const before = this.#known.get(item);
    if (before?.since === since) return;
    if (before) this.#entries.splice(this.#placeOf(before), 1);
    this.#known.delete(item);
    if (since === undefined) return;
    const entry = { since, number: item.number, item };
    this.#known.set(item, entry);
    this.#entries.splice(this.#placeOf(entry), 0, entry);
  }

  /** One page of those that are ready at this time and that are picked. */
  page<T>(
    at: number,
    options: Pick<RunQuery, 'limit' | 'skip' | 'cursor'>,
    pick: (item: Item) => T | undefined,
  ): Page<T> {
    const limit = pageLimit(options.limit);
    const after = options.cursor === undefined ? undefined : readReadyCursor(options.cursor);
    const items: T[] = [];
    let left = pageSkip(options.skip);
    let last: Entry<Item> | undefined;
    let place = after ? this.#placeOf({ ...after, number: after.number + 1 }) : 0;
    for (; place < this.#entries.length; place += 1) {
      const entry = this.#entries[place] as Entry<Item>;
      if (entry.since > at) break;
      const picked = pick(entry.item);
      if (picked === undefined) continue;
      left -= 1;
      if (left >= 0) continue;
      if (items.length === limit) return pageOf(items, last && readyCursor(last));
      items.push(picked);
      last = entry;
    }
    return pageOf(items, undefined);
  }

  /** Where an entry stands, or would stand. */
  #placeOf({ since, number }: ReadyPlace): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const one = this.#entries[middle] as Entry<Item>;
      if (one.since < since || (one.since === since && one.number < number)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
