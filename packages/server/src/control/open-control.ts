import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from 'portia-ts';
import { dataFolder } from '../tenants.ts';
import { ControlStore, defaultOrganisation } from './control-store.ts';
import { type Sql, sqliteSql } from './sql.ts';

/** Opens the control store that belongs to a store of runs: beside its file, or in its database. */
export async function openControl(config: Config): Promise<ControlStore> {
  const { storage } = config;
  if (storage.class === 'POSTGRES') {
    const { postgresSql } = await import('./postgres-sql.ts');
    return ControlStore.open(await postgresSql(storage.url()), config.secretKey);
  }
  return ControlStore.open(await sqliteSql(isInMemory(config) ? ':memory:' : controlFile(config)), config.secretKey);
}

/** The same for what only looks: where there is none, an empty one that is kept nowhere. */
export async function lookAtControl(config: Config): Promise<ControlStore> {
  return ControlStore.open((await existing(config)) ?? (await sqliteSql(':memory:')), config.secretKey);
}

function isInMemory({ storage }: Config): boolean {
  return storage.class === 'MEMORY' || (storage.class === 'CUSTOM' && storage.name === 'memory');
}

/** The organisations of a server, where there is one; nothing is made where there is none. */
export async function readOrganisations(config: Config): Promise<readonly string[]> {
  const sql = await existing(config);
  if (!sql) return [defaultOrganisation];
  try {
    const rows = await sql.all('SELECT name FROM control.organisations ORDER BY created_at, name');
    return rows.map(({ name }) => String(name));
  } finally {
    await sql.close();
  }
}

async function existing(config: Config): Promise<Sql | undefined> {
  const { storage } = config;
  if (storage.class === 'POSTGRES') {
    const { existingPostgresSql } = await import('./postgres-sql.ts');
    return existingPostgresSql(storage.url());
  }
  if (storage.class === 'CLOUD' || isInMemory(config)) return undefined;
  const file = controlFile(config);
  return existsSync(file) ? sqliteSql(file) : undefined;
}

function controlFile(config: Config): string {
  return join(dataFolder(config), 'control.db');
}
