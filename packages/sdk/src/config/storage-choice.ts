import { join } from 'node:path';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { isPostgresUrl, postgresUrl } from '../storage/postgres/url.ts';
import { StorageClass } from './config-options.ts';
import { asChoice, type Found, invalid, type SettingReader } from './setting-reader.ts';

/** Where plans and runs are kept, settled; `name` is for people. */
export type StorageChoice =
  | { readonly class: 'MEMORY'; readonly name: string }
  | { readonly class: 'DISK'; readonly name: string; readonly dir: string }
  | { readonly class: 'SQLITE'; readonly name: string; readonly file: string }
  /** A function, so that an address with a password in it is not printed with the choice. */
  | { readonly class: 'POSTGRES'; readonly name: string; readonly url: () => string }
  | {
      readonly class: 'CLOUD';
      readonly name: string;
      readonly reach: () => { endpoint: string; apiKey: string | undefined };
    }
  | { readonly class: 'CUSTOM'; readonly name: string; readonly backend: StorageBackend };

/** Settles the storage: what code says goes before the environment, `storage` before `storageClass`. */
export function readStorage(read: SettingReader, storageDir: string): StorageChoice {
  const place = placesOf(read, storageDir);
  const storage = read.find('storage', ['PORTIA_STORAGE']);
  const storageClass = read.foundText('storageClass', ['PORTIA_STORAGE_CLASS']);
  if (storage && !(storageClass?.inCode && !storage.inCode)) {
    const choice = fromSetting(storage, place);
    if (storage.inCode && storageClass?.inCode && classOf(storageClass) !== choice.class) {
      throw invalid('storageClass', `is ${storageClass.value}, but storage is ${choice.name}`, 'give one of the two');
    }
    return choice;
  }
  return place(storageClass ? classOf(storageClass) : StorageClass.MEMORY);
}

function fromSetting({ value, where }: Found<unknown>, placed: Places): StorageChoice {
  if (typeof value === 'string') {
    if (isPostgresUrl(value)) return ofPostgres(value, where);
    const colon = value.indexOf(':');
    const kind = colon < 0 ? value : value.slice(0, colon);
    const place = colon < 0 ? undefined : value.slice(colon + 1).replace(/^\/\/(?=\/)/, '') || undefined;
    return placed(asClass(kind, where), place);
  }
  const backend = value as StorageBackend;
  if (typeof backend.loadRun !== 'function') {
    throw invalid(
      where,
      'is neither a text nor a storage backend',
      "write 'sqlite:./portia.db', or give a StorageBackend",
    );
  }
  return { class: 'CUSTOM', name: backend.name, backend };
}

/** Where Portia's cloud was. */
export const defaultApiEndpoint = 'https://api.portialabs.ai';

/** The store of a class, at the place that was given or at the usual one. */
type Places = (storageClass: StorageClass, place?: string) => StorageChoice;

function placesOf(read: SettingReader, storageDir: string): Places {
  return (storageClass, place) => {
    if (storageClass === 'MEMORY') return { class: 'MEMORY', name: 'memory' };
    if (storageClass === 'POSTGRES') {
      const url = read.foundText('databaseUrl', ['DATABASE_URL']);
      if (url) return ofPostgres(url.value, url.where);
      throw invalid('storageClass', 'is POSTGRES, and no address is given', 'set DATABASE_URL, or give databaseUrl');
    }
    if (storageClass === 'CLOUD') return ofCloud(read, place);
    if (storageClass === 'DISK') {
      const dir = place ?? storageDir;
      return { class: 'DISK', name: `disk:${dir}`, dir };
    }
    const file = place ?? join(storageDir, 'portia.db');
    return { class: 'SQLITE', name: `sqlite:${file}`, file };
  };
}

function ofCloud(read: SettingReader, place: string | undefined): StorageChoice {
  if (place !== undefined && !/^https?:$/.test(URL.canParse(place) ? new URL(place).protocol : ''))
    throw invalid('storage', 'names no web address', 'write cloud:https://my-server.example');
  const endpoint = place ?? read.url('portiaApiEndpoint', ['PORTIA_API_ENDPOINT']) ?? defaultApiEndpoint;
  const apiKey = read.text('portiaApiKey', ['PORTIA_API_KEY']);
  return { class: 'CLOUD', name: `cloud:${new URL(endpoint).host}`, reach: () => ({ endpoint, apiKey }) };
}

function ofPostgres(text: string, where: string): StorageChoice {
  const { host, pathname } = postgresUrl(text, `the setting ${where}`);
  return { class: 'POSTGRES', name: `postgres:${host}${pathname}`, url: () => text };
}

function classOf({ value, where }: Found<string>): StorageClass {
  return asClass(value, where);
}

function asClass(text: string, where: string): StorageClass {
  const name = text.trim().toUpperCase();
  return asChoice(name === 'POSTGRESQL' ? 'POSTGRES' : text, where, StorageClass);
}
