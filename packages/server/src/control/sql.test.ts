import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it } from 'vitest';
import { startPostgres } from '../../../sdk/test/lib/postgres.ts';
import { ControlStore } from './control-store.ts';
import { postgresSql } from './postgres-sql.ts';
import { sqliteSql } from './sql.ts';

it.skipIf(process.platform === 'win32')('keeps keys and secrets in files that nobody else can read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portia-control-'));
  const before = process.umask(0o022);
  try {
    const control = await ControlStore.open(await sqliteSql(join(folder, 'data/control.db')));
    const files = readdirSync(join(folder, 'data'));
    expect(files).toContain('control.db');
    for (const file of files) expect(statSync(join(folder, 'data', file)).mode & 0o077, file).toBe(0);
    await control.close();
  } finally {
    process.umask(before);
    rmSync(folder, { recursive: true, force: true });
  }
});

it('is made once by many that open it at once, in a PostgreSQL database that is empty', async () => {
  const postgres = await startPostgres();
  const client = new pg.Client(postgres.url);
  await client.connect();
  try {
    for (let round = 0; round < 4; round += 1) {
      const name = `fresh_${process.pid}_${round}`;
      await client.query(`CREATE DATABASE ${name}`);
      const address = new URL(postgres.url);
      address.pathname = `/${name}`;
      const opened = await Promise.allSettled(
        Array.from({ length: 8 }, async () => ControlStore.open(await postgresSql(address.href))),
      );
      expect(opened.filter(({ status }) => status === 'rejected')).toEqual([]);
      for (const one of opened) if (one.status === 'fulfilled') await one.value.close();
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  } finally {
    await client.end();
    await postgres.stop();
  }
}, 60_000);
