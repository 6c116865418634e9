import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canStartRedis, hasRedis, startRedis, type TestRedis } from '../../../test/lib/redis.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { testModelCache } from '../../testing/model-cache-contract.ts';
import { importOptional } from '../import-optional.ts';
import { memoryModelCache } from './memory-cache.ts';
import { redisModelCache } from './redis-cache.ts';
import { sqliteModelCache } from './sqlite-cache.ts';

const clocked = () => {
  const clock = fakeClock(1_000);
  return { clock, pass: (ms: number) => clock.advance(ms) };
};

testModelCache(
  {
    name: 'memory',
    open: async (ttlMs) => {
      const { clock, pass } = clocked();
      return { cache: memoryModelCache({ ttlMs, clock }), pass: async (ms) => void (await pass(ms)) };
    },
  },
  { describe, it, expect },
);

testModelCache(
  {
    name: 'SQLite',
    open: async (ttlMs) => {
      const { clock, pass } = clocked();
      const folder = mkdtempSync(join(tmpdir(), 'portia-cache-'));
      const open = () => sqliteModelCache(join(folder, 'answers.db'), { ttlMs, clock });
      return {
        cache: await open(),
        pass: async (ms) => void (await pass(ms)),
        reopen: open,
        close: () => rmSync(folder, { recursive: true }),
      };
    },
  },
  { describe, it, expect },
);

describe('the bounds of a cache', () => {
  it('in memory are kept by letting go of what was used least lately', async () => {
    const cache = memoryModelCache({ maxEntries: 2 });
    cache.set('a', '1');
    cache.set('b', '2');
    cache.get('a');
    cache.set('c', '3');
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['1', undefined, '3']);
  });

  it('in a file are kept by clearing away the oldest now and then, and what is over', async () => {
    const clock = fakeClock(1_000);
    const cache = await sqliteModelCache(':memory:', { ttlMs: 500, maxEntries: 10, clock });
    for (let n = 0; n < 101; n += 1) {
      await clock.advance(1);
      await cache.set(`key ${n}`, 'x');
    }
    const left = Array.from({ length: 101 }, (_, n) => cache.get(`key ${n}`)).filter((answer) => answer !== undefined);
    expect(left).toHaveLength(10);
    expect(cache.get('key 100')).toBe('x');
    cache.close();
  });
});

describe.skipIf(!hasRedis)('with a Redis server (needs redis-server or REDIS_URL)', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  let opened = 0;
  testModelCache(
    {
      name: 'Redis',
      open: async (ttlMs) => {
        opened += 1;
        const prefix = `test:${process.pid}:${opened}:`;
        const open = () => redisModelCache(redis.url, { ttlMs, prefix });
        return { cache: await open(), pass: (ms) => sleep(ms), reopen: open };
      },
    },
    { describe, it, expect },
  );

  it('keeps answers under llm: and for a day unless told otherwise', async () => {
    const cache = await redisModelCache(redis.url);
    await cache.set(`portia-test-${process.pid}`, 'x');
    const { createClient } = await import('redis');
    const client = createClient({ url: redis.url });
    await client.connect();
    const ttl = await client.pTTL(`llm:portia-test-${process.pid}`);
    await client.del(`llm:portia-test-${process.pid}`);
    client.destroy();
    await cache.close();
    expect(ttl).toBeGreaterThan(86_000_000);
  });

  it('keeps a process alive while it is asked, and no longer', { timeout: 60_000 }, async () => {
    const loader = new URL('../../../test/lib/typescript-loader.mjs', import.meta.url).href;
    const module = new URL('./redis-cache.ts', import.meta.url).href;
    const code = `const { redisModelCache } = await import('${module}');
      const cache = await redisModelCache('${redis.url}', { prefix: 'test:exit:', ttlMs: 5000 });
      await cache.set('a', 'one');
      console.log(await cache.get('a'));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', loader, '--input-type=module', '-e', code],
      { cwd: import.meta.dirname },
    );
    expect(stdout).toBe('one\n');
  });

  it.skipIf(!canStartRedis)('says at once that a server is gone, and finds it when it is back', async () => {
    const own = await startRedis({ own: true });
    const cache = await redisModelCache(own.url, { pauseMs: 50 });
    await cache.set('a', 'one');
    await own.stop();
    await expect(Promise.resolve(cache.get('a'))).rejects.toThrow();
    await expect(Promise.resolve(cache.get('a'))).rejects.toThrow();
    await own.start();
    await sleep(60);
    await cache.set('a', 'two');
    expect(await cache.get('a')).toBe('two');
    await cache.close();
    await own.stop();
  });
});

describe('a cache whose package is missing', () => {
  it('says the one command that installs it', async () => {
    await expect(importOptional('the Redis cache', 'redis-that-is-not-there')).rejects.toMatchObject({
      code: 'PACKAGE_MISSING',
      message: 'the Redis cache needs the package redis-that-is-not-there, which is not installed',
      hint: 'npm i redis-that-is-not-there',
    });
  });
});
