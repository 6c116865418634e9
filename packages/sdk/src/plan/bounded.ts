import { createContext, Script } from 'node:vm';

/** What a check of a value came to. */
type Checked = { readonly value: unknown } | { readonly issues: { message: string; path?: PropertyKey[] }[] };

interface Place {
  work?: () => unknown;
}

/** A world of its own costs a megabyte: it is made for the first schema that comes from elsewhere. */
let made: { readonly script: Script; readonly place: Place } | undefined;

function world(): { readonly script: Script; readonly place: Place } {
  made ??= { script: new Script('work()'), place: createContext(Object.create(null) as Place) as Place };
  return made;
}

/**
 * Does work that a stranger's schema decides the length of, and ends it when it takes longer than `mostMs` milliseconds:
 * it throws then, with the code `ERR_SCRIPT_EXECUTION_TIMEOUT`. The engine can be stopped inside a pattern only from
 * outside, and this is how it is told to.
 */
export function within<T>(mostMs: number, work: () => T): T {
  const { script, place } = world();
  place.work = work;
  try {
    return script.runInContext(place, { timeout: mostMs }) as T;
  } finally {
    delete place.work;
  }
}

/** The same for a check of a value: what takes longer, or cannot be checked, does not fit. */
export function checkedWithin(mostMs: number, check: () => Checked): Checked {
  try {
    return within(mostMs, check);
  } catch (error) {
    return { issues: [{ message: isOver(error) ? `took more than ${mostMs} ms to check` : cannot(error) }] };
  }
}

function isOver(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

function cannot(error: unknown): string {
  return `cannot be checked: ${error instanceof Error ? error.message : String(error)}`;
}
