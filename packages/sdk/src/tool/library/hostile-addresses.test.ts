import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { testTool } from '../../testing/tool-contract.ts';
import { createHttpRequestTool, type HttpRequestToolOptions, httpRequestTool } from './http-request-tool.ts';
import { isPublicAddress } from './private-network.ts';

let server: Server;
let host: string;
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
let requests: {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}[];

beforeEach(async () => {
  requests = [];
  answer = (_request, response) => response.end('secret of the inner network');
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    answer(request, response, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function errorOf(url: string, options: HttpRequestToolOptions = {}, more: object = {}): Promise<Error> {
  try {
    const result = await createHttpRequestTool(options).run({ url, method: 'GET', ...more }, toolContext());
    return new Error(`gave ${JSON.stringify(result)}`);
  } catch (error) {
    return error as Error;
  }
}

describe('addresses that lead inside', () => {
  const port = (): string => host.slice(host.indexOf(':'));

  it.each([
    'http://127.0.0.1',
    'http://127.1',
    'http://2130706433',
    'http://0x7f000001',
    'http://0177.0.0.1',
    'http://0',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://[::ffff:7f00:1]',
    'http://[64:ff9b::7f00:1]',
    'http://[2002:7f00:1::]',
    'http://localhost',
    'http://LOCALHOST',
    'http://①②⑦.⓪.⓪.①',
    'http://127.0.0.1.',
  ])('refuses this machine as %s, before anything is sent', async (address) => {
    const error = await errorOf(address + port());
    expect(error).toBeInstanceOf(ToolHardError);
    expect(error.message).toMatch(/is private/);
    expect(requests).toEqual([]);
  });

  it.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/latest/meta-data/',
    'http://100.100.100.200/latest/meta-data/',
    'http://10.0.0.1',
    'http://172.31.255.255',
    'http://192.168.1.1',
    'http://[fe80::1]',
    'http://[::]',
    'http://255.255.255.255',
  ])('refuses %s, a private or metadata address', async (address) => {
    const error = await errorOf(address);
    expect(error).toBeInstanceOf(ToolHardError);
    expect(error.message).toMatch(/is private/);
  });

  it.each(['file:///etc/passwd', 'ftp://example.com', 'data:text/plain,x', 'nonsense', 'https://user:pw@example.com'])(
    'does not fetch %s',
    async (address) => {
      expect(await errorOf(address)).toBeInstanceOf(ToolHardError);
    },
  );

  it('judges the target of a redirect like the first address', async () => {
    const allowed = { allowPrivateHosts: [host] };
    answer = (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    expect((await errorOf(`http://${host}/`, allowed)).message).toMatch(/169\.254\.169\.254 is private/);
    answer = (_request, response) => response.writeHead(302, { location: `http://localhost${port()}/` }).end();
    expect((await errorOf(`http://${host}/`, allowed)).message).toMatch(/localhost is private/);
    answer = (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    expect((await errorOf(`http://${host}/`, allowed)).message).toMatch(/not a web address/);
    answer = (_request, response) => response.writeHead(302, { location: '/again' }).end();
    expect((await errorOf(`http://${host}/`, allowed)).message).toBe('the address leads on more than 3 times');
  });

  it('looks at the address that is connected to, so that a name cannot change its mind', async () => {
    // `localhost` is a name like any other for the check by name: only the look-up of the connection gives it away.
    expect((await errorOf(`http://localhost${port()}`)).message).toMatch(/localhost is private/);
    expect(requests).toEqual([]);
  });

  it('reaches only the hosts it is allowed to, where they are named', async () => {
    const error = await errorOf('https://example.org', { allowHosts: ['example.com'] });
    expect(error.message).toBe('the host example.org is not one this tool may reach');
    expect((await errorOf('https://evilexample.com', { allowHosts: ['example.com'] })).message).toMatch(/may reach/);
  });

  it('knows public addresses', () => {
    expect(['8.8.8.8', '1.1.1.1', '2606:4700::1111'].map(isPublicAddress)).toEqual([true, true, true]);
    expect(['2001:db8::1', 'fe80::1%eth0', 'x'].map(isPublicAddress)).toEqual([false, false, false]);
  });
});

describe('http_request_tool', () => {
  const options = (): HttpRequestToolOptions => ({ allowPrivateHosts: [host] });
  const call = (args: object, more: HttpRequestToolOptions = {}) =>
    createHttpRequestTool({ ...options(), ...more }).run(
      { url: `http://${host}/x`, method: 'GET', ...args },
      toolContext(),
    );

  it('gives status, type and the parsed body', async () => {
    answer = (_request, response) =>
      response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{"a":[1]}');
    expect(await call({})).toEqual({
      url: `http://${host}/x`,
      status: 404,
      content_type: 'application/problem+json',
      body: { a: [1] },
    });
  });

  it('is read-only with the methods it has, and has effects with others', () => {
    expect(httpRequestTool.readOnly).toBe(true);
    const writer = createHttpRequestTool({ methods: ['POST'] });
    expect([writer.readOnly, writer.idempotent]).toEqual([false, undefined]);
  });

  it('sends a body and the key of the call with a method that changes things', async () => {
    await call({ method: 'POST', body: { a: 1 } }, { methods: ['POST'] });
    const [sent] = requests;
    expect(sent).toMatchObject({ method: 'POST', body: '{"a":1}' });
    expect(sent?.headers['content-type']).toBe('application/json');
    expect(sent?.headers['idempotency-key']).toMatch(/^[\w-]{43}$/);
  });

  it('says nothing of what became of a change whose answer was lost', async () => {
    answer = (request) => request.socket.destroy();
    const lost = await errorOf(`http://${host}/`, { ...options(), methods: ['POST'] }, { method: 'POST' });
    expect(lost).not.toBeInstanceOf(ToolSoftError);
    expect(lost).not.toBeInstanceOf(ToolHardError);
    expect(lost.message).toBe('the request was sent, but its answer was lost: ECONNRESET');
    expect(await errorOf(`http://${host}/`, options())).toBeInstanceOf(ToolSoftError);
  });

  it('gives its own headers to the origins they are for, and lets no call set those of the connection', async () => {
    const keyed = { headers: { Authorization: 'Bearer key' }, headersFor: [`http://${host}`] };
    await call({}, keyed);
    expect(requests[0]?.headers.authorization).toBe('Bearer key');
    await call({}, { ...keyed, headersFor: ['https://elsewhere.example'] });
    expect(requests[1]?.headers.authorization).toBeUndefined();
    for (const name of ['Host', 'authorization', 'Cookie', 'proxy-authorization', 'transfer-encoding'])
      expect(await errorOf(`http://${host}/`, options(), { headers: { [name]: 'x' } })).toBeInstanceOf(ToolSoftError);
    expect(await errorOf(`http://${host}/`, options(), { headers: { 'x-a': 'b\r\nhost: c' } })).toBeInstanceOf(
      ToolSoftError,
    );
    expect(() => createHttpRequestTool({ headers: { a: 'b' } })).toThrowError(/for no address/);
  });

  it('stops reading an answer that is too long, and one that never ends', async () => {
    answer = (_request, response) => response.end('x'.repeat(2000));
    expect((await errorOf(`http://${host}/`, { ...options(), maxBytes: 1000 })).message).toBe(
      'the answer has more than 1000 bytes',
    );
    answer = (_request, response) => response.write('x');
    const slow = await errorOf(`http://${host}/`, { ...options(), timeoutMs: 100 });
    expect(slow.message).toBe('the address could not be fetched: no answer within 0.1 s');
    expect(slow).toBeInstanceOf(ToolSoftError);
  });

  it('keeps a JSON bomb as text', async () => {
    const bomb = '['.repeat(5_000) + ']'.repeat(5_000);
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(bomb);
    expect(await call({})).toMatchObject({ body: bomb });
  });
});

describe('http_request_tool against a live host', () => {
  // Where the host listens is known only once it does.
  const here: typeof httpRequestTool = {
    ...httpRequestTool,
    run: (args, context) =>
      createHttpRequestTool({ allowPrivateHosts: [host] }).run({ ...args, url: `http://${host}/x` }, context),
  };
  testTool(
    here,
    {
      valid: [{ url: 'https://example.com', method: 'GET' }],
      invalid: [{}, { url: 1 }, { url: 'https://example.com', method: 'POST' }],
    },
    { describe, it, expect },
  );
});
