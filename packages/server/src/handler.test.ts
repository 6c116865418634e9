import { Config, memoryStorage, Portia, PortiaError, type StorageBackend } from 'portia-ts';
import { expect, it } from 'vitest';
import { asker } from '../test/lib/asking.ts';
import { refunds } from '../test/lib/refunds.ts';
import type { Principal } from './auth/principal.ts';
import { createHandler, type HandlerOptions } from './handler.ts';

function program(storage: StorageBackend, options: HandlerOptions) {
  const shop = refunds();
  const portia = new Portia({ config: new Config({ storage }), tools: shop.tools, plans: [shop.plans.refund] });
  return { portia, shop, ask: asker('http://here', createHandler(portia, storage, options)) };
}

it('lets an end user answer, whatever the program calls them, and only of their own runs', async () => {
  const people: Readonly<Record<string, Principal>> = {
    'session-1': { id: 'session-1', scopes: [], endUserId: 'carl' },
    // Somebody whose account is named like the end user of another one.
    carl: { id: 'carl', scopes: [], endUserId: 'mallory' },
  };
  const { portia, shop, ask } = program(memoryStorage(), {
    authorize: (request) => people[request.headers.get('x-session') ?? ''],
  });
  const run = await portia.runPlan(shop.plans.refund, { planRunInputs: { amount: 5 }, endUser: 'carl' });
  const [question] = run.getOutstandingClarifications();
  const answer = (session: string) =>
    ask('POST', `/api/v1/runs/${run.id}/clarifications/${question?.id}/answer`, {
      body: { response: 'It broke' },
      headers: { 'x-session': session },
    });
  expect((await answer('carl')).status).toBe(404);
  const answered = await answer('session-1');
  expect(answered).toMatchObject({
    status: 200,
    body: { clarifications: [{ resolvedBy: 'carl', resolvedAs: 'endUser' }] },
  });
  await portia.close();
});

it('says nothing of its machine to whoever asks', async () => {
  const storage = memoryStorage();
  let thrown: Error = new PortiaError({
    code: 'STORAGE_FAILED',
    message: '/srv/secret-place/portia.db could not be read: SELECT 1',
    hint: 'check /srv/secret-place',
  });
  storage.listRuns = async () => Promise.reject(thrown);
  const { portia, ask } = program(storage, { authorize: () => ({ id: 'x', scopes: ['client'] }) });
  const failed = await ask('GET', '/api/v1/runs');
  expect(failed).toMatchObject({ status: 503, body: { code: 'STORAGE_FAILED' } });
  expect(JSON.stringify(failed.body)).not.toMatch(/secret-place|SELECT/);
  thrown = new Error('something in /srv/secret-place');
  const unforeseen = await ask('GET', '/api/v1/runs');
  expect(unforeseen).toMatchObject({ status: 500, body: { code: 'INTERNAL' } });
  expect(JSON.stringify(unforeseen.body)).not.toContain('secret-place');
  await portia.close();
});
