import { afterEach, expect, it } from 'vitest';
import { type RunningServer, serve } from '../serve.ts';

let server: RunningServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});
const page = 'https://app.example.org';
const started = async (corsOrigins?: string[]): Promise<string> => {
  server = await serve({
    port: 0,
    concurrency: 0,
    logLevel: 'silent',
    settings: { storage: 'memory', env: {} },
    corsOrigins,
  });
  return server.url;
};
const preflight = (url: string, origin: string): Promise<Response> =>
  fetch(`${url}/api/v1/runs`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  });

it('lets pages of other origins in only when they are named, and lets them read why they were refused', async () => {
  const url = await started([page]);
  const asked = await preflight(url, page);
  expect(asked.status).toBe(204);
  expect(asked.headers.get('access-control-allow-origin')).toBe(page);
  expect(asked.headers.get('access-control-allow-credentials')).toBeNull();
  const refused = await fetch(`${url}/api/v1/runs`, { headers: { origin: page, authorization: 'Bearer wrong' } });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('access-control-allow-origin')).toBe(page);
  expect(await refused.json()).toMatchObject({ code: 'UNAUTHENTICATED' });
  for (const other of ['https://evil.example', 'null', 'https://app.example.org.evil.example'])
    expect((await preflight(url, other)).headers.get('access-control-allow-origin')).toBeNull();
});

it('says nothing to other origins unless told to, and takes no name that is none', async () => {
  const url = await started();
  expect((await preflight(url, page)).headers.get('access-control-allow-origin')).toBeNull();
  for (const wrong of ['*', 'app.example.org', 'https://app.example.org/', 'https://app.example.org/page'])
    await expect(
      serve({ port: 0, settings: { storage: 'memory', env: {} }, corsOrigins: [wrong] }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
});
