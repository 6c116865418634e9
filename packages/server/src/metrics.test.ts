import { expect, it } from 'vitest';
import { memoryStorage, Config, Portia } from 'portia-ts';
import { asker, until } from '../test/lib/asking.ts';
import { createHandler } from './handler.ts';
import { refunds } from '../test/lib/refunds.ts';
import { testServer } from '../test/lib/server-for-tests.ts';

it('counts the runs of the organisation whose key asks, and of no other', async () => {
  const server = await testServer(refunds());
  try {
    const admin = await server.key('admin');
    const start = (plan: string, planRunInputs: object) =>
      server.ask('POST', '/api/v1/runs', { as: admin, body: { plan, planRunInputs } });
    await start('refund', { amount: 5 });
    await start('lost', {});
    await until(async () => {
      const { body } = await server.ask('GET', '/api/v1/runs', { as: admin });
      const states = body.items.map(({ state }: { state: string }) => state);
      return states.includes('NEED_CLARIFICATION') && states.includes('FAILED');
    }, 'one waits and one has failed');
    const { body, headers } = await server.ask('GET', '/metrics', { as: admin });
    expect(headers.get('content-type')).toContain('version=0.0.4');
    for (const line of [
      'portia_runs{state="NEED_CLARIFICATION"} 1',
      'portia_runs{state="FAILED"} 1',
      'portia_runs{state="COMPLETE"} 0',
      'portia_failed_runs{code="TOOL_FAILED"} 1',
      'portia_open_clarifications{audience="endUser"} 1',
      'portia_unknown_calls 0',
    ])
      expect(body.split('\n')).toContain(line);
    expect(body).toMatch(/^portia_oldest_waiting_seconds \d/m);
    const other = await server.ask('GET', '/metrics', { as: await server.keyOf('other', 'admin') });
    expect(other.body).toContain('portia_runs{state="FAILED"} 0');
    expect((await server.ask('GET', '/metrics')).status).toBe(401);
    expect((await server.ask('GET', '/metrics', { as: await server.tokenOf('carl') })).status).toBe(403);
  } finally {
    await server.close();
  }
});

it('reads no run for that, however many have ended', async () => {
  const storage = memoryStorage();
  const portia = new Portia({ config: new Config({ storage }) });
  const handler = createHandler(portia, storage, { authorize: () => ({ id: 'x', scopes: ['client'] }) });
  const ask = asker('http://program.test', handler);
  const read: string[] = [];
  for (const name of ['listRuns', 'loadRun'] as const) {
    const own = storage[name].bind(storage) as (...given: unknown[]) => never;
    storage[name] = (...given: unknown[]) => {
      read.push(name);
      return own(...given);
    };
  }
  const { status, body } = await ask('GET', '/metrics');
  expect([status, read]).toEqual([200, []]);
  expect(body).toContain('portia_runs{state="COMPLETE"} 0');
  await portia.close();
});
