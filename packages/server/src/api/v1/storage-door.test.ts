import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStorage } from 'portia-ts/sqlite';
import { testStorageBackend } from 'portia-ts/testing';
import { cloudStorage, type ConfigOptions, EndUser, type StorageBackend } from 'portia-ts';
import { describe, expect, it } from 'vitest';
import { type RunningServer, serve } from '../../serve.ts';

// Every test of a store, through HTTP and a real server.
testStorageBackend(
  {
    name: 'cloud, through a server,',
    persistent: true,
    open: async () => {
      const server = await serve({
        port: 0,
        noAuth: true,
        concurrency: 0,
        logLevel: 'silent',
        settings: { storage: 'memory' },
      });
      const open = (): Promise<StorageBackend> => cloudStorage({ endpoint: server.url });
      return { storage: await open(), reopen: open, close: () => server.close() };
    },
  },
  { describe, it, expect },
);

it('contents are encrypted where the settings say so, and a server without the key does not begin', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portia-server-encrypted-'));
  const file = join(folder, 'portia.db');
  const settings = { storage: `sqlite:${file}`, encryptRuns: true };
  const start = (more: ConfigOptions = {}): Promise<RunningServer> =>
    serve({ port: 0, noAuth: true, concurrency: 0, logLevel: 'silent', folder, settings: { ...settings, ...more } });
  try {
    await expect(start()).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' });
    const server = await start({ secretKey: 'ab'.repeat(32) });
    const storage = await cloudStorage({ endpoint: server.url });
    await storage.saveEndUser(EndUser({ externalId: 'ada', name: 'hunter2' }));
    expect((await storage.getEndUser('ada'))?.name).toBe('hunter2');
    await storage.close();
    await server.close();
    const raw = await sqliteStorage(file);
    expect((await raw.getEndUser('ada'))?.name).toMatch(/^portia:sealed:/);
    await raw.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
