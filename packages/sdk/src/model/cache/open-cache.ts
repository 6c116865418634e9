import type { Config } from '../../config/config.ts';
import { memoryModelCache } from './memory-cache.ts';
import type { ModelCache } from './model-cache.ts';

/** Opens the cache a config names; `undefined` when it names none. @throws PortiaError `PACKAGE_MISSING` */
export async function openModelCache({ modelCache: choice }: Config): Promise<ModelCache | undefined> {
  if (choice === undefined) return undefined;
  const { ttlMs } = choice;
  switch (choice.kind) {
    case 'memory':
      return memoryModelCache({ ttlMs });
    case 'sqlite': {
      const { sqliteModelCache } = await import('./sqlite-cache.ts');
      return sqliteModelCache(choice.file, { ttlMs });
    }
    case 'redis': {
      const { redisModelCache } = await import('./redis-cache.ts');
      return redisModelCache(choice.url(), { ttlMs });
    }
    case 'custom':
      return choice.cache;
  }
}
