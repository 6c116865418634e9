import { expect, it } from 'vitest';
import { openApiOf } from '../../../test/lib/openapi.ts';
import { testServer } from '../../../test/lib/server-for-tests.ts';
import { v0 } from './index.ts';

it('the document has every route of /api/v0, and no other', async () => {
  const server = await testServer({}, { work: false });
  const { operations } = await openApiOf(server);
  const described = operations
    .filter(({ path }) => path.startsWith('/api/v0/'))
    .map(({ method, path }) => `${method} ${path.replace('/api/v0', '').replace(/\{\w+\}/g, '{}')}`);
  const there = v0(undefined)
    .routes.filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:\w+/g, '{}')}/`);
  expect(described.length).toBeGreaterThan(15);
  expect(described.sort()).toEqual(there.sort());
  await server.close();
});
