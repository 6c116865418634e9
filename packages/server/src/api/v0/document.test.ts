import { expect, it } from 'vitest';
import { openApiOf } from '../../../test/lib/openapi.ts';
import { testServer } from '../../../test/lib/server-for-tests.ts';
import { v0 } from './index.ts';

it('the document has the routes of /api/v1 first, and each under one of its headings', async () => {
  const server = await testServer({}, { work: false });
  const { body } = await server.ask('GET', '/openapi.json');
  const paths = Object.keys(body.paths);
  const versions = paths.map((path) => path.slice(0, '/api/v1'.length));
  expect(versions).toEqual([...versions].sort().reverse());
  const used = Object.values<object>(body.paths).flatMap((methods) =>
    Object.values<{ readonly tags: readonly string[] }>(methods as never).map(({ tags }) => tags.join()),
  );
  expect([...new Set(used)]).toEqual(body.tags.map(({ name }: { readonly name: string }) => name));
  await server.close();
});

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
