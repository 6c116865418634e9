import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStorage } from 'portia-ts/sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { refunds } from '../test/lib/refunds.ts';
import { serverLog } from './server-log.ts';
import { Tenants } from './tenants.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-tenants-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const opened = (settings: object = {}): Tenants =>
  new Tenants({
    settings: { storage: `sqlite:${join(folder, 'portia.db')}`, env: {}, ...settings },
    serverConfig: refunds(),
    log: serverLog('silent'),
  });

it('gives each organisation a file of its own, and finds it again', async () => {
  const tenants = opened();
  const acme = await tenants.get('acme');
  const { planRunId } = await acme.portia.start(refunds().plans.refund, { planRunInputs: { amount: 1 } });
  expect((await (await tenants.get('default')).storage.listRuns({})).items).toEqual([]);
  await tenants.close();
  const file = await sqliteStorage(join(folder, 'organisations/acme.db'));
  expect((await file.listRuns({})).items.map(({ header }) => header.id)).toEqual([planRunId]);
  await file.close();
});

it('encrypts for whoever uses the store, not only for its own client', async () => {
  const tenants = opened({ encryptRuns: true, secretKey: randomBytes(32).toString('base64') });
  const { storage, portia } = await tenants.get('sealed');
  const { planRunId } = await portia.start(refunds().plans.refund, { planRunInputs: { amount: 987_654_321 } });
  expect((await storage.loadRun(planRunId))?.header.inputs['amount']?.value).toBe(987_654_321);
  await tenants.close();
  const file = await sqliteStorage(join(folder, 'organisations/sealed.db'));
  expect(JSON.stringify(await file.loadRun(planRunId))).not.toContain('987654321');
  await file.close();
});

it('refuses to encrypt without a key', async () => {
  const tenants = opened({ encryptRuns: true });
  await expect(tenants.get('default')).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' });
  await tenants.close();
});
