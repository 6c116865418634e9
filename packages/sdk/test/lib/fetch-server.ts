// A handler of fetch requests behind a real HTTP server on the loopback interface.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';

export interface FetchServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a handler on a free port; `undefined` breaks the connection instead of an answer. */
export async function serveFetch(
  handler: (request: Request) => Promise<Response | undefined> | Response | undefined,
): Promise<FetchServer> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = 'GET', headers, url } = incoming;
    const body = method === 'GET' ? {} : { body: new Uint8Array(Buffer.concat(chunks)) };
    const response = await handler(
      new Request(`http://${headers.host}${url}`, { method, headers: headers as Record<string, string>, ...body }),
    );
    if (!response) return void incoming.socket.destroy();
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body) Readable.fromWeb(response.body as ReadableStream).pipe(outgoing);
    else outgoing.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
