import { join } from 'node:path';
import type { Config } from 'portia-ts';
import { dataFolder } from '../tenants.ts';
import { ControlStore } from './control-store.ts';
import { sqliteSql } from './sql.ts';

/** Opens the control store that belongs to a store of runs: beside its file, or in its database. */
export async function openControl(config: Config): Promise<ControlStore> {
  const { storage } = config;
  if (storage.class === 'POSTGRES') {
    const { postgresSql } = await import('./postgres-sql.ts');
    return ControlStore.open(await postgresSql(storage.url()), config.secretKey);
  }
  const inMemory = storage.class === 'MEMORY' || (storage.class === 'CUSTOM' && storage.name === 'memory');
  const control = await ControlStore.open(
    await sqliteSql(inMemory ? ':memory:' : join(dataFolder(config), 'control.db')),
    config.secretKey,
  );
  return control;
}
