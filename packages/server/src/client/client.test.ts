import openapiTS, { astToString } from 'openapi-typescript';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/lib/asking.ts';
import { refunds } from '../../test/lib/refunds.ts';
import { type TestServer, testServer } from '../../test/lib/server-for-tests.ts';
import { serverClient } from './index.ts';

let server: TestServer;
beforeEach(async () => {
  server = await testServer(refunds());
});
afterEach(() => server.close());

it('has the types of the API as it is (npx vitest run packages/server/src/client -u makes them anew)', async () => {
  const document = (await server.ask('GET', '/openapi.json')).body;
  // Those of /api/v0 are for other clients.
  const ours = (name: string): boolean => !name.startsWith('/api/v0/') && !name.startsWith('V0');
  for (const named of [document.paths, document.components.schemas])
    for (const name of Object.keys(named)) if (!ours(name)) delete named[name];
  const text = `// Made from the OpenAPI document: npx vitest run packages/server/src/client -u\n\n${astToString(await openapiTS(document))}`;
  await expect(text).toMatchFileSnapshot('./api-types.ts');
});

it('starts, follows and answers, over connections that break', async () => {
  let breaks = 0;
  const connect = async (key: string) =>
    serverClient({
      url: 'http://server.test',
      key,
      fetch: async (request) => {
        if (request.url.includes('/events') && breaks++ === 0) throw new TypeError('the connection was lost');
        return server.send(request);
      },
    });
  const shop = await connect(await server.key('client'));
  const carl = await connect(await server.tokenOf('carl'));
  const operator = await connect(await server.key('operator'));
  const { data: run } = await shop.POST('/api/v1/runs', {
    body: { plan: 'refund', planRunInputs: { amount: 5 }, endUser: 'carl' },
  });
  const runId = run?.id ?? '';
  const types: string[] = [];
  const following = (async () => {
    for await (const event of shop.events(runId)) types.push(event.type);
  })();
  const answered = async (who: typeof carl, response: unknown): Promise<void> => {
    const open = await until(
      async () => (await who.GET('/api/v1/clarifications')).data?.items.find(({ resolved }) => !resolved),
      'a question',
    );
    const params = { path: { runId, clarificationId: open.id } };
    const { error } = await who.POST('/api/v1/runs/{runId}/clarifications/{clarificationId}/answer', {
      params,
      body: { response },
    });
    expect(error).toBeUndefined();
  };
  await answered(carl, 'It broke');
  await answered(operator, true);
  await following;
  expect(types.at(0)).toBe('run-start');
  expect(types.at(-1)).toBe('run-end');
  expect(breaks).toBeGreaterThan(1);
  const { error } = await shop.GET('/api/v1/runs/{runId}', { params: { path: { runId: 'prun-1' } } });
  expect(error?.code).toBe('ID_INVALID');
});
