import { importOptional } from '../import-optional.ts';
import { defaultCacheTtlMs, type ModelCache } from './model-cache.ts';

/** How {@link redisModelCache} keeps answers. */
export interface RedisCacheOptions {
  /** Milliseconds; a day unless given. */
  readonly ttlMs?: number | undefined;
  /** What its keys begin with; `llm:` unless given. */
  readonly prefix?: string | undefined;
  /** Milliseconds for which a server that could not be reached is left alone; 5,000 unless given. */
  readonly pauseMs?: number | undefined;
}

/** The part of the package `redis` that is used here. */
interface RedisClient {
  readonly isReady: boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
  connect(): Promise<unknown>;
  ref(): void;
  unref(): void;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, options: { readonly PX: number }): Promise<unknown>;
  scanIterator(options: { readonly MATCH: string; readonly COUNT: number }): AsyncIterable<string | readonly string[]>;
  del(keys: readonly string[]): Promise<unknown>;
  destroy(): void;
}

const connectTimeoutMs = 2_000;

/**
 * A cache in Redis, shared by all who know its address. It connects when it is first asked, and does not keep a process
 * alive.
 *
 * @throws PortiaError `PACKAGE_MISSING` when `redis` is not installed.
 */
export async function redisModelCache(url: string, options: RedisCacheOptions = {}): Promise<ModelCache> {
  const { ttlMs = defaultCacheTtlMs, prefix = 'llm:', pauseMs = 5_000 } = options;
  const { createClient } = (await importOptional('the Redis cache', 'redis')) as {
    readonly createClient: (options: object) => RedisClient;
  };
  let client: RedisClient | undefined;
  let opening: Promise<RedisClient> | undefined;
  let down: { readonly until: number; readonly error: unknown } | undefined;

  const open = async (): Promise<RedisClient> => {
    // It is connected anew by us: its own attempts would go on for ever, and keep the process alive.
    const made = createClient({
      url,
      disableOfflineQueue: true,
      socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false },
    });
    // Without a listener a lost connection would end the process; the next lookup tells of it.
    made.on('error', () => undefined);
    try {
      await made.connect();
    } catch (error) {
      down = { until: Date.now() + pauseMs, error };
      throw error;
    }
    down = undefined;
    client = made;
    return made;
  };
  const connected = (): RedisClient | Promise<RedisClient> => {
    if (client?.isReady) return client;
    if (down && down.until > Date.now()) throw down.error;
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  };
  let asked = 0;
  /** The connection keeps the process alive while it is asked something, and not a moment longer. */
  const ask = async <T>(question: (client: RedisClient) => Promise<T>): Promise<T> => {
    const at = await connected();
    asked += 1;
    at.ref();
    try {
      return await question(at);
    } finally {
      asked -= 1;
      if (asked === 0) at.unref();
    }
  };
  return {
    name: 'redis',
    get: async (key) => (await ask((at) => at.get(prefix + key))) ?? undefined,
    set: async (key, answer) => {
      await ask((at) => at.set(prefix + key, answer, { PX: ttlMs }));
    },
    forget: async (start) => {
      const match = `${(prefix + start).replace(/[\\*?[\]]/g, '\\$&')}*`;
      await ask(async (at) => {
        for await (const found of at.scanIterator({ MATCH: match, COUNT: 1_000 })) {
          // One key or a list of them, as the release of the package goes.
          const keys = typeof found === 'string' ? [found] : [...found];
          if (keys.length > 0) await at.del(keys);
        }
      });
    },
    close: async () => {
      await opening?.catch(() => undefined);
      if (client?.isReady) client.destroy();
      client = undefined;
    },
  };
}
