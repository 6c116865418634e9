import { connect } from 'node:net';
import { serve } from '@hono/node-server';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

/** What came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  readonly json: any;
}

/** Sends exactly these bytes of a path, these headers and this body, as a client of Portia 0.9 does. */
export type RawAsk = (
  method: string,
  path: string,
  body?: string | Buffer | undefined,
  headers?: Readonly<Record<string, string>>,
) => Promise<RawAnswer>;

/** A server on a port, spoken to without a client that would tidy up what is sent. */
export async function overTheWire(
  send: (request: Request) => Promise<Response>,
): Promise<{ readonly url: string; readonly as: (key: string | undefined) => RawAsk; close(): Promise<void> }> {
  const server = serve({ fetch: send, port: 0, hostname: '127.0.0.1' });
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    as:
      (key) =>
      async (method, path, body = '', headers = {}) => {
        // As httpx 0.28 writes them, in its order.
        const lines = {
          Host: `127.0.0.1:${port}`,
          Accept: '*/*',
          'Accept-Encoding': 'gzip, deflate',
          Connection: 'keep-alive',
          'User-Agent': 'python-httpx/0.28.1',
          ...(!('Content-Type' in headers) && { 'Content-Type': 'application/json' }),
          ...(key !== undefined && { Authorization: `Api-Key ${key}` }),
          ...(body.length > 0 && { 'Content-Length': String(Buffer.byteLength(body)) }),
          ...headers,
        };
        const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
        return exchange(port, [`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`, body]);
      },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

async function exchange(port: number, parts: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1');
  for (const part of parts) socket.write(part);
  let all = Buffer.alloc(0);
  for await (const chunk of socket) {
    all = Buffer.concat([all, chunk as Buffer]);
    const answer = wholeAnswer(all);
    if (answer) return answer;
  }
  throw new Error(`the connection was closed after ${all.length} bytes`);
}

/** The answer, once all of it is there: the connection stays open. */
function wholeAnswer(all: Buffer): RawAnswer | undefined {
  const end = all.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = all.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const raw = all.subarray(end + 4);
  const isChunked = headers['transfer-encoding'] === 'chunked';
  const isWhole = isChunked
    ? raw.toString('latin1').endsWith('0\r\n\r\n')
    : raw.length >= Number(headers['content-length'] ?? 0);
  if (!isWhole) return undefined;
  const text = (isChunked ? unchunked(raw) : raw).toString('utf8');
  const isJson = (headers['content-type'] ?? '').startsWith('application/json');
  return { status: Number(first.split(' ')[1]), headers, text, json: isJson ? JSON.parse(text) : undefined };
}

function unchunked(raw: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < raw.length; ) {
    const lineEnd = raw.indexOf('\r\n', at);
    const size = Number.parseInt(raw.subarray(at, lineEnd).toString('latin1'), 16);
    if (size === 0) break;
    chunks.push(raw.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(chunks);
}
