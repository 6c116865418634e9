import type { SecretStore } from '../secrets/secret-store.ts';
import type { TestFunctions } from './storage-contract/subject.ts';

/** The store to test. */
export interface SecretStoreSubject {
  readonly name: string;
  /** Opens a new, empty store, and says how to remove it. */
  open(): Promise<{
    readonly store: SecretStore;
    /** Another handle on the same store, as a new process would open it. */
    reopen?(): Promise<SecretStore>;
    close(): Promise<void> | void;
  }>;
}

/** Registers the tests that every secret store has to pass, in whatever test runner is given. */
export function testSecretStore(subject: SecretStoreSubject, { describe, it, expect }: TestFunctions): void {
  const withStore = async (
    test: (store: SecretStore, again: () => Promise<SecretStore>) => Promise<void>,
  ): Promise<void> => {
    const { store, reopen, close } = await subject.open();
    const handles: SecretStore[] = [];
    try {
      await test(store, async () => {
        const handle = (await reopen?.()) ?? store;
        if (handle !== store) handles.push(handle);
        return handle;
      });
    } finally {
      for (const handle of [...handles, store]) await handle.close?.();
      await close();
    }
  };
  describe(`${subject.name} secret store`, () => {
    it('gives back what was set last, to every handle', () =>
      withStore(async (store, again) => {
        expect(await store.get('a/b')).toBe(undefined);
        await store.set('a/b', 'first');
        await store.set('a/b', '{"second":"\u00e9\u{1f511}"}');
        expect(await (await again()).get('a/b')).toBe('{"second":"\u00e9\u{1f511}"}');
      }));
    it('forgets what is deleted, also what was never there', () =>
      withStore(async (store, again) => {
        await store.set('a', '1');
        await store.delete('a');
        await store.delete('never');
        expect(await (await again()).get('a')).toBe(undefined);
        expect(await store.list('')).toEqual([]);
      }));
    it('lists the names that begin alike, in order', () =>
      withStore(async (store) => {
        expect(await store.list('')).toEqual([]);
        for (const name of ['x/2', 'y/1', 'x/1', 'x/../up', 'X/3']) await store.set(name, name);
        expect(await store.list('x/')).toEqual(['x/../up', 'x/1', 'x/2']);
        expect((await store.list('')).length).toBe(5);
      }));
    it('keeps many that are set at once', () =>
      withStore(async (store) => {
        const names = Array.from({ length: 20 }, (_, index) => `n/${String(index).padStart(2, '0')}`);
        await Promise.all(names.map((name) => store.set(name, name)));
        expect(await store.list('n/')).toEqual(names);
        expect(await Promise.all(names.map((name) => store.get(name)))).toEqual(names);
      }));
  });
}
