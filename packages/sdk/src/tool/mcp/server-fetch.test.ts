import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { serveFetch } from '../../../test/lib/fetch-server.ts';
import { codeOf } from '../../../test/lib/engine.ts';
import { serverFetch } from './server-fetch.ts';

const headers = { authorization: 'Bearer key-of-the-server', 'x-team': 'a' };
const oauth = { redirectUrl: 'https://app.example/back' };
let asked: { readonly method: string; readonly headers: Headers; readonly body: string }[];
let here: { readonly url: string; close(): Promise<void> };
beforeAll(async () => {
  here = await serveFetch(async (request) => {
    asked.push({ method: request.method, headers: request.headers, body: await request.text() });
    return new URL(request.url).pathname === '/on'
      ? new Response(null, { status: 307, headers: { location: 'http://169.254.169.254/' } })
      : Response.json({ ok: true });
  });
});
afterAll(() => here.close());
beforeEach(() => {
  asked = [];
});
const at = (url: string, more: object = {}): ReturnType<typeof serverFetch> =>
  serverFetch({ serverName: 'mail', url, headers, oauth: { ...oauth, ...more } });

it('sends the headers that were given to the server alone', async () => {
  await at(`${here.url}/mcp`)(`${here.url}/mcp`, { headers: { 'x-team': 'b' } });
  await at('http://127.0.0.1:9/mcp')(`${here.url}/token`, { method: 'POST', body: new URLSearchParams({ a: '1' }) });
  const [own, other] = asked;
  expect([own?.headers.get('authorization'), own?.headers.get('x-team')]).toEqual(['Bearer key-of-the-server', 'b']);
  expect([other?.headers.get('authorization'), other?.headers.get('x-team')]).toEqual([null, null]);
  expect([other?.method, other?.body]).toEqual(['POST', 'a=1']);
});

it.each([
  'https://mcp.example.com/mcp',
  'https://8.8.8.8/mcp',
  'https://127.0.0.1.example.com/mcp',
  'https://[2606:4700::1111]/mcp',
])('asks nothing private for signing in to %s', async (url) => {
  const fetch = at(url);
  const { port } = new URL(here.url);
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1'])
    expect(await codeOf(fetch(`http://${host}:${port}/.well-known/oauth-authorization-server`))).toBe('SIGN_IN_FAILED');
  expect(await codeOf(fetch('http://169.254.169.254/latest/meta-data'))).toBe('SIGN_IN_FAILED');
  expect(asked).toEqual([]);
});

it('asks what was allowed, once: where it leads on to is for who asked to judge', async () => {
  const fetch = at('https://mcp.example.com/mcp', { allowPrivateHosts: [new URL(here.url).host] });
  const answer = await fetch(`${here.url}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ code: 'c 1' }),
  });
  expect([answer.status, await answer.json()]).toEqual([200, { ok: true }]);
  expect(asked[0]).toMatchObject({ method: 'POST', body: 'code=c+1' });
  expect(asked[0]?.headers.get('authorization')).toBe(null);
  const on = await fetch(`${here.url}/on`, { redirect: 'manual' });
  expect([on.status, on.headers.get('location')]).toEqual([307, 'http://169.254.169.254/']);
});

it.each(['http://mcp:8080/mcp', 'http://crm.internal/mcp', 'http://10.0.0.7/mcp', 'http://localhost:1/mcp'])(
  'asks what is private where the server is private by its name: %s',
  async (url) => {
    expect(await (await at(url)(`${here.url}/token`)).json()).toEqual({ ok: true });
  },
);
