import { join } from 'node:path';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { StorageClass } from './config-options.ts';
import { asChoice, type Found, invalid, type SettingReader } from './setting-reader.ts';

/** Where plans and runs are kept, settled; `name` is for people. */
export type StorageChoice =
  | { readonly class: 'MEMORY'; readonly name: string }
  | { readonly class: 'DISK'; readonly name: string; readonly dir: string }
  | { readonly class: 'SQLITE'; readonly name: string; readonly file: string }
  | { readonly class: 'CUSTOM'; readonly name: string; readonly backend: StorageBackend };

/** Settles the storage: what code says goes before the environment, `storage` before `storageClass`. */
export function readStorage(read: SettingReader, storageDir: string): StorageChoice {
  const storage = read.find('storage', ['PORTIA_STORAGE']);
  const storageClass = read.foundText('storageClass', ['PORTIA_STORAGE_CLASS']);
  if (storage && !(storageClass?.inCode && !storage.inCode)) {
    const choice = fromSetting(storage, storageDir);
    if (storage.inCode && storageClass?.inCode && classOf(storageClass) !== choice.class) {
      throw invalid('storageClass', `is ${storageClass.value}, but storage is ${choice.name}`, 'give one of the two');
    }
    return choice;
  }
  return ofClass(storageClass ? classOf(storageClass) : StorageClass.MEMORY, undefined, storageDir);
}

function fromSetting({ value, where }: Found<unknown>, storageDir: string): StorageChoice {
  if (typeof value === 'string') {
    const colon = value.indexOf(':');
    const kind = colon < 0 ? value : value.slice(0, colon);
    const place = colon < 0 ? undefined : value.slice(colon + 1).replace(/^\/\/(?=\/)/, '') || undefined;
    return ofClass(asClass(kind, where), place, storageDir);
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

function ofClass(storageClass: StorageClass, place: string | undefined, storageDir: string): StorageChoice {
  if (storageClass === 'MEMORY') return { class: 'MEMORY', name: 'memory' };
  if (storageClass === 'DISK') {
    const dir = place ?? storageDir;
    return { class: 'DISK', name: `disk:${dir}`, dir };
  }
  const file = place ?? join(storageDir, 'portia.db');
  return { class: 'SQLITE', name: `sqlite:${file}`, file };
}

function classOf({ value, where }: Found<string>): StorageClass {
  return asClass(value, where);
}

const elsewhere = new Set(['CLOUD', 'POSTGRES', 'POSTGRESQL']);

function asClass(text: string, where: string): StorageClass {
  const name = text.trim().toUpperCase();
  if (elsewhere.has(name)) {
    throw invalid(
      where,
      `is ${name}, which comes with the package portia-ts-server`,
      'use MEMORY, DISK or SQLITE, or give storage a StorageBackend of that package',
    );
  }
  return asChoice(text, where, StorageClass);
}
