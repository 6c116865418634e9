import { PortiaError } from '../core/errors.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';

/** Where a process is to die: at its n-th write, from 1, and on which side of it. */
export interface CrashPoint {
  readonly write: number;
  readonly when: 'before' | 'after';
}

/** A store as a process sees it that dies in the middle of its work. */
export interface CrashingStorage extends StorageBackend {
  /** How many writes were begun through this handle. */
  readonly writes: number;
  readonly crashed: boolean;
}

const writes: ReadonlySet<string> = new Set([
  'savePlan',
  'createRun',
  'claimRun',
  'append',
  'putCommand',
  'saveOutput',
  'saveEndUser',
  'releaseRun',
  'importRun',
  'removeRuns',
]);

/**
 * Lets a process die, as far as its store can tell: at the chosen write everything through this handle begins to fail
 * with `STORAGE_FAILED`, and nothing reaches the store any more. `before`: the write is lost as well; `after`: it was
 * done, but the writer never hears of it. Without a point it only counts. Other handles on the same store go on, and
 * closing this one leaves the store open.
 */
export function crashingStorage(storage: StorageBackend, point?: CrashPoint): CrashingStorage {
  let count = 0;
  let crashed = false;
  const refuse = (): never => {
    throw new PortiaError({ code: 'STORAGE_FAILED', message: `the process died at write ${count}, as it was told to` });
  };
  const counted = (method: (...args: unknown[]) => unknown): ((...args: unknown[]) => unknown) => {
    return (...args) => {
      if (crashed) return refuse();
      count += 1;
      if (count !== point?.write) return method.apply(storage, args);
      crashed = true;
      if (point.when === 'before') return refuse();
      const done = method.apply(storage, args);
      return done instanceof Promise ? done.then(refuse, refuse) : refuse();
    };
  };
  const own: Readonly<Record<string, () => unknown>> = {
    writes: () => count,
    crashed: () => crashed,
    close: () => async () => {},
  };
  return new Proxy(storage, {
    get(target, name) {
      const mine = own[String(name)];
      if (mine) return mine();
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = value as (...args: unknown[]) => unknown;
      if (writes.has(String(name))) return counted(method);
      return (...args: unknown[]) => (crashed ? refuse() : method.apply(target, args));
    },
  }) as CrashingStorage;
}
