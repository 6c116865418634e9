import { afterEach, describe, expect, it } from 'vitest';
import { memoryStorage, Config, Portia } from 'portia-ts';
import { asker } from '../../test/lib/asking.ts';
import { createHandler } from '../handler.ts';
import { type RunningServer, serve } from '../serve.ts';
import { addressOf } from './address.ts';

describe('the address of a client', () => {
  it.each([
    ['the header is not believed by itself', '203.0.113.9', 0, '10.0.0.1'],
    ['one proxy wrote the last of it', '6.6.6.6, 203.0.113.9', 1, '203.0.113.9'],
    ['two proxies wrote the last two', '6.6.6.6, 203.0.113.9, 10.0.0.2', 2, '203.0.113.9'],
    ['it came past one of them', '203.0.113.9', 2, '203.0.113.9'],
    ['it came past all of them', undefined, 2, '10.0.0.1'],
    ['with a port', '203.0.113.9:5131', 1, '203.0.113.9'],
    ['of version 6', '6.6.6.6,2001:db8::1', 1, '2001:db8::1'],
    ['of version 6, in brackets and with a port', '[2001:db8::1]:443', 1, '2001:db8::1'],
    ['no address', '203.0.113.9, unknown', 1, '10.0.0.1'],
    ['nothing', '', 1, '10.0.0.1'],
    ['a name that is no address', '203.0.113.9, __proto__', 1, '10.0.0.1'],
  ])('%s', (_what, header, proxies, expected) => {
    expect(addressOf('10.0.0.1', header, proxies)).toBe(expected);
  });
});

let server: RunningServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const start = async (trustProxy?: number): Promise<string> => {
  const settings = { storage: 'memory' } as const;
  server = await serve({ port: 0, concurrency: 0, logLevel: 'silent', settings, trustProxy });
  return server.url;
};

/** The statuses of more requests than one address may make, each as from another one: as `forwarded` writes it. */
async function tries(url: string, path: string, forwarded: (n: number) => string): Promise<ReadonlySet<number>> {
  const statuses = new Set<number>();
  for (let n = 0; n < 70; n += 1) {
    const headers = { authorization: `Api-Key guess-${n}`, 'x-forwarded-for': forwarded(n) };
    const answer = await fetch(`${url}${path}`, { headers });
    await answer.body?.cancel();
    statuses.add(answer.status);
  }
  return statuses;
}

describe.each([
  ['wrong keys', '/api/v1/me', 401],
  ['sign-ins', '/sign-in/nobody/callback?state=x', 400],
])('%s', (_what, path, refused) => {
  it('are counted together whatever address they claim, unless a proxy is trusted', async () => {
    const url = await start();
    expect(await tries(url, path, (n) => `203.0.113.${n}`)).toContain(429);
  });

  it('are counted for each client behind a proxy that is trusted', async () => {
    const url = await start(1);
    expect(await tries(url, path, (n) => `6.6.6.6, 203.0.113.${n}`)).toEqual(new Set([refused]));
  });

  it('are counted together when only what stands before the words of the proxy is different', async () => {
    const url = await start(1);
    expect(await tries(url, path, (n) => `203.0.113.${n}, 198.51.100.7`)).toContain(429);
  });
});

it('counts for each client in a handler, too', async () => {
  const storage = memoryStorage();
  const portia = new Portia({ config: new Config({ storage }) });
  const statuses = async (trustProxy: number): Promise<ReadonlySet<number>> => {
    const ask = asker('http://here', createHandler(portia, storage, { authorize: () => null, trustProxy }));
    const seen = new Set<number>();
    for (let n = 0; n < 70; n += 1)
      seen.add((await ask('GET', '/api/v1/me', { headers: { 'x-forwarded-for': `203.0.113.${n}` } })).status);
    return seen;
  };
  expect(await statuses(0)).toContain(429);
  expect(await statuses(1)).toEqual(new Set([401]));
  await portia.close();
});

it.each([-1, 1.5, 101, Number.NaN])('refuses %s as a number of proxies', async (trustProxy) => {
  await expect(serve({ port: 0, trustProxy, settings: { storage: 'memory' } })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});
