import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../run/system-clock.ts';
import { defaultCacheTtlMs, type ModelCache } from './model-cache.ts';

/** How much {@link memoryModelCache} keeps. */
export interface MemoryCacheOptions {
  /** Milliseconds; a day unless given. */
  readonly ttlMs?: number | undefined;
  /** The answers used least lately go first; 1,000 unless given. */
  readonly maxEntries?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** A cache in the memory of this process. */
export function memoryModelCache(options: MemoryCacheOptions = {}): ModelCache {
  const { ttlMs = defaultCacheTtlMs, maxEntries = 1_000, clock = systemClock } = options;
  // A map keeps the order in which its keys were put in: the first is the one used least lately.
  const entries = new Map<string, { readonly answer: string; readonly until: number }>();
  return {
    name: 'memory',
    get(key) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      if (entry.until <= clock.now()) return undefined;
      entries.set(key, entry);
      return entry.answer;
    },
    set(key, answer) {
      entries.delete(key);
      entries.set(key, { answer, until: clock.now() + ttlMs });
      if (entries.size <= maxEntries) return;
      const [oldest] = entries.keys();
      entries.delete(oldest as string);
    },
    forget(prefix) {
      for (const key of entries.keys()) if (key.startsWith(prefix)) entries.delete(key);
    },
    close: () => entries.clear(),
  };
}
