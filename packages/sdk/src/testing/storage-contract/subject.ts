import type { StorageBackend } from '../../storage/storage-backend.ts';

/** A store that was just opened, empty. */
export interface OpenedStorage {
  readonly storage: StorageBackend;
  /** Another handle on the same store, as a new process would open it; the first one stays open. */
  reopen?(): Promise<StorageBackend>;
  /** Ends the test: whatever the handles left behind is removed. The handles have been closed. */
  close(): Promise<void> | void;
}

/** The backend to test. */
export interface StorageSubject {
  readonly name: string;
  /** Opens a new, empty store. */
  open(): Promise<OpenedStorage>;
  /** Whether the store outlives its handle; then {@link OpenedStorage.reopen} is used. */
  readonly persistent?: boolean | undefined;
}

/** What is expected of a value, as vitest, jest and others have it. */
export interface Expectation {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
}

/** The test runner's functions. */
export interface TestFunctions {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
  expect(value: unknown): Expectation;
}

/** Handles of one test. */
export interface Handles {
  readonly storage: StorageBackend;
  /** Another handle on the same store. */
  reopen(): Promise<StorageBackend>;
}

/** Runs a test on a store of its own, and closes what it opened. */
export type Open = (test: (handles: Handles) => Promise<void>) => Promise<void>;

/** Makes {@link Open} of a subject. */
export function opener(subject: StorageSubject): Open {
  return async (test) => {
    const opened = await subject.open();
    const handles = [opened.storage];
    const reopen = async (): Promise<StorageBackend> => {
      if (!opened.reopen) throw new Error(`${subject.name} says that it is persistent, but gives no way to reopen it`);
      const handle = await opened.reopen();
      handles.push(handle);
      return handle;
    };
    try {
      await test({ storage: opened.storage, reopen });
    } finally {
      for (const handle of handles) await handle.close();
      await opened.close();
    }
  };
}
