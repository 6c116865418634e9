import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ControlStore } from './control-store.ts';
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
