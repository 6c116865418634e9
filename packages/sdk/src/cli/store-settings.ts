import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import type { ConfigOptions } from '../config/config-options.ts';
import type { StorageChoice } from '../config/storage-choice.ts';
import { ensureError, PortiaError } from '../core/errors.ts';
import { loadServer } from '../server-package.ts';
import { isPostgresUrl } from '../storage/postgres/url.ts';
import { type Input, usageError } from './input.ts';
import { settingOfOption } from './options.ts';

/** Whether the SQLite store can be used here. */
export async function hasSqlite(): Promise<boolean> {
  const name = 'libsql';
  try {
    await import(name);
    return true;
  } catch {
    return false;
  }
}

/** What was given on the command line, by setting. */
function givenSettings(input: Input): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [option, setting] of Object.entries(settingOfOption)) {
    const value = input.text(option);
    if (value !== undefined) given[setting] = value;
  }
  return given;
}

/**
 * What was given on the command line, with a store. There is one rule for all commands, so that those that look after the
 * store of a server work on that of `serve`: what the command line names, then `PORTIA_STORAGE` and
 * `PORTIA_STORAGE_CLASS`, then the database of `DATABASE_URL` unless a folder was given, then that folder, or `.portia`.
 */
export async function storeSettings(
  input: Input,
  more: Readonly<Record<string, unknown>> = {},
): Promise<ConfigOptions> {
  const given = { ...givenSettings(input), ...more };
  const { PORTIA_STORAGE, PORTIA_STORAGE_CLASS, DATABASE_URL } = process.env;
  if (given['storage'] ?? given['storageClass'] ?? (PORTIA_STORAGE || PORTIA_STORAGE_CLASS)) return given;
  if (DATABASE_URL && given['storageDir'] === undefined) {
    if (isPostgresUrl(DATABASE_URL)) return { ...given, storageClass: 'POSTGRES' };
    throw usageError(
      'DATABASE_URL is the address of no PostgreSQL database',
      'say where runs are kept with --storage or PORTIA_STORAGE: sqlite:./portia.db, postgres://…',
    );
  }
  return { ...given, storageClass: (await hasSqlite()) ? 'SQLITE' : 'DISK' };
}

/** The settings of a server: its log is its own. */
export async function serverSettings(input: Input): Promise<ConfigOptions> {
  const { defaultLogLevel: _, ...settings } = await storeSettings(input);
  // It needs SQLite in any case: where that is missing, it says so, and takes no other store that it would leave later.
  const isChosen = input.text('storage-class') !== undefined;
  return settings.storageClass === 'DISK' && !isChosen ? { ...settings, storageClass: 'SQLITE' } : settings;
}

/** The same with the store of the organisation that was named. */
export async function ownSettings(input: Input, more: Readonly<Record<string, unknown>> = {}): Promise<ConfigOptions> {
  const settings = await storeSettings(input, more);
  const organisation = input.text('organisation');
  if (organisation === undefined || organisation === 'default') return settings;
  const { organisationSettings } = await loadServer();
  return organisationSettings(settings, organisation);
}

/** @throws PortiaError `USAGE` for a file or a folder that is not there: opening it would make an empty store. */
export function mustBeThere({ storage }: Config): void {
  const place = placeOf(storage);
  if (place === undefined || existsSync(place)) return;
  throw usageError(`there is no store at ${place}`, 'name one that is there; nothing was made');
}

/** The file or the folder of a store that has one. */
function placeOf(storage: StorageChoice): string | undefined {
  const place = storage.class === 'SQLITE' ? storage.file : storage.class === 'DISK' ? storage.dir : undefined;
  return place === ':memory:' ? undefined : place;
}

/**
 * Whether opening a store would make it. @throws PortiaError `STORAGE_FAILED` where it could not be made, and what asking
 * its database throws.
 */
export async function isYetToBeMade({ storage }: Config): Promise<boolean> {
  if (storage.class === 'POSTGRES') {
    const { isThere } = await import('../storage/postgres/is-there.ts');
    return !(await isThere({ url: storage.url() }));
  }
  const place = placeOf(storage);
  if (place === undefined || existsSync(place)) return false;
  let folder = dirname(resolve(place));
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    if (!statSync(folder).isDirectory()) throw new Error('it is no folder');
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    const message = `it cannot be made in ${folder}: ${ensureError(cause).message}`;
    throw new PortiaError({ code: 'STORAGE_FAILED', message, cause });
  }
  return true;
}
