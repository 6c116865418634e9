import type { ModelCache } from '../model/cache/model-cache.ts';
import type { TestFunctions } from './storage-contract/subject.ts';

/** A cache that was just opened, empty. */
export interface OpenedModelCache {
  readonly cache: ModelCache;
  /** Lets so many milliseconds go by for the cache. */
  pass(ms: number): Promise<void>;
  /** Another handle on the same cache, as a new process would open it; absent for one that is of its process. */
  reopen?(): Promise<ModelCache>;
  /** Ends the test: whatever is left behind is removed. The handles have been closed. */
  close?(): Promise<void> | void;
}

/** The cache to test. */
export interface ModelCacheSubject {
  readonly name: string;
  /** Opens a new, empty cache that keeps answers for so many milliseconds. */
  open(ttlMs: number): Promise<OpenedModelCache>;
}

type Test = (opened: OpenedModelCache, reopen: () => Promise<ModelCache>) => Promise<void>;
type WithCache = (ttlMs: number, test: Test) => () => Promise<void>;

/**
 * Registers the tests that every cache of model answers has to pass. The functions of the test runner are given, so that
 * any runner with `describe`, `it` and `expect` will do.
 *
 * @example
 * import { describe, expect, it } from 'vitest';
 * testModelCache({ name: 'mine', open: async (ttlMs) => ({ cache: mine({ ttlMs }), pass }) }, { describe, it, expect });
 */
export function testModelCache({ name, open }: ModelCacheSubject, { describe, it, expect }: TestFunctions): void {
  const withCache: WithCache = (ttlMs, test) => async (): Promise<void> => {
    const opened = await open(ttlMs);
    const handles = [opened.cache];
    try {
      await test(opened, async () => {
        const handle = (await opened.reopen?.()) ?? opened.cache;
        handles.push(handle);
        return handle;
      });
    } finally {
      for (const handle of new Set(handles)) await handle.close();
      await opened.close?.();
    }
  };

  describe(`${name} cache`, () => {
    it(
      'gives back what was put in, and nothing else',
      withCache(60_000, async ({ cache }) => {
        expect(await cache.get('a')).toBe(undefined);
        await cache.set('a', '{"text":"one"}');
        await cache.set('b', '');
        expect(await cache.get('a')).toBe('{"text":"one"}');
        expect(await cache.get('b')).toBe('');
        expect(await cache.get('A')).toBe(undefined);
      }),
    );

    it(
      'takes the later answer',
      withCache(60_000, async ({ cache }) => {
        await cache.set('a', 'one');
        await cache.set('a', 'two');
        expect(await cache.get('a')).toBe('two');
      }),
    );

    it(
      'keeps long texts and all letters as they are',
      withCache(60_000, async ({ cache }) => {
        const long = `“žluťoučký kůň” 🐎\n\u0001 ${'x'.repeat(200_000)}`;
        await cache.set('a', long);
        expect(await cache.get('a')).toBe(long);
      }),
    );
    sharingTests(withCache, { describe, it, expect });
  });
}

function sharingTests(withCache: WithCache, { it, expect }: TestFunctions): void {
  it(
    'forgets an answer when its time is over, and counts the time from when it was last put in',
    withCache(1_000, async ({ cache, pass }) => {
      await cache.set('a', 'one');
      await cache.set('b', 'one');
      await pass(600);
      await cache.set('a', 'two');
      await pass(600);
      expect(await cache.get('b')).toBe(undefined);
      expect(await cache.get('a')).toBe('two');
      await pass(1_100);
      expect(await cache.get('a')).toBe(undefined);
    }),
  );

  it(
    'serves many at once',
    withCache(60_000, async ({ cache }) => {
      const keys = Array.from({ length: 50 }, (_, n) => `key ${n}`);
      await Promise.all(keys.map((key) => cache.set(key, `answer of ${key}`)));
      const answers = await Promise.all(keys.map((key) => cache.get(key)));
      expect(answers).toEqual(keys.map((key) => `answer of ${key}`));
    }),
  );

  it(
    'is shared by its handles, where it is shared at all',
    withCache(60_000, async ({ cache }, reopen) => {
      await cache.set('a', 'one');
      const other = await reopen();
      expect(await other.get('a')).toBe('one');
      await other.set('a', 'two');
      expect(await cache.get('a')).toBe('two');
    }),
  );

  it(
    'forgets the answers under keys that begin alike, and no others, where it can',
    withCache(60_000, async ({ cache }, reopen) => {
      if (!cache.forget) return;
      for (const key of ['one.a', 'one.b', 'One.a', 'two.a', 'on*', 'on*.a']) await cache.set(key, key);
      await cache.forget('one.');
      await cache.forget('on*.');
      const other = await reopen();
      const left = [];
      for (const key of ['one.a', 'one.b', 'One.a', 'two.a', 'on*', 'on*.a']) left.push(await other.get(key));
      expect(left).toEqual([undefined, undefined, 'One.a', 'two.a', 'on*', undefined]);
    }),
  );

  it(
    'may be closed twice',
    withCache(60_000, async ({ cache }) => {
      await cache.set('a', 'one');
      await cache.close();
    }),
  );
}
