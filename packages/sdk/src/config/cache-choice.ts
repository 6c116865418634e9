import { join } from 'node:path';
import { defaultCacheTtlMs, type ModelCache } from '../model/cache/model-cache.ts';
import { invalid, type SettingReader } from './setting-reader.ts';

/** Where model answers are cached, settled; `name` is for people. */
export type CacheChoice = {
  readonly name: string;
  /** Milliseconds. */
  readonly ttlMs: number;
  /** Who shares answers; each end user has their own without it. */
  readonly namespace: string | undefined;
} & (
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  /** A function, so that an address with a password in it is not printed with the choice. */
  | { readonly kind: 'redis'; readonly url: () => string }
  | { readonly kind: 'custom'; readonly cache: ModelCache }
);

/** Settles the cache; `undefined`: nothing is cached. @throws PortiaError `CONFIG_INVALID` */
export function readModelCache(read: SettingReader, storageDir: string): CacheChoice | undefined {
  const common = {
    ttlMs: read.count('modelCacheTtlMs', ['PORTIA_MODEL_CACHE_TTL_MS']) ?? defaultCacheTtlMs,
    namespace: read.text('modelCacheNamespace', ['PORTIA_MODEL_CACHE_NAMESPACE']),
  };
  const found = read.find('modelCache', ['PORTIA_MODEL_CACHE']);
  const redis = read.foundText('llmRedisCacheUrl', ['LLM_REDIS_CACHE_URL']);
  const setting = found && !(redis?.inCode && !found.inCode) ? found : redis;
  if (!setting) return undefined;
  const { value, where } = setting;
  if (typeof value === 'string') return { ...common, ...fromText(value, where, storageDir) };
  const cache = value as ModelCache;
  if (typeof cache?.get !== 'function' || typeof cache.set !== 'function')
    throw invalid(where, 'is neither a text nor a ModelCache', usual);
  return { ...common, kind: 'custom', name: cache.name, cache };
}

const usual = "write 'memory', 'sqlite:./answers.db' or 'redis://localhost:6379'";

function fromText(
  text: string,
  where: string,
  storageDir: string,
):
  | { readonly kind: 'memory'; readonly name: string }
  | { readonly kind: 'sqlite'; readonly name: string; readonly file: string }
  | { readonly kind: 'redis'; readonly name: string; readonly url: () => string } {
  const colon = text.indexOf(':');
  const kind = (colon < 0 ? text : text.slice(0, colon)).trim().toLowerCase();
  const place = colon < 0 ? '' : text.slice(colon + 1).replace(/^\/\/(?=\/)/, '');
  if (kind === 'memory' && place === '') return { kind: 'memory', name: 'memory' };
  if (kind === 'sqlite') {
    const file = place || join(storageDir, 'answers.db');
    return { kind: 'sqlite', name: `sqlite:${file}`, file };
  }
  if ((kind === 'redis' || kind === 'rediss') && URL.canParse(text))
    return { kind: 'redis', name: `redis:${new URL(text).host}`, url: () => text };
  throw invalid(where, 'names no cache that there is', usual);
}
