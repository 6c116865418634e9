import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, serve } from '../serve.ts';

let server: RunningServer;
let port: string;
beforeAll(async () => {
  server = await serve({ port: 0, noAuth: true, concurrency: 0, logLevel: 'silent', settings: { storage: 'memory' } });
  ({ port } = new URL(server.url));
});
afterAll(() => server.close());

/** Asks with exactly these headers, as a browser or a proxy would: `fetch` sets some of them itself. */
function ask(method: string, path: string, headers: Record<string, string>, body = ''): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { method, headers }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk));
      answer.on('end', () => resolve([answer.statusCode ?? 0, text]));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const strangers: readonly (readonly [string, (port: string) => Record<string, string>])[] = [
  ['a name that somebody lets mean this machine', (at) => ({ host: `evil.example:${at}` })],
  ['a page of another site', () => ({ origin: 'https://evil.example' })],
  ['a page of another port of this machine', () => ({ origin: 'http://localhost:1' })],
  ['a page in a sandbox', () => ({ origin: 'null' })],
  ['a picture or a link in a page of another site', () => ({ 'sec-fetch-site': 'cross-site' })],
  ['a proxy that hands on what comes from elsewhere', () => ({ 'x-forwarded-for': '203.0.113.9' })],
];

describe('without auth', () => {
  it.each(strangers)('%s is let in nowhere', async (_who, headersAt) => {
    const headers = { 'content-type': 'text/plain', ...headersAt(port) };
    for (const [method, path, body] of [
      ['GET', '/api/v1/runs', ''],
      ['GET', '/metrics', ''],
      ['POST', '/api/v1/storage/list-runs', '{"query":{}}'],
      ['POST', '/api/v1/runs/prun-00000000-0000-4000-8000-000000000000/cancel', ''],
    ] as const) {
      const [status, text] = await ask(method, path, headers, body);
      expect(status, `${method} ${path}`).toBe(403);
      expect(JSON.parse(text)).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  it.each([
    ['a program', () => ({})],
    ['a program that says localhost', (at: string) => ({ host: `LocalHost:${at}` })],
    ['a program that says ::1', (at: string) => ({ host: `[::1]:${at}` })],
    [
      'the page of the server',
      (at: string) => ({
        host: `localhost:${at}`,
        origin: `http://localhost:${at}`,
        'sec-fetch-site': 'same-origin',
      }),
    ],
  ] as const)('%s is let in', async (_who, headersAt) => {
    expect((await ask('GET', '/api/v1/runs', headersAt(port)))[0]).toBe(200);
  });
});
